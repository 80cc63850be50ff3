/*
 * What surrounds tasks: debug mode, the loop that is set but does not run,
 * factories, groups that are over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#include <stdlib.h>

/* 1.13: debug mode from the environment, and from the options of a run. */
static int64_t debug_of_the_loop(void *unused UNUSED, void **value UNUSED) {
    return aloop_loop_get_debug(here());
}

static void debug_from_the_environment(void **state) {
    (void)state;
    const char *settings[] = {"1", "0", ""};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(setenv("ASYNCLOOP_DEBUG", settings[i], 1), 0);
        assert_code(aloop_run(debug_of_the_loop, NULL, NULL), i == 0);
    }
    assert_int_equal(unsetenv("ASYNCLOOP_DEBUG"), 0);
    assert_code(aloop_run(debug_of_the_loop, NULL, NULL), 0);
}

/* 1.1: the options of a runner are those of its loop. */
static void runner_makes_its_loop_by_options(void **state) {
    (void)state;
    aloop_loop_options *o = aloop_loop_options_new();
    for (int debug = 0; debug <= 1; debug++) {
        aloop_runner *runner = NULL;
        assert_code(aloop_loop_options_set_debug(o, debug), 0);
        assert_code(aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL), 0);
        assert_code(aloop_runner_new(&runner, o), 0);
        assert_code(aloop_runner_run(runner, debug_of_the_loop, NULL, NULL), debug);
        assert_true(aloop_loop_time(aloop_runner_get_loop(runner)) == 0);
        assert_code(aloop_runner_close(runner), 0);
        aloop_unref(runner);
    }
    aloop_unref(o);
}

/* 1.2, 1.3: the loop that was set serves where none runs. */
static void the_loop_that_was_set(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_set_event_loop(loop), 0);
    aloop_future *f = aloop_loop_create_future(aloop_get_event_loop());
    assert_ptr_equal(aloop_future_loop(f), loop);
    aloop_future *empty = aloop_gather(NULL, 0, 0);
    assert_ptr_equal(aloop_future_loop(empty), loop);
    assert_code(aloop_future_result(empty, NULL), 0);
    aloop_unref(empty);
    aloop_future *gather = ALOOP_GATHER(0, aloop_ref(f), aloop_shield(aloop_ref(f)));
    assert_ptr_equal(aloop_future_loop(gather), loop);
    finish(f, 3);
    assert_code(aloop_loop_run_until_complete(loop, gather, NULL), 2);
    aloop_unref(f);
    assert_code(aloop_set_event_loop(NULL), 0);
    close_loop(loop);
}

static int64_t fail_at_once(void *unused UNUSED, void **value UNUSED) { return -5; }

static aloop_task *make_nothing(aloop_loop *loop UNUSED, aloop_task_options *options UNUSED,
                                void *data UNUSED) {
    return NULL;
}

/* 1.13: a factory that makes nothing gives a task that failed, not a crash. */
TEST(a_factory_that_makes_nothing) {
    assert_code(aloop_loop_set_task_factory(here(), make_nothing, NULL, NULL), 0);
    aloop_task *task = aloop_create_task(fail_at_once, NULL);
    assert_code(aloop_loop_set_task_factory(here(), NULL, NULL, NULL), 0);
    assert_non_null(task);
    assert_failed(task, ALOOP_ENOMEM); /* what a factory has no other word for */
    return 0;
}

static aloop_task *give_it_out(aloop_loop *loop UNUSED, aloop_task_options *options UNUSED,
                               void *future) {
    return aloop_ref(future);
}

static int64_t open_a_group(void *left, void **value UNUSED) {
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, fail_at_once, NULL), 0);
    const int64_t status = aloop_task_group_exit(g, 0);
    *(double *)left = now();
    return status;
}

