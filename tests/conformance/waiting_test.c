/*
 * wait, wait_for and as_completed: statements of 1.6, with the iteration of each
 * event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

static aloop_future *wait_two(aloop_future *a, aloop_future *b, double timeout, int mode) {
    aloop_future *both[] = {aloop_ref(a), aloop_ref(b)};
    return aloop_wait(both, 2, timeout, mode);
}

/* Asserts how many are done and pending, and which one is the first done. */
static void assert_sets(aloop_future *wait, int64_t done, int64_t left, aloop_future *first) {
    void *got = NULL;
    assert_code(aloop_await(wait, &got), done);
    aloop_results *list = aloop_wait_result_done(got);
    assert_int_equal(aloop_results_count(list), done);
    if (first != NULL) assert_ptr_equal(aloop_results_future(list, 0), first);
    assert_int_equal(aloop_results_count(aloop_wait_result_pending(got)), left);
    aloop_unref(got);
}

static void drop(aloop_future *a, aloop_future *b) {
    aloop_unref(a);
    aloop_unref(b);
}

/* wait -------------------------------------------------------------------------------- */

/* 1.6 wait: futures and tasks only, at least one, and a mode that there is. */
TEST(wait_refuses_what_it_cannot_wait_for) {
    aloop_future *operation[] = {aloop_sleep(1)};
    assert_failed(aloop_wait(operation, 1, -1, 0), ALOOP_EWRONGTYPE);
    assert_failed(aloop_wait(NULL, 0, -1, 0), ALOOP_EINVAL);
    aloop_future *one[] = {pending()};
    assert_failed(aloop_wait(one, 1, -1, 3), ALOOP_EINVAL);
    return 0;
}

/* 1.6 wait: ALL_COMPLETED, errors and cancellations included. */
TEST(wait_for_all) {
    aloop_future *a = pending(), *b = pending();
    assert_code(aloop_future_cancel(b, NULL), 1);
    struct waiter w = {"wait", wait_two(a, b, -1, ALOOP_ALL_COMPLETED), ""};
    aloop_task *task = running(await_on, &w);
    begin_trace();
    assert_code(aloop_future_set_error_code(a, -5), 0);
    assert_code(outcome(task), 2);
    assert_trace("wait:2@2 ");
    assert_code(aloop_future_result(a, NULL), -5);
    aloop_unref(w.on);
    drop(a, b);
    return 0;
}

/* 1.6 wait: FIRST_COMPLETED, a cancelled one counts. */
TEST(wait_for_the_first) {
    aloop_future *a = pending(), *b = pending();
    assert_code(aloop_future_cancel(b, NULL), 1);
    assert_sets(wait_two(a, b, -1, ALOOP_FIRST_COMPLETED), 1, 1, b);
    drop(a, b);
    return 0;
}

/* 1.6 wait: FIRST_EXCEPTION, where a cancelled one does not count. */
TEST(wait_for_the_first_exception) {
    aloop_future *a = pending(), *b = failed(-5);
    assert_sets(wait_two(a, b, -1, ALOOP_FIRST_EXCEPTION), 1, 1, b);
    aloop_unref(b);
    b = pending();
    struct waiter w = {"wait", wait_two(a, b, -1, ALOOP_FIRST_EXCEPTION), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_future_cancel(b, NULL), 1);
    let_run(3);
    assert_code(aloop_future_done(task), 0);
    finish(a, 1);
    assert_code(outcome(task), 2);
    aloop_unref(w.on);
    drop(a, b);
    return 0;
}

/* 1.6 wait: FIRST_EXCEPTION in the middle of the wait ends it. */
TEST(wait_ended_by_an_exception) {
    struct job fails = {"fails", 1, -5, 0, 0}, slow = {"slow", 3, 1, 0, 0};
    aloop_task *a = start(&fails), *b = start(&slow);
    assert_sets(wait_two(a, b, -1, ALOOP_FIRST_EXCEPTION), 1, 1, a);
    assert_close(now(), 1);
    assert_code(outcome(aloop_ref(b)), 1);
    drop(a, b);
    return 0;
}

/* 1.6 wait: a time limit ends it without an error and cancels nothing. */
TEST(wait_that_times_out) {
    struct job quick = {"quick", 1, 1, 0, 0}, slow = {"slow", 3, 2, 0, 0};
    aloop_task *a = start(&quick), *b = start(&slow);
    assert_sets(wait_two(a, b, 2, ALOOP_ALL_COMPLETED), 1, 1, a);
    assert_close(now(), 2);
    assert_code(outcome(aloop_ref(b)), 2);
    assert_sets(wait_two(a, b, 0.5, ALOOP_ALL_COMPLETED), 2, 0, a);
    assert_close(now(), 3); /* the timer of a wait that ended is gone */
    drop(a, b);
    return 0;
}

