/*
 * generator_use_test.c: async generators used by several at a time, collected, over each
 * other, with step tasks, and what closes them at the end. Expectations are those of CPython.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generators.h"

/* One at a time -------------------------------------------------------------------------------- */

static int64_t collide(void *unused, void **value) {
    (void)unused, (void)value;
    double delay = 1.0;
    aloop_generator *g = aloop_generator_new(count_to_three, &delay, NULL);
    aloop_future *first = aloop_ensure_future(aloop_generator_next(g));
    let_run(2);
    const char *const text = "asynchronous generator is already running";
    assert_code(aloop_await(aloop_generator_next(g), NULL), ALOOP_EBUSY);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_code(aloop_await(aloop_generator_throw_code(g, E_MINE), NULL), ALOOP_EBUSY);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), ALOOP_EBUSY);
    assert_code(aloop_await(aloop_generator_collect(g), NULL), ALOOP_EBUSY);
    void *got = NULL;
    assert_code(aloop_await(first, &got), 0);
    assert_int_equal((intptr_t)got, 1);
    assert_next(g, 2);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_one_operation_at_a_time(void **state) {
    (void)state;
    in_task(collide);
}

static int64_t asks_itself(void *g) {
    return aloop_await(aloop_generator_next(*(aloop_generator **)g), NULL);
}

static int64_t reenter(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = NULL;
    g = aloop_generator_new(asks_itself, &g, NULL);
    assert_code(aloop_await(aloop_generator_next(g), NULL), ALOOP_EBUSY);
    aloop_unref(g);
    return 0;
}

static void test_a_body_cannot_drive_itself(void **state) {
    (void)state;
    in_task(reenter);
}

/* Collecting, and generators over generators --------------------------------------------------- */

static int64_t doubles(void *inner) {
    for (;;) {
        intptr_t value = 0;
        int64_t rc = next(inner, &value);
        if (rc == ALOOP_ESTOPITERATION) return 0;
        if (rc >= 0) rc = aloop_yield((void *)(value * 2));
        if (rc < 0) return rc;
    }
}

static int64_t chain(void *unused, void **value) {
    (void)unused, (void)value;
    double delay = 0.5;
    aloop_generator *g = aloop_generator_new(count_to_three, &delay, NULL);
    for (int i = 0; i < 5; i++) g = aloop_generator_new(doubles, g, aloop_unref);
    void *list = NULL;
    assert_code(aloop_await(aloop_generator_collect(g), &list), 0);
    assert_int_equal(aloop_results_count(list), 3);
    for (int64_t i = 0; i < 3; i++) {
        assert_code(aloop_results_status(list, i), 0);
        assert_int_equal((intptr_t)aloop_results_value(list, i), (i + 1) * 32);
    }
    aloop_unref(list);
    aloop_unref(g);
    return 0;
}

static void test_generators_nest(void **state) {
    (void)state;
    in_task(chain);
}

static int64_t yields_strings(void *how_many) {
    for (int64_t i = 0; i < *(int64_t *)how_many; i++) {
        char text[32];
        snprintf(text, sizeof text, "line %ld", (long)i);
        const int64_t rc = aloop_yield_result(i, copy_of(text), free, NULL);
        if (rc < 0) return rc;
    }
    return *(int64_t *)how_many == 20 ? aloop_raise(E_MINE, "too many") : 0;
}

static int64_t collect_strings(void *unused, void **value) {
    (void)unused, (void)value;
    void *list = NULL;
    int64_t n = 0;
    aloop_generator *g = aloop_generator_new(yields_strings, &n, NULL);
    assert_code(aloop_await(aloop_generator_collect(g), &list), 0);
    assert_int_equal(aloop_results_count(list), 0);
    aloop_unref(list);
    aloop_unref(g);

    n = 19;
    g = aloop_generator_new(yields_strings, &n, NULL);
    assert_code(aloop_await(aloop_generator_collect(g), &list), 0);
    assert_int_equal(aloop_results_count(list), 19);
    assert_int_equal(aloop_results_status(list, 18), 18);
    char *last = aloop_results_take(list, 18);
    assert_string_equal(last, "line 18");
    free(last);
    aloop_unref(list);
    aloop_unref(g);

    n = 20;
    g = aloop_generator_new(yields_strings, &n, NULL);
    assert_code(aloop_await(aloop_generator_collect(g), &list), E_MINE);
    assert_string_equal(aloop_error_message(aloop_last_error()), "too many");
    aloop_unref(g);
    return 0;
}

static void test_collect(void **state) {
    (void)state;
    in_task(collect_strings);
}

