/*
 * message_test.c: which message a cancellation carries, and in which iteration it
 * arrives, where several requests or combinations meet. As in asyncio; found by
 * the differential tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "support.h"

/* The message that the victim's await failed with, and when. */
static struct {
    char message[64];
    int64_t status, iteration;
} seen;

static void see(int64_t status) {
    aloop_error *error = aloop_last_error();
    seen.status = status;
    seen.iteration = aloop_loop_iteration(aloop_get_running_loop());
    snprintf(seen.message, sizeof seen.message, "%s",
             error != NULL ? aloop_error_message(error) : "");
}

static int64_t waits_for(void *future, void **value) {
    (void)value;
    see(aloop_await(aloop_ref(future), NULL));
    return 0;
}

static const char *no_message(void) { return aloop_strerror(ALOOP_ECANCELED); }

/* The first request counts: what the task (consumed) sees has no message. */
static void cancel_twice(aloop_task *task) {
    let_run(1);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_task_cancel(task, "late"), 1);
    aloop_await(task, NULL);
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, no_message());
}

static int64_t first_request_counts(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *never = aloop_loop_create_future(aloop_get_running_loop());
    aloop_task *task = aloop_create_task(waits_for, never);
    cancel_twice(task);
    aloop_unref(never);
    return 0;
}

static void test_first_request_counts(void **state) {
    (void)state;
    in_task(first_request_counts);
}

static int64_t waits_for_gather(void *children, void **value) {
    aloop_future **child = children;
    (void)value;
    see(aloop_await(ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_ref(child[0]), aloop_ref(child[1])),
                    NULL));
    return 0;
}

static int64_t gather_names_the_last(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *child[2] = {aloop_loop_create_future(loop), aloop_loop_create_future(loop)};
    aloop_task *task = aloop_create_task(waits_for_gather, child);
    let_run(1);
    assert_code(aloop_task_cancel(task, "stop"), 1);
    aloop_await(task, NULL);
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, "stop");
    aloop_unref(child[0]);
    aloop_unref(child[1]);
    return 0;
}

static void test_gather_names_the_last(void **state) {
    (void)state;
    in_task(gather_names_the_last);
}

static int64_t yields(void *unused, void **value) {
    (void)unused, (void)value;
    see(aloop_await(aloop_sleep_result(0, 0, NULL, NULL), NULL));
    return 0;
}

static int64_t message_reaches_an_operation(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *task = aloop_create_task(yields, NULL);
    aloop_task_cancel(task, NULL); /* not begun: it never runs */
    aloop_await(task, NULL);
    aloop_task_options *options = aloop_task_options_new();
    aloop_task_options_set_coro(options, yields, NULL, NULL);
    aloop_task_options_set_eager_start(options, 1);
    task = aloop_create_task_ex(options);
    assert_code(aloop_task_cancel(task, "stop"), 1);
    aloop_await(task, NULL);
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, "stop");
    aloop_unref(options);
    return 0;
}

static void test_message_reaches_an_operation(void **state) {
    (void)state;
    in_task(message_reaches_an_operation);
}

static int64_t no_time_waits_in_asyncios_iterations(void *unused, void **value) {
    (void)unused, (void)value;
    const int64_t before = aloop_loop_iteration(aloop_get_running_loop());
    see(aloop_await(aloop_wait_for(aloop_sleep(0), 0), NULL));
    assert_code(seen.status, ALOOP_ETIMEDOUT);
    assert_int_equal(seen.iteration - before, 3);
    see(aloop_await(aloop_wait_for(ALOOP_GATHER(0, aloop_sleep(9), aloop_sleep(9)), 0), NULL));
    assert_code(seen.status, ALOOP_ETIMEDOUT);
    return 0;
}

static void test_no_time_waits_in_asyncios_iterations(void **state) {
    (void)state;
    in_task(no_time_waits_in_asyncios_iterations);
}

static int64_t holds_on(void *unused, void **value) {
    (void)unused, (void)value;
    if (aloop_await(aloop_sleep(100), NULL) == ALOOP_ECANCELED) aloop_await(aloop_sleep(5), NULL);
    return 7;
}

static int64_t waits_without_time(void *task, void **value) {
    (void)value;
    see(aloop_await(aloop_wait_for(aloop_ref(task), 0), NULL));
    return 0;
}

static int64_t cancelling_the_waiter_leaves_the_target(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *target = aloop_create_task(holds_on, NULL);
    let_run(1);
    aloop_task *task = aloop_create_task(waits_without_time, target);
    let_run(2);
    assert_code(aloop_task_cancel(task, "enough"), 1);
    aloop_await(task, NULL);
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, "enough");
    assert_code(aloop_task_cancelling(target), 1);
    assert_code(aloop_await(target, NULL), 7);
    return 0;
}

static void test_cancelling_the_waiter_leaves_the_target(void **state) {
    (void)state;
    in_task(cancelling_the_waiter_leaves_the_target);
}

static int64_t shield_of_a_cancelled_one(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *inner = aloop_loop_create_future(aloop_get_running_loop());
    aloop_future *outer = aloop_shield(aloop_ref(inner));
    assert_code(aloop_future_cancel(inner, "inner"), 1);
    see(aloop_await(outer, NULL));
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, no_message());
    aloop_unref(inner);
    return 0;
}

static void test_shield_of_a_cancelled_one(void **state) {
    (void)state;
    in_task(shield_of_a_cancelled_one);
}

