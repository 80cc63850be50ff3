/*
 * generator_test.c: async generators: next, send, throw, aclose. Expectations are those
 * of CPython.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generators.h"

static int64_t iterate(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(count_to_three, NULL, NULL);
    assert_next(g, 1);
    assert_next(g, 2);
    assert_next(g, 3);
    assert_end(g);
    assert_end(g);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    assert_code(aloop_await(aloop_generator_throw_code(g, E_MINE), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_next_runs_from_yield_to_yield(void **state) {
    (void)state;
    in_task(iterate);
}

static int64_t iterate_slowly(void *unused, void **value) {
    (void)unused, (void)value;
    double delay = 1.0;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    aloop_generator *g = aloop_generator_new(count_to_three, &delay, NULL);
    for (int i = 1; i <= 3; i++) {
        assert_next(g, i);
        assert_close(aloop_loop_time(loop), start + i);
    }
    assert_end(g);
    aloop_unref(g);
    return 0;
}

static void test_the_body_awaits(void **state) {
    (void)state;
    in_task(iterate_slowly);
}

/* A generator that does not await costs its consumer no iteration. */
static int64_t count_steps(void *flag) {
    ++*(int *)flag;
    return 0;
}

static int64_t iterate_at_once(void *unused, void **value) {
    (void)unused, (void)value;
    int ran = 0;
    assert_true(aloop_loop_call_soon(aloop_get_running_loop(), count_steps, &ran, NULL) > 0);
    aloop_generator *g = aloop_generator_new(count_to_three, NULL, NULL);
    for (int i = 1; i <= 3; i++) assert_next(g, i);
    assert_end(g);
    assert_int_equal(ran, 0);
    aloop_unref(g);
    return 0;
}

static void test_yields_take_no_iteration(void **state) {
    (void)state;
    in_task(iterate_at_once);
}

static int64_t yields_its_task(void *unused) {
    (void)unused;
    for (;;) {
        int64_t rc = aloop_await(aloop_sleep(0.1), NULL);
        if (rc >= 0) rc = aloop_yield(aloop_current_task(NULL));
        if (rc < 0) return rc;
    }
}

static int64_t sees_itself(void *g, void **value) {
    (void)value;
    intptr_t task = 0;
    assert_code(next(g, &task), 0);
    assert_ptr_equal((void *)task, aloop_current_task(NULL));
    return 0;
}

