/*
 * gather, and shield in its company: statements of 1.6, with the iteration of
 * each event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#define BOTH(flags, a, b) ALOOP_GATHER((flags), (a), (b))

static void assert_outcomes(aloop_future *gather, const int64_t *expected, int64_t n) {
    void *list = NULL;
    assert_code(aloop_await(gather, &list), n);
    assert_int_equal(aloop_results_count(list), n);
    for (int64_t i = 0; i < n; i++) assert_code(aloop_results_status(list, i), expected[i]);
    aloop_unref(list);
}
#define EXPECT(gather, ...)                                 \
    assert_outcomes((gather), (const int64_t[]){__VA_ARGS__}, \
                    (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* 1.6 gather: the tasks start in argument order, the results stand in it. */
TEST(gather_keeps_argument_order) {
    struct job jobs[] = {{"a", 3, 1, 0, 0}, {"b", 1, 2, 0, 0}, {"c", 2, 3, 0, 0}};
    EXPECT(ALOOP_GATHER(0, start(&jobs[0]), start(&jobs[1]), start(&jobs[2])), 1, 2, 3);
    assert_close(now(), 3);
    return 0;
}

/* 1.6 gather: operations become tasks; each begins in the next iteration. */
TEST(gather_starts_operations) {
    aloop_future *gather = BOTH(0, aloop_sleep_result(0, 1, NULL, NULL),
                                aloop_sleep_result(0, 2, NULL, NULL));
    aloop_results *all = aloop_all_tasks(NULL);
    assert_int_equal(aloop_results_count(all), 3);
    aloop_unref(all);
    EXPECT(gather, 1, 2);
    note("main");
    assert_trace("main@4 ");
    return 0;
}

/* 1.6 gather: nothing to gather, or only what is done: done at its return. */
TEST(gather_of_done_futures_is_done) {
    aloop_future *gather = aloop_gather(NULL, 0, 0);
    assert_code(aloop_future_result(gather, NULL), 0);
    aloop_unref(gather);
    gather = BOTH(0, finished(4), finished(5));
    assert_code(aloop_future_done(gather), 1);
    EXPECT(gather, 4, 5);
    gather = BOTH(0, finished(4), failed(-5));
    assert_code(aloop_future_result(gather, NULL), -5);
    aloop_unref(gather);
    EXPECT(BOTH(ALOOP_RETURN_EXCEPTIONS, failed(-5), finished(4)), -5, 4);
    note("main");
    assert_trace("main@0 ");
    return 0;
}

/* 1.6 gather: a child named twice is one child in two places. */
TEST(gather_duplicates_share_one_child) {
    struct job a = {"a", 1, 7, 0, 0};
    aloop_task *task = start(&a);
    EXPECT(ALOOP_GATHER(0, aloop_ref(task), finished(1), task), 7, 1, 7);
    assert_trace("a:7@3 ");
    return 0;
}

/* 1.6 gather: results and errors that come one by one, in any order. */
TEST(gather_finishes_with_its_last_child) {
    aloop_future *a = pending(), *b = pending(), *c = pending();
    aloop_future *gather = ALOOP_GATHER(0, aloop_ref(a), aloop_ref(b), aloop_ref(c));
    finish(b, 2);
    let_run(2);
    assert_code(aloop_future_done(gather), 0);
    finish(c, 3);
    finish(a, 1);
    let_run(1);
    EXPECT(gather, 1, 2, 3);
    aloop_unref(a);
    aloop_unref(b);
    aloop_unref(c);
    return 0;
}

/* 1.6 gather: the first error is the outcome at once; the others keep running,
 * and what they fail with later is quiet. */
TEST(gather_ends_with_the_first_error) {
    struct reports seen;
    capture_reports(here(), &seen);
    struct job fails = {"fails", 1, -5, 0, 0}, late = {"late", 3, -6, 0, 0};
    aloop_future *gather = BOTH(0, start(&fails), start(&late));
    assert_code(outcome(aloop_ref(gather)), -5);
    assert_close(now(), 1);
    assert_last_message("fails");
    assert_code(aloop_future_cancel(gather, NULL), 0);
    aloop_unref(gather);
    assert_code(nap(5), 0);
    assert_int_equal(seen.count, 0);
    assert_trace("fails:EIO@3 late:ENXIO@7 ");
    return 0;
}

