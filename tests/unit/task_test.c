/*
 * task.h: making tasks, awaiting, both kinds of coroutine, what tasks show.
 * Cancellation stands in cancel_test.c, sizes in capacity_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int freed;

static int64_t add(void *number, void **value) {
    (void)value;
    return *(int *)number + 1;
}

/* Awaiting -------------------------------------------------------------------------- */

static int64_t hand_over(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_return(4, &freed, count_free);
}

static int64_t plain_value(void *data, void **value) {
    *value = data;
    return 0;
}

static int64_t await_all_kinds(void *unused, void **value) {
    (void)unused;
    (void)value;
    int number = 41;
    void *got = NULL;
    assert_code(aloop_await(aloop_create_task(add, &number), NULL), 42);
    assert_null(aloop_last_error());
    assert_code(aloop_await(aloop_create_task(plain_value, &number), &got), 0);
    assert_ptr_equal(got, &number);
    assert_code(aloop_await(aloop_create_task(hand_over, NULL), &got), 4);
    assert_ptr_equal(got, &freed);
    assert_int_equal(freed, 0);
    assert_code(aloop_await(aloop_create_task(hand_over, NULL), NULL), 4);
    let_run(1);
    assert_int_equal(freed, 1); /* nobody took it; never freed on a fiber */
    aloop_unref(aloop_create_task(hand_over, NULL));
    let_run(2);
    assert_int_equal(freed, 2);
    assert_code(aloop_await(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_await((aloop_future *)aloop_get_running_loop(), NULL), ALOOP_EINVAL);
    assert_code(aloop_await(aloop_ref(aloop_current_task(NULL)), NULL), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Task cannot await on itself");
    aloop_loop *other = virtual_loop();
    assert_code(aloop_await(aloop_loop_create_future(other), NULL), ALOOP_EWRONGLOOP);
    close_loop(other);
    return 0;
}

static void test_awaiting_gives_status_and_value(void **state) {
    (void)state;
    freed = 0;
    in_task(await_all_kinds);
}

static int64_t await_here(void *unused) {
    (void)unused;
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ENOTASK);
    assert_code(aloop_await(NULL, NULL), ALOOP_ENOTASK);
    assert_code(aloop_return(3, &freed, count_free), ALOOP_ENOTASK);
    assert_null(aloop_current_task(NULL));
    assert_null(aloop_last_error());
    return 0;
}

static int64_t await_in_step(aloop_task *task, void *frame, void **value) {
    (void)frame;
    (void)value;
    assert_ptr_equal(aloop_current_task(NULL), task);
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ENOTASK);
    return 0;
}

static int64_t suspend_wrongly(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_suspend(self, aloop_sleep(1)), ALOOP_ENOTASK);
    assert_code(aloop_suspend(NULL, aloop_sleep(1)), ALOOP_EINVAL);
    assert_code(aloop_awaited(NULL, NULL), ALOOP_EINVAL);
    aloop_task *other = aloop_create_stackless_task(await_in_step, NULL, NULL);
    assert_code(aloop_suspend(other, aloop_sleep(1)), ALOOP_ENOTASK);
    assert_code(aloop_awaited(other, NULL), ALOOP_ENOTASK);
    assert_code(aloop_await(other, NULL), 0);
    return 0;
}

static void test_awaiting_needs_a_task(void **state) {
    (void)state;
    freed = 0;
    assert_code(aloop_await(NULL, NULL), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_return(0, &freed, count_free), ALOOP_ENOTASK);
    assert_null(aloop_create_task(add, NULL));
    assert_null(aloop_create_stackless_task(await_in_step, NULL, NULL));
    assert_code(aloop_spawn(add, NULL), ALOOP_ENORUNNINGLOOP);
    assert_null(aloop_current_task(NULL));
    assert_null(aloop_all_tasks(NULL));
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, await_here, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(freed, 2);
    close_loop(loop);
    in_task(suspend_wrongly);
}

/* Step tasks ---------------------------------------------------------------------------- */

struct frame {
    ALOOP_CO_FRAME;
    int i;
    int64_t sum;
    int freed;
};

static int64_t number(void *n, void **value) {
    (void)value;
    let_run(1);
    return *(int *)n;
}

