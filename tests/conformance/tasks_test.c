/*
 * Futures (1.3), tasks (1.2, 1.4), eager tasks, and running programs (1.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#include <stdlib.h>

/* Futures ------------------------------------------------------------------------------ */

/* 1.3: pending, then finished or cancelled, once. */
TEST(future_changes_once) {
    aloop_future *ends[] = {finished(3), failed(-5), pending()};
    const int64_t expected[] = {3, -5, ALOOP_ECANCELED};
    assert_code(aloop_future_cancel(ends[2], "m"), 1);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_future_done(ends[i]), 1);
        assert_code(aloop_future_cancelled(ends[i]), i == 2);
        assert_code(aloop_future_result(ends[i], NULL), expected[i]);
        assert_code(aloop_future_set_result(ends[i], 1, NULL, NULL), ALOOP_EINVALIDSTATE);
        assert_code(aloop_future_set_error_code(ends[i], -1), ALOOP_EINVALIDSTATE);
        assert_code(aloop_future_cancel(ends[i], NULL), 0);
        assert_code(aloop_future_result(ends[i], NULL), expected[i]);
        assert_code(outcome(ends[i]), expected[i]);
    }
    return 0;
}

/* 1.3: callbacks can be removed: all equal ones at once, and only those. */
TEST(future_callbacks_removed) {
    aloop_future *f = pending();
    const char *names[] = {"a", "b", "a", "c"};
    for (int i = 0; i < 4; i++) {
        assert_code(aloop_future_add_done_callback(f, note_done, (void *)names[i], NULL), 0);
    }
    assert_code(aloop_future_remove_done_callback(f, note_done, (void *)names[0]), 2);
    assert_code(aloop_future_remove_done_callback(f, note_done, (void *)names[0]), 0);
    finish(f, 0);
    let_run(1);
    assert_trace("b@1 c@1 ");
    aloop_unref(f);
    return 0;
}

static aloop_future *shared;

static int64_t remove_next(aloop_future *f, void *name) {
    note("remover");
    assert_code(aloop_future_remove_done_callback(f, note_done, name), 0);
    return 0;
}

/* 1.3: a callback that is scheduled already cannot be removed any more. */
TEST(future_callbacks_that_remove_each_other) {
    shared = pending();
    assert_code(aloop_future_add_done_callback(shared, remove_next, "next", NULL), 0);
    assert_code(aloop_future_add_done_callback(shared, note_done, "next", NULL), 0);
    assert_code(aloop_future_cancel(shared, NULL), 1);
    let_run(1);
    assert_trace("remover@1 next@1 ");
    aloop_unref(shared);
    return 0;
}

/* 1.3: a failure that nobody looked at is reported with the last reference; one
 * that was looked at, or a cancellation, is not. */
TEST(future_failures_nobody_saw) {
    struct reports seen;
    capture_reports(here(), &seen);
    aloop_unref(failed(-5));
    let_run(1);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].message, "Future exception was never retrieved");
    aloop_future *f = failed(-5);
    assert_non_null(aloop_future_error(f));
    aloop_unref(f);
    f = failed(-5);
    assert_code(aloop_future_result(f, NULL), -5);
    aloop_unref(f);
    f = pending();
    aloop_unref(f);
    aloop_unref(finished(1));
    let_run(1);
    assert_int_equal(seen.count, 1);
    return 0;
}

/* 1.3: any number of tasks await one future; each wakes in the next iteration. */
TEST(future_awaited_by_many) {
    aloop_future *f = pending();
    struct waiter w[] = {{"a", f, ""}, {"b", f, ""}, {"c", f, ""}};
    aloop_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = aloop_create_task(await_on, &w[i]);
    let_run(1);
    finish(f, 2);
    for (int i = 0; i < 3; i++) assert_code(outcome(tasks[i]), 2);
    assert_trace("a:2@2 b:2@2 c:2@2 ");
    aloop_unref(f);
    return 0;
}

/* Tasks -------------------------------------------------------------------------------- */