static int64_t consume_in_two_tasks(void *unused, void **value) {
    (void)unused;
    aloop_generator *g = aloop_generator_new(yields_its_task, NULL, NULL);
    sees_itself(g, value);
    assert_code(aloop_await(aloop_create_task(sees_itself, g), NULL), 0);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_the_consumer_is_the_current_task(void **state) {
    (void)state;
    in_task(consume_in_two_tasks);
}

/* send ------------------------------------------------------------------------------ */

/* Yields what it was sent, as an owned string, and its status. */
static int64_t echo(void *frees) {
    char *text = copy_of("first");
    int64_t status = 0;
    for (;;) {
        void *sent = NULL;
        status = aloop_yield_result(status, text, free, &sent);
        if (status < 0) return status;
        text = sent != NULL ? sent : copy_of("nothing");
        ++*(int *)frees;
    }
}

static int64_t send_strings(void *unused, void **value) {
    (void)unused, (void)value;
    int received = 0;
    aloop_generator *g = aloop_generator_new(echo, &received, NULL);
    assert_code(aloop_await(aloop_generator_send(g, 0, copy_of("early"), free), NULL),
                ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "can't send non-None value to a just-started async generator");
    assert_code(aloop_await(aloop_generator_send(g, 1, NULL, NULL), NULL), ALOOP_EINVAL);
    void *got = NULL;
    assert_code(aloop_await(aloop_generator_send(g, 0, NULL, NULL), &got), 0);
    assert_string_equal(got, "first");
    free(got);
    assert_code(aloop_await(aloop_generator_send(g, 7, copy_of("hello"), free), &got), 7);
    assert_string_equal(got, "hello");
    free(got);
    assert_code(aloop_await(aloop_generator_next(g), &got), 0);
    assert_string_equal(got, "nothing");
    free(got);
    assert_int_equal(received, 2);
    /* Nobody takes this value: it is freed. */
    assert_code(aloop_await(aloop_generator_send(g, 3, copy_of("lost"), free), NULL), 3);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    assert_code(aloop_await(aloop_generator_send(g, 3, copy_of("late"), free), NULL),
                ALOOP_ESTOPITERATION);
    assert_failed(aloop_generator_send(g, -1, copy_of("wrong"), free), ALOOP_EINVAL);
    aloop_unref(aloop_generator_send(g, 0, copy_of("never awaited"), free));
    aloop_unref(g);
    return 0;
}

static void test_send_reaches_the_yield(void **state) {
    (void)state;
    in_task(send_strings);
}

/* Sent to a yield that has no place for it. */
static int64_t ignores_what_is_sent(void *unused) {
    (void)unused;
    int64_t rc;
    do rc = aloop_yield(NULL);
    while (rc >= 0);
    return rc;
}

static int64_t send_to_the_deaf(void *unused, void **value) {
    (void)unused, (void)value;
    int freed = 0;
    aloop_generator *g = aloop_generator_new(ignores_what_is_sent, NULL, NULL);
    assert_next(g, 0);
    assert_code(aloop_await(aloop_generator_send(g, 5, &freed, count_free), NULL), 0);
    assert_int_equal(freed, 1);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_a_value_nobody_wants_is_freed(void **state) {
    (void)state;
    in_task(send_to_the_deaf);
}

/* throw --------------------------------------------------------------------------------- */

/* Answers E_MINE with 99, ends well on E_OTHER, passes on the rest. */
static int64_t catches(void *seen) {
    intptr_t value = 1;
    for (;;) {
        const int64_t rc = aloop_yield((void *)value);
        aloop_error *e = aloop_last_error();
        if (rc < 0) snprintf(seen, 64, "%s", e != NULL ? aloop_error_message(e) : "none");
        if (rc == E_OTHER) return 0;
        if (rc < 0 && rc != E_MINE) return rc;
        value = rc == E_MINE ? 99 : value + 1;
    }
}

static int64_t throw_in(void *unused, void **value) {
    (void)unused, (void)value;
    char seen[64] = "";
    aloop_generator *g = aloop_generator_new(catches, seen, NULL);
    assert_next(g, 1);
    aloop_error *e = aloop_error_new(E_MINE, "a stone", NULL);
    void *got = NULL;
    assert_code(aloop_await(aloop_generator_throw(g, e), &got), 0);
    assert_int_equal((intptr_t)got, 99);
    assert_string_equal(seen, "a stone");
    aloop_error_unref(e);
    assert_next(g, 100);
    assert_code(aloop_await(aloop_generator_throw_code(g, E_OTHER), NULL), ALOOP_ESTOPITERATION);
    assert_end(g);
    aloop_unref(g);

    /* Not caught: the very error comes back. */
    g = aloop_generator_new(catches, seen, NULL);
    assert_next(g, 1);
    e = aloop_error_new(E_MINE - 10, "a rock", NULL);
    assert_code(aloop_await(aloop_generator_throw(g, e), NULL), E_MINE - 10);
    assert_ptr_equal(aloop_last_error(), e);
    aloop_error_unref(e);
    assert_end(g);
    aloop_unref(g);
    return 0;
}

static void test_throw_arrives_at_the_yield(void **state) {
    (void)state;
    in_task(throw_in);
}

static int64_t throw_early(void *unused, void **value) {
    (void)unused, (void)value;
    int frees = 0;
    aloop_generator *g = aloop_generator_new(echo, &frees, count_free);
    aloop_error *e = aloop_error_new(E_MINE, "too early", NULL);
    assert_code(aloop_await(aloop_generator_throw(g, e), NULL), E_MINE);
    assert_ptr_equal(aloop_last_error(), e);
    aloop_error_unref(e);
    assert_end(g);
    assert_code(aloop_await(aloop_generator_throw_code(g, E_OTHER), NULL), 0);
    assert_failed(aloop_generator_throw_code(g, 1), ALOOP_EINVAL);
    assert_failed(aloop_generator_throw(g, NULL), ALOOP_EINVAL);
    aloop_unref(g);
    let_run(1);
    assert_int_equal(frees, 1);
    return 0;
}

static void test_throw_before_the_start_finishes(void **state) {
    (void)state;
    in_task(throw_early);
}

/* GeneratorExit through throw is an error like others, and ends the generator. */
static int64_t throw_exit(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(count_to_three, NULL, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_throw_code(g, ALOOP_EGENERATOREXIT), NULL),
                ALOOP_EGENERATOREXIT);
    assert_end(g);
    aloop_unref(g);
    return 0;
}

static void test_throwing_the_exit_passes_it_on(void **state) {
    (void)state;
    in_task(throw_exit);
}

/* aclose ------------------------------------------------------------------------------------ */

static int64_t close_them(void *unused, void **value) {
    (void)unused, (void)value;
    struct cleanup c = {0};
    aloop_generator *g = aloop_generator_new(cleans_up, &c, NULL);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0); /* not started */
    assert_int_equal(c.begun, 0);
    assert_end(g);
    aloop_unref(g);

    g = aloop_generator_new(cleans_up, &c, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    assert_int_equal(c.done, 1);
    assert_end(g);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);

    c.status = E_MINE;
    g = aloop_generator_new(cleans_up, &c, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), E_MINE);
    assert_string_equal(aloop_error_message(aloop_last_error()), "broken cleanup");
    aloop_unref(g);
    return 0;
}