static int64_t sum_up(aloop_task *task, void *data, void **value) {
    struct frame *f = data;
    int64_t status = 0;
    void *got = NULL;
    (void)value;
    ALOOP_CO_BEGIN(f);
    for (f->i = 1; f->i <= 3; f->i++) {
        ALOOP_CO_AWAIT(task, f, aloop_create_task(number, &f->i), status, &got);
        if (status < 0) return status;
        f->sum += status;
    }
    ALOOP_CO_AWAIT(task, f, aloop_sleep_result(1, 10, &f->freed, count_free), status, &got);
    assert_ptr_equal(got, &f->freed);
    f->sum += status;
    ALOOP_CO_AWAIT(task, f, NULL, status, NULL);
    assert_code(status, ALOOP_EINVAL);
    ALOOP_CO_END(f);
    return f->sum;
}

static void free_frame(void *data) { ((struct frame *)data)->freed += 100; }

static int64_t pending_without_future(aloop_task *task, void *frame, void **value) {
    (void)task;
    (void)frame;
    (void)value;
    return ALOOP_PENDING;
}

static int64_t run_steps(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct frame frame = {0};
    assert_code(aloop_await(aloop_create_stackless_task(sum_up, &frame, free_frame), NULL), 16);
    assert_int_equal(frame.freed, 100);
    assert_code(aloop_await(aloop_create_stackless_task(pending_without_future, NULL, NULL), NULL),
                ALOOP_EINVAL);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "Task got bad yield"));
    assert_code(aloop_await(aloop_create_stackless_task(NULL, NULL, NULL), NULL), ALOOP_EINVAL);
    return 0;
}

static int64_t ends_pending(void *unused, void **value) {
    (void)unused;
    (void)value;
    return ALOOP_PENDING;
}

/* ALOOP_PENDING is no way to end, for a coroutine on a fiber or an error. */
static int64_t nothing_ends_pending(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_await(aloop_create_task(ends_pending, NULL), NULL), ALOOP_EINVAL);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "Task got bad yield"));
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_future_set_error_code(f, ALOOP_PENDING), ALOOP_EINVAL);
    aloop_error *error = aloop_error_new(ALOOP_PENDING, "pending", NULL);
    if (error != NULL) assert_code(aloop_future_set_error(f, error), 0);
    assert_code(aloop_await(aloop_wait_for(f, 1), NULL), ALOOP_EINVAL);
    aloop_unref(error);
    return 0;
}

static void test_nothing_ends_pending(void **state) {
    (void)state;
    in_task(nothing_ends_pending);
}

static void test_step_tasks_are_called_again(void **state) {
    (void)state;
    in_task(run_steps);
}

/* Making ------------------------------------------------------------------------------------ */

static int64_t name_of_mine(void *expected, void **value) {
    (void)value;
    char name[32];
    aloop_task_get_name(aloop_current_task(NULL), name, sizeof name);
    assert_string_equal(name, expected);
    return 1;
}

static int64_t use_much_stack(void *unused, void **value) {
    (void)unused;
    (void)value;
    volatile char room[200000];
    for (size_t i = 0; i < sizeof room; i += 1000) room[i] = 1;
    let_run(1);
    return room[0];
}