/* 1.6 gather: the errors among the results. */
TEST(gather_returns_exceptions) {
    struct job a = {"a", 1, -5, 0, 0}, b = {"b", 2, 2, 0, 0};
    void *list = NULL;
    assert_code(aloop_await(BOTH(ALOOP_RETURN_EXCEPTIONS, start(&a), start(&b)), &list), 2);
    assert_code(aloop_results_status(list, 0), -5);
    assert_string_equal(aloop_error_message(aloop_results_error(list, 0)), "a");
    assert_code(aloop_results_status(list, 1), 2);
    assert_null(aloop_results_error(list, 1));
    aloop_unref(list);
    return 0;
}

/* 1.6 gather: a child that somebody cancels is an error of the gather, which
 * itself is not cancelled; or an entry with its message. */
TEST(gather_child_cancelled_by_others) {
    aloop_future *a = pending(), *b = pending();
    aloop_future *gather = BOTH(0, aloop_ref(a), aloop_ref(b));
    assert_code(aloop_future_cancel(a, "child"), 1);
    assert_code(outcome(aloop_ref(gather)), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(gather), 0);
    assert_code(aloop_future_done(b), 0);
    assert_code(aloop_task_cancelling(self()), 0);
    aloop_unref(gather);
    aloop_unref(a);
    a = pending();
    gather = BOTH(ALOOP_RETURN_EXCEPTIONS, aloop_ref(a), aloop_ref(b));
    assert_code(aloop_future_cancel(a, "child"), 1);
    finish(b, 3);
    void *list = NULL;
    assert_code(aloop_await(gather, &list), 2);
    assert_code(aloop_results_status(list, 0), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_results_error(list, 0)), "child");
    assert_code(aloop_results_status(list, 1), 3);
    aloop_unref(list);
    aloop_unref(a);
    aloop_unref(b);
    return 0;
}

/* 1.6 gather: cancelling it cancels the children; not it, before they are done. */
TEST(gather_cancel_reaches_the_children) {
    struct job a = {"a", 5, 0, 0, 0}, b = {"b", 5, 0, 0, 0};
    aloop_future *gather = BOTH(0, start(&a), start(&b));
    let_run(1);
    assert_code(aloop_future_cancel(gather, "all"), 1);
    assert_code(aloop_future_done(gather), 0);
    assert_code(outcome(aloop_ref(gather)), ALOOP_ECANCELED);
    note("main");
    assert_trace("a:ECANCELED@2 b:ECANCELED@2 main@4 ");
    assert_code(aloop_future_cancel(gather, NULL), 0);
    aloop_unref(gather);
    return 0;
}

/* 1.6 gather: cancelled, it does not wait for slower cleanups; with
 * RETURN_EXCEPTIONS it waits for all, and is still cancelled. */
TEST(gather_cancelled_and_slow_cleanups) {
    struct job quick = {"quick", 50, 0, 1, 0}, slow = {"slow", 50, 0, 3, 0};
    for (int flags = 0; flags <= ALOOP_RETURN_EXCEPTIONS; flags++) {
        aloop_future *gather = BOTH(flags, start(&quick), start(&slow));
        let_run(1);
        const double begun = now();
        assert_code(aloop_future_cancel(gather, NULL), 1);
        assert_code(outcome(gather), ALOOP_ECANCELED);
        assert_close(now() - begun, flags != 0 ? 3 : 1);
        assert_code(nap(5), 0);
    }
    return 0;
}

