/*
 * combine.h: what bounds a block of code in time or in tasks: wait_for, timeouts,
 * task groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <math.h>

static aloop_loop *here(void) { return aloop_get_running_loop(); }
static double now(void) { return aloop_loop_time(here()); }
static int64_t nap(double delay) { return aloop_await(aloop_sleep(delay), NULL); }

/* wait_for ------------------------------------------------------------------------- */

static int freed;

static int64_t slow_cleanup(void *answer, void **value) {
    (void)value;
    if (nap(10) != ALOOP_ECANCELED) return 0;
    assert_code(nap(1), 0);
    return *(int64_t *)answer;
}

static int64_t limited(void *unused, void **value) {
    (void)unused;
    (void)value;
    void *got = NULL;
    int64_t swallowed = 5, failed = -7;
    assert_code(aloop_await(aloop_wait_for(aloop_sleep_result(1, 4, &freed, count_free), 2), &got),
                4);
    assert_ptr_equal(got, &freed);
    assert_code(aloop_await(aloop_wait_for(aloop_sleep(10), 2), NULL), ALOOP_ETIMEDOUT);
    assert_close(now(), 3);
    assert_code(aloop_task_cancelling(aloop_current_task(NULL)), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_sleep(1), INFINITY), NULL), 0);
    /* The cleanup is waited for, and what it answers counts. */
    double begin = now();
    assert_code(aloop_await(aloop_wait_for(aloop_create_task(slow_cleanup, &swallowed), 2), NULL),
                5);
    assert_close(now() - begin, 3);
    assert_code(aloop_await(aloop_wait_for(aloop_create_task(slow_cleanup, &failed), 2), NULL), -7);
    /* No time at all. */
    begin = now();
    aloop_future *done = aloop_loop_create_future(here());
    assert_code(aloop_future_set_result(done, 6, NULL, NULL), 0);
    assert_code(aloop_await(aloop_wait_for(done, 0), NULL), 6);
    assert_code(aloop_await(aloop_wait_for(aloop_sleep(1), 0), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_await(aloop_wait_for(aloop_sleep(1), -INFINITY), NULL), ALOOP_ETIMEDOUT);
    aloop_task *task = aloop_create_task(sleep_for_ever, NULL);
    assert_code(aloop_await(aloop_wait_for(aloop_ref(task), 0), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_cancelled(task), 1);
    aloop_unref(task);
    assert_close(now(), begin);
    /* A shield keeps what is waited for. */
    task = aloop_create_task(slow_cleanup, &swallowed);
    assert_code(aloop_await(aloop_wait_for(aloop_shield(aloop_ref(task)), 1), NULL),
                ALOOP_ETIMEDOUT);
    assert_code(aloop_await(task, NULL), 0);
    return 0;
}

/* Timeouts ---------------------------------------------------------------------------- */

static int64_t time_blocks(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_timeout *t = NULL;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_timeout_enter(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_timeout_enter(&t, NAN), ALOOP_EINVAL);
    assert_code(aloop_timeout_at(&t, NAN), ALOOP_EINVAL);
    assert_null(t);
    assert_code(aloop_timeout_enter(&t, 2), 0);
    assert_close(aloop_timeout_when(t), 2);
    assert_code(aloop_timeout_expired(t), 0);
    assert_code(aloop_timeout_exit(t, nap(1)), 0);
    assert_code(aloop_timeout_exit(t, 0), ALOOP_EINVALIDSTATE); /* left already */
    assert_code(aloop_timeout_reschedule(t, 5), ALOOP_EINVALIDSTATE);
    assert_code(aloop_timeout_expired(t), 0);
    aloop_unref(t);

    assert_code(aloop_timeout_enter(&t, 2), 0);
    const int64_t status = nap(10);
    assert_code(status, ALOOP_ECANCELED);
    assert_code(aloop_timeout_expired(t), 1);
    assert_code(aloop_task_cancelling(self), 1);
    assert_code(aloop_timeout_reschedule(t, 50), ALOOP_EINVALIDSTATE);
    assert_code(aloop_timeout_exit(t, status), ALOOP_ETIMEDOUT);
    assert_code(aloop_task_cancelling(self), 0);
    aloop_unref(t);
    assert_close(now(), 3);

    /* Swallowed: no error, and the count is back. */
    assert_code(aloop_timeout_at(&t, now() + 1), 0);
    assert_code(nap(10), ALOOP_ECANCELED);
    assert_code(aloop_timeout_exit(t, 8), 8);
    assert_code(aloop_task_cancelling(self), 0);
    aloop_unref(t);

    /* Rescheduled: later, never, sooner. */
    assert_code(aloop_timeout_at(&t, INFINITY), 0);
    assert_true(isinf(aloop_timeout_when(t)));
    assert_code(aloop_timeout_reschedule(t, NAN), ALOOP_EINVAL);
    assert_code(aloop_timeout_reschedule(t, now() + 1), 0);
    assert_code(aloop_timeout_reschedule(t, now() + 5), 0);
    const double begin = now();
    assert_code(aloop_timeout_exit(t, nap(10)), ALOOP_ETIMEDOUT);
    assert_close(now() - begin, 5);
    aloop_unref(t);

    /* In the past: at the first await, and not before. */
    assert_code(aloop_timeout_enter(&t, -1), 0);
    assert_code(aloop_timeout_exit(t, 0), 0);
    aloop_unref(t);
    assert_code(aloop_timeout_enter(&t, -1), 0);
    assert_code(aloop_timeout_exit(t, nap(1)), ALOOP_ETIMEDOUT);
    aloop_unref(t);
    return 0;
}

/* A timeout that is due stands in the queue; put off, it is armed at once, ahead of
 * what is armed after it. */
static aloop_timeout *put_off;

static int64_t sleep_limited(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_timeout_enter(&put_off, 0), 0);
    note_end("limited", aloop_timeout_exit(put_off, nap(9)));
    aloop_unref(put_off);
    return 0;
}

