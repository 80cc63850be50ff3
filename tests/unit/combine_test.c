/*
 * combine.h: running programs, sleep, gather, shield, wait, as_completed.
 * Timeouts and task groups stand in block_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static aloop_loop *here(void) { return aloop_get_running_loop(); }
static double now(void) { return aloop_loop_time(here()); }

struct job {
    double delay;
    int64_t status;
    int ended;
};

static int64_t work(void *data, void **value) {
    struct job *job = data;
    (void)value;
    const int64_t status = aloop_await(aloop_sleep(job->delay), NULL);
    job->ended++;
    return status < 0 ? status : job->status;
}

static aloop_task *start(struct job *job) { return aloop_create_task(work, job); }

/* Running ------------------------------------------------------------------------------- */

static int64_t keep_loop(void *at, void **value) {
    (void)value;
    *(aloop_loop **)at = here();
    assert_ptr_equal(aloop_get_event_loop(), here());
    return 3;
}

static int64_t leave_tasks_behind(void *job, void **value) {
    (void)value;
    aloop_unref(start(job));
    let_run(1);
    return 4;
}

static void test_run_makes_and_closes_a_loop(void **state) {
    (void)state;
    struct job job = {1000, 0, 0};
    void *value = NULL;
    aloop_loop *loop = NULL;
    assert_code(aloop_run(keep_loop, &loop, &value), 3);
    assert_non_null(loop);
    assert_code(aloop_run(leave_tasks_behind, &job, NULL), 4);
    assert_int_equal(job.ended, 1); /* cancelled, not waited for */
    assert_code(aloop_run(NULL, NULL, NULL), ALOOP_EINVAL);
    assert_null(aloop_get_event_loop());
}

