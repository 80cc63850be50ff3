/*
 * Debug mode: what it reports, and where the things concerned were created.
 *
 * SPDX-License-Identifier: MIT
 */
#include "own_clock.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

struct told {
    int count;
    char message[400];
    char source[1024];
    char handle_source[1024];
    int64_t code;
    bool with_task;
};

static void note_told(aloop_loop *loop, aloop_exception_context *context, void *data) {
    struct told *t = data;
    (void)loop;
    t->count++;
    snprintf(t->message, sizeof t->message, "%s", aloop_exception_context_message(context));
    snprintf(t->source, sizeof t->source, "%s", aloop_exception_context_source(context));
    snprintf(t->handle_source, sizeof t->handle_source, "%s",
             aloop_exception_context_handle_source(context));
    t->code = aloop_exception_context_code(context);
    t->with_task = aloop_exception_context_task(context) != NULL;
}

static aloop_loop *debug_loop(struct told *told) {
    aloop_loop *loop = virtual_loop();
    *told = (struct told){0};
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* none is, on no machine */
    assert_code(aloop_loop_set_exception_handler(loop, note_told, told, NULL), 0);
    return loop;
}

/* Whether one of the calls in source lies in function, by the addresses written there:
 * those of static functions have no names. */
static bool names(const char *source, uintptr_t begin) {
    const char *at = source;
    while ((at = strstr(at, "at 0x")) != NULL) {
        unsigned long address = 0;
        if (sscanf(at, "at %lx", &address) == 1 && address > begin && address < begin + 1200) {
            return true;
        }
        at++;
    }
    return false;
}

static int64_t fail_plainly(void *unused) {
    (void)unused;
    return -5;
}

__attribute__((noinline)) static void schedule_failure(aloop_loop *loop) {
    assert_true(aloop_loop_call_soon(loop, fail_plainly, NULL, NULL) > 0);
    __asm__ volatile("");
}

static void test_failed_callbacks_tell_who_scheduled_them(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    schedule_failure(loop);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Exception in callback");
    assert_true(names(told.source, (uintptr_t)schedule_failure));
    assert_string_equal(told.handle_source, "");
    /* Without debug mode nothing is noted, and what was noted is gone. */
    schedule_failure(loop);
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(told.count, 2);
    assert_string_equal(told.source, "");
    close_loop(loop);
}

__attribute__((noinline)) static aloop_future *make_failed(aloop_loop *loop) {
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(f, -7), 0);
    return f;
}

static void test_errors_never_retrieved_tell_where_the_future_was_made(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    aloop_unref(make_failed(loop));
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Future exception was never retrieved");
    assert_code(told.code, -7);
    assert_true(names(told.source, (uintptr_t)make_failed));
    close_loop(loop);
}

static int64_t drop_failed(void *future) {
    aloop_unref(future);
    return 0;
}

__attribute__((noinline)) static void schedule_drop(aloop_loop *loop, aloop_future *future) {
    assert_true(aloop_loop_call_soon(loop, drop_failed, future, NULL) > 0);
    __asm__ volatile("");
}

static void test_reports_from_a_callback_tell_who_scheduled_it(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    schedule_drop(loop, make_failed(loop));
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_true(names(told.source, (uintptr_t)make_failed));
    assert_true(names(told.handle_source, (uintptr_t)schedule_drop));
    close_loop(loop);
}

static int64_t fail_at_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    return -9;
}

__attribute__((noinline)) static void spawn(aloop_coro_fn fn, void *arg) {
    aloop_unref(aloop_create_task(fn, arg));
    __asm__ volatile("");
}

/* Created on a fiber's stack. */
static int64_t spawn_failure(void *unused, void **value) {
    (void)unused;
    (void)value;
    spawn(fail_at_once, NULL);
    let_run(3);
    return 0;
}

static void test_failed_tasks_tell_where_they_were_made(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, spawn_failure, NULL), 0);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Task exception was never retrieved");
    assert_true(told.with_task);
    assert_true(names(told.source, (uintptr_t)spawn));
    close_loop(loop);
}

static int64_t spawn_sleeper(void *unused, void **value) {
    (void)unused;
    (void)value;
    spawn(sleep_for_ever, NULL);
    let_run(1);
    return 0;
}

static void test_pending_tasks_tell_where_they_were_made(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, spawn_sleeper, NULL), 0);
    assert_int_equal(told.count, 0);
    close_loop(loop);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Task was destroyed but it is pending!");
    assert_true(names(told.source, (uintptr_t)spawn));
}