static int64_t make_by_options(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_options *o = aloop_task_options_new();
    aloop_loop_options *other = aloop_loop_options_new();
    aloop_task_options *wrong[] = {NULL, (aloop_task_options *)other};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_task_options_set_coro(wrong[i], add, NULL, NULL), ALOOP_EINVAL);
        assert_code(aloop_task_options_set_step(wrong[i], sum_up, NULL, NULL), ALOOP_EINVAL);
        assert_code(aloop_task_options_set_name(wrong[i], "x"), ALOOP_EINVAL);
        assert_code(aloop_task_options_set_context(wrong[i], NULL), ALOOP_EINVAL);
        assert_code(aloop_task_options_set_eager_start(wrong[i], 1), ALOOP_EINVAL);
        assert_code(aloop_task_options_set_stack_size(wrong[i], 65536), ALOOP_EINVAL);
        assert_failed(aloop_create_task_ex(wrong[i]), ALOOP_EINVAL);
        assert_failed(aloop_task_new(aloop_get_running_loop(), wrong[i]), ALOOP_EINVAL);
    }
    aloop_unref(other);
    assert_failed(aloop_create_task_ex(o), ALOOP_EINVAL); /* no coroutine */
    assert_null(aloop_task_new(NULL, o));
    assert_code(aloop_task_options_set_coro(o, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_task_options_set_step(o, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_task_options_set_name(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_task_options_set_stack_size(o, 16383), ALOOP_EINVAL);
    assert_code(aloop_task_options_set_coro(o, add, &freed, count_free), 0);
    assert_code(aloop_task_options_set_coro(o, name_of_mine, "worker", NULL), 0);
    let_run(1);
    assert_int_equal(freed, 1); /* the first argument, replaced */
    assert_code(aloop_task_options_set_name(o, "worker"), 0);
    assert_code(aloop_await(aloop_create_task_ex(o), NULL), 1);
    assert_code(aloop_task_options_set_coro(o, use_much_stack, NULL, NULL), 0);
    assert_code(aloop_task_options_set_stack_size(o, 300000), 0);
    assert_code(aloop_await(aloop_create_task_ex(o), NULL), 1);
    assert_code(aloop_task_options_set_step(o, sum_up, &freed, count_free), 0);
    aloop_unref(o);
    let_run(1);
    assert_int_equal(freed, 2); /* never started */
    assert_failed(aloop_create_task(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_spawn(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_spawn(add, &freed), 0);
    return 0;
}

static void test_tasks_are_made_by_options(void **state) {
    (void)state;
    freed = 0;
    in_task(make_by_options);
}

static int64_t mark(void *flag, void **value) {
    (void)value;
    *(int *)flag += 1;
    let_run(1);
    *(int *)flag += 1;
    return 0;
}

static int64_t start_eagerly(void *unused, void **value) {
    (void)unused;
    (void)value;
    int marks = 0;
    aloop_task *self = aloop_current_task(NULL);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, mark, &marks, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *task = aloop_create_task_ex(o);
    assert_int_equal(marks, 1);
    assert_ptr_equal(aloop_current_task(NULL), self);
    assert_code(aloop_await(task, NULL), 0);
    assert_int_equal(marks, 2);
    int n = 1;
    assert_code(aloop_task_options_set_coro(o, add, &n, NULL), 0);
    task = aloop_create_task_ex(o);
    assert_code(aloop_future_result(task, NULL), 2); /* done already */
    aloop_unref(task);
    assert_code(aloop_set_eager_task_factory(aloop_get_running_loop(), 1), 0);
    task = aloop_create_task(mark, &marks);
    assert_int_equal(marks, 3);
    assert_code(aloop_await(task, NULL), 0);
    assert_code(aloop_task_options_set_coro(o, mark, &marks, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 0), 0);
    task = aloop_create_task_ex(o);
    assert_int_equal(marks, 4);
    assert_code(aloop_await(task, NULL), 0);
    assert_code(aloop_set_eager_task_factory(aloop_get_running_loop(), 0), 0);
    task = aloop_create_task(mark, &marks);
    assert_int_equal(marks, 6);
    assert_code(aloop_await(task, NULL), 0);
    aloop_unref(o);
    return 0;
}

static void test_eager_tasks_start_inside_the_call(void **state) {
    (void)state;
    in_task(start_eagerly);
}

static int made;

static aloop_task *factory(aloop_loop *loop, aloop_task_options *options, void *data) {
    made++;
    assert_ptr_equal(data, &freed);
    return aloop_task_new(loop, options);
}

static int64_t make_by_factory(void *unused, void **value) {
    (void)unused;
    (void)value;
    int n = 1;
    struct frame frame = {0};
    aloop_loop *loop = aloop_get_running_loop();
    assert_null(aloop_loop_get_task_factory(loop));
    assert_code(aloop_loop_set_task_factory(loop, factory, &freed, count_free), 0);
    assert_true(aloop_loop_get_task_factory(loop) == factory);
    assert_code(aloop_await(aloop_create_task(add, &n), NULL), 2);
    assert_code(aloop_await(aloop_create_stackless_task(sum_up, &frame, free_frame), NULL), 16);
    assert_int_equal(made, 1 + 1 + 3);
    assert_int_equal(frame.freed, 100);
    assert_code(aloop_loop_set_task_factory(loop, NULL, NULL, NULL), 0);
    assert_int_equal(freed, 1);
    assert_null(aloop_loop_get_task_factory(loop));
    return 0;
}

static void test_a_factory_makes_the_tasks(void **state) {
    (void)state;
    freed = made = 0;
    in_task(make_by_factory);
}

static int64_t ensure(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *plain = aloop_loop_create_future(aloop_get_running_loop());
    assert_ptr_equal(aloop_ensure_future(plain), plain);
    aloop_unref(plain);
    aloop_future *task = aloop_ensure_future(aloop_sleep_result(1, 5, &freed, count_free));
    assert_true(aloop_task_state(task) == ALOOP_TASK_READY);
    assert_code(aloop_await(task, NULL), 5);
    assert_null(aloop_ensure_future(NULL));
    return 0;
}

static void test_operations_become_tasks(void **state) {
    (void)state;
    freed = 0;
    in_task(ensure);
    assert_int_equal(freed, 1);
}

/* Looking ------------------------------------------------------------------------------------- */

static int64_t look(void *unused, void **value) {
    (void)unused;
    (void)value;
    char text[256];
    aloop_task *self = aloop_current_task(NULL);
    aloop_task *task = aloop_create_task(sleep_for_ever, NULL);
    assert_code(aloop_task_state(self), ALOOP_TASK_RUNNING);
    assert_code(aloop_task_state(task), ALOOP_TASK_READY);
    let_run(1);
    assert_code(aloop_task_state(task), ALOOP_TASK_WAITING);
    aloop_results *all = aloop_all_tasks(NULL);
    assert_int_equal(aloop_results_count(all), 2);
    assert_ptr_equal(aloop_results_future(all, 0), self);
    assert_ptr_equal(aloop_results_future(all, 1), task);
    aloop_results_unref(all);
    assert_code(aloop_task_set_name(task, "sleeper"), 0);
    assert_code(aloop_task_set_name(task, NULL), ALOOP_EINVAL);
    assert_int_equal(aloop_task_get_name(task, text, sizeof text), 7);
    assert_string_equal(text, "sleeper");
    assert_int_equal(aloop_task_get_name(task, text, 4), 7);
    assert_string_equal(text, "sle");
    assert_int_equal(aloop_task_get_name(task, NULL, 0), 7);
    assert_int_equal(aloop_task_get_coro(task), (uint64_t)(uintptr_t)sleep_for_ever);
    assert_true(aloop_task_repr(task, text, sizeof text) > 20);
    assert_non_null(strstr(text, "<Task pending name='sleeper' coro=<"));
    assert_non_null(strstr(text, "wait_for=sleep"));
    void *frames[16];
    assert_true(aloop_task_get_stack(task, frames, 16) >= 1);
    assert_int_equal(aloop_task_get_stack(task, frames, 0), 0);
    assert_code(aloop_task_get_stack(task, NULL, 16), ALOOP_EINVAL);
    assert_code(aloop_task_get_stack(task, frames, -1), ALOOP_EINVAL);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(aloop_task_print_stack(task, 8, ends[1]) >= 1);
    close(ends[1]);
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "Stack for <Task pending name='sleeper'"));
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_true(aloop_task_repr(task, text, sizeof text) > 20);
    assert_non_null(strstr(text, "<Task cancelling"));
    let_run(2);
    assert_code(aloop_task_state(task), ALOOP_TASK_CANCELLED);
    assert_int_equal(aloop_task_get_coro(task), 0);
    assert_int_equal(aloop_task_get_stack(task, frames, 16), 0);
    aloop_unref(task);
    int one = 1;
    task = aloop_create_task(add, &one);
    let_run(1);
    assert_code(aloop_task_state(task), ALOOP_TASK_FINISHED);
    assert_true(aloop_task_repr(task, text, sizeof text) > 20);
    assert_non_null(strstr(text, "<Task finished name='Task-"));
    aloop_unref(task);
    return 0;
}

static void test_tasks_show_themselves(void **state) {
    (void)state;
    in_task(look);
}

static void test_wrong_objects_are_refused(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_future *plain = aloop_loop_create_future(loop);
    aloop_task *wrong[] = {NULL, plain};
    char text[8] = "";
    void *frame;
    for (int i = 0; i < 2; i++) {
        aloop_task *t = wrong[i];
        assert_code(aloop_task_cancel(t, NULL), ALOOP_EINVAL);
        assert_code(aloop_task_cancelling(t), ALOOP_EINVAL);
        assert_code(aloop_task_uncancel(t), ALOOP_EINVAL);
        assert_code(aloop_task_set_name(t, "x"), ALOOP_EINVAL);
        assert_code(aloop_task_get_name(t, text, sizeof text), ALOOP_EINVAL);
        assert_int_equal(aloop_task_get_coro(t), 0);
        assert_null(aloop_task_get_context(t));
        assert_code(aloop_task_state(t), ALOOP_EINVAL);
        assert_code(aloop_task_repr(t, text, sizeof text), ALOOP_EINVAL);
        assert_code(aloop_task_get_stack(t, &frame, 1), ALOOP_EINVAL);
        assert_code(aloop_task_print_stack(t, 1, 1), ALOOP_EINVAL);
        assert_null(aloop_task_waker_new(t));
    }
    assert_null(aloop_task_waker_future(NULL));
    assert_code(aloop_task_waker_wake(NULL), ALOOP_EINVAL);
    aloop_task_waker_unref(NULL);
    assert_null(aloop_current_task((aloop_loop *)plain));
    assert_null(aloop_all_tasks((aloop_loop *)plain));
    aloop_unref(plain);
    close_loop(loop);
}

/* Failures nobody awaits ------------------------------------------------------------------------
 */

static int64_t fail_soon(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise(-5, "nobody looked");
}

static void test_a_failure_nobody_awaits_is_reported_soon(void **state) {
    (void)state;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    aloop_task *kept = aloop_loop_create_task(loop, fail_soon, NULL);
    for (int i = 0; i < 3; i++) assert_true(aloop_loop_run_once(loop, 0) >= 0);
    assert_int_equal(reports.count, 1); /* though a reference is held */
    assert_string_equal(reports.list[0].message, "Task exception was never retrieved");
    assert_string_equal(reports.list[0].text, "nobody looked");
    assert_true(reports.list[0].with_task);
    aloop_unref(kept);
    close_loop(loop);
    assert_int_equal(reports.count, 1);
}

static void test_the_close_ends_pending_tasks(void **state) {
    (void)state;
    freed = 0;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    aloop_task_options *o = aloop_task_options_new();
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_task_options_set_coro(o, sleep_for_ever, &freed, count_free), 0);
        aloop_unref(aloop_task_new(loop, o));
        if (i == 0) assert_true(aloop_loop_run_once(loop, 0) > 0); /* the second never begins */
    }
    aloop_unref(o);
    close_loop(loop);
    assert_int_equal(freed, 2);
    assert_int_equal(reports.count, 2);
    assert_string_equal(reports.list[1].message, "Task was destroyed but it is pending!");
}