/* 1.6 gather: cancelled although every child swallowed it and returned. */
TEST(gather_cancelled_though_all_swallowed) {
    struct job a = {"a", 50, 0, 0, 1}, b = {"b", 50, 0, 0, 2};
    aloop_future *gather = BOTH(ALOOP_RETURN_EXCEPTIONS, start(&a), start(&b));
    let_run(1);
    assert_code(aloop_future_cancel(gather, NULL), 1);
    assert_code(outcome(gather), ALOOP_ECANCELED);
    gather = BOTH(0, start(&a), start(&b));
    let_run(1);
    assert_code(aloop_future_cancel(gather, NULL), 1);
    assert_code(outcome(gather), ALOOP_ECANCELED);
    return 0;
}

/* 1.6 gather: its futures are of one loop. */
TEST(gather_of_two_loops_is_refused) {
    aloop_loop *other = virtual_loop();
    assert_failed(BOTH(0, pending(), aloop_loop_create_future(other)), ALOOP_EWRONGLOOP);
    close_loop(other);
    return 0;
}

/* Gathers of gathers: the results nest; a cancellation goes to the leaves. */
TEST(gather_nests) {
    struct job a = {"a", 5, 1, 0, 0}, b = {"b", 5, 2, 0, 0};
    void *outer = NULL;
    assert_code(aloop_await(BOTH(0, BOTH(0, start(&a), start(&b)), finished(3)), &outer), 2);
    void *inner = aloop_results_value(outer, 0);
    assert_code(aloop_results_status(inner, 1), 2);
    aloop_unref(outer);
    aloop_future *gather = BOTH(0, BOTH(0, start(&a), start(&b)), pending());
    let_run(1);
    begin_trace();
    assert_code(aloop_future_cancel(gather, NULL), 1);
    assert_code(outcome(gather), ALOOP_ECANCELED);
    note("main");
    assert_trace("a:ECANCELED@1 b:ECANCELED@1 main@2 ");
    assert_code(nap(1), 0);
    return 0;
}

/* A shield among the children keeps what is inside it from the gather's cancel. */
TEST(gather_of_a_shield) {
    aloop_future *inner = pending();
    aloop_future *other = pending();
    aloop_future *gather = BOTH(0, aloop_shield(aloop_ref(inner)), aloop_ref(other));
    let_run(1);
    assert_code(aloop_future_cancel(gather, NULL), 1);
    assert_code(outcome(gather), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(other), 1);
    assert_code(aloop_future_done(inner), 0);
    finish(inner, 0);
    aloop_unref(inner);
    aloop_unref(other);
    return 0;
}

/* A gather behind a shield goes on. */
TEST(shield_of_a_gather) {
    aloop_future *a = pending(), *b = pending();
    aloop_future *gather = BOTH(0, aloop_ref(a), aloop_ref(b));
    aloop_future *shield = aloop_shield(aloop_ref(gather));
    assert_code(aloop_future_cancel(shield, NULL), 1);
    assert_code(outcome(shield), ALOOP_ECANCELED);
    assert_code(aloop_future_done(a), 0);
    finish(a, 1);
    finish(b, 2);
    EXPECT(gather, 1, 2);
    aloop_unref(a);
    aloop_unref(b);
    return 0;
}

/* 1.6 shield: what is done is given back as it is. */
TEST(shield_of_a_done_future_is_that_future) {
    aloop_future *done = finished(3);
    aloop_future *shield = aloop_shield(aloop_ref(done));
    assert_ptr_equal(shield, done);
    aloop_unref(shield);
    aloop_unref(done);
    return 0;
}

/* 1.6 shield: results and errors are handed on, one iteration later. */
TEST(shield_hands_on_the_outcome) {
    aloop_future *a = pending(), *b = pending();
    struct waiter wa = {"a", aloop_shield(aloop_ref(a)), ""};
    struct waiter wb = {"b", aloop_shield(aloop_ref(b)), ""};
    aloop_task *one = running(await_on, &wa);
    aloop_task *two = running(await_on, &wb);
    begin_trace();
    finish(a, 3);
    assert_code(aloop_future_set_error_code(b, -5), 0);
    assert_code(outcome(one), 3);
    assert_code(outcome(two), -5);
    assert_trace("a:3@2 b:EIO@2 ");
    aloop_unref(wa.on);
    aloop_unref(wb.on);
    aloop_unref(a);
    aloop_unref(b);
    return 0;
}