static void test_aclose_awaits_the_cleanup(void **state) {
    (void)state;
    in_task(close_them);
}

static int64_t close_the_stubborn(void *unused, void **value) {
    (void)unused, (void)value;
    struct cleanup c = {.yields = true};
    aloop_generator *g = aloop_generator_new(cleans_up, &c, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), ALOOP_EINVALIDSTATE);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "async generator ignored GeneratorExit");
    /* It stands at that yield: it may go on, but cannot be closed a second time. */
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), ALOOP_ESTOPITERATION);
    assert_code(aloop_await(aloop_generator_throw_code(g, E_MINE), NULL), ALOOP_ESTOPITERATION);
    assert_code(aloop_await(aloop_generator_next(g), NULL), ALOOP_EGENERATOREXIT);
    assert_end(g);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(g);
    return 0;
}

static void test_yielding_while_closed_is_an_error(void **state) {
    (void)state;
    in_task(close_the_stubborn);
}

/* The end of the body ------------------------------------------------------------------------- */

static int64_t returns_code(void *code) {
    const int64_t rc = aloop_yield((void *)1);
    return rc < 0 ? rc : *(int64_t *)code;
}

static int64_t raises(void *unused) {
    (void)unused;
    const int64_t rc = aloop_yield((void *)1);
    return rc < 0 ? rc : aloop_raise(E_MINE, "after %d", 1);
}

static int64_t fails_to_await(void *future) {
    const int64_t rc = aloop_yield((void *)1);
    return rc < 0 ? rc : aloop_await(aloop_ref(future), NULL);
}

static int64_t end_badly(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(raises, NULL, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_next(g), NULL), E_MINE);
    assert_string_equal(aloop_error_message(aloop_last_error()), "after 1");
    assert_end(g);
    aloop_unref(g);

    int64_t code = ALOOP_ESTOPITERATION;
    g = aloop_generator_new(returns_code, &code, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_next(g), NULL), ALOOP_EINVALIDSTATE);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "async generator raised StopAsyncIteration");
    assert_end(g);
    aloop_unref(g);

    /* The error of the body's last await is passed on whole. */
    aloop_error *e = aloop_error_new(E_OTHER, "from below", NULL);
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_future_set_error(f, e), 0);
    g = aloop_generator_new(fails_to_await, f, NULL);
    assert_next(g, 1);
    assert_code(aloop_await(aloop_generator_next(g), NULL), E_OTHER);
    assert_ptr_equal(aloop_last_error(), e);
    aloop_unref(g);
    aloop_unref(f);
    aloop_error_unref(e);
    return 0;
}

static void test_a_failure_of_the_body_reaches_the_consumer(void **state) {
    (void)state;
    in_task(end_badly);
}

/* Cancellation --------------------------------------------------------------------------------- */

struct cancelled {
    aloop_generator *g;
    int64_t seen;
    char message[32];
    bool swallow;
};

static int64_t waits_for_ever(void *data) {
    struct cancelled *c = data;
    c->seen = aloop_await(aloop_sleep(100), NULL);
    snprintf(c->message, sizeof c->message, "%s", aloop_error_message(aloop_last_error()));
    if (!c->swallow) return c->seen;
    return aloop_yield((void *)5);
}

static int64_t take_one(void *data, void **value) {
    (void)value;
    struct cancelled *c = data;
    intptr_t got = 0;
    const int64_t rc = next(c->g, &got);
    return rc < 0 ? rc : got;
}

static int64_t cancel_consumer(void *unused, void **value) {
    (void)unused, (void)value;
    for (int swallow = 0; swallow <= 1; swallow++) {
        struct cancelled c = {.swallow = swallow};
        c.g = aloop_generator_new(waits_for_ever, &c, NULL);
        aloop_task *t = aloop_create_task(take_one, &c);
        let_run(2);
        assert_code(aloop_task_cancel(t, "enough"), 1);
        assert_code(aloop_await(t, NULL), swallow ? 5 : ALOOP_ECANCELED);
        assert_code(c.seen, ALOOP_ECANCELED);
        assert_string_equal(c.message, "enough");
        assert_code(aloop_await(aloop_generator_aclose(c.g), NULL), 0);
        aloop_unref(c.g);
    }
    return 0;
}

static void test_cancelling_the_consumer_reaches_the_body(void **state) {
    (void)state;
    in_task(cancel_consumer);
}