/* 1.6 wait: cancelled, it cancels nothing. */
TEST(wait_cancelled) {
    aloop_future *a = pending(), *b = pending();
    struct waiter w = {"wait", wait_two(a, b, 9, ALOOP_ALL_COMPLETED), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_code(aloop_future_done(a), 0);
    assert_code(aloop_future_done(b), 0);
    aloop_unref(w.on);
    drop(a, b);
    return 0;
}

/* 1.6 wait: what finishes between the trigger and the wake-up is in done too. */
TEST(wait_samples_after_the_wake_up) {
    aloop_future *a = pending(), *b = pending();
    aloop_task *task = aloop_ensure_future(wait_two(a, b, -1, ALOOP_FIRST_COMPLETED));
    let_run(1);
    finish(a, 1);
    let_run(1);
    finish(b, 2);
    assert_sets(task, 2, 0, a);
    drop(a, b);
    return 0;
}

/* 1.6 wait: one named twice is waited for once. */
TEST(wait_for_one_named_twice) {
    aloop_future *a = finished(1);
    assert_sets(wait_two(a, a, -1, ALOOP_ALL_COMPLETED), 1, 0, a);
    aloop_unref(a);
    return 0;
}

/* wait_for ---------------------------------------------------------------------------- */

/* 1.6 wait_for: without a limit it is the await itself. */
TEST(wait_for_without_limit) {
    begin_trace();
    assert_code(outcome(aloop_wait_for(finished(3), INFINITY)), 3);
    assert_code(outcome(aloop_wait_for(failed(-5), INFINITY)), -5);
    assert_code(outcome(aloop_wait_for(aloop_sleep_result(0, 4, NULL, NULL), INFINITY)), 4);
    note("main");
    assert_trace("main@1 ");
    return 0;
}

/* 1.6 wait_for: no time at all: what is done gives its outcome, an operation is
 * never started, a task is cancelled and waited for. */
TEST(wait_for_no_time) {
    const double none[] = {0, -1, -INFINITY};
    for (int i = 0; i < 3; i++) {
        assert_code(outcome(aloop_wait_for(finished(3), none[i])), 3);
        assert_code(outcome(aloop_wait_for(failed(-5), none[i])), -5);
        assert_code(outcome(aloop_wait_for(aloop_sleep(1), none[i])), ALOOP_ETIMEDOUT);
        struct job never = {"never", 1, 0, 0, 0};
        assert_code(outcome(aloop_wait_for(start(&never), none[i])), ALOOP_ETIMEDOUT);
    }
    assert_trace(""); /* no body ran */
    assert_close(now(), 0);
    return 0;
}

/* 1.6 wait_for: no time, and the task cleans up or swallows. */
TEST(wait_for_no_time_and_a_cleanup) {
    struct job slow = {"slow", 9, 0, 2, 0}, kept = {"kept", 9, 0, 1, 6};
    struct job broken = {"broken", 9, 0, 1, -9};
    assert_code(outcome(aloop_wait_for(running(work, &slow), 0)), ALOOP_ETIMEDOUT);
    assert_close(now(), 2);
    assert_code(outcome(aloop_wait_for(running(work, &kept), 0)), 6);
    assert_code(outcome(aloop_wait_for(running(work, &broken), 0)), -9);
    return 0;
}

/* 1.6 wait_for: the operation runs in the caller's own task. */
TEST(wait_for_runs_inline) {
    aloop_future *op = aloop_wait_for(aloop_sleep_result(1, 5, NULL, NULL), 9);
    aloop_future_add_done_callback(op, note_done, "done", NULL);
    let_run(1);
    aloop_results *all = aloop_all_tasks(NULL);
    assert_int_equal(aloop_results_count(all), 2); /* the callback made it a task */
    aloop_unref(all);
    assert_code(outcome(op), 5);
    struct waiter w = {"w", aloop_wait_for(aloop_sleep(1), 9), ""};
    aloop_task *task = running(await_on, &w);
    all = aloop_all_tasks(NULL);
    assert_int_equal(aloop_results_count(all), 2); /* the waiter, and none for the sleep */
    aloop_unref(all);
    assert_code(outcome(task), 0);
    aloop_unref(w.on);
    return 0;
}

/* 1.6 wait_for: on expiry it waits for the cleanup; a value wins, an error too. */
TEST(wait_for_waits_for_the_cleanup) {
    struct job slow = {"slow", 9, 0, 1, 0}, kept = {"kept", 9, 0, 1, 6};
    struct job broken = {"broken", 9, 0, 1, -9};
    assert_code(outcome(aloop_wait_for(start(&slow), 2)), ALOOP_ETIMEDOUT);
    assert_close(now(), 3);
    assert_code(outcome(aloop_wait_for(start(&kept), 2)), 6);
    assert_close(now(), 6);
    assert_code(outcome(aloop_wait_for(start(&broken), 2)), -9);
    assert_close(now(), 9);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.6 wait_for: cancelled from outside, the inner one is cancelled. */
TEST(wait_for_cancelled) {
    struct job job = {"inner", 9, 0, 0, 0};
    aloop_task *inner = start(&job);
    struct waiter w = {"outer", aloop_wait_for(aloop_ref(inner), 5), ""};
    aloop_task *task = running(await_on, &w);
    begin_trace();
    assert_code(aloop_task_cancel(task, "out"), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_string_equal(w.message, "out");
    assert_code(aloop_future_cancelled(inner), 1);
    assert_trace("inner:ECANCELED@1 outer:ECANCELED@2 ");
    aloop_unref(w.on);
    aloop_unref(inner);
    return 0;
}

/* 1.6 wait_for: cancelled after the result came: the cancellation wins. */
TEST(wait_for_cancelled_beside_the_result) {
    aloop_future *f = pending();
    struct waiter w = {"outer", aloop_wait_for(aloop_ref(f), 5), ""};
    aloop_task *task = running(await_on, &w);
    finish(f, 7);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_code(aloop_future_result(f, NULL), 7);
    aloop_unref(w.on);
    aloop_unref(f);
    return 0;
}

/* 1.6 wait_for: a child that swallows the outer cancellation gives its value. */
TEST(wait_for_cancellation_swallowed) {
    struct job kept = {"kept", 9, 0, 1, 6};
    struct waiter w = {"outer", aloop_wait_for(start(&kept), 5), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(aloop_ref(task)), 6);
    assert_code(aloop_task_cancelling(task), 1);
    aloop_unref(task);
    aloop_unref(w.on);
    return 0;
}

/* 1.6 wait_for: the task it is given is cancelled on expiry, behind a shield not. */
TEST(wait_for_and_a_shield) {
    aloop_future *f = pending();
    assert_code(outcome(aloop_wait_for(aloop_shield(aloop_ref(f)), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_done(f), 0);
    assert_code(outcome(aloop_wait_for(aloop_shield(aloop_ref(f)), 0)), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_done(f), 0);
    assert_code(outcome(aloop_wait_for(aloop_ref(f), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_cancelled(f), 1);
    aloop_unref(f);
    return 0;
}

/* as_completed ------------------------------------------------------------------------ */

/* 1.6 as_completed: the original futures, in the order in which they finish. */
TEST(as_completed_gives_the_originals) {
    struct job slow = {"slow", 2, 2, 0, 0}, quick = {"quick", 1, 1, 0, 0};
    aloop_future *all[] = {start(&slow), start(&quick)};
    aloop_future *expected[] = {all[1], all[0]};
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 2, -1), 0);
    for (int i = 0; i < 2; i++) {
        void *got = NULL;
        assert_code(aloop_await(aloop_as_completed_next(c), &got), 0);
        assert_ptr_equal(got, expected[i]);
        assert_code(aloop_future_result(got, NULL), i + 1);
        aloop_unref(got);
    }
    assert_code(outcome(aloop_as_completed_next(c)), ALOOP_ESTOPITERATION);
    assert_code(outcome(aloop_as_completed_next(c)), ALOOP_ESTOPITERATION);
    aloop_unref(c);
    return 0;
}

/* 1.6 as_completed: the results themselves, errors raised at their turn. */
TEST(as_completed_gives_results) {
    aloop_future *all[] = {finished(1), failed(-5), finished(3)};
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 3, -1), 0);
    assert_code(outcome(aloop_as_completed_next_result(c)), 1);
    assert_code(outcome(aloop_as_completed_next_result(c)), -5);
    assert_code(outcome(aloop_as_completed_next_result(c)), 3);
    aloop_unref(c);
    return 0;
}

/* 1.6 as_completed: operations become tasks before a done future counts, so that what
 * ends in its first step is there with it. */
TEST(as_completed_starts_before_it_listens) {
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, NULL), 0);
    aloop_future *all[] = {finished(1), aloop_queue_put(queue, NULL)};
    aloop_completions *c = NULL;
    begin_trace();
    assert_code(aloop_as_completed(&c, all, 2, -1), 0);
    for (int i = 0; i < 2; i++) note_end("next", outcome(aloop_as_completed_next_result(c)));
    assert_trace("next:1@2 next:0@2 ");
    aloop_unref(c);
    aloop_unref(queue);
    return 0;
}

/* 1.6 as_completed: one named twice comes once. */
TEST(as_completed_without_duplicates) {
    aloop_future *f = finished(1);
    aloop_future *all[] = {aloop_ref(f), f};
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 2, -1), 0);
    assert_code(outcome(aloop_as_completed_next_result(c)), 1);
    assert_code(outcome(aloop_as_completed_next_result(c)), ALOOP_ESTOPITERATION);
    aloop_unref(c);
    return 0;
}

