/*
 * cancel_scope_test.c: cancel scopes; expectations are those of Trio.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "support.h"

#define E_MINE (ALOOP_EUSER - 1)

static aloop_cancel_scope *enter(double delay, int shield) {
    aloop_cancel_scope *s = NULL;
    assert_code(aloop_cancel_scope_enter(&s, delay, shield), 0);
    return s;
}

static double now(void) { return aloop_loop_time(aloop_get_running_loop()); }

static int64_t run_into_a_deadline(void *unused, void **value) {
    (void)unused, (void)value;
    const double start = now();
    aloop_cancel_scope *s = enter(2, 0);
    assert_close(aloop_cancel_scope_deadline(s), start + 2);
    assert_code(aloop_in_cancelled_scope(), 0);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0);
    assert_code(aloop_await(aloop_sleep(100), NULL), ALOOP_ECANCELED);
    assert_close(now(), start + 2);
    assert_code(aloop_in_cancelled_scope(), 1);
    /* Level-triggered: it goes on failing, without waiting. */
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_await(aloop_sleep(10), NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(aloop_sleep(0), NULL), ALOOP_ECANCELED);
    }
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_await(aloop_ref(f), NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(f), 1);
    aloop_unref(f);
    assert_close(now(), start + 2);
    assert_code(aloop_cancel_scope_exit(s, ALOOP_ECANCELED), 0);
    assert_code(aloop_cancel_scope_cancel_called(s), 1);
    assert_code(aloop_cancel_scope_cancelled_caught(s), 1);
    assert_code(aloop_task_cancelling(aloop_current_task(NULL)), 0);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0); /* and now it is over */
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    assert_code(aloop_cancel_scope_cancel(s), 0);
    assert_code(aloop_cancel_scope_exit(s, 0), ALOOP_EINVALIDSTATE);
    assert_code(aloop_cancel_scope_set_deadline(s, 1), ALOOP_EINVALIDSTATE);
    assert_code(aloop_cancel_scope_set_shield(s, 1), ALOOP_EINVALIDSTATE);
    aloop_unref(s);
    return 0;
}

static void test_every_wait_fails_until_the_scope_is_left(void **state) {
    (void)state;
    in_task(run_into_a_deadline);
}

static int64_t take_what_is_there(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *s = enter(INFINITY, 0);
    assert_true(isinf(aloop_cancel_scope_deadline(s)));
    assert_code(aloop_cancel_scope_cancel(s), 1);
    assert_code(aloop_cancel_scope_cancel(s), 0);
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_future_set_result(f, 7, NULL, NULL), 0);
    assert_code(aloop_await(f, NULL), 7);
    assert_code(aloop_cancel_scope_exit(s, 7), 7); /* nothing was cancelled */
    assert_code(aloop_cancel_scope_cancelled_caught(s), 0);
    assert_code(aloop_cancel_scope_cancel_called(s), 1);
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    aloop_unref(s);
    return 0;
}

static void test_what_is_done_is_still_taken(void **state) {
    (void)state;
    in_task(take_what_is_there);
}

static int64_t enter_late(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *s = enter(-1, 0);
    assert_code(aloop_cancel_scope_cancel_called(s), 1);
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(s, E_MINE), E_MINE); /* other errors pass */
    assert_code(aloop_cancel_scope_cancelled_caught(s), 0);
    aloop_unref(s);
    return 0;
}

static void test_a_deadline_that_has_passed(void **state) {
    (void)state;
    in_task(enter_late);
}

static int64_t move_deadlines(void *unused, void **value) {
    (void)unused, (void)value;
    const double start = now();
    aloop_cancel_scope *s = enter(1, 0);
    assert_code(aloop_cancel_scope_set_deadline(s, start + 3), 0);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0);
    assert_code(aloop_cancel_scope_set_deadline(s, INFINITY), 0);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0);
    assert_code(aloop_cancel_scope_set_deadline(s, NAN), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_set_deadline(s, start), 0);
    assert_code(aloop_cancel_scope_set_deadline(s, start + 100), 0); /* too late */
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(s, ALOOP_ECANCELED), 0);
    aloop_unref(s);
    return 0;
}