/* Wakers ----------------------------------------------------------------------------------------
 */

static int64_t wake_here(void *waker) {
    for (int i = 0; i < 10; i++) assert_code(aloop_task_waker_wake(waker), 0);
    aloop_task_waker_unref(waker);
    return 0;
}

static int64_t wait_for_waker(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_waker *waker = aloop_task_waker_new(aloop_current_task(NULL));
    assert_code(aloop_task_waker_wake(waker), 0);
    assert_code(aloop_await(aloop_task_waker_future(waker), NULL), 0); /* woken before */
    on_foreign_thread(wake_here, aloop_ref(waker));
    assert_code(aloop_await(aloop_task_waker_future(waker), NULL), 0);
    aloop_task_waker_unref(waker);
    return 0;
}

static int64_t wait_after_a_cancelled_wait(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_waker *waker = aloop_task_waker_new(aloop_current_task(NULL));
    aloop_future *cancelled = aloop_task_waker_future(waker);
    assert_code(aloop_await(aloop_wait_for(cancelled, 1), NULL), ALOOP_ETIMEDOUT);
    aloop_future *again = aloop_task_waker_future(waker);
    assert_code(aloop_future_done(again), 0);
    assert_code(aloop_task_waker_wake(waker), 0);
    assert_code(aloop_await(again, NULL), 0);
    aloop_task_waker_unref(waker);
    return 0;
}