static int64_t cancel_collecting(void *unused, void **value) {
    (void)unused, (void)value;
    double delay = 1.0;
    aloop_generator *g = aloop_generator_new(count_to_three, &delay, NULL);
    aloop_future *list = aloop_ensure_future(aloop_generator_collect(g));
    assert_code(aloop_await(aloop_sleep(1.5), NULL), 0);
    assert_code(aloop_future_cancel(list, NULL), 1);
    assert_code(aloop_await(list, NULL), ALOOP_ECANCELED);
    assert_end(g);
    aloop_unref(g);
    return 0;
}

static void test_cancelling_collect(void **state) {
    (void)state;
    in_task(cancel_collecting);
}

/* Stackless consumers; eager tasks made inside a body ------------------------------------------ */

struct stepper {
    ALOOP_CO_FRAME;
    aloop_generator *g;
    intptr_t sum;
    int64_t rc;
    void *value;
};

static int64_t sum_up(aloop_task *task, void *frame, void **value) {
    struct stepper *s = frame;
    (void)value;
    ALOOP_CO_BEGIN(s);
    for (;;) {
        ALOOP_CO_AWAIT(task, s, aloop_generator_next(s->g), s->rc, &s->value);
        if (s->rc < 0) break;
        s->sum += (intptr_t)s->value;
    }
    ALOOP_CO_END(s);
    return s->rc == ALOOP_ESTOPITERATION ? s->sum : s->rc;
}

static int64_t step_through(void *unused, void **value) {
    (void)unused, (void)value;
    double delay = 1.0;
    for (int slow = 0; slow <= 1; slow++) {
        struct stepper s = {.g = aloop_generator_new(count_to_three, slow ? &delay : NULL, NULL)};
        assert_code(aloop_await(aloop_create_stackless_task(sum_up, &s, NULL), NULL), 6);
        aloop_unref(s.g);
    }
    return 0;
}

static void test_step_tasks_consume(void **state) {
    (void)state;
    in_task(step_through);
}

static int64_t sleeps_a_turn(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_sleep(0), NULL);
}