static int64_t put_off_due(void *unused, void **value) {
    (void)unused;
    (void)value;
    begin_trace();
    aloop_task *task = aloop_create_task(sleep_limited, NULL);
    let_run(1);
    assert_code(aloop_timeout_reschedule(put_off, now() + 2), 0);
    nap(2);
    note("slept");
    assert_code(aloop_await(task, NULL), 0);
    assert_trace("limited:ETIMEDOUT@4 slept@4 ");
    return 0;
}

/* Put off in the iteration that queued it, it leaves one with nothing to run, as
 * asyncio's cancelled handle does. */
static int64_t put_off_queued(void *unused, void **value) {
    aloop_timeout *t = NULL;
    (void)unused;
    (void)value;
    begin_trace();
    assert_code(aloop_timeout_enter(&t, 0), 0);
    assert_code(aloop_timeout_reschedule(t, now() + 2), 0);
    assert_code(aloop_timeout_reschedule(t, now() + 1), 0);
    note_end("put off", aloop_timeout_exit(t, nap(9)));
    assert_trace("put off:ETIMEDOUT@3 ");
    assert_close(now(), 1);
    aloop_unref(t);
    /* And taken back altogether. */
    begin_trace();
    assert_code(aloop_timeout_enter(&t, 0), 0);
    assert_code(aloop_timeout_reschedule(t, INFINITY), 0);
    assert_code(aloop_timeout_exit(t, nap(1)), 0);
    note("never");
    assert_trace("never@3 ");
    aloop_unref(t);
    return 0;
}

static int64_t nest(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_timeout *outer = NULL;
    aloop_timeout *inner = NULL;
    assert_code(aloop_timeout_enter(&outer, 1), 0);
    assert_code(aloop_timeout_enter(&inner, 5), 0);
    int64_t status = aloop_timeout_exit(inner, nap(10));
    assert_code(status, ALOOP_ECANCELED);
    assert_code(aloop_timeout_expired(inner), 0);
    assert_code(aloop_timeout_exit(outer, status), ALOOP_ETIMEDOUT);
    aloop_unref(inner);
    aloop_unref(outer);
    return 0;
}

static int64_t cancelled_within(void *exit_status, void **value) {
    (void)value;
    aloop_timeout *t = NULL;
    assert_code(aloop_timeout_enter(&t, 1), 0);
    const int64_t status = aloop_timeout_exit(t, nap(10));
    *(int64_t *)exit_status = status;
    aloop_unref(t);
    return status;
}

static int64_t cancel_from_outside(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t status = 0;
    aloop_task *task = aloop_create_task(cancelled_within, &status);
    assert_code(nap(0.5), 0);
    assert_code(aloop_task_cancel(task, "outside"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "outside");
    assert_code(status, ALOOP_ECANCELED);
    return 0;
}

static int64_t enter_outside_a_task(void *unused) {
    (void)unused;
    aloop_timeout *t = NULL;
    aloop_task_group *g = NULL;
    assert_code(aloop_timeout_enter(&t, 1), ALOOP_ENOTASK);
    assert_code(aloop_task_group_enter(&g), ALOOP_ENOTASK);
    return 0;
}

static void test_blocks_need_a_task(void **state) {
    (void)state;
    aloop_timeout *t = NULL;
    aloop_task_group *g = NULL;
    assert_code(aloop_timeout_enter(&t, 1), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_timeout_at(&t, 1), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_task_group_enter(&g), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_task_group_enter(NULL), ALOOP_EINVAL);
    assert_code(aloop_timeout_reschedule(NULL, 1), ALOOP_EINVAL);
    assert_true(isnan(aloop_timeout_when(NULL)));
    assert_code(aloop_timeout_expired(NULL), ALOOP_EINVAL);
    assert_code(aloop_timeout_exit(NULL, 0), ALOOP_EINVAL);
    assert_null(aloop_task_group_create_task(NULL, sleep_for_ever, NULL));
    assert_null(aloop_task_group_create_task_ex(NULL, NULL));
    assert_code(aloop_task_group_spawn(NULL, sleep_for_ever, NULL), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_task_group_cancel(NULL), ALOOP_EINVAL);
    assert_null(aloop_task_group_join(NULL, 0));
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, enter_outside_a_task, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    close_loop(loop);
}

/* Groups ---------------------------------------------------------------------------------- */

static int64_t sleep_then(void *status, void **value) {
    (void)value;
    const int64_t slept = nap(*(int64_t *)status < 0 ? 1 : 2);
    if (slept < 0) return slept;
    return *(int64_t *)status < 0 ? aloop_raise(*(int64_t *)status, "child") : 0;
}

static int64_t group_well(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t good = 1;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_exit(g, 7), 7); /* empty */
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, sleep_then, &good), 0);
    aloop_task *task = aloop_task_group_create_task(g, sleep_then, &good);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_code(aloop_future_result(task, NULL), 0);
    aloop_unref(task);
    assert_close(now(), 2);
    return 0;
}