static void test_a_waker_outlives_a_cancelled_wait(void **state) {
    (void)state;
    in_task(wait_after_a_cancelled_wait);
}

static void test_wakers_wake_from_any_thread(void **state) {
    (void)state;
    in_task(wait_for_waker);
    aloop_loop *loop = virtual_loop();
    aloop_task *task = aloop_loop_create_task(loop, wait_for_waker, NULL);
    aloop_task_waker *waker = aloop_task_waker_new(task);
    assert_code(aloop_loop_run_until_complete(loop, task, NULL), 0);
    close_loop(loop);
    assert_code(aloop_task_waker_wake(waker), ALOOP_ESTALE);
    aloop_task_waker_unref(waker);
}

SUITE(CASE(test_awaiting_gives_status_and_value), CASE(test_awaiting_needs_a_task),
      CASE(test_step_tasks_are_called_again), CASE(test_nothing_ends_pending),
      CASE(test_tasks_are_made_by_options),
      CASE(test_eager_tasks_start_inside_the_call), CASE(test_a_factory_makes_the_tasks),
      CASE(test_operations_become_tasks), CASE(test_tasks_show_themselves),
      CASE(test_wrong_objects_are_refused), CASE(test_a_failure_nobody_awaits_is_reported_soon),
      CASE(test_the_close_ends_pending_tasks), CASE(test_wakers_wake_from_any_thread),
      CASE(test_a_waker_outlives_a_cancelled_wait))