/* 1.4: names: Task-N counts up; set and given. */
TEST(task_names) {
    char one[16], two[16];
    struct job job = {"job", 0, 1, 0, 0};
    aloop_task *a = start(&job), *b = start(&job);
    aloop_task_get_name(a, one, sizeof one);
    aloop_task_get_name(b, two, sizeof two);
    assert_int_equal(strncmp(one, "Task-", 5), 0);
    assert_int_equal(atoi(two + 5), atoi(one + 5) + 1);
    assert_code(aloop_task_set_name(a, "12"), 0);
    assert_code(aloop_task_get_name(a, one, sizeof one), 2);
    assert_string_equal(one, "12");
    assert_code(outcome(a), 1);
    assert_code(outcome(b), 1);
    return 0;
}

/* 1.4: a task cannot be finished from outside, nor await itself. */
TEST(task_is_finished_by_its_coroutine_alone) {
    struct job job = {"job", 1, 3, 0, 0};
    aloop_task *task = start(&job);
    assert_code(aloop_future_set_result(task, 1, NULL, NULL), ALOOP_EWRONGTYPE);
    assert_code(aloop_future_set_error_code(task, -5), ALOOP_EWRONGTYPE);
    assert_code(outcome(task), 3);
    assert_code(outcome(aloop_ref(self())), ALOOP_EINVAL);
    assert_last_message("Task cannot await on itself");
    return 0;
}

static int64_t end_cancelled(void *unused UNUSED, void **value UNUSED) { return ALOOP_ECANCELED; }

/* 1.4: how a task ends: by value, error, or cancelled though nobody asked. */
TEST(task_ends) {
    struct job good = {"good", 0, 3, 0, 0}, bad = {"bad", 0, -5, 0, 0};
    assert_code(outcome(start(&good)), 3);
    assert_code(outcome(start(&bad)), -5);
    assert_last_message("bad");
    aloop_task *task = aloop_create_task(end_cancelled, NULL);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(task), 1);
    assert_code(aloop_task_cancelling(task), 0);
    aloop_unref(task);
    return 0;
}

/* 1.4: coroutine and context as long as it runs. */
TEST(task_shows_its_coroutine_and_context) {
    struct job job = {"job", 0, 3, 0, 0};
    aloop_task *task = start(&job);
    assert_int_equal(aloop_task_get_coro(task), (uint64_t)(uintptr_t)work);
    assert_non_null(aloop_task_get_context(task));
    assert_code(outcome(aloop_ref(task)), 3);
    assert_int_equal(aloop_task_get_coro(task), 0);
    aloop_unref(task);
    return 0;
}

struct pair {
    aloop_task *seen[2];
};

static int64_t look_twice(void *arg, void **value UNUSED) {
    struct pair *p = arg;
    p->seen[0] = self();
    let_run(1);
    p->seen[1] = self();
    return 0;
}

/* 1.2: current_task follows the tasks as they take turns. */
TEST(current_task_of_interleaving_tasks) {
    struct pair p[2];
    aloop_task *me = self();
    aloop_task *a = aloop_create_task(look_twice, &p[0]);
    aloop_task *b = aloop_create_task(look_twice, &p[1]);
    let_run(2);
    assert_ptr_equal(self(), me);
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(p[0].seen[i], a);
        assert_ptr_equal(p[1].seen[i], b);
    }
    assert_code(outcome(a), 0);
    assert_code(outcome(b), 0);
    return 0;
}

/* 1.2: sleep gives its result, ends at once for no delay, and leaves no timer
 * when it is cancelled. */
TEST(sleep_and_its_timer) {
    assert_code(outcome(aloop_sleep_result(1, 8, NULL, NULL)), 8);
    assert_code(outcome(aloop_sleep(NAN)), ALOOP_EINVAL);
    aloop_task *task = aloop_ensure_future(aloop_sleep(5));
    let_run(1);
    assert_int_equal(aloop_loop_metrics(here(), ALOOP_METRIC_TIMERS), 1);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_int_equal(aloop_loop_metrics(here(), ALOOP_METRIC_TIMERS), 0);
    return 0;
}

/* 1.2: ensure_future: a future or task is given back, an operation is wrapped. */
TEST(ensure_future) {
    struct job job = {"job", 0, 3, 0, 0};
    aloop_future *f = pending(), *t = start(&job);
    assert_ptr_equal(aloop_ensure_future(f), f);
    assert_ptr_equal(aloop_ensure_future(t), t);
    assert_code(outcome(t), 3);
    aloop_unref(f);
    f = aloop_sleep_result(0, 4, NULL, NULL);
    t = aloop_ensure_future(f);
    assert_code(aloop_task_state(t), ALOOP_TASK_READY);
    assert_code(outcome(t), 4);
    return 0;
}