__attribute__((noinline)) static void forget_sleep(void) {
    aloop_unref(aloop_sleep(1));
    aloop_unref(aloop_sleep(0));
    aloop_unref(aloop_wait_for(aloop_loop_create_future(aloop_get_running_loop()), 1));
    __asm__ volatile("");
}

static int64_t forget_operation(void *unused, void **value) {
    (void)unused;
    (void)value;
    forget_sleep();
    let_run(1);
    return 0;
}

static void test_operations_never_awaited(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, forget_operation, NULL), 0);
    assert_int_equal(told.count, 3); /* both sleeps, and the last one that is looked at */
    assert_string_equal(told.message, "operation 'wait_for' was never awaited");
    assert_true(names(told.source, (uintptr_t)forget_sleep));
    close_loop(loop);
}

static aloop_future *kept;

/* In C, what is forgotten is mostly not dropped either. */
__attribute__((noinline)) static void keep_sleep(void) {
    kept = aloop_sleep(1);
    __asm__ volatile("");
}

static int64_t forget_to_drop(void *which, void **value) {
    (void)value;
    if (which == NULL) {
        keep_sleep();
        return 0;
    }
    kept = aloop_wait_for(aloop_loop_create_future(aloop_get_running_loop()), 1);
    return aloop_await(aloop_ref(kept), NULL); /* the time is up: this one is known about */
}

static void drop_kept(aloop_loop *loop, aloop_exception_context *context, void *data) {
    note_told(loop, context, data);
    aloop_unref(kept);
    kept = NULL;
}

static void test_operations_never_awaited_nor_dropped(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, forget_to_drop, NULL), 0);
    assert_int_equal(told.count, 0); /* it might be awaited yet */
    aloop_loop_close(loop);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "operation 'sleep' was never awaited");
    assert_true(names(told.source, (uintptr_t)keep_sleep));
    aloop_unref(kept); /* once is enough */
    close_loop(loop);
    assert_int_equal(told.count, 1);

    loop = debug_loop(&told);
    assert_code(run_on(loop, forget_to_drop, loop), ALOOP_ETIMEDOUT);
    close_loop(loop);
    assert_int_equal(told.count, 0);
    aloop_unref(kept);

    loop = debug_loop(&told); /* the handler drops it */
    assert_code(run_on(loop, forget_to_drop, NULL), 0);
    assert_code(aloop_loop_set_exception_handler(loop, drop_kept, &told, NULL), 0);
    close_loop(loop);
    assert_null(kept);

    loop = virtual_loop(); /* not in debug mode */
    struct reports reports;
    capture_reports(loop, &reports);
    assert_code(run_on(loop, forget_to_drop, NULL), 0);
    close_loop(loop);
    assert_int_equal(reports.count, 0);
    aloop_unref(kept);
}

static int64_t swallow(void *uncancels, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_sleep(9), NULL), ALOOP_ECANCELED);
    if (uncancels != NULL) aloop_task_uncancel(aloop_current_task(NULL));
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t cancel_swallower(void *uncancels, void **value) {
    (void)value;
    aloop_task *task = aloop_create_task(swallow, uncancels);
    let_run(1);
    assert_code(aloop_task_cancel(task, NULL), 1);
    return aloop_await(task, NULL);
}

static void test_swallowed_cancellations(void **state) {
    (void)state;
    struct told told;
    int uncancels = 1;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, cancel_swallower, NULL), 0);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Task was cancelled, but swallowed the cancellation");
    assert_true(told.with_task);
    assert_true(names(told.source, (uintptr_t)cancel_swallower));
    /* Who takes the request back has dealt with it. */
    assert_code(run_on(loop, cancel_swallower, &uncancels), 0);
    assert_int_equal(told.count, 1);
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    assert_code(run_on(loop, cancel_swallower, NULL), 0);
    assert_int_equal(told.count, 1);
    close_loop(loop);
}

__attribute__((noinline)) static int64_t call_from_a_thread(void *loop) {
    const int64_t code = aloop_loop_call_soon(loop, fail_plainly, NULL, NULL);
    __asm__ volatile("");
    return code;
}

static void test_calls_from_a_wrong_thread(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(aloop_loop_run_once(loop, 0), 0);
    assert_code(on_foreign_thread(call_from_a_thread, loop), ALOOP_EWRONGTHREAD);
    assert_int_equal(told.count, 0);
    assert_true(aloop_loop_run_once(loop, 0) >= 1); /* on the loop's own thread */
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "Non-thread-safe operation invoked on an event loop other "
                                      "than the current one");
    assert_code(told.code, ALOOP_EWRONGTHREAD);
    assert_true(names(told.source, (uintptr_t)call_from_a_thread));
    /* One that no iteration comes to is told at the close. */
    assert_code(on_foreign_thread(call_from_a_thread, loop), ALOOP_EWRONGTHREAD);
    close_loop(loop);
    assert_int_equal(told.count, 2);
}