/* 1.6 as_completed: its time limit, and what it does not cancel. */
TEST(as_completed_times_out) {
    struct job quick = {"quick", 1, 1, 0, 0}, slow = {"slow", 3, 2, 0, 0};
    aloop_future *all[] = {start(&quick), start(&slow)};
    aloop_task *kept = aloop_ref(all[1]);
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 2, 2), 0);
    assert_code(outcome(aloop_as_completed_next_result(c)), 1);
    assert_code(outcome(aloop_as_completed_next_result(c)), ALOOP_ETIMEDOUT);
    assert_close(now(), 2);
    assert_code(outcome(kept), 2);
    aloop_unref(c);
    all[0] = start(&quick);
    assert_code(aloop_as_completed(&c, all, 1, 5), 0); /* a limit that is not needed */
    assert_code(outcome(aloop_as_completed_next_result(c)), 1);
    aloop_unref(c);
    assert_code(nap(0), 0);
    assert_close(now(), 4);
    return 0;
}

/* 1.6 as_completed: cancelling the consumer cancels no child. */
TEST(as_completed_consumer_cancelled) {
    aloop_future *f = pending();
    aloop_future *all[] = {aloop_ref(f)};
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 1, -1), 0);
    struct waiter w = {"consumer", aloop_as_completed_next_result(c), ""};
    aloop_task *task = running(await_on, &w);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_code(aloop_future_done(f), 0);
    finish(f, 4);
    assert_code(outcome(aloop_as_completed_next_result(c)), 4);
    aloop_unref(w.on);
    aloop_unref(c);
    aloop_unref(f);
    return 0;
}

