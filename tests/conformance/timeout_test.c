/*
 * timeout: statements of 1.6, with the iteration of each event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

/* 1.6 timeout: in time, too late, and with no limit. */
TEST(timeout_in_time_and_too_late) {
    aloop_timeout *t = limit(1);
    assert_close(aloop_timeout_when(t), 1);
    assert_code(leave(t, nap(0.5)), 0);
    t = limit(1);
    assert_code(nap(9), ALOOP_ECANCELED);
    assert_code(aloop_timeout_expired(t), 1);
    assert_code(leave(t, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
    assert_close(now(), 1.5);
    t = limit(INFINITY);
    assert_true(isinf(aloop_timeout_when(t)));
    assert_code(leave(t, nap(100)), 0);
    assert_code(aloop_timeout_at(&t, now() + 1), 0);
    assert_code(leave(t, nap(9)), ALOOP_ETIMEDOUT);
    return 0;
}

/* 1.6 timeout: no time: at the first await that waits, in the next iteration. */
TEST(timeout_in_the_past) {
    const double past[] = {0, -1};
    for (int i = 0; i < 2; i++) {
        begin_trace();
        aloop_timeout *t = limit(past[i]);
        assert_code(outcome(finished(1)), 1); /* does not wait */
        note_end("block", nap(1));
        assert_code(leave(t, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
        assert_trace("block:ECANCELED@2 ");
        t = limit(past[i]);
        assert_code(leave(t, nap(0)), ALOOP_ETIMEDOUT);
        t = limit(past[i]);
        assert_code(aloop_timeout_expired(t), 0);
        assert_code(leave(t, 3), 3); /* never awaited */
        assert_code(nap(0), 0);
    }
    return 0;
}

/* 1.6 timeout: nested, the outer one fires: the inner has not expired. */
TEST(timeout_outer_fires) {
    aloop_timeout *outer = limit(1), *inner = limit(5);
    const int64_t status = nap(9);
    assert_code(aloop_timeout_expired(inner), 0);
    assert_code(leave(inner, status), ALOOP_ECANCELED);
    assert_code(leave(outer, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
    return 0;
}

/* 1.6 timeout: nested, the inner one fires: its error passes the outer one. */
TEST(timeout_inner_fires) {
    aloop_timeout *outer = limit(5), *inner = limit(1);
    const int64_t status = leave(inner, nap(9));
    assert_code(status, ALOOP_ETIMEDOUT);
    assert_code(aloop_timeout_expired(outer), 0);
    assert_code(leave(outer, status), ALOOP_ETIMEDOUT);
    return 0;
}

/* 1.6 timeout: nested with one deadline: both expired, the count ends at 0. */
TEST(timeout_nested_with_one_deadline) {
    aloop_timeout *outer = limit(1), *inner = limit(1);
    const int64_t status = nap(9);
    assert_code(status, ALOOP_ECANCELED);
    assert_code(aloop_timeout_expired(inner), 1);
    assert_code(aloop_timeout_expired(outer), 1);
    assert_code(leave(inner, status), ALOOP_ECANCELED); /* two requests: not its alone */
    assert_code(leave(outer, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.6 timeout: a new limit inside the cleanup of an expired one. */
TEST(timeout_in_a_cleanup) {
    aloop_timeout *t = limit(1);
    assert_code(nap(9), ALOOP_ECANCELED);
    aloop_timeout *second = limit(1);
    assert_code(leave(second, nap(9)), ALOOP_ETIMEDOUT);
    assert_code(leave(t, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
    return 0;
}

/* 1.6 timeout: errors of the block pass, before and after it expired. */
TEST(timeout_other_errors_pass) {
    assert_code(leave(limit(1), -5), -5);
    aloop_timeout *t = limit(1);
    assert_code(nap(9), ALOOP_ECANCELED);
    assert_code(leave(t, -5), -5);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.6 timeout: what was awaited is cancelled by somebody else: passes. */
TEST(timeout_and_a_foreign_cancellation) {
    aloop_future *f = pending();
    aloop_timeout *t = limit(1);
    assert_code(aloop_future_cancel(f, NULL), 1);
    assert_code(leave(t, outcome(f)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.6 timeout: swallowed by the block: no error, expired, the count is back. */
TEST(timeout_swallowed) {
    aloop_timeout *t = limit(1);
    assert_code(nap(9), ALOOP_ECANCELED);
    assert_code(aloop_timeout_expired(t), 1);
    assert_code(leave(t, 0), 0);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.6 timeout: rescheduled later, sooner, never; refused once it has expired. */
TEST(timeout_rescheduled) {
    aloop_timeout *t = limit(1);
    assert_code(aloop_timeout_reschedule(t, 3), 0);
    assert_close(aloop_timeout_when(t), 3);
    assert_code(nap(2), 0);
    assert_code(aloop_timeout_reschedule(t, INFINITY), 0);
    assert_code(nap(2), 0);
    assert_code(aloop_timeout_reschedule(t, now() - 1), 0);
    assert_code(nap(2), ALOOP_ECANCELED);
    assert_close(now(), 4);
    assert_code(aloop_timeout_reschedule(t, 9), ALOOP_EINVALIDSTATE);
    assert_code(leave(t, ALOOP_ECANCELED), ALOOP_ETIMEDOUT);
    return 0;
}

static int64_t clean_up_in_time(void *delay, void **value UNUSED) {
    assert_code(nap(9), ALOOP_ECANCELED);
    aloop_timeout *t = limit(*(double *)delay);
    if (*(double *)delay > 0) assert_code(aloop_task_cancel(self(), "again"), 1);
    return leave(t, nap(1));
}

/* 1.6 timeout: entered with a count above 0, it still tells its own expiry from
 * a new request. */
TEST(timeout_after_a_cancellation) {
    double none = 0, some = 5;
    aloop_task *task = running(clean_up_in_time, &none);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ETIMEDOUT);
    task = running(clean_up_in_time, &some);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    return 0;
}

static int64_t block_for_one(void *unused UNUSED, void **value UNUSED) {
    aloop_timeout *t = limit(1);
    return leave(t, nap(9));
}

static int64_t cancel_by_timer(void *task) { return aloop_task_cancel(task, "ext") < 0; }

/* 1.6 timeout: a request from outside in the iteration of the expiry wins. */
TEST(timeout_beside_a_request_from_outside) {
    aloop_task *task = aloop_create_task(block_for_one, NULL);
    assert_true(aloop_loop_call_at(here(), 1, cancel_by_timer, task, NULL) > 0);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_last_message("ext");
    return 0;
}

SUITE(CASE(timeout_in_time_and_too_late), CASE(timeout_in_the_past), CASE(timeout_outer_fires),
      CASE(timeout_inner_fires), CASE(timeout_nested_with_one_deadline),
      CASE(timeout_in_a_cleanup), CASE(timeout_other_errors_pass),
      CASE(timeout_and_a_foreign_cancellation), CASE(timeout_swallowed),
      CASE(timeout_rescheduled), CASE(timeout_after_a_cancellation),
      CASE(timeout_beside_a_request_from_outside))