static int64_t be_slow(void *unused) {
    (void)unused;
    pass_time(0.002);
    return 0;
}

static int64_t be_slow_in_a_task(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_set_name(aloop_current_task(NULL), "sluggard");
    pass_time(0.002);
    return 0;
}

__attribute__((noinline)) static void schedule_slowness(aloop_loop *loop) {
    assert_true(aloop_loop_call_soon(loop, be_slow, NULL, NULL) > 0);
    __asm__ volatile("");
}

static void test_slow_callbacks_show_what_was_slow(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 0.001), 0);
    stop_clock();
    schedule_slowness(loop);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(told.count, 1);
    assert_memory_equal(told.message, "Executing <Handle in ", strlen("Executing <Handle in "));
    assert_non_null(strstr(told.message, "> took 0.002 seconds"));
    assert_true(names(told.source, (uintptr_t)schedule_slowness));
    assert_false(told.with_task);
    assert_code(run_on(loop, be_slow_in_a_task, NULL), 0);
    assert_int_equal(told.count, 2);
    assert_memory_equal(told.message, "Executing <Task ", strlen("Executing <Task "));
    assert_non_null(strstr(told.message, "name='sluggard'"));
    assert_non_null(strstr(told.message, "> took 0.002 seconds"));
    assert_true(told.with_task);
    let_clock_go();
    close_loop(loop);
}

static void test_loops_never_closed(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    aloop_loop_unref(loop);
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "unclosed event loop");
}

/* The default handler writes where it was created too. */
static void test_the_default_report_has_the_source(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(aloop_loop_set_exception_handler(loop, NULL, NULL, NULL), 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int saved = dup(2);
    fflush(stderr);
    dup2(ends[1], 2);
    aloop_unref(make_failed(loop));
    schedule_failure(loop);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    char text[4096];
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(n > 0);
    text[n] = '\0';
    const char *first = strstr(text, "Object created at (most recent call last):\n  in ");
    assert_non_null(first);
    assert_non_null(strstr(text, "Exception in callback\n"));
    assert_non_null(strstr(first + 1, "Object created at (most recent call last):\n  in "));
    close_loop(loop);
}

/* A step that names a bare yield and ends at once is out of the queue. */
static int64_t yield_and_fail(aloop_task *task, void *frame, void **value) {
    (void)frame;
    (void)value;
    (void)aloop_suspend(task, aloop_sleep(0));
    return -5;
}

static int64_t run_yield_and_fail(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int i = 0; i < 3; i++) {
        aloop_unref(aloop_create_stackless_task(yield_and_fail, NULL, NULL));
    }
    let_run(3);
    return 0;
}

static void test_tasks_that_end_instead_of_yielding(void **state) {
    (void)state;
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    assert_code(run_on(loop, run_yield_and_fail, NULL), 0);
    assert_int_equal(told.count, 3);
    assert_string_equal(told.message, "Task exception was never retrieved");
    close_loop(loop);
}

/* Many objects come and go: the table grows, and forgets what is gone. */
static void test_many_origins(void **state) {
    (void)state;
    enum { many = 1000 };
    static aloop_future *futures[many];
    struct told told;
    aloop_loop *loop = debug_loop(&told);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < many; i++) futures[i] = make_failed(loop);
        for (int i = 0; i < many; i++) {
            told = (struct told){0};
            aloop_unref(futures[i * 7 % many]);
            assert_int_equal(told.count, 1);
            assert_true(names(told.source, (uintptr_t)make_failed));
        }
    }
    close_loop(loop);
}

SUITE(CASE(test_failed_callbacks_tell_who_scheduled_them),
      CASE(test_errors_never_retrieved_tell_where_the_future_was_made),
      CASE(test_reports_from_a_callback_tell_who_scheduled_it),
      CASE(test_failed_tasks_tell_where_they_were_made),
      CASE(test_pending_tasks_tell_where_they_were_made), CASE(test_operations_never_awaited),
      CASE(test_operations_never_awaited_nor_dropped),
      CASE(test_swallowed_cancellations), CASE(test_calls_from_a_wrong_thread),
      CASE(test_slow_callbacks_show_what_was_slow), CASE(test_loops_never_closed),
      CASE(test_the_default_report_has_the_source), CASE(test_tasks_that_end_instead_of_yielding),
      CASE(test_many_origins))