/* Contexts ----------------------------------------------------------------------------- */

static aloop_contextvar *var;
static int values[4] = {0, 1, 2, 3};

static int64_t value_of_var(void) {
    const int *v = aloop_contextvar_get(var);
    return v != NULL ? *v : -1;
}

static int64_t set_and_wait(void *to, void **value UNUSED) {
    const int64_t first = value_of_var();
    assert_code(aloop_contextvar_set(var, to, NULL, NULL), 0);
    let_run(3);
    assert_code(value_of_var(), *(int *)to);
    return first;
}

/* 1.4: tasks inherit the context at their making and keep their changes. */
TEST(context_of_each_task) {
    var = aloop_contextvar_new("v", &values[0]);
    assert_code(aloop_contextvar_set(var, &values[1], NULL, NULL), 0);
    aloop_task *a = aloop_create_task(set_and_wait, &values[2]);
    assert_code(aloop_contextvar_set(var, &values[3], NULL, NULL), 0);
    aloop_task *b = aloop_create_task(set_and_wait, &values[2]);
    assert_code(outcome(a), 1);
    assert_code(outcome(b), 3);
    assert_code(value_of_var(), 3);
    aloop_unref(var);
    return 0;
}

static int64_t nested_sets(void *depth, void **value UNUSED) {
    const int n = *(int *)depth;
    if (n < 3) assert_true(outcome(aloop_create_task(nested_sets, &values[n + 1])) >= 0);
    assert_code(value_of_var(), 0); /* what the children set is theirs */
    assert_code(aloop_contextvar_set(var, &values[n], NULL, NULL), 0);
    let_run(1);
    assert_code(value_of_var(), n);
    return 0;
}

TEST(context_of_nested_tasks) {
    var = aloop_contextvar_new("v", &values[0]);
    assert_code(outcome(aloop_create_task(nested_sets, &values[0])), 0);
    assert_code(value_of_var(), 0);
    aloop_unref(var);
    return 0;
}

/* Eager tasks -------------------------------------------------------------------------- */

static aloop_task *eagerly(aloop_coro_fn fn, void *arg) {
    assert_code(aloop_set_eager_task_factory(here(), 1), 0);
    aloop_task *task = aloop_create_task(fn, arg);
    assert_code(aloop_set_eager_task_factory(here(), 0), 0);
    return task;
}

static int64_t finish_it(void *future, void **value UNUSED) {
    finish(future, 5);
    return 1;
}

/* 1.2 eager: runs inside the call; one that ends there is done and refuses a
 * cancellation; what it set can be awaited. */
TEST(eager_completion) {
    aloop_future *f = pending();
    aloop_task *task = eagerly(finish_it, f);
    assert_code(aloop_future_done(task), 1);
    assert_int_equal(aloop_task_get_coro(task), 0);
    assert_code(aloop_task_cancel(task, NULL), 0);
    assert_code(outcome(task), 1);
    assert_code(outcome(f), 5);
    note("main");
    assert_trace("main@0 ");
    return 0;
}

/* 1.2 eager: one that waits goes on as any other, and can be cancelled. */
TEST(eager_step_that_blocks) {
    struct job job = {"job", 1, 3, 0, 0};
    aloop_task *task = eagerly(work, &job);
    assert_code(aloop_task_state(task), ALOOP_TASK_WAITING);
    assert_code(outcome(task), 3);
    task = eagerly(work, &job);
    assert_code(aloop_task_cancel(task, "eager"), 1);
    assert_code(aloop_task_cancelling(task), 1);
    assert_code(outcome(task), ALOOP_ECANCELED);
    assert_last_message("eager");
    return 0;
}

static int64_t count_tasks(void *count, void **value UNUSED) {
    aloop_results *all = aloop_all_tasks(NULL);
    *(int64_t *)count = aloop_results_count(all);
    aloop_unref(all);
    return 0;
}

/* 1.2 eager: current_task inside, the caller's after; all_tasks has it while it
 * runs. */