/* 1.7: what a factory makes is a group's task, though it be another kind of future. */
TEST(a_group_waits_for_what_a_factory_makes) {
    aloop_future *futures[] = {pending(), pending(), aloop_sleep(2)};
    const int64_t ends[] = {ALOOP_EGROUP, ALOOP_ECANCELED, 0};
    for (int i = 0; i < 3; i++) {
        double left = -1;
        const double began = now();
        aloop_task *task = aloop_create_task(open_a_group, &left);
        assert_code(aloop_loop_set_task_factory(here(), give_it_out, futures[i], NULL), 0);
        let_run(1);
        assert_code(aloop_loop_set_task_factory(here(), NULL, NULL, NULL), 0);
        assert_code(nap(1), 0);
        assert_true(left < 0);
        if (i == 0) assert_code(aloop_future_set_error_code(futures[i], -5), 0);
        if (i == 1) assert_code(aloop_task_cancel(task, NULL), 1);
        assert_code(outcome(task), ends[i]);
        assert_close(left, began + (i == 2 ? 2 : 1));
        assert_code(aloop_future_cancelled(futures[i]), i == 1);
        aloop_unref(futures[i]);
    }
    return 0;
}

static int made;

static aloop_task *count_made(aloop_loop *loop, aloop_task_options *options, void *data UNUSED) {
    made++;
    return aloop_task_new(loop, options);
}

static int64_t descend(void *depth, void **value) {
    int left = *(int *)depth;
    if (left-- == 0) return 0;
    return 1 + descend(&left, value);
}

/* A coroutine that calls another one is one task, however deep. */
TEST(calls_make_no_tasks) {
    int depth = 100;
    made = 0;
    assert_code(aloop_loop_set_task_factory(here(), count_made, NULL, NULL), 0);
    assert_code(outcome(aloop_create_task(descend, &depth)), 100);
    assert_int_equal(made, 1);
    assert_code(aloop_loop_set_task_factory(here(), NULL, NULL, NULL), 0);
    return 0;
}

static int64_t return_a_future(void *f, void **value UNUSED) {
    return aloop_return(1, f, aloop_unref);
}

/* A coroutine may return a future: it is a value like any other, not awaited. */
TEST(a_future_as_a_value) {
    aloop_future *f = pending();
    void *got = NULL;
    assert_code(aloop_await(aloop_create_task(return_a_future, f), &got), 1);
    assert_ptr_equal(got, f);
    assert_code(aloop_future_done(f), 0);
    aloop_unref(got);
    aloop_unref(aloop_create_task(return_a_future, pending())); /* nobody takes this one */
    let_run(3);
    return 0;
}

/* A task that could not be made: its argument is freed once. */
static void a_task_that_could_not_be_made(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = virtual_loop();
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, sleep_for_ever, &freed, count_free), 0);
    assert_code(aloop_loop_close(loop), 0);
    assert_null(aloop_task_new(loop, o));
    assert_int_equal(freed, 0);
    aloop_unref(o);
    assert_int_equal(freed, 1);
    aloop_loop_unref(loop);
}

static int64_t eleven(void *unused UNUSED, void **value UNUSED) { return 11; }

/* 1.13: a job's future belongs to the loop it was given, running or not. */
static void a_job_of_a_loop_that_does_not_run(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_future *f = aloop_run_in_executor(loop, NULL, eleven, NULL, NULL);
    assert_ptr_equal(aloop_future_loop(f), loop);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 11);
    f = aloop_loop_shutdown_default_executor(loop, -1);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    close_loop(loop);
    assert_null(aloop_run_in_executor(NULL, NULL, eleven, NULL, NULL));
}

TEST(a_job_of_the_running_loop) {
    assert_code(outcome(aloop_run_in_executor(here(), NULL, eleven, NULL, NULL)), 11);
    assert_code(outcome(aloop_to_thread(eleven, NULL, NULL)), 11);
    return 0;
}

