/*
 * Errors that nobody handles: the exception handler, its context, debug mode.
 *
 * SPDX-License-Identifier: MIT
 */
#include "own_clock.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

static int64_t fail_plainly(void *unused) {
    (void)unused;
    return -5;
}

static void ignore_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)context;
    ++*(int *)data;
    assert_non_null(loop);
}

static aloop_handle reported_handle;

static void note_handle(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    (void)data;
    reported_handle = aloop_exception_context_handle(context);
    assert_string_equal(aloop_exception_context_source(context), "");
}

static void test_failed_callbacks_are_reported(void **state) {
    (void)state;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    assert_true(aloop_loop_call_soon(loop, fail_plainly, NULL, NULL) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(loop, fail_plainly, NULL, NULL) > 0);
    assert_true(aloop_loop_call_later(loop, 0, fail_plainly, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 3);
    assert_int_equal(reports.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(reports.list[i].message, "Exception in callback");
        assert_code(reports.list[i].code, -5);
        assert_false(reports.list[i].with_future || reports.list[i].with_task);
    }
    assert_code(aloop_loop_set_exception_handler(loop, note_handle, NULL, NULL), 0);
    const int64_t id = aloop_loop_call_soon(loop, fail_plainly, NULL, NULL);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(reported_handle, id);
    close_loop(loop);
}

static void test_exception_handlers_replace_each_other(void **state) {
    (void)state;
    int freed = 0;
    int called = 0;
    aloop_loop *loop = virtual_loop();
    assert_null(aloop_loop_get_exception_handler(loop));
    assert_code(aloop_loop_set_exception_handler(loop, ignore_report, &called, NULL), 0);
    assert_true(aloop_loop_get_exception_handler(loop) == ignore_report);
    aloop_error *error = aloop_error_new(ALOOP_EUSER - 1, "by hand", NULL);
    assert_code(aloop_loop_call_exception_handler(loop, "look", error), 0);
    aloop_error_unref(error);
    assert_int_equal(called, 1);
    assert_code(aloop_loop_set_exception_handler(loop, ignore_report, &freed, count_free), 0);
    assert_code(aloop_loop_set_exception_handler(loop, NULL, &freed, count_free), 0);
    assert_int_equal(freed, 1);
    assert_null(aloop_loop_get_exception_handler(loop));
    assert_code(aloop_loop_set_exception_handler(loop, ignore_report, &freed, count_free), 0);
    close_loop(loop);
    assert_int_equal(freed, 2);
}

static void default_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)data;
    assert_code(aloop_loop_default_exception_handler(loop, context), 0);
}

static void test_the_default_handler_writes_to_standard_error(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_set_exception_handler(loop, default_report, NULL, NULL), 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int saved = dup(2);
    fflush(stderr);
    dup2(ends[1], 2);
    aloop_error *cause = aloop_error_new(-2, "below", NULL);
    aloop_error *error = aloop_error_new(ALOOP_EUSER - 1, "above", cause);
    const int64_t code = aloop_loop_call_exception_handler(loop, "by hand", error);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    char text[512];
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_code(code, 0);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "by hand\n"));
    assert_non_null(strstr(text, "above"));
    assert_non_null(strstr(text, "caused by:"));
    assert_non_null(strstr(text, "below"));
    aloop_error_unref(cause);
    aloop_error_unref(error);
    close_loop(loop);
}

static void test_exception_context_survives_null(void **state) {
    (void)state;
    assert_string_equal(aloop_exception_context_message(NULL), "");
    assert_code(aloop_exception_context_code(NULL), ALOOP_EINVAL);
    assert_null(aloop_exception_context_error(NULL));
    assert_null(aloop_exception_context_future(NULL));
    assert_null(aloop_exception_context_task(NULL));
    assert_int_equal(aloop_exception_context_handle(NULL), 0);
    assert_string_equal(aloop_exception_context_source(NULL), "");
}

static int64_t be_slow(void *unused) {
    (void)unused;
    pass_time(0.002);
    return 0;
}

static void test_debug_mode_reports_slow_callbacks(void **state) {
    (void)state;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 0.001), 0);
    stop_clock();
    assert_true(aloop_loop_call_soon(loop, be_slow, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(reports.count, 0);
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    assert_true(aloop_loop_call_soon(loop, be_slow, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.list[0].message, "took 0.002 seconds"));
    let_clock_go();
    close_loop(loop);
}

/* Groups whose tasks await one failed task, layer upon layer: the ways down the errors
 * are as many as 40 to the power of the layers, and a report has room for some. */
enum { wide = 40 };

static int64_t await_failed(void *task, void **value) {
    (void)value;
    return aloop_await(aloop_ref(task), NULL);
}

static int64_t fail_in_layers(void *layers, void **value) {
    (void)value;
    int below = *(int *)layers - 1;
    if (below == 0) return aloop_raise(-5, "at the bottom");
    aloop_task *failing = aloop_create_task(fail_in_layers, &below);
    aloop_future *all[] = {aloop_ref(failing)};
    assert_code(aloop_await(aloop_wait(all, 1, -1, ALOOP_ALL_COMPLETED), NULL), 1);
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    for (int i = 0; i < wide; i++) assert_code(aloop_task_group_spawn(g, await_failed, failing), 0);
    const int64_t status = aloop_task_group_exit(g, 0);
    aloop_unref(failing);
    return status;
}

static void test_a_report_of_shared_errors_ends(void **state) {
    (void)state;
    int layers = 10;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_set_exception_handler(loop, default_report, NULL, NULL), 0);
    aloop_unref(aloop_loop_create_task(loop, fail_in_layers, &layers));
    for (int i = 0; i < 100; i++) aloop_loop_run_once(loop, 0);
    close_loop(loop);
}

SUITE(CASE(test_failed_callbacks_are_reported), CASE(test_exception_handlers_replace_each_other),
      CASE(test_the_default_handler_writes_to_standard_error),
      CASE(test_exception_context_survives_null), CASE(test_debug_mode_reports_slow_callbacks),
      CASE(test_a_report_of_shared_errors_ends))