TEST(eager_current_and_all_tasks) {
    struct pair p;
    int64_t inside = 0, outside = 0;
    aloop_task *me = self();
    aloop_task *task = eagerly(look_twice, &p);
    assert_ptr_equal(p.seen[0], task);
    assert_ptr_equal(self(), me);
    count_tasks(&outside, NULL);
    assert_int_equal(outside, 2);
    assert_code(outcome(task), 0);
    assert_ptr_equal(p.seen[1], p.seen[0]);
    aloop_unref(eagerly(count_tasks, &inside));
    assert_int_equal(inside, 2);
    count_tasks(&outside, NULL);
    assert_int_equal(outside, 1);
    return 0;
}

static int64_t look_at_the_name(void *name, void **value UNUSED) {
    return aloop_task_get_name(self(), name, 16);
}

/* 1.2 eager: it has its name in its first step. */
TEST(eager_name) {
    char name[16] = "";
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, look_at_the_name, name, NULL), 0);
    assert_code(aloop_task_options_set_name(o, "test name"), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *task = aloop_create_task_ex(o);
    assert_string_equal(name, "test name");
    assert_code(outcome(task), 9);
    aloop_unref(o);
    return 0;
}

/* 1.2 eager: its context is a copy from the first step on. */
TEST(eager_context) {
    var = aloop_contextvar_new("v", &values[0]);
    assert_code(aloop_contextvar_set(var, &values[1], NULL, NULL), 0);
    aloop_task *task = eagerly(set_and_wait, &values[2]);
    assert_code(value_of_var(), 1);
    assert_code(outcome(task), 1);
    assert_code(value_of_var(), 1);
    aloop_unref(var);
    return 0;
}

/* 1.2 eager: a gather of tasks that ended in their first step is done. */
TEST(eager_gather_is_done) {
    struct job job = {"job", 0, 3, 0, 0};
    aloop_future *gather = ALOOP_GATHER(0, eagerly(work, &job), eagerly(work, &job));
    assert_code(aloop_future_done(gather), 1);
    assert_code(outcome(gather), 2);
    return 0;
}

static int made;

static aloop_task *count_made(aloop_loop *loop, aloop_task_options *options, void *data UNUSED) {
    made++;
    return aloop_task_new(loop, options);
}

static int64_t groups_of_five(void *depth, void **value UNUSED) {
    const int n = *(int *)depth;
    if (n == 0) return 0;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    for (int i = 0; i < 5; i++) {
        assert_code(aloop_task_group_spawn(g, groups_of_five, &values[n - 1]), 0);
    }
    return aloop_task_group_exit(g, 0);
}

static int64_t gathers_of_five(void *depth, void **value UNUSED) {
    const int n = *(int *)depth;
    if (n == 0) return 0;
    aloop_future *all[5];
    for (int i = 0; i < 5; i++) all[i] = aloop_create_task(gathers_of_five, &values[n - 1]);
    return outcome(aloop_gather(all, 5, 0)) == 5 ? 0 : -5;
}

/* The factory makes every task of nested groups and gathers, each once. */
TEST(factory_counts_nested_tasks) {
    made = 0;
    assert_code(aloop_loop_set_task_factory(here(), count_made, NULL, NULL), 0);
    assert_code(outcome(aloop_create_task(groups_of_five, &values[3])), 0);
    assert_int_equal(made, 1 + 5 + 25 + 125);
    assert_code(outcome(aloop_create_task(gathers_of_five, &values[3])), 0);
    assert_int_equal(made, 2 * (1 + 5 + 25 + 125));
    assert_code(aloop_loop_set_task_factory(here(), NULL, NULL, NULL), 0);
    return 0;
}

static int64_t own_name(void *name, void **value UNUSED) {
    char text[16];
    aloop_task_get_name(self(), text, sizeof text);
    return strcmp(text, name) == 0;
}

/* A name given with the options passes through a factory. */
TEST(names_pass_through_a_factory) {
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_loop_set_task_factory(here(), count_made, NULL, NULL), 0);
    assert_code(aloop_task_options_set_coro(o, own_name, "given", NULL), 0);
    assert_code(aloop_task_options_set_name(o, "given"), 0);
    assert_code(outcome(aloop_create_task_ex(o)), 1);
    assert_code(aloop_loop_set_task_factory(here(), NULL, NULL, NULL), 0);
    aloop_unref(o);
    return 0;
}