static int64_t group_failing(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t good = 1, bad = -5;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    aloop_task *cancelled = aloop_task_group_create_task(g, sleep_then, &good);
    assert_code(aloop_task_group_spawn(g, sleep_then, &bad), 0);
    const int64_t block = nap(10); /* the failure cancels the block */
    assert_code(block, ALOOP_ECANCELED);
    assert_failed(aloop_task_group_create_task(g, sleep_then, &good), ALOOP_ESHUTDOWN);
    assert_code(aloop_task_group_spawn(g, sleep_then, &good), ALOOP_ESHUTDOWN);
    assert_code(aloop_task_group_exit(g, block), ALOOP_EGROUP);
    aloop_error *error = aloop_last_error();
    assert_string_equal(aloop_error_message(error), "unhandled errors in a TaskGroup");
    assert_int_equal(aloop_error_child_count(error), 1);
    assert_code(aloop_error_code(aloop_error_child(error, 0)), -5);
    assert_string_equal(aloop_error_message(aloop_error_child(error, 0)), "child");
    assert_null(aloop_error_child(error, 1));
    assert_code(aloop_future_cancelled(cancelled), 1);
    aloop_unref(cancelled);
    assert_code(aloop_task_cancelling(aloop_current_task(NULL)), 0);
    /* The block's own failure is one of the errors, and ends the tasks. */
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, sleep_then, &good), 0);
    assert_code(aloop_task_group_exit(g, -9), ALOOP_EGROUP);
    assert_code(aloop_error_code(aloop_error_child(aloop_last_error(), 0)), -9);
    return 0;
}

static int64_t group_ended(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t good = 1;
    aloop_task_group *g = NULL;
    const double begin = now();
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, sleep_then, &good), 0);
    let_run(1);
    assert_code(aloop_task_group_cancel(g), 0);
    assert_code(aloop_task_group_cancel(g), 0);
    assert_code(aloop_task_group_exit(g, nap(10)), 0);
    assert_close(now(), begin);
    assert_code(aloop_task_cancelling(aloop_current_task(NULL)), 0);
    /* A child that somebody cancels does not end the group. */
    assert_code(aloop_task_group_enter(&g), 0);
    aloop_task *victim = aloop_task_group_create_task(g, sleep_then, &good);
    let_run(1);
    assert_code(aloop_task_cancel(victim, NULL), 1);
    assert_code(aloop_task_group_exit(g, 0), 0);
    aloop_unref(victim);
    return 0;
}

static int64_t with_group(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t good = 1;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, sleep_then, &good), 0);
    return aloop_task_group_exit(g, 0);
}

static int64_t group_cancelled(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *task = aloop_create_task(with_group, NULL);
    assert_code(nap(1), 0);
    assert_code(aloop_task_cancel(task, "outside"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "outside");
    assert_close(now(), 1);
    return 0;
}

static int64_t step_group(aloop_task *task, void *frame, void **value) {
    static int64_t bad = -5;
    int *phase = frame;
    aloop_task_group *g = NULL;
    (void)value;
    if ((*phase)++ > 0) return aloop_awaited(task, NULL);
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, sleep_then, &bad), 0);
    return aloop_suspend(task, aloop_task_group_join(g, 0));
}

static int64_t group_joined(void *unused, void **value) {
    (void)unused;
    (void)value;
    int phase = 0;
    assert_code(aloop_await(aloop_create_stackless_task(step_group, &phase, NULL), NULL),
                ALOOP_EGROUP);
    assert_int_equal(phase, 2);
    assert_int_equal(aloop_error_child_count(aloop_last_error()), 1);
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        freed = 0;                          \
        in_task(name);                      \
    }
TASK_CASE(limited)
TASK_CASE(time_blocks)
TASK_CASE(put_off_due)
TASK_CASE(put_off_queued)
TASK_CASE(nest)
TASK_CASE(cancel_from_outside)
TASK_CASE(group_well)
TASK_CASE(group_failing)
TASK_CASE(group_ended)
TASK_CASE(group_cancelled)
TASK_CASE(group_joined)

SUITE(CASE(test_limited), CASE(test_time_blocks), CASE(test_put_off_due),
      CASE(test_put_off_queued), CASE(test_nest), CASE(test_cancel_from_outside),
      CASE(test_blocks_need_a_task), CASE(test_group_well), CASE(test_group_failing),
      CASE(test_group_ended), CASE(test_group_cancelled), CASE(test_group_joined))