static void test_deadlines_move(void **state) {
    (void)state;
    in_task(move_deadlines);
}

/* Nesting and shields -------------------------------------------------------------------------- */

static int64_t nest(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *outer = enter(INFINITY, 0);
    aloop_cancel_scope *inner = enter(1, 0);
    assert_code(aloop_cancel_scope_exit(outer, 0), ALOOP_EINVALIDSTATE);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(inner, ALOOP_ECANCELED), 0);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0); /* the outer one goes on */
    aloop_unref(inner);

    /* The outer scope's cancellation passes through the inner one. */
    inner = enter(INFINITY, 0);
    assert_code(aloop_cancel_scope_cancel(outer), 1);
    assert_code(aloop_cancel_scope_cancel(inner), 1);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(inner, ALOOP_ECANCELED), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_cancelled_caught(inner), 0);
    assert_code(aloop_cancel_scope_exit(outer, ALOOP_ECANCELED), 0);
    assert_code(aloop_cancel_scope_cancelled_caught(outer), 1);
    aloop_unref(inner);
    aloop_unref(outer);
    return 0;
}

static void test_scopes_nest(void **state) {
    (void)state;
    in_task(nest);
}

static int64_t clean_up_shielded(void *unused, void **value) {
    (void)unused, (void)value;
    const double start = now();
    aloop_cancel_scope *outer = enter(1, 0);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    aloop_cancel_scope *shield = enter(3, 1);
    assert_code(aloop_in_cancelled_scope(), 0);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0); /* cleaning up takes time */
    assert_close(now(), start + 3);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED); /* and has its own limit */
    assert_close(now(), start + 4);
    assert_code(aloop_cancel_scope_exit(shield, ALOOP_ECANCELED), 0);
    assert_code(aloop_cancel_scope_cancelled_caught(shield), 1);
    aloop_unref(shield);

    shield = enter(INFINITY, 0);
    assert_code(aloop_cancel_scope_set_shield(shield, 1), 0);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0);
    assert_code(aloop_cancel_scope_set_shield(shield, 0), 0);
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(shield, ALOOP_ECANCELED), ALOOP_ECANCELED);
    aloop_unref(shield);
    assert_code(aloop_cancel_scope_exit(outer, ALOOP_ECANCELED), 0);
    aloop_unref(outer);
    return 0;
}

static void test_a_shield_keeps_outer_cancellation_out(void **state) {
    (void)state;
    in_task(clean_up_shielded);
}

/* From outside: a callback cancels, another lets the cancellation in. */
struct remote {
    aloop_cancel_scope *outer, *shield;
    int64_t result;
};

static int64_t cancel_outer(void *data) {
    struct remote *r = data;
    return aloop_cancel_scope_cancel(r->outer);
}

static int64_t lift_shield(void *data) {
    struct remote *r = data;
    return aloop_cancel_scope_set_shield(r->shield, 0);
}

static int64_t cancel_from_outside(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = now();
    struct remote r = {.outer = enter(INFINITY, 0)};
    assert_true(aloop_loop_call_later(loop, 1, cancel_outer, &r, NULL) > 0);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    assert_close(now(), start + 1);
    assert_code(aloop_cancel_scope_exit(r.outer, ALOOP_ECANCELED), 0);
    aloop_unref(r.outer);

    r.outer = enter(INFINITY, 0);
    r.shield = enter(INFINITY, 1);
    assert_true(aloop_loop_call_later(loop, 1, cancel_outer, &r, NULL) > 0);
    assert_true(aloop_loop_call_later(loop, 2, lift_shield, &r, NULL) > 0);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    assert_close(now(), start + 3);
    assert_code(aloop_cancel_scope_exit(r.shield, ALOOP_ECANCELED), ALOOP_ECANCELED);
    assert_code(aloop_cancel_scope_exit(r.outer, ALOOP_ECANCELED), 0);
    aloop_unref(r.shield);
    aloop_unref(r.outer);
    return 0;
}