/* Running programs --------------------------------------------------------------------- */

static int64_t leave_behind(void *jobs, void **value UNUSED) {
    for (int i = 0; i < 2; i++) aloop_unref(start((struct job *)jobs + i));
    let_run(1);
    begin_trace();
    return 4;
}

/* 1.1: at the end all tasks are cancelled and awaited; errors of their cleanup
 * are reported. */
static void run_cancels_what_is_left(void **state) {
    (void)state;
    struct job jobs[] = {{"a", 9, 0, 1, 0}, {"b", 9, 0, 0, -5}};
    struct reports seen;
    aloop_loop_options *options = aloop_loop_options_new();
    aloop_runner *runner = NULL;
    aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL);
    assert_code(aloop_runner_new(&runner, options), 0);
    capture_reports(aloop_runner_get_loop(runner), &seen);
    assert_code(aloop_runner_run(runner, leave_behind, jobs, NULL), 4);
    assert_code(aloop_runner_close(runner), 0);
    assert_non_null(strstr(trace, "b:ECANCELED"));
    assert_non_null(strstr(trace, "a:ECANCELED"));
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].message,
                        "unhandled exception during asyncio.run() shutdown");
    aloop_unref(runner);
    aloop_unref(options);
}

/* 1.1: the main task's outcome is that of the run, an error too. */
static void run_gives_errors(void **state) {
    (void)state;
    struct job good = {"good", 0, 7, 0, 0}, bad = {"bad", 0, -5, 0, 0};
    assert_code(aloop_run(work, &good, NULL), 7);
    assert_code(aloop_run(work, &bad, NULL), -5);
}

static int64_t set_var(void *to, void **value UNUSED) {
    const int64_t before = value_of_var();
    assert_code(aloop_contextvar_set(var, to, NULL, NULL), 0);
    return before;
}

/* 1.1: one context for all main tasks of a runner. */
static void runner_keeps_its_context(void **state) {
    (void)state;
    aloop_runner *runner = NULL;
    var = aloop_contextvar_new("v", &values[0]);
    assert_code(aloop_runner_new(&runner, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_runner_run(runner, set_var, &values[i + 1], NULL), i);
    }
    assert_code(aloop_runner_close(runner), 0);
    assert_code(value_of_var(), 0);
    aloop_unref(runner);
    aloop_unref(var);
}

static int64_t run_inside(void *runner, void **value UNUSED) {
    struct job job = {"job", 0, 0, 0, 0};
    assert_code(aloop_run(work, &job, NULL), ALOOP_ELOOPRUNNING);
    return aloop_runner_run(runner, work, &job, NULL);
}

/* 1.1: not inside a running loop; not after the close, which may be repeated. */
static void runner_refuses(void **state) {
    (void)state;
    aloop_runner *runner = NULL;
    assert_code(aloop_runner_new(&runner, NULL), 0);
    assert_code(aloop_runner_run(runner, run_inside, runner, NULL), ALOOP_ELOOPRUNNING);
    assert_code(aloop_runner_close(runner), 0);
    assert_code(aloop_runner_close(runner), 0);
    assert_code(aloop_runner_run(runner, run_inside, runner, NULL), ALOOP_ESTALE);
    aloop_unref(runner);
}

SUITE(CASE(future_changes_once), CASE(future_callbacks_removed),
      CASE(future_callbacks_that_remove_each_other), CASE(future_failures_nobody_saw),
      CASE(future_awaited_by_many), CASE(task_names),
      CASE(task_is_finished_by_its_coroutine_alone), CASE(task_ends),
      CASE(task_shows_its_coroutine_and_context), CASE(current_task_of_interleaving_tasks),
      CASE(sleep_and_its_timer), CASE(ensure_future), CASE(context_of_each_task),
      CASE(context_of_nested_tasks), CASE(eager_completion), CASE(eager_step_that_blocks),
      CASE(eager_current_and_all_tasks), CASE(eager_name), CASE(eager_context),
      CASE(eager_gather_is_done),
      CASE(factory_counts_nested_tasks),
      CASE(names_pass_through_a_factory), CASE(run_cancels_what_is_left), CASE(run_gives_errors),
      CASE(runner_keeps_its_context), CASE(runner_refuses))