static int64_t suspends_its_driver(void *unused) {
    (void)unused;
    void *value = NULL;
    aloop_task *consumer = aloop_current_task(NULL);
    assert_code(aloop_suspend(consumer, aloop_sleep(1)), ALOOP_ENOTASK);
    assert_code(aloop_awaited(consumer, &value), ALOOP_ENOTASK);
    assert_code(aloop_return(0, copy_of("not mine"), free), ALOOP_ENOTASK);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, sleeps_a_turn, NULL, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *eager = aloop_create_task_ex(o);
    aloop_unref(o);
    assert_code(aloop_task_state(eager), ALOOP_TASK_READY);
    assert_ptr_equal(aloop_current_task(NULL), consumer);
    assert_code(aloop_await(eager, NULL), 0);
    assert_code(aloop_await(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_await(aloop_ref(consumer), NULL), ALOOP_EINVAL);
    return aloop_yield((void *)3);
}

static int64_t misuse_a_body(void *unused, void **value) {
    (void)unused, (void)value;
    struct stepper s = {.g = aloop_generator_new(suspends_its_driver, NULL, NULL)};
    assert_code(aloop_await(aloop_create_stackless_task(sum_up, &s, NULL), NULL), 3);
    aloop_unref(s.g);
    return 0;
}

static void test_what_a_body_may_not_do_to_its_task(void **state) {
    (void)state;
    in_task(misuse_a_body);
}

/* The end of the program ----------------------------------------------------------------------- */

static int64_t abandon(void *data, void **value) {
    (void)value;
    aloop_generator *g = aloop_generator_new(cleans_up, data, NULL);
    assert_next(g, 1);
    aloop_unref(g);
    return 0;
}

static int64_t abandon_and_wait(void *data, void **value) {
    abandon(data, value);
    return aloop_await(aloop_sleep(5), NULL);
}

static void test_a_dropped_generator_is_closed_by_a_task(void **state) {
    (void)state;
    struct cleanup c = {0};
    assert_code(run_virtual(abandon_and_wait, &c, NULL), 0);
    assert_int_equal(c.done, 1);
    /* Its failure is that of a task. */
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    c = (struct cleanup){.status = E_MINE};
    assert_code(run_on(loop, abandon_and_wait, &c), 0);
    assert_int_equal(c.done, 1);
    assert_int_equal(seen.count, 1);
    assert_code(seen.list[0].code, E_MINE);
    assert_string_equal(seen.list[0].text, "broken cleanup");
    close_loop(loop);
}

static aloop_generator *left_open[3];

static int64_t leave_open(void *data, void **value) {
    (void)value;
    for (int i = 0; i < 3; i++) {
        left_open[i] = aloop_generator_new(cleans_up, (struct cleanup *)data + i, NULL);
        if (i < 2) assert_next(left_open[i], 1);
    }
    return 0;
}

static int64_t shut_down(void *loop, void **value) {
    (void)value;
    const double start = aloop_loop_time(loop);
    assert_code(aloop_await(aloop_loop_shutdown_asyncgens(loop), NULL), 0);
    assert_close(aloop_loop_time(loop), start + 1); /* side by side */
    return aloop_await(aloop_loop_shutdown_asyncgens(loop), NULL);
}

static void test_shutdown_closes_what_is_open(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    struct cleanup c[3] = {{0}, {.status = E_MINE}, {0}};
    assert_code(run_on(loop, leave_open, c), 0);
    assert_code(run_on(loop, shut_down, loop), 0);
    assert_int_equal(c[0].done, 1);
    assert_int_equal(c[1].done, 1);
    assert_int_equal(c[2].begun, 0); /* never iterated: not known to the loop */
    assert_int_equal(seen.count, 1);
    const char *const start = "an error occurred during closing of asynchronous generator ";
    assert_memory_equal(seen.list[0].message, start, strlen(start));
    assert_string_equal(seen.list[0].text, "broken cleanup");
    for (int i = 0; i < 3; i++) aloop_unref(left_open[i]);
    close_loop(loop);
}

static void test_run_shuts_generators_down(void **state) {
    (void)state;
    struct cleanup c[3] = {{0}, {0}, {0}};
    assert_code(run_virtual(leave_open, c, NULL), 0);
    assert_int_equal(c[0].done + c[1].done, 2);
    for (int i = 0; i < 3; i++) {
        assert_null(aloop_generator_next(left_open[i])); /* its loop is closed */
        aloop_unref(left_open[i]);
    }
}

static int64_t iterate_late(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    assert_code(aloop_await(aloop_loop_shutdown_asyncgens(loop), NULL), 0);
    aloop_generator *g = aloop_generator_new(count_to_three, NULL, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_iterating_after_shutdown_is_noted_in_debug_mode(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* that is another report */
    assert_code(run_on(loop, iterate_late, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.list[0].message, "after loop.shutdown_asyncgens() call"));
    close_loop(loop);
}

/* What does not let itself be closed goes with the loop, also if it is kept. */
static void test_a_stubborn_generator_outlives_its_loop(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    struct cleanup c[3] = {{.yields = true}, {0}, {0}};
    assert_code(run_on(loop, leave_open, c), 0);
    assert_code(run_on(loop, shut_down, loop), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].text, "async generator ignored GeneratorExit");
    close_loop(loop);
    for (int i = 0; i < 3; i++) aloop_unref(left_open[i]);
}

/* A loop that closes without a shutdown discards the bodies, at rest or not. */
static int64_t leave_running(void *data, void **value) {
    (void)data, (void)value;
    static double delay = 10;
    aloop_generator *g = aloop_generator_new(count_to_three, &delay, NULL);
    aloop_unref(aloop_ensure_future(aloop_generator_next(g)));
    aloop_unref(g);
    let_run(3);
    return 0;
}

static void test_closing_the_loop_discards_bodies(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    struct cleanup c[3] = {{0}, {0}, {0}};
    assert_code(run_on(loop, leave_open, c), 0);
    assert_code(run_on(loop, leave_running, NULL), 0);
    struct cleanup dropped = {0};
    assert_code(run_on(loop, abandon, &dropped), 0);
    aloop_unref(left_open[0]);
    close_loop(loop);
    aloop_unref(left_open[1]);
    aloop_unref(left_open[2]);
    assert_int_equal(c[1].begun + c[2].begun, 0);
    assert_true(seen.count >= 1);
    assert_string_equal(seen.list[0].message, "Task was destroyed but it is pending!");
}

SUITE(CASE(test_one_operation_at_a_time), CASE(test_a_body_cannot_drive_itself),
      CASE(test_generators_nest), CASE(test_collect), CASE(test_cancelling_collect),
      CASE(test_step_tasks_consume), CASE(test_what_a_body_may_not_do_to_its_task),
      CASE(test_a_dropped_generator_is_closed_by_a_task), CASE(test_shutdown_closes_what_is_open),
      CASE(test_run_shuts_generators_down),
      CASE(test_iterating_after_shutdown_is_noted_in_debug_mode),
      CASE(test_closing_the_loop_discards_bodies),
      CASE(test_a_stubborn_generator_outlives_its_loop))