static void test_a_runner_runs_several_programs_on_one_loop(void **state) {
    (void)state;
    aloop_runner *runner = NULL;
    aloop_loop *first = NULL;
    aloop_loop *second = NULL;
    int freed = 0;
    assert_code(aloop_runner_new(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_runner_new(&runner, NULL), 0);
    assert_code(aloop_runner_run(runner, keep_loop, &first, NULL), 3);
    assert_code(aloop_runner_run(runner, keep_loop, &second, NULL), 3);
    assert_ptr_equal(first, second);
    assert_ptr_equal(aloop_runner_get_loop(runner), first);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_runner_run_ex(runner, o, NULL), ALOOP_EINVAL); /* no coroutine */
    assert_code(aloop_task_options_set_coro(o, keep_loop, &second, count_free), 0);
    assert_code(aloop_task_options_set_coro(o, keep_loop, &second, NULL), 0);
    assert_code(aloop_runner_run_ex(runner, o, NULL), 3);
    assert_code(aloop_runner_run_ex(runner, NULL, NULL), ALOOP_EINVAL);
    aloop_unref(o);
    assert_code(aloop_runner_run(runner, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_runner_close(runner), 0);
    assert_code(aloop_runner_close(runner), 0);
    assert_code(aloop_runner_run(runner, keep_loop, &first, NULL), ALOOP_ESTALE);
    assert_null(aloop_runner_get_loop(runner));
    aloop_unref(runner);
    assert_code(aloop_runner_run(NULL, keep_loop, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_runner_close(NULL), ALOOP_EINVAL);
    assert_null(aloop_runner_get_loop(NULL));
    assert_int_equal(freed, 0);
}

/* Sleeping -------------------------------------------------------------------------------- */

static int freed;

static int64_t sleep_well(void *unused, void **value) {
    (void)unused;
    (void)value;
    void *got = NULL;
    assert_code(aloop_await(aloop_sleep(1.5), NULL), 0);
    assert_close(now(), 1.5);
    const int64_t iteration = aloop_loop_iteration(here());
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    assert_code(aloop_await(aloop_sleep(-5), NULL), 0);
    assert_int_equal(aloop_loop_iteration(here()), iteration + 2);
    assert_code(aloop_await(aloop_sleep(NAN), NULL), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "Invalid delay: NaN (not a number)");
    assert_code(aloop_await(aloop_sleep_result(1, 9, &freed, count_free), &got), 9);
    assert_ptr_equal(got, &freed);
    assert_int_equal(freed, 0);
    assert_failed(aloop_sleep_result(NAN, 9, &freed, count_free), ALOOP_EINVAL);
    assert_failed(aloop_sleep_result(1, -9, &freed, count_free), ALOOP_EINVAL);
    let_run(1); /* off the fiber */
    assert_int_equal(freed, 2);
    aloop_unref(aloop_sleep_result(1, 0, &freed, count_free)); /* never started */
    let_run(1);
    assert_int_equal(freed, 3);
    return 0;
}

static void test_sleep(void **state) {
    (void)state;
    freed = 0;
    in_task(sleep_well);
    assert_null(aloop_sleep(1));
    assert_null(aloop_sleep_result(1, 0, &freed, count_free));
    assert_int_equal(freed, 4);
}

/* Gather ----------------------------------------------------------------------------------- */

static int64_t gather_all(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job a = {2, 1, 0}, b = {1, 2, 0}, c = {3, -5, 0};
    void *list = NULL;
    assert_code(aloop_await(ALOOP_GATHER(0, start(&a), aloop_sleep(3), start(&b)), &list), 3);
    assert_close(now(), 3);
    assert_code(aloop_results_status(list, 0), 1);
    assert_code(aloop_results_status(list, 2), 2);
    aloop_unref(list);
    assert_code(aloop_await(aloop_gather_v(0, start(&a), start(&b), NULL), NULL), 2);
    assert_code(aloop_await(aloop_gather(NULL, 0, 0), &list), 0);
    assert_int_equal(aloop_results_count(list), 0);
    aloop_unref(list);
    /* The first error ends it, the others go on; later errors are quiet. */
    struct job late = {4, -6, 0};
    const double begin = now();
    aloop_task *slow = start(&late);
    assert_code(aloop_await(ALOOP_GATHER(0, start(&c), aloop_ref(slow)), NULL), -5);
    assert_close(now(), begin + 3);
    assert_code(aloop_future_done(slow), 0);
    assert_code(aloop_await(slow, NULL), -6);
    /* One child in two places. */
    aloop_task *twice = start(&a);
    assert_code(aloop_await(ALOOP_GATHER(0, aloop_ref(twice), twice), &list), 2);
    assert_code(aloop_results_status(list, 0), 1);
    assert_code(aloop_results_status(list, 1), 1);
    aloop_unref(list);
    return 0;
}

static int64_t gather_and_cancel(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job a = {2, 1, 0}, b = {1, 2, 0};
    void *list = NULL;
    /* Cancelling the gather cancels the children, also with RETURN_EXCEPTIONS. */
    for (int32_t flags = 0; flags <= ALOOP_RETURN_EXCEPTIONS; flags++) {
        aloop_future *both = ALOOP_GATHER(flags, start(&a), start(&b));
        let_run(1);
        assert_code(aloop_future_cancel(both, NULL), 1);
        assert_code(aloop_await(aloop_ref(both), NULL), ALOOP_ECANCELED);
        assert_code(aloop_future_cancel(both, NULL), 0);
        aloop_unref(both);
    }
    let_run(2);
    assert_int_equal(a.ended, 2);
    assert_int_equal(b.ended, 2);
    /* A child that somebody else cancels is an error, or one of the outcomes. */
    aloop_task *victim = start(&a);
    aloop_future *both = ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_ref(victim), start(&b));
    let_run(1);
    assert_code(aloop_task_cancel(victim, "victim"), 1);
    aloop_unref(victim);
    assert_code(aloop_await(both, &list), 2);
    assert_code(aloop_results_status(list, 0), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_results_error(list, 0)), "victim");
    assert_code(aloop_results_status(list, 1), 2);
    aloop_unref(list);
    victim = start(&a);
    both = ALOOP_GATHER(0, aloop_ref(victim), start(&b));
    let_run(1);
    assert_code(aloop_task_cancel(victim, NULL), 1);
    aloop_unref(victim);
    assert_code(aloop_await(aloop_ref(both), NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(both), 0);
    aloop_unref(both);
    /* A flag that there is not: what was given is gone all the same. */
    aloop_future *two[] = {aloop_sleep(1), aloop_sleep(2)};
    assert_failed(aloop_gather(two, 2, ALOOP_RETURN_EXCEPTIONS | 0x4), ALOOP_EINVAL);
    assert_failed(aloop_gather(NULL, 0, 0x4), ALOOP_EINVAL);
    return 0;
}

static int64_t combine_badly(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *other = virtual_loop();
    aloop_future *foreign = aloop_loop_create_future(other);
    aloop_completions *c = NULL;
    aloop_future *list[2];
#define WITH(second) (list[0] = aloop_loop_create_future(here()), list[1] = (second), list)
    assert_failed(aloop_gather(WITH(NULL), 2, 0), ALOOP_EINVAL);
    assert_failed(aloop_gather(WITH(aloop_ref(foreign)), 2, 0), ALOOP_EWRONGLOOP);
    assert_failed(aloop_gather(NULL, 1, 0), ALOOP_EINVAL);
    assert_failed(aloop_gather(NULL, -1, 0), ALOOP_EINVAL);
    assert_failed(aloop_wait(WITH(NULL), 2, -1, 0), ALOOP_EINVAL);
    assert_failed(aloop_wait(WITH(aloop_ref(foreign)), 2, -1, 0), ALOOP_EWRONGLOOP);
    assert_failed(aloop_wait(NULL, 0, -1, 0), ALOOP_EINVAL);
    assert_failed(aloop_wait(WITH(aloop_sleep(1)), 2, -1, 0), ALOOP_EWRONGTYPE);
    assert_failed(aloop_wait(WITH(aloop_loop_create_future(here())), 2, -1, 7), ALOOP_EINVAL);
    assert_failed(aloop_wait(WITH(aloop_loop_create_future(here())), 2, NAN, 0), ALOOP_EINVAL);
    assert_code(aloop_as_completed(&c, WITH(NULL), 2, -1), ALOOP_EINVAL);
    assert_code(aloop_as_completed(&c, WITH(aloop_ref(foreign)), 2, -1), ALOOP_EWRONGLOOP);
    assert_code(aloop_as_completed(NULL, WITH(aloop_sleep(1)), 2, -1), ALOOP_EINVAL);
    assert_code(aloop_as_completed(&c, WITH(aloop_sleep(1)), 2, NAN), ALOOP_EINVAL);
    assert_null(c);
    assert_failed(aloop_as_completed_next(NULL), ALOOP_EINVAL);
    assert_failed(aloop_as_completed_next_result(NULL), ALOOP_EINVAL);
    assert_failed(aloop_shield(NULL), ALOOP_EINVAL);
    assert_failed(aloop_shield(aloop_ref(foreign)), ALOOP_EWRONGLOOP);
    assert_failed(aloop_wait_for(NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_wait_for(aloop_ref(foreign), 1), ALOOP_EWRONGLOOP);
    assert_failed(aloop_wait_for(aloop_sleep(1), NAN), ALOOP_EINVAL);
    assert_null(aloop_wait_result_done(NULL));
    assert_null(aloop_wait_result_pending(NULL));
    aloop_unref(foreign);
    close_loop(other);
    return 0;
}

/* Shield ------------------------------------------------------------------------------------ */

static int64_t await_it(void *future, void **value) {
    (void)value;
    return aloop_await(future, NULL);
}

static int64_t shield_it(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct reports reports;
    capture_reports(here(), &reports);
    struct job a = {2, 7, 0}, failing = {1, -5, 0};
    aloop_task *inner = start(&a);
    aloop_task *outer = aloop_create_task(await_it, aloop_shield(aloop_ref(inner)));
    let_run(1);
    assert_code(aloop_task_cancel(outer, NULL), 1);
    assert_code(aloop_await(outer, NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_done(inner), 0);
    assert_code(aloop_await(aloop_shield(aloop_ref(inner)), NULL), 7);
    aloop_future *same = aloop_shield(aloop_ref(inner)); /* done: itself */
    assert_ptr_equal(same, inner);
    aloop_unref(same);
    aloop_unref(inner);
    inner = start(&a);
    aloop_future *shield = aloop_shield(aloop_ref(inner));
    let_run(1);
    assert_code(aloop_task_cancel(inner, NULL), 1);
    assert_code(aloop_await(aloop_ref(shield), NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(shield), 1);
    aloop_unref(shield);
    aloop_unref(inner);
    assert_int_equal(reports.count, 0);
    shield = aloop_shield(start(&failing));
    let_run(1);
    assert_code(aloop_future_cancel(shield, NULL), 1);
    aloop_unref(shield);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.list[0].message, "exception in shielded future"));
    return 0;
}

/* Wait --------------------------------------------------------------------------------------- */

static void assert_waited(aloop_future *wait, int64_t done, int64_t pending) {
    void *got = NULL;
    assert_code(aloop_await(wait, &got), done);
    aloop_wait_result *result = got;
    assert_int_equal(aloop_results_count(aloop_wait_result_done(result)), done);
    assert_int_equal(aloop_results_count(aloop_wait_result_pending(result)), pending);
    if (done > 0) {
        aloop_future *first = aloop_results_future(aloop_wait_result_done(result), 0);
        assert_code(aloop_future_done(first), 1);
    }
    aloop_unref(result);
}

static int64_t wait_well(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job a = {1, 1, 0}, b = {2, -5, 0}, c = {3, 3, 0};
    for (int mode = ALOOP_ALL_COMPLETED; mode <= ALOOP_FIRST_EXCEPTION; mode++) {
        aloop_future *all[] = {start(&a), start(&b), start(&c)};
        aloop_task *slowest = aloop_ref(all[2]);
        const double begin = now();
        const int64_t done = mode == ALOOP_ALL_COMPLETED     ? 3
                             : mode == ALOOP_FIRST_COMPLETED ? 1
                                                             : 2;
        assert_waited(aloop_wait(all, 3, -1, mode), done, 3 - done);
        assert_close(now() - begin, (double)done);
        assert_code(aloop_await(slowest, NULL), 3); /* never cancelled */
    }
    aloop_future *both[] = {start(&a), start(&c)};
    aloop_task *kept = aloop_ref(both[1]);
    assert_waited(aloop_wait(both, 2, 2, ALOOP_ALL_COMPLETED), 1, 1);
    aloop_future *again[] = {aloop_ref(kept), kept};
    assert_waited(aloop_wait(again, 2, 0, ALOOP_ALL_COMPLETED), 0, 1); /* named twice, once */
    return 0;
}

static int64_t wait_and_cancel(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job a = {1, 1, 0};
    aloop_future *one[] = {start(&a)};
    aloop_task *kept = aloop_ref(one[0]);
    aloop_task *waiting = aloop_create_task(await_it, aloop_wait(one, 1, 5, 0));
    let_run(1);
    assert_code(aloop_task_cancel(waiting, NULL), 1);
    assert_code(aloop_await(waiting, NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(kept, NULL), 1);
    return 0;
}

/* As completed --------------------------------------------------------------------------------- */

static int64_t take_as_completed(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job jobs[] = {{3, 3, 0}, {1, 1, 0}, {2, -5, 0}};
    aloop_completions *c = NULL;
    aloop_future *all[3];
    for (int i = 0; i < 3; i++) all[i] = start(&jobs[i]);
    assert_code(aloop_as_completed(&c, all, 3, -1), 0);
    void *got = NULL;
    assert_code(aloop_await(aloop_as_completed_next(c), &got), 0);
    assert_code(aloop_future_result(got, NULL), 1);
    aloop_unref(got);
    assert_code(aloop_await(aloop_as_completed_next_result(c), NULL), -5);
    assert_code(aloop_await(aloop_as_completed_next_result(c), NULL), 3);
    assert_code(aloop_await(aloop_as_completed_next(c), NULL), ALOOP_ESTOPITERATION);
    aloop_unref(c);
    for (int i = 0; i < 2; i++) all[i] = start(&jobs[i]);
    aloop_task *slow = aloop_ref(all[0]);
    assert_code(aloop_as_completed(&c, all, 2, 2), 0);
    assert_code(aloop_await(aloop_as_completed_next_result(c), NULL), 1);
    assert_code(aloop_await(aloop_as_completed_next(c), NULL), ALOOP_ETIMEDOUT);
    aloop_unref(c);
    assert_code(aloop_await(slow, NULL), 3); /* not cancelled */
    assert_code(aloop_as_completed(&c, NULL, 0, -1), 0);
    assert_code(aloop_await(aloop_as_completed_next(c), NULL), ALOOP_ESTOPITERATION);
    aloop_unref(c);
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        in_task(name);                      \
    }
TASK_CASE(gather_all)
TASK_CASE(gather_and_cancel)
TASK_CASE(combine_badly)
TASK_CASE(shield_it)
TASK_CASE(wait_well)
TASK_CASE(wait_and_cancel)
TASK_CASE(take_as_completed)

static void test_combining_needs_a_loop(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_future *f[] = {aloop_loop_create_future(loop)};
    aloop_completions *c = NULL;
    assert_null(aloop_gather(f, 1, 0));
    f[0] = aloop_loop_create_future(loop);
    assert_null(aloop_wait(f, 1, -1, 0));
    f[0] = aloop_loop_create_future(loop);
    assert_code(aloop_as_completed(&c, f, 1, -1), ALOOP_ENORUNNINGLOOP);
    assert_null(aloop_shield(aloop_loop_create_future(loop)));
    assert_null(aloop_wait_for(aloop_loop_create_future(loop), 1));
    assert_null(aloop_gather_v(0, aloop_loop_create_future(loop), NULL));
    close_loop(loop);
}

/* A sleep whose time has come stands in the queue of the iteration. What comes before it
 * there may cancel it, or drop it: its place in the queue outlives it. */

enum due_act { due_cancel, due_cancel_with_message, due_drop };

struct due {
    enum due_act act;
    aloop_future *sleep;
    int done;
};

static int64_t act_on_it(void *data) {
    struct due *d = data;
    if (d->act == due_drop) {
        aloop_unref(d->sleep);
        d->sleep = NULL;
        return 0;
    }
    const char *message = d->act == due_cancel_with_message ? "too late" : NULL;
    assert_code(aloop_future_cancel(d->sleep, message), 1);
    assert_code(aloop_future_cancel(d->sleep, NULL), 0);
    return 0;
}

static int64_t note_that_it_is_done(aloop_future *sleep, void *data) {
    struct due *d = data;
    d->done++;
    assert_code(aloop_future_result(sleep, NULL), ALOOP_ECANCELED);
    return 0;
}

static int64_t sleeps_that_are_due(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    for (int act = due_cancel; act <= due_drop; act++) {
        struct due d = {(enum due_act)act, aloop_sleep(1), 0};
        assert_true(aloop_loop_call_later(loop, 1, act_on_it, &d, NULL) > 0);
        if (act == due_drop) {
            aloop_future *both[] = {aloop_sleep(2), aloop_ref(d.sleep)};
            assert_code(aloop_await(aloop_select(both, 2), NULL), 1); /* starts it; it is done */
            assert_null(d.sleep);
            continue;
        }
        assert_code(aloop_future_add_done_callback(d.sleep, note_that_it_is_done, &d, NULL), 0);
        const int64_t status = aloop_await(aloop_ref(d.sleep), NULL);
        assert_code(status, ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()),
                            act == due_cancel ? aloop_strerror(ALOOP_ECANCELED) : "too late");
        let_run(2);
        assert_int_equal(d.done, 1);
        aloop_unref(d.sleep);
    }
    return 0;
}

static void test_sleeps_that_are_due(void **state) {
    (void)state;
    in_task(sleeps_that_are_due);
}

/* Many of one ------------------------------------------------------------------------------- */

/* Each would take minutes if it looked through all there are for each of them. */
enum { many = 400000 };

static aloop_future *plain(void) { return aloop_loop_create_future(here()); }

static int64_t gather_one_many_times(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future **list = calloc(2 * many, sizeof *list);
    for (int i = 0; i < many; i++) list[i] = plain();
    for (int i = many; i < 2 * many; i++) list[i] = aloop_ref(list[many - 1]);
    aloop_future *g = aloop_gather(list, 2 * many, 0);
    assert_code(aloop_future_set_error_code(list[many - 1], -7), 0);
    assert_code(aloop_await(g, NULL), -7);
    free(list);
    return 0;
}

static int64_t gather_a_cancelled_one_twice(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct job job = {1, 0, 0};
    aloop_task *t = start(&job);
    aloop_future *other = plain();
    assert_code(aloop_task_cancel(t, NULL), 1);
    assert_code(aloop_future_set_result(other, 4, NULL, NULL), 0);
    aloop_future *g = ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_ref(t), aloop_ref(other), other,
                                   aloop_ref(t));
    assert_code(aloop_task_cancelling(t), 1);
    aloop_results *results = NULL;
    assert_code(aloop_await(g, (void **)&results), 4);
    for (int i = 0; i < 4; i++) {
        assert_code(aloop_results_status(results, i), i % 3 != 0 ? 4 : ALOOP_ECANCELED);
    }
    aloop_results_unref(results);
    aloop_unref(t);
    return 0;
}

static int64_t give_up_many_shields(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct reports reports = {0};
    capture_reports(here(), &reports);
    aloop_future *inner = plain(), **all = calloc(many, sizeof *all);
    for (int i = 0; i < many; i++) all[i] = aloop_shield(aloop_ref(inner));
    for (int i = 0; i < many; i++) assert_code(aloop_future_cancel(all[i], NULL), 1);
    let_run(2);
    for (int i = 0; i < many; i++) aloop_unref(all[i]);
    free(all);
    assert_code(aloop_future_set_error_code(inner, -7), 0);
    aloop_unref(inner);
    let_run(2);
    assert_int_equal(reports.count, 1);
    aloop_loop_set_exception_handler(here(), NULL, NULL, NULL);
    return 0;
}

static void test_many_of_one(void **state) {
    (void)state;
    in_task(gather_one_many_times);
    in_task(gather_a_cancelled_one_twice);
    in_task(give_up_many_shields);
}

SUITE(CASE(test_run_makes_and_closes_a_loop), CASE(test_a_runner_runs_several_programs_on_one_loop),
      CASE(test_sleep), CASE(test_gather_all), CASE(test_gather_and_cancel),
      CASE(test_combine_badly), CASE(test_shield_it), CASE(test_wait_well),
      CASE(test_wait_and_cancel), CASE(test_take_as_completed), CASE(test_combining_needs_a_loop),
      CASE(test_sleeps_that_are_due), CASE(test_many_of_one))