/* 1.6 as_completed: several consumers at once each get another one. */
TEST(as_completed_consumed_by_two) {
    struct job slow = {"slow", 2, 2, 0, 0}, quick = {"quick", 1, 1, 0, 0};
    aloop_future *all[] = {start(&slow), start(&quick)};
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, all, 2, -1), 0);
    struct waiter first = {"first", aloop_as_completed_next_result(c), ""};
    struct waiter second = {"second", aloop_as_completed_next_result(c), ""};
    aloop_task *one = running(await_on, &first);
    aloop_task *two = running(await_on, &second);
    assert_code(outcome(one), 1);
    assert_code(outcome(two), 2);
    aloop_unref(first.on);
    aloop_unref(second.on);
    aloop_unref(c);
    return 0;
}

/* 1.6 wait_for: given up while it waits for the end of what it cancelled, it no longer
 * listens to that: no iteration is spent on its callback. */
TEST(wait_for_no_time_given_up) {
    struct job stubborn = {"stubborn", 9, 0, 1, 0};
    aloop_task *task = start(&stubborn);
    let_run(1);
    aloop_future *limited = aloop_wait_for(aloop_ref(task), 0);
    struct waiter w = {"waiter", limited, ""};
    aloop_task *waiting = running(await_on, &w);
    let_run(1);
    assert_code(aloop_task_cancel(waiting, NULL), 1);
    assert_code(outcome(waiting), ALOOP_ECANCELED);
    begin_trace();
    assert_code(nap(2), 0);
    note("main");
    assert_trace("stubborn:ECANCELED@2 main@4 ");
    assert_code(outcome(task), ALOOP_ECANCELED);
    aloop_unref(limited);
    return 0;
}

SUITE(CASE(wait_refuses_what_it_cannot_wait_for), CASE(wait_for_all), CASE(wait_for_the_first),
      CASE(wait_for_the_first_exception), CASE(wait_ended_by_an_exception),
      CASE(wait_that_times_out), CASE(wait_cancelled), CASE(wait_samples_after_the_wake_up),
      CASE(wait_for_one_named_twice), CASE(wait_for_without_limit), CASE(wait_for_no_time),
      CASE(wait_for_no_time_and_a_cleanup), CASE(wait_for_runs_inline),
      CASE(wait_for_waits_for_the_cleanup), CASE(wait_for_cancelled),
      CASE(wait_for_cancelled_beside_the_result), CASE(wait_for_cancellation_swallowed),
      CASE(wait_for_and_a_shield), CASE(as_completed_gives_the_originals),
      CASE(as_completed_gives_results), CASE(as_completed_starts_before_it_listens),
      CASE(as_completed_without_duplicates), CASE(as_completed_times_out),
      CASE(as_completed_consumer_cancelled), CASE(as_completed_consumed_by_two),
      CASE(wait_for_no_time_given_up))