/* 1.6 shield: cancelled outside, the inner one goes on; cancelled inside, the
 * shield is cancelled. */
TEST(shield_between_two_cancellations) {
    aloop_future *inner = pending();
    aloop_future *shield = aloop_shield(aloop_ref(inner));
    assert_code(aloop_future_cancel(shield, NULL), 1);
    let_run(2);
    assert_code(aloop_future_done(inner), 0);
    aloop_unref(shield);
    shield = aloop_shield(aloop_ref(inner));
    assert_code(aloop_future_cancel(inner, NULL), 1);
    assert_code(outcome(aloop_ref(shield)), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(shield), 1);
    aloop_unref(shield);
    aloop_unref(inner);
    return 0;
}

/* 1.6 shield: abandoned, and the inner one fails: reported once. */
TEST(shield_abandoned_reports_the_failure) {
    struct reports seen;
    capture_reports(here(), &seen);
    struct job job = {"inner", 1, -5, 0, 0};
    aloop_future *shield = aloop_shield(start(&job));
    assert_code(aloop_future_cancel(shield, NULL), 1);
    aloop_unref(shield);
    assert_code(nap(2), 0);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.list[0].message, "exception in shielded future"));
    return 0;
}

/* 1.6 shield: abandoned by two shields: one report; none where the inner one succeeds. */
TEST(shield_abandoned_twice_reports_once) {
    struct reports seen;
    capture_reports(here(), &seen);
    struct job fails = {"fails", 1, -5, 0, 0}, well = {"well", 1, 3, 0, 0};
    aloop_task *inner[] = {start(&fails), start(&well)};
    for (int i = 0; i < 4; i++) {
        aloop_future *shield = aloop_shield(aloop_ref(inner[i / 2]));
        let_run(1);
        assert_code(aloop_future_cancel(shield, NULL), 1);
        let_run(1);
        aloop_unref(shield);
    }
    assert_code(nap(2), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].message, "EIO exception in shielded future");
    assert_code(outcome(inner[1]), 3);
    aloop_unref(inner[0]);
    return 0;
}

static int64_t retry_until_done(void *task, void **value UNUSED) {
    for (;;) {
        const int64_t status = aloop_await(aloop_shield(aloop_ref(task)), NULL);
        if (status != ALOOP_ECANCELED) return status;
    }
}

/* 1.6 shield: the retry idiom survives any number of requests, which count up. */
TEST(shield_retried) {
    struct job job = {"inner", 5, 9, 0, 0};
    aloop_task *inner = start(&job);
    aloop_task *outer = running(retry_until_done, inner);
    for (int i = 1; i <= 3; i++) {
        assert_code(aloop_task_cancel(outer, NULL), 1);
        assert_code(aloop_task_cancelling(outer), i);
        let_run(3);
    }
    assert_code(outcome(outer), 9);
    aloop_unref(inner);
    return 0;
}

SUITE(CASE(gather_keeps_argument_order), CASE(gather_starts_operations),
      CASE(gather_of_done_futures_is_done), CASE(gather_duplicates_share_one_child),
      CASE(gather_finishes_with_its_last_child), CASE(gather_ends_with_the_first_error),
      CASE(gather_returns_exceptions), CASE(gather_child_cancelled_by_others),
      CASE(gather_cancel_reaches_the_children), CASE(gather_cancelled_and_slow_cleanups),
      CASE(gather_cancelled_though_all_swallowed), CASE(gather_of_two_loops_is_refused),
      CASE(gather_nests), CASE(gather_of_a_shield), CASE(shield_of_a_gather),
      CASE(shield_of_a_done_future_is_that_future), CASE(shield_hands_on_the_outcome),
      CASE(shield_between_two_cancellations), CASE(shield_abandoned_reports_the_failure),
      CASE(shield_abandoned_twice_reports_once),
      CASE(shield_retried))