/* What it awaited is done, and the cancellation comes in the same iteration. */
static int64_t waits_a_turn(void *data) {
    struct cancelled *c = data;
    c->seen = aloop_await(aloop_sleep(0), NULL);
    snprintf(c->message, sizeof c->message, "%s", aloop_error_message(aloop_last_error()));
    return c->seen;
}

static int64_t cancel_at_a_bare_yield(void *unused, void **value) {
    (void)unused, (void)value;
    struct cancelled c = {0};
    c.g = aloop_generator_new(waits_a_turn, &c, NULL);
    aloop_task *t = aloop_create_task(take_one, &c);
    let_run(1);
    assert_code(aloop_task_cancel(t, "now"), 1);
    assert_code(aloop_await(t, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "now");
    assert_code(c.seen, ALOOP_ECANCELED);
    assert_string_equal(c.message, "now");
    assert_end(c.g);
    aloop_unref(c.g);
    return 0;
}

static void test_cancelling_between_two_steps(void **state) {
    (void)state;
    in_task(cancel_at_a_bare_yield);
}

static int64_t time_out(void *unused, void **value) {
    (void)unused, (void)value;
    struct cancelled c = {0};
    c.g = aloop_generator_new(waits_for_ever, &c, NULL);
    assert_code(aloop_await(aloop_wait_for(aloop_generator_next(c.g), 1.0), NULL),
                ALOOP_ETIMEDOUT);
    assert_code(c.seen, ALOOP_ECANCELED);
    assert_end(c.g);
    aloop_unref(c.g);
    return 0;
}

static void test_wait_for_on_next(void **state) {
    (void)state;
    in_task(time_out);
}

/* Bad arguments -------------------------------------------------------------------------------- */

static int64_t misuse(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *none = NULL;
    aloop_generator *wrong = (aloop_generator *)aloop_get_running_loop();
    assert_null(aloop_generator_new(NULL, NULL, NULL));
    assert_failed(aloop_generator_next(none), ALOOP_EINVAL);
    assert_failed(aloop_generator_next(wrong), ALOOP_EINVAL);
    assert_failed(aloop_generator_send(none, 0, copy_of("x"), free), ALOOP_EINVAL);
    assert_failed(aloop_generator_throw(none, NULL), ALOOP_EINVAL);
    assert_failed(aloop_generator_throw_code(none, E_MINE), ALOOP_EINVAL);
    assert_failed(aloop_generator_aclose(none), ALOOP_EINVAL);
    assert_failed(aloop_generator_collect(none), ALOOP_EINVAL);
    assert_code(aloop_yield(NULL), ALOOP_ENOTASK);
    assert_code(aloop_yield_result(0, copy_of("x"), free, NULL), ALOOP_ENOTASK);
    return 0;
}

static int64_t yields_badly(void *unused) {
    (void)unused;
    assert_code(aloop_yield_result(-1, copy_of("x"), free, NULL), ALOOP_EINVAL);
    return 0;
}

static int64_t yield_badly(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(yields_badly, NULL, NULL);
    assert_end(g);
    aloop_unref(g);
    return 0;
}

static int64_t use_elsewhere(void *g) {
    assert_null(aloop_generator_next(g));
    assert_null(aloop_generator_new(count_to_three, NULL, NULL));
    return aloop_yield(NULL);
}

static int64_t use_on_a_thread(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(count_to_three, NULL, NULL);
    assert_code(on_foreign_thread(use_elsewhere, g), ALOOP_ENOTASK);
    aloop_unref(g);
    return 0;
}

static void test_bad_arguments(void **state) {
    (void)state;
    in_task(misuse);
    in_task(yield_badly);
    in_task(use_on_a_thread);
    assert_null(aloop_generator_new(count_to_three, NULL, NULL));
    assert_null(aloop_generator_next(NULL));
    assert_null(aloop_loop_shutdown_asyncgens(NULL));
    assert_string_equal(aloop_errname(ALOOP_EGENERATOREXIT), "ALOOP_EGENERATOREXIT");
}

SUITE(CASE(test_next_runs_from_yield_to_yield), CASE(test_the_body_awaits),
      CASE(test_yields_take_no_iteration), CASE(test_the_consumer_is_the_current_task),
      CASE(test_send_reaches_the_yield), CASE(test_a_value_nobody_wants_is_freed),
      CASE(test_throw_arrives_at_the_yield), CASE(test_throw_before_the_start_finishes),
      CASE(test_throwing_the_exit_passes_it_on), CASE(test_aclose_awaits_the_cleanup),
      CASE(test_yielding_while_closed_is_an_error),
      CASE(test_a_failure_of_the_body_reaches_the_consumer),
      CASE(test_cancelling_the_consumer_reaches_the_body), CASE(test_cancelling_between_two_steps),
      CASE(test_wait_for_on_next), CASE(test_bad_arguments))