/* The inner one fails before the loop hears that nobody listens: no report. */
static int64_t shield_failing_at_once(void *unused, void **value) {
    struct reports reports = {0};
    aloop_loop *loop = aloop_get_running_loop();
    (void)unused, (void)value;
    capture_reports(loop, &reports);
    for (int late = 0; late < 2; late++) {
        aloop_future *inner = aloop_loop_create_future(loop);
        aloop_future *outer = aloop_shield(aloop_ref(inner));
        assert_code(aloop_future_cancel(outer, NULL), 1);
        if (late != 0) let_run(2);
        aloop_future_set_error_code(inner, ALOOP_EUSER);
        assert_non_null(aloop_future_error(inner));
        let_run(3);
        assert_int_equal(reports.count, late);
        aloop_unref(outer);
        aloop_unref(inner);
    }
    return 0;
}

static void test_shield_failing_at_once(void **state) {
    (void)state;
    in_task(shield_failing_at_once);
}

static int64_t awaiting_itself(void *unused, void **value) {
    (void)unused, (void)value;
    const int64_t before = aloop_loop_iteration(aloop_get_running_loop());
    see(aloop_await(aloop_ref(aloop_current_task(NULL)), NULL));
    assert_code(seen.status, ALOOP_EINVAL);
    assert_string_equal(seen.message, "Task cannot await on itself");
    assert_int_equal(seen.iteration - before, 1);
    return 0;
}

static void test_awaiting_itself(void **state) {
    (void)state;
    in_task(awaiting_itself);
}

static int64_t waits_at_barrier(void *barrier, void **value) {
    (void)value;
    see(aloop_await(aloop_barrier_wait(barrier), NULL));
    return 0;
}

static int64_t first_request_counts_at_a_barrier(void *unused, void **value) {
    aloop_barrier *barrier;
    (void)unused, (void)value;
    assert_code(aloop_barrier_new(&barrier, 2), 0);
    aloop_task *task = aloop_create_task(waits_at_barrier, barrier);
    cancel_twice(task);
    aloop_unref(barrier);
    return 0;
}

static void test_first_request_counts_at_a_barrier(void **state) {
    (void)state;
    in_task(first_request_counts_at_a_barrier);
}

static int64_t nothing(void *unused) {
    (void)unused;
    return 0;
}

static int64_t enters_its_own_context(void *context, void **value) {
    (void)value;
    assert_code(aloop_context_run(context, nothing, NULL), ALOOP_EBUSY);
    let_run(1);
    assert_code(aloop_context_run(context, nothing, NULL), ALOOP_EBUSY);
    return 0;
}

static int64_t a_running_task_is_in_its_context(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_context *context = aloop_context_copy();
    aloop_task_options *options = aloop_task_options_new();
    aloop_task_options_set_coro(options, enters_its_own_context, context, NULL);
    aloop_task_options_set_context(options, context);
    aloop_task *task = aloop_create_task_ex(options);
    assert_code(aloop_context_run(context, nothing, NULL), 0);
    let_run(1);
    assert_code(aloop_context_run(context, nothing, NULL), 0);
    assert_code(aloop_await(task, NULL), 0);
    aloop_unref(options);
    aloop_context_unref(context);
    return 0;
}

static void test_a_running_task_is_in_its_context(void **state) {
    (void)state;
    in_task(a_running_task_is_in_its_context);
}

static aloop_timeout *moved;

static int64_t moves(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_timeout_reschedule(moved, 0);
}

/* It goes off where a callback scheduled by the reschedule would run. */
static int64_t due_again_is_behind_what_is_ready(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *task = aloop_create_task(moves, NULL);
    assert_code(aloop_timeout_enter(&moved, 0), 0);
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    assert_code(aloop_timeout_exit(moved, 0), 0);
    assert_code(aloop_timeout_expired(moved), 0);
    assert_code(aloop_await(task, NULL), 0);
    aloop_unref(moved);
    return 0;
}

static void test_due_again_is_behind_what_is_ready(void **state) {
    (void)state;
    in_task(due_again_is_behind_what_is_ready);
}

static int64_t waits_for_a_group(void *unused, void **value) {
    aloop_task_group *group;
    (void)unused, (void)value;
    assert_code(aloop_task_group_enter(&group), 0);
    assert_code(aloop_task_group_spawn(group, sleep_for_ever, NULL), 0);
    see(aloop_task_group_exit(group, 0));
    return 0;
}

static int64_t a_waiting_group_keeps_the_first(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *task = aloop_create_task(waits_for_a_group, NULL);
    let_run(2);
    assert_code(aloop_task_cancel(task, "first"), 1);
    let_run(1);
    assert_code(aloop_task_cancel(task, "second"), 1);
    aloop_await(task, NULL);
    assert_code(seen.status, ALOOP_ECANCELED);
    assert_string_equal(seen.message, "first");
    return 0;
}

static void test_a_waiting_group_keeps_the_first(void **state) {
    (void)state;
    in_task(a_waiting_group_keeps_the_first);
}

SUITE(CASE(test_due_again_is_behind_what_is_ready), CASE(test_a_waiting_group_keeps_the_first),
      CASE(test_first_request_counts_at_a_barrier), CASE(test_a_running_task_is_in_its_context),
      CASE(test_first_request_counts), CASE(test_gather_names_the_last),
      CASE(test_message_reaches_an_operation), CASE(test_no_time_waits_in_asyncios_iterations),
      CASE(test_cancelling_the_waiter_leaves_the_target), CASE(test_shield_of_a_cancelled_one),
      CASE(test_shield_failing_at_once), CASE(test_awaiting_itself))