static void test_cancelled_and_laid_bare_from_outside(void **state) {
    (void)state;
    in_task(cancel_from_outside);
}

/* Beside asyncio's own cancellation, groups, generators, step tasks ---------------------------- */

static int64_t cancelled_both_ways(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *s = enter(1, 0);
    int64_t rc = aloop_await(aloop_sleep(5), NULL);
    assert_code(aloop_cancel_scope_cancel(s), 1);
    rc = aloop_cancel_scope_exit(s, rc);
    assert_code(aloop_cancel_scope_cancelled_caught(s), 0);
    aloop_unref(s);
    return rc;
}

static int64_t cancel_the_task(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *t = aloop_create_task(cancelled_both_ways, NULL);
    let_run(1);
    assert_code(aloop_task_cancel(t, "edge"), 1);
    assert_code(aloop_await(t, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "edge");
    return 0;
}

static void test_task_cancel_goes_through(void **state) {
    (void)state;
    in_task(cancel_the_task);
}

static int64_t group_in_a_scope(void *unused, void **value) {
    (void)unused, (void)value;
    for (int before = 0; before <= 1; before++) {
        aloop_cancel_scope *s = enter(before ? -1 : 1, 0);
        aloop_task_group *g = NULL;
        assert_code(aloop_task_group_enter(&g), 0);
        aloop_task *child = aloop_task_group_create_task(g, sleep_for_ever, NULL);
        assert_code(aloop_task_group_exit(g, 0), ALOOP_ECANCELED);
        assert_code(aloop_future_cancelled(child), 1); /* joined, not left behind */
        aloop_unref(child);
        assert_code(aloop_cancel_scope_exit(s, ALOOP_ECANCELED), 0);
        aloop_unref(s);
    }
    return 0;
}

static void test_a_group_in_a_cancelled_scope_is_joined(void **state) {
    (void)state;
    in_task(group_in_a_scope);
}

static int64_t yields_after_waits(void *unused) {
    (void)unused;
    for (;;) {
        const int64_t rc = aloop_await(aloop_sleep(1), NULL);
        const int64_t then = aloop_yield((void *)(intptr_t)-rc);
        if (then < 0) return then;
    }
}

static int64_t generate_in_a_scope(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(yields_after_waits, NULL, NULL);
    aloop_cancel_scope *s = enter(0.5, 0);
    for (int i = 0; i < 3; i++) {
        void *got = NULL;
        assert_code(aloop_await(aloop_generator_next(g), &got), 0);
        assert_int_equal((intptr_t)got, -ALOOP_ECANCELED);
    }
    assert_code(aloop_cancel_scope_exit(s, 0), 0);
    void *got = NULL;
    assert_code(aloop_await(aloop_generator_next(g), &got), 0);
    assert_int_equal((intptr_t)got, 0);
    assert_code(aloop_await(aloop_generator_aclose(g), NULL), 0);
    aloop_unref(s);
    aloop_unref(g);
    return 0;
}

static void test_a_generator_body_is_in_the_scope(void **state) {
    (void)state;
    in_task(generate_in_a_scope);
}

struct stepper {
    ALOOP_CO_FRAME;
    aloop_cancel_scope *s;
    int64_t rc[3];
};

static int64_t step_in_a_scope(aloop_task *task, void *frame, void **value) {
    struct stepper *f = frame;
    (void)value;
    ALOOP_CO_BEGIN(f);
    f->s = enter(1, 0);
    ALOOP_CO_AWAIT(task, f, aloop_sleep(5), f->rc[0], NULL);
    ALOOP_CO_AWAIT(task, f, aloop_sleep(0), f->rc[1], NULL);
    assert_code(aloop_cancel_scope_exit(f->s, f->rc[1]), 0);
    ALOOP_CO_AWAIT(task, f, aloop_sleep(0), f->rc[2], NULL);
    aloop_unref(f->s);
    ALOOP_CO_END(f);
    return 0;
}

static int64_t step_along(void *unused, void **value) {
    (void)unused, (void)value;
    struct stepper f = {0};
    assert_code(aloop_await(aloop_create_stackless_task(step_in_a_scope, &f, NULL), NULL), 0);
    assert_code(f.rc[0], ALOOP_ECANCELED);
    assert_code(f.rc[1], ALOOP_ECANCELED);
    assert_code(f.rc[2], 0);
    return 0;
}

static void test_step_tasks_have_scopes(void **state) {
    (void)state;
    in_task(step_along);
}

/* Dropped without an exit: out of the chain, from the middle of it too. */
static int64_t forget_to_leave(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *first = enter(1, 0);
    aloop_cancel_scope *second = enter(-1, 0);
    aloop_cancel_scope *third = enter(1, 0);
    assert_code(aloop_in_cancelled_scope(), 1);
    assert_code(aloop_await(aloop_sleep(0), NULL), ALOOP_ECANCELED);
    aloop_unref(second);
    assert_code(aloop_in_cancelled_scope(), 0);
    assert_code(aloop_cancel_scope_exit(third, 0), 0);
    assert_code(aloop_cancel_scope_exit(first, 0), 0);
    aloop_unref(first);
    aloop_unref(third);
    aloop_cancel_scope *kept = enter(1, 0);
    assert_code(aloop_await(aloop_sleep(2), NULL), ALOOP_ECANCELED);
    *(aloop_cancel_scope **)unused = kept;
    return 0;
}

static void test_scopes_that_are_never_left(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_cancel_scope *kept = NULL;
    assert_code(run_on(loop, forget_to_leave, &kept), 0);
    assert_code(aloop_cancel_scope_cancel(kept), 0);
    close_loop(loop);
    assert_code(aloop_cancel_scope_cancel_called(kept), 1);
    assert_code(aloop_cancel_scope_cancel(kept), ALOOP_ESTALE);
    aloop_unref(kept);
}

static int64_t exit_elsewhere(void *scope, void **value) {
    (void)value;
    return aloop_cancel_scope_exit(scope, 0);
}

static int64_t use_on_a_thread(void *scope) { return aloop_cancel_scope_cancel(scope); }

static int64_t misuse(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_cancel_scope *s = enter(1, 0);
    assert_code(aloop_await(aloop_create_task(exit_elsewhere, s), NULL), ALOOP_ENOTASK);
    assert_code(on_foreign_thread(use_on_a_thread, s), ALOOP_EWRONGTHREAD);
    assert_code(aloop_cancel_scope_exit(s, 0), 0);
    aloop_unref(s);
    aloop_cancel_scope *wrong = (aloop_cancel_scope *)aloop_get_running_loop();
    assert_code(aloop_cancel_scope_enter(NULL, 1, 0), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_enter(&s, NAN, 0), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_cancel(wrong), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_exit(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_set_shield(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_set_deadline(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_cancel_called(NULL), ALOOP_EINVAL);
    assert_code(aloop_cancel_scope_cancelled_caught(NULL), ALOOP_EINVAL);
    assert_true(isnan(aloop_cancel_scope_deadline(NULL)));
    return 0;
}

static void test_cancel_scope_arguments(void **state) {
    (void)state;
    in_task(misuse);
    aloop_cancel_scope *s = NULL;
    assert_code(aloop_cancel_scope_enter(&s, 1, 0), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_in_cancelled_scope(), ALOOP_ENOTASK);
}

SUITE(CASE(test_every_wait_fails_until_the_scope_is_left), CASE(test_what_is_done_is_still_taken),
      CASE(test_a_deadline_that_has_passed), CASE(test_deadlines_move), CASE(test_scopes_nest),
      CASE(test_a_shield_keeps_outer_cancellation_out),
      CASE(test_cancelled_and_laid_bare_from_outside), CASE(test_task_cancel_goes_through),
      CASE(test_a_group_in_a_cancelled_scope_is_joined),
      CASE(test_a_generator_body_is_in_the_scope), CASE(test_step_tasks_have_scopes),
      CASE(test_scopes_that_are_never_left), CASE(test_cancel_scope_arguments))
