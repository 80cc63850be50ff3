/*
 * What is the program's never runs on a fiber's stack: destructors of error payloads,
 * values and arguments, also where their end comes there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uintptr_t own_stack; /* an address on it */
static int on_own_stack;
static int on_fiber;
static char order[32];

static void note_stack(void *name) {
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    const uintptr_t far = here > own_stack ? here - own_stack : own_stack - here;
    ++*(far < (4u << 20) ? &on_own_stack : &on_fiber);
    if (name != NULL) strncat(order, name, sizeof order - strlen(order) - 1);
}

static void in_a_task(aloop_coro_fn fn) {
    own_stack = (uintptr_t)__builtin_frame_address(0);
    on_own_stack = on_fiber = 0;
    order[0] = '\0';
    in_task(fn);
    assert_int_equal(on_fiber, 0);
}

static int64_t fail_with_payload(void *name, void **value) {
    (void)value;
    return aloop_raise_payload(ALOOP_EUSER - 1, "with payload", name, note_stack);
}

static int64_t drop_errors(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_await(aloop_create_task(fail_with_payload, "a"), NULL), ALOOP_EUSER - 1);
    aloop_error *a = aloop_error_ref(aloop_last_error());
    assert_code(aloop_await(aloop_create_task(fail_with_payload, "b"), NULL), ALOOP_EUSER - 1);
    aloop_error *b = aloop_error_ref(aloop_last_error());
    let_run(1);
    assert_int_equal(on_own_stack, 0);
    aloop_error_unref(a); /* the last references */
    aloop_error_unref(b);
    assert_int_equal(on_own_stack, 0);
    let_run(1);
    assert_int_equal(on_own_stack, 2);
    assert_string_equal(order, "ab");
    return 0;
}

static void test_payloads_of_errors(void **state) {
    (void)state;
    in_a_task(drop_errors);
}

static int64_t end_at_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 3;
}

static int64_t sleep_briefly(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_await(aloop_sleep(1), NULL);
}

static aloop_task *start_eagerly(aloop_coro_fn fn, void *name) {
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, fn, name, note_stack), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *task = aloop_create_task_ex(o);
    aloop_unref(o);
    return task;
}

static int64_t free_arguments(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *first = start_eagerly(end_at_once, "f");
    assert_code(aloop_future_result(first, NULL), 3); /* it ended on this fiber */
    aloop_unref(first);
    assert_int_equal(on_own_stack, 0);
    let_run(1);
    assert_int_equal(on_own_stack, 1);
    assert_code(aloop_await(start_eagerly(sleep_briefly, "s"), NULL), 0);
    assert_string_equal(order, "fs");
    /* Options that are given up with an argument in them. */
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, end_at_once, "o", note_stack), 0);
    assert_code(aloop_task_options_set_coro(o, end_at_once, "p", note_stack), 0);
    aloop_unref(o);
    let_run(1);
    assert_string_equal(order, "fsop");
    return 0;
}

static void test_arguments_of_eager_tasks(void **state) {
    (void)state;
    in_a_task(free_arguments);
}

static int64_t cancelled_with_a_value(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_task_cancel(aloop_current_task(NULL), NULL), 1);
    return aloop_return(1, "v", note_stack);
}

static int64_t drop_values(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, cancelled_with_a_value, NULL, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *task = aloop_create_task_ex(o);
    aloop_unref(o);
    assert_code(aloop_future_cancelled(task), 1);
    aloop_unref(task);
    let_run(1);
    assert_string_equal(order, "v");
    /* Values of context variables. */
    aloop_contextvar *var = aloop_contextvar_new("var", NULL);
    assert_code(aloop_contextvar_set(var, "1", note_stack, NULL), 0);
    assert_code(aloop_contextvar_set(var, "2", note_stack, NULL), 0);
    assert_string_equal(order, "v");
    let_run(1);
    assert_string_equal(order, "v1");
    /* A sleep's result that nobody may have. */
    assert_failed(aloop_sleep_result(0.0 / 0.0, 1, "n", note_stack), ALOOP_EINVAL);
    let_run(1);
    assert_string_equal(order, "v1n");
    aloop_unref(var);
    return 0;
}

static void test_values(void **state) {
    (void)state;
    in_a_task(drop_values);
    assert_string_equal(order, "v1n2");
}

static char told[200];

static void note_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    note_stack(data);
    snprintf(told, sizeof told, "%s", aloop_exception_context_message(context));
}

static int64_t report_from_here(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_exception_handler(loop, note_report, "1", note_stack), 0);
    char message[32] = "mine";
    aloop_error *e = aloop_error_new(-7, "detail", NULL);
    assert_code(aloop_loop_call_exception_handler(loop, message, e), 0);
    strcpy(message, "changed");
    aloop_error_unref(e);
    assert_string_equal(told, "");
    let_run(1);
    assert_string_equal(told, "mine");
    /* In debug mode: what was never awaited is told where it is dropped. */
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* that is another report */
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    aloop_unref(aloop_sleep(1));
    assert_string_equal(told, "mine");
    let_run(1);
    assert_string_equal(told, "operation 'sleep' was never awaited");
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    /* The old handler's data is let go on the loop's stack too. */
    order[0] = '\0';
    assert_code(aloop_loop_set_exception_handler(loop, NULL, NULL, NULL), 0);
    assert_string_equal(order, "");
    let_run(1);
    assert_string_equal(order, "1");
    return 0;
}

static void test_the_exception_handler(void **state) {
    (void)state;
    told[0] = '\0';
    in_a_task(report_from_here);
}

static int64_t never_called(void *unused) {
    (void)unused;
    return -5;
}

static int64_t never_done(aloop_future *future, void *unused) {
    (void)future;
    return never_called(unused);
}

/* Whatever takes a callback back on a fiber has its data let go on the loop's stack. */
static int64_t take_callbacks_back(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(f, never_done, "d", note_stack), 0);
    assert_code(aloop_future_remove_done_callback(f, never_done, "d"), 1);
    aloop_unref(f);
    const aloop_handle soon = aloop_loop_call_soon(loop, never_called, "s", note_stack);
    const aloop_handle later = aloop_loop_call_later(loop, 9, never_called, "l", note_stack);
    assert_code(aloop_loop_cancel_handle(loop, soon), 0);
    assert_code(aloop_loop_cancel_handle(loop, later), 0);
    assert_code(aloop_loop_cancel_handle(loop, later), ALOOP_ENOENT);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_code(aloop_loop_add_reader(loop, ends[0], never_called, "r", note_stack), 0);
    assert_code(aloop_loop_remove_reader(loop, ends[0]), 1);
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, never_called, "g", note_stack), 0);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
    assert_int_equal(on_own_stack, 0);
    let_run(1);
    assert_int_equal(on_own_stack, 5);
    assert_string_equal(order, "dslrg");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_callbacks_taken_back(void **state) {
    (void)state;
    in_a_task(take_callbacks_back);
}

SUITE(CASE(test_payloads_of_errors), CASE(test_arguments_of_eager_tasks), CASE(test_values),
      CASE(test_the_exception_handler),
      CASE(test_callbacks_taken_back))