/* 1.7: a group that is over takes no tasks, and leaves their argument alone. */
TEST(group_that_is_over) {
    int freed = 0;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    aloop_ref(g);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_failed(aloop_task_group_create_task(g, sleep_for_ever, NULL), ALOOP_ESHUTDOWN);
    assert_code(aloop_task_group_spawn(g, sleep_for_ever, NULL), ALOOP_ESHUTDOWN);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, sleep_for_ever, &freed, count_free), 0);
    assert_failed(aloop_task_group_create_task_ex(g, o), ALOOP_ESHUTDOWN);
    aloop_unref(o);
    let_run(1);
    assert_int_equal(freed, 1);
    aloop_unref(g);
    return 0;
}

static aloop_task_group *left_open;

static int64_t leave_a_group_open(void *child, void **value UNUSED) {
    assert_code(aloop_task_group_enter(&left_open), 0);
    return aloop_task_group_spawn(left_open, work, child);
}

/* 1.7: a child fails when its parent has ended without leaving the group: reported. */
static void group_left_open(void **state UNUSED) {
    struct job child = {"child", 1, -5, 0, 0};
    struct reports seen;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &seen);
    assert_code(run_on(loop, leave_a_group_open, &child), 0);
    aloop_loop_run_once(loop, 0);
    while (aloop_loop_backend_timeout(loop) >= 0) aloop_loop_run_once(loop, -1);
    assert_true(seen.count >= 1);
    assert_string_equal(seen.list[0].message,
                        "Task has errored out but its parent task is already completed");
    assert_code(seen.list[0].code, -5);
    assert_string_equal(seen.list[0].text, "child");
    assert_true(seen.list[0].with_task);
    aloop_unref(left_open);
    close_loop(loop);
}

/* 1.3: the message of a cancellation stays with the future, for each awaiter. */
TEST(a_message_for_every_awaiter) {
    aloop_future *f = pending();
    struct waiter first = {"first", f, ""}, second = {"second", f, ""};
    aloop_task *one = running(await_on, &first), *two = running(await_on, &second);
    assert_code(aloop_future_cancel(f, "gone"), 1);
    assert_code(outcome(one), ALOOP_ECANCELED);
    assert_code(outcome(two), ALOOP_ECANCELED);
    assert_string_equal(first.message, "gone");
    assert_string_equal(second.message, "gone");
    assert_code(outcome(f), ALOOP_ECANCELED);
    assert_last_message("gone");
    return 0;
}

static aloop_contextvar *left_note;

static int64_t leave_a_note(void *seen, void **value UNUSED) {
    *(void **)seen = aloop_contextvar_get(left_note);
    return aloop_contextvar_set(left_note, seen, NULL, NULL);
}

/* 1.1: each runner has its own context, also where both run by the same options. */
static void runners_share_options_and_no_context(void **state) {
    (void)state;
    void *seen = NULL;
    left_note = aloop_contextvar_new("note", NULL);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, leave_a_note, &seen, NULL), 0);
    for (int i = 0; i < 2; i++) {
        aloop_runner *runner = NULL;
        assert_code(aloop_runner_new(&runner, NULL), 0);
        assert_code(aloop_runner_run_ex(runner, o, NULL), 0);
        assert_null(seen);
        assert_code(aloop_runner_run_ex(runner, o, NULL), 0);
        assert_ptr_equal(seen, &seen);
        assert_code(aloop_runner_close(runner), 0);
        aloop_unref(runner);
    }
    aloop_unref(o);
    aloop_unref(left_note);
}

SUITE(CASE(debug_from_the_environment), CASE(runner_makes_its_loop_by_options),
      CASE(runners_share_options_and_no_context),
      CASE(the_loop_that_was_set), CASE(a_factory_that_makes_nothing),
      CASE(a_group_waits_for_what_a_factory_makes), CASE(calls_make_no_tasks),
      CASE(a_future_as_a_value), CASE(a_task_that_could_not_be_made),
      CASE(a_job_of_a_loop_that_does_not_run), CASE(a_job_of_the_running_loop),
      CASE(group_that_is_over), CASE(group_left_open), CASE(a_message_for_every_awaiter))
