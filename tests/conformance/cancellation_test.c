/*
 * Cancellation, statement by statement (C1 to C14), with the iteration of each
 * event. What cancel_test.c of the unit tests shows is not repeated here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

/* C1: a done task refuses; else the request is counted and goes to the waiter. */
TEST(c1_cancel_counts_and_forwards) {
    struct waiter w = {"w", pending(), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, "m"), 1);
    assert_code(aloop_task_cancelling(task), 1);
    assert_code(aloop_future_cancelled(w.on), 1);
    assert_code(aloop_future_done(task), 0);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancel(task, "m"), 0);
    assert_code(aloop_task_cancelling(task), 1); /* the refused one is not counted */
    aloop_unref(task);
    aloop_unref(w.on);
    return 0;
}

/* C2: before the first step the body never runs. */
TEST(c2_cancelled_before_the_first_step) {
    struct job job = {"body", 1, 0, 0, 0};
    aloop_task *task = start(&job);
    assert_code(aloop_task_cancel(task, "early"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_last_message("early");
    note("main");
    assert_trace("main@2 ");
    return 0;
}

/* C3: the future at once, the wake-up in the next iteration, the awaiter after it. */
TEST(c3_delivery_is_one_iteration_later) {
    struct waiter w = {"task", pending(), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, "first"), 1);
    note("cancelled");
    assert_code(outcome(task), ALOOP_ECANCELED);
    note("main");
    assert_string_equal(w.message, "first");
    assert_trace("cancelled@1 task:ECANCELED@2 main@3 ");
    aloop_unref(w.on);
    return 0;
}

/* C4: two requests before the delivery are one error; forwarded ones keep the
 * first message, held ones the last. */
TEST(c4_two_requests_are_one_error) {
    struct waiter w = {"w", pending(), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, "one"), 1);
    assert_code(aloop_task_cancel(task, "two"), 1);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(task), 2);
    assert_string_equal(w.message, "one");
    aloop_unref(task);
    aloop_unref(w.on);
    task = aloop_create_task(await_on, &w);
    assert_code(aloop_task_cancel(task, "one"), 1);
    assert_code(aloop_task_cancel(task, "two"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_last_message("two");
    return 0;
}

/* C5: done, but not yet seen: the value is lost to the awaiter, the future keeps it. */
TEST(c5_the_result_is_lost_to_the_awaiter) {
    struct waiter w = {"task", pending(), ""};
    aloop_task *task = running(await_on, &w);
    finish(w.on, 7);
    assert_code(aloop_task_cancel(task, "tie"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    note("main");
    assert_code(aloop_future_result(w.on, NULL), 7);
    assert_string_equal(w.message, "tie");
    assert_trace("task:ECANCELED@2 main@3 ");
    aloop_unref(w.on);
    return 0;
}

static int64_t set_five(void *future) { return aloop_future_set_result(future, 5, NULL, NULL); }

/* C5: a limit that expires in the iteration of the result wins. */
TEST(c5_a_timeout_in_the_iteration_of_the_result) {
    aloop_future *f = pending();
    assert_true(aloop_loop_call_later(here(), 1, set_five, f, NULL) > 0);
    assert_code(outcome(aloop_wait_for(aloop_ref(f), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_result(f, NULL), 5);
    assert_code(aloop_task_cancelling(self()), 0);
    aloop_unref(f);
    return 0;
}

/* C5: the same with an error instead of a result. */
TEST(c5_an_error_is_lost_too) {
    struct waiter w = {"task", pending(), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_future_set_error_code(w.on, -5), 0);
    assert_code(aloop_task_cancel(task, "tie"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_code(aloop_future_result(w.on, NULL), -5);
    aloop_unref(w.on);
    return 0;
}

static int64_t cancel_and_return(void *message, void **value UNUSED) {
    assert_code(aloop_task_cancel(self(), message), 1);
    note("body");
    return 3;
}

/* C6: cancelled by itself at the end: the return value is discarded. */
TEST(c6_cancelled_at_its_end) {
    aloop_task *task = aloop_create_task(cancel_and_return, "by myself");
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    note("main");
    assert_last_message("by myself");
    assert_code(aloop_future_cancelled(task), 1);
    assert_trace("body@1 main@2 ");
    aloop_unref(task);
    return 0;
}

static int64_t cancel_and_take_back(void *unused UNUSED, void **value UNUSED) {
    assert_code(aloop_task_cancel(self(), NULL), 1);
    assert_code(aloop_task_uncancel(self()), 0);
    assert_code(nap(0), 0);
    note("slept");
    return 3;
}

/* C7: taken back before the next await: nothing is thrown. */
TEST(c7_uncancel_drops_the_pending_request) {
    assert_code(outcome(aloop_create_task(cancel_and_take_back, NULL)), 3);
    assert_trace("slept@2 ");
    return 0;
}

static int64_t swallow_twice(void *unused UNUSED, void **value UNUSED) {
    for (int i = 1; i <= 2; i++) {
        note_end("first", nap(10));
        assert_code(aloop_task_cancelling(self()), i);
        note_end("second", nap(0));
        assert_code(aloop_task_cancelling(self()), i);
    }
    assert_code(aloop_task_uncancel(self()), 1);
    assert_code(aloop_task_uncancel(self()), 0);
    return 8;
}

/* C8: delivered once; a later request is delivered again. */
TEST(c8_swallowed_it_is_not_delivered_again) {
    aloop_task *task = running(swallow_twice, NULL);
    assert_code(aloop_task_cancel(task, NULL), 1);
    let_run(2);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(aloop_ref(task)), 8);
    assert_code(aloop_future_cancelled(task), 0);
    assert_trace("first:ECANCELED@2 second:0@3 first:ECANCELED@4 second:0@5 ");
    aloop_unref(task);
    return 0;
}

/* C9: another error from the cleanup is what the task ends with. */
TEST(c9_an_error_in_the_cleanup_wins) {
    struct job job = {"task", 10, 0, 1, -9};
    aloop_task *task = running(work, &job);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(aloop_ref(task)), -9);
    assert_code(aloop_future_cancelled(task), 0);
    aloop_unref(task);
    return 0;
}

/* C10: inward at once, outward one task an iteration; each is counted. */
TEST(c10_down_the_chain_and_out_again) {
    struct waiter inner = {"inner", pending(), ""};
    aloop_task *a = running(await_on, &inner);
    struct waiter middle = {"middle", a, ""};
    aloop_task *b = running(await_on, &middle);
    struct waiter outer = {"outer", b, ""};
    aloop_task *c = running(await_on, &outer);
    begin_trace();
    assert_code(aloop_task_cancel(c, "chain"), 1);
    assert_code(outcome(c), ALOOP_ECANCELED);
    assert_trace("inner:ECANCELED@1 middle:ECANCELED@2 outer:ECANCELED@3 ");
    assert_string_equal(outer.message, "chain");
    aloop_unref(a);
    aloop_unref(b);
    aloop_unref(inner.on);
    return 0;
}

/* C10: what one awaits was cancelled by somebody else: the own count stays 0. */
TEST(c10_somebody_elses_cancellation) {
    aloop_task *victim = running(sleep_for_ever, NULL);
    struct waiter w = {"w", victim, ""};
    aloop_task *task = running(await_on, &w);
    begin_trace();
    assert_code(aloop_task_cancel(victim, "other"), 1);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(task), 0);
    assert_code(aloop_task_cancelling(victim), 1);
    assert_code(aloop_future_cancelled(task), 1); /* though nobody called cancel on it */
    assert_trace("w:ECANCELED@2 ");
    aloop_unref(task);
    aloop_unref(victim);
    return 0;
}

/* C11: timeout and group take back what they requested; the program's own
 * requests stay for the program to take back. */
TEST(c11_blocks_take_back_their_requests) {
    struct job failing = {"child", 1, -5, 0, 0};
    aloop_timeout *t = NULL;
    assert_code(aloop_timeout_enter(&t, 1), 0);
    assert_code(aloop_timeout_exit(t, nap(5)), ALOOP_ETIMEDOUT);
    assert_code(aloop_task_cancelling(self()), 0);
    aloop_unref(t);
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, work, &failing), 0);
    assert_code(aloop_task_group_exit(g, nap(5)), ALOOP_EGROUP);
    assert_code(aloop_task_cancelling(self()), 0);
    assert_code(aloop_task_cancel(self(), NULL), 1);
    assert_code(nap(1), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(self()), 1);
    assert_code(aloop_task_uncancel(self()), 0);
    return 0;
}

/* C12: a cancelled task or future is never reported. */
TEST(c12_cancellation_is_not_reported) {
    struct reports seen;
    capture_reports(here(), &seen);
    aloop_task *task = running(sleep_for_ever, NULL);
    assert_code(aloop_task_cancel(task, NULL), 1);
    aloop_unref(task);
    aloop_future *f = pending();
    assert_code(aloop_future_cancel(f, NULL), 1);
    aloop_unref(f);
    let_run(4);
    assert_int_equal(seen.count, 0);
    return 0;
}

/* C13: through a gather to all children; at a shield it ends. */
TEST(c13_gather_passes_it_on_and_shield_does_not) {
    struct job a = {"a", 5, 0, 0, 0}, b = {"b", 5, 0, 0, 0};
    struct waiter w = {"gather", ALOOP_GATHER(0, start(&a), start(&b)), ""};
    aloop_task *task = running(await_on, &w);
    begin_trace();
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    note("main");
    assert_trace("a:ECANCELED@1 b:ECANCELED@1 gather:ECANCELED@3 main@4 ");
    aloop_unref(w.on);
    aloop_task *inner = start(&a);
    w = (struct waiter){"shield", aloop_shield(aloop_ref(inner)), ""};
    task = running(await_on, &w);
    begin_trace();
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_trace("shield:ECANCELED@1 ");
    assert_code(outcome(inner), 0);
    aloop_unref(w.on);
    return 0;
}

static int64_t clean_for_long(void *unused UNUSED, void **value UNUSED) {
    aloop_timeout *t = NULL;
    assert_code(aloop_timeout_enter(&t, 1), 0);
    const int64_t status = nap(100);
    assert_code(nap(50), 0); /* the limit does not strike again */
    const int64_t left = aloop_timeout_exit(t, status);
    aloop_unref(t);
    return left;
}

/* C14: an expired limit waits for the cleanup without bound. */
TEST(c14_the_cleanup_is_not_interrupted) {
    const double begun = now();
    assert_code(outcome(aloop_create_task(clean_for_long, NULL)), ALOOP_ETIMEDOUT);
    assert_close(now() - begun, 51);
    return 0;
}

static int64_t cancel_itself_while_waiting(void *future, void **value UNUSED) {
    return aloop_await(aloop_ref(future), NULL);
}

/* Task and inner future cancelled in one iteration: one error. */
TEST(cancelled_with_what_it_awaits) {
    aloop_future *f = pending();
    aloop_task *task = running(cancel_itself_while_waiting, f);
    assert_code(aloop_future_cancel(f, "inner"), 1);
    assert_code(aloop_task_cancel(task, "outer"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_last_message("inner"); /* what the future was cancelled with is thrown */
    aloop_unref(f);
    return 0;
}

/* A task that only yields is cancelled at its yield. */
TEST(cancelled_at_a_bare_yield) {
    aloop_task *task = aloop_ensure_future(aloop_sleep(0));
    let_run(1);
    assert_code(aloop_task_state(task), ALOOP_TASK_READY);
    assert_code(aloop_task_cancel(task, "y"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    note("main");
    assert_trace("main@3 ");
    return 0;
}

static int64_t structured(void *unused UNUSED, void **value UNUSED) {
    aloop_timeout *t = NULL;
    assert_code(aloop_timeout_enter(&t, 1), 0);
    const int64_t left = aloop_timeout_exit(t, nap(5));
    aloop_unref(t);
    note_end("block", left);
    note_end("after", nap(1));
    return left == ALOOP_ETIMEDOUT ? 1 : left;
}

/* Structured blocks: a limit that passed and no request from outside goes on; a
 * request from outside ends the task at its next await. */
TEST(uncancel_in_structured_blocks) {
    assert_code(outcome(aloop_create_task(structured, NULL)), 1);
    aloop_task *task = running(structured, NULL);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(task), 1);
    aloop_unref(task);
    return 0;
}

SUITE(CASE(c1_cancel_counts_and_forwards), CASE(c2_cancelled_before_the_first_step),
      CASE(c3_delivery_is_one_iteration_later), CASE(c4_two_requests_are_one_error),
      CASE(c5_the_result_is_lost_to_the_awaiter),
      CASE(c5_a_timeout_in_the_iteration_of_the_result), CASE(c5_an_error_is_lost_too),
      CASE(c6_cancelled_at_its_end), CASE(c7_uncancel_drops_the_pending_request),
      CASE(c8_swallowed_it_is_not_delivered_again), CASE(c9_an_error_in_the_cleanup_wins),
      CASE(c10_down_the_chain_and_out_again), CASE(c10_somebody_elses_cancellation),
      CASE(c11_blocks_take_back_their_requests), CASE(c12_cancellation_is_not_reported),
      CASE(c13_gather_passes_it_on_and_shield_does_not), CASE(c14_the_cleanup_is_not_interrupted),
      CASE(cancelled_with_what_it_awaits), CASE(cancelled_at_a_bare_yield),
      CASE(uncancel_in_structured_blocks))
