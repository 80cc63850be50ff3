/*
 * scope_test.c: exit stacks and the macros on them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "support.h"

#define E_MINE (ALOOP_EUSER - 1)
#define E_OTHER (ALOOP_EUSER - 2)

/* Exit stacks --------------------------------------------------------------------------- */

static char trail[64];

static void mark(const char *what) { strncat(trail, what, sizeof trail - strlen(trail) - 1); }

static int64_t note(void *text) {
    mark(text);
    return 0;
}

static int64_t note_slowly(void *text) {
    const int64_t rc = aloop_await(aloop_sleep(1), NULL);
    mark(text);
    return rc;
}

static int64_t note_failing(void *text) {
    mark(text);
    return aloop_raise(E_OTHER, "broken exit");
}

static int64_t see(void *status, int64_t so_far) {
    *(int64_t *)status = so_far;
    return so_far;
}

static int64_t forgive(void *unused, int64_t so_far) {
    (void)unused;
    return so_far < 0 ? 0 : so_far;
}

static int64_t close_in_order(void *unused, void **value) {
    (void)unused, (void)value;
    trail[0] = '\0';
    int64_t seen = 1;
    aloop_exit_stack *s = aloop_exit_stack_new();
    assert_code(aloop_exit_stack_close(s, 3), 3); /* nothing in it */
    assert_code(aloop_exit_stack_callback(s, note, "a"), 0);
    assert_code(aloop_exit_stack_push(s, see, &seen), 0);
    assert_code(aloop_exit_stack_callback(s, note_slowly, "b"), 0);
    assert_code(aloop_exit_stack_callback(s, note, "c"), 0);
    assert_code(aloop_exit_stack_close(s, E_MINE), E_MINE);
    assert_string_equal(trail, "cba");
    assert_code(seen, E_MINE);
    assert_code(aloop_exit_stack_close(s, 0), 0); /* each exactly once */
    assert_string_equal(trail, "cba");

    /* A failing entry replaces the status; those below it still run. */
    assert_code(aloop_exit_stack_push(s, see, &seen), 0);
    assert_code(aloop_exit_stack_callback(s, note_failing, "x"), 0);
    assert_code(aloop_exit_stack_close(s, 0), E_OTHER);
    assert_code(seen, E_OTHER);
    /* An entry may handle the error. */
    assert_code(aloop_exit_stack_push(s, see, &seen), 0);
    assert_code(aloop_exit_stack_push(s, forgive, NULL), 0);
    assert_code(aloop_exit_stack_close(s, E_MINE), 0);
    assert_code(seen, 0);
    aloop_unref(s);
    return 0;
}

static void test_entries_run_last_in_first_out(void **state) {
    (void)state;
    in_task(close_in_order);
}

/* The error behind the status survives what the entries await. */
static int64_t fail_and_close(void *raised, void **value) {
    (void)value;
    aloop_exit_stack *s = aloop_exit_stack_new();
    assert_code(aloop_exit_stack_callback(s, note_slowly, "a"), 0);
    int64_t rc;
    if (raised != NULL) {
        rc = aloop_raise(E_MINE, "the reason");
    } else {
        aloop_error *e = aloop_error_new(E_MINE, "the reason", NULL);
        aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
        assert_code(aloop_future_set_error(f, e), 0);
        rc = aloop_await(f, NULL);
        aloop_error_unref(e);
    }
    rc = aloop_exit_stack_close(s, rc);
    aloop_unref(s);
    return rc;
}

static int64_t read_reasons(void *unused, void **value) {
    (void)unused, (void)value;
    for (int raised = 0; raised <= 1; raised++) {
        aloop_task *t = aloop_create_task(fail_and_close, raised ? trail : NULL);
        assert_code(aloop_await(t, NULL), E_MINE);
        assert_string_equal(aloop_error_message(aloop_last_error()), "the reason");
    }
    return 0;
}

static void test_the_error_survives_the_cleanup(void **state) {
    (void)state;
    in_task(read_reasons);
}

static int64_t return_early(void *rc, void **value) {
    (void)value;
    ALOOP_SCOPE(outer);
    assert_code(aloop_exit_stack_callback(outer, note, "o"), 0);
    for (int i = 0; i < 2; i++) {
        ALOOP_SCOPE(inner);
        assert_code(aloop_exit_stack_callback(inner, note_slowly, "i"), 0);
        if (i == 1) break;
        mark(".");
    }
    if (*(int64_t *)rc < 0) return aloop_raise(*(int64_t *)rc, "left early");
    mark("end");
    return aloop_exit_stack_close(outer, *(int64_t *)rc);
}

static int64_t leave_scopes(void *unused, void **value) {
    (void)unused, (void)value;
    int64_t rc = E_MINE;
    trail[0] = '\0';
    assert_code(aloop_await(aloop_create_task(return_early, &rc), NULL), E_MINE);
    assert_string_equal(aloop_error_message(aloop_last_error()), "left early");
    assert_string_equal(trail, ".iio");
    rc = 5;
    trail[0] = '\0';
    assert_code(aloop_await(aloop_create_task(return_early, &rc), NULL), 5);
    assert_string_equal(trail, ".iiendo");
    return 0;
}

static void test_a_scope_runs_on_every_way_out(void **state) {
    (void)state;
    in_task(leave_scopes);
}

static int64_t leave_cancelled(void *unused, void **value) {
    (void)unused, (void)value;
    ALOOP_SCOPE(scope);
    assert_code(aloop_exit_stack_callback(scope, note_slowly, "cleaned"), 0);
    return aloop_await(aloop_sleep(100), NULL);
}

static int64_t cancel_a_scope(void *unused, void **value) {
    (void)unused, (void)value;
    trail[0] = '\0';
    aloop_task *t = aloop_create_task(leave_cancelled, NULL);
    let_run(1);
    assert_code(aloop_task_cancel(t, NULL), 1);
    assert_code(aloop_await(t, NULL), ALOOP_ECANCELED);
    assert_string_equal(trail, "cleaned");
    return 0;
}

static void test_a_scope_runs_on_cancellation(void **state) {
    (void)state;
    in_task(cancel_a_scope);
}

static int64_t fail_in_a_scope(void *unused, void **value) {
    (void)unused, (void)value;
    ALOOP_SCOPE(scope);
    assert_code(aloop_exit_stack_callback(scope, note_failing, "x"), 0);
    return 0;
}

static void test_a_failing_exit_is_reported(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    assert_code(run_on(loop, fail_in_a_scope, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].message, "Exception while leaving a scope");
    assert_string_equal(seen.list[0].text, "broken exit");
    assert_true(seen.list[0].with_task);
    close_loop(loop);
}

static void test_pop_all_hands_over(void **state) {
    (void)state;
    trail[0] = '\0';
    aloop_exit_stack *s = aloop_exit_stack_new();
    assert_code(aloop_exit_stack_callback(s, note, "a"), 0);
    assert_code(aloop_exit_stack_unref(s, aloop_bytes_new("x", 1)), 0);
    aloop_exit_stack *other = aloop_exit_stack_pop_all(s);
    assert_code(aloop_exit_stack_close(s, 0), 0);
    assert_string_equal(trail, "");
    assert_code(aloop_exit_stack_callback(s, note, "dropped"), 0);
    aloop_unref(s);
    assert_code(aloop_exit_stack_close(other, 0), 0);
    assert_string_equal(trail, "a");
    aloop_unref(other);
}

static void test_auto_unref(void **state) {
    (void)state;
    ALOOP_AUTO_UNREF aloop_bytes *bytes = aloop_bytes_new("x", 1);
    ALOOP_AUTO_UNREF aloop_error *none = NULL;
    assert_non_null(bytes);
    assert_null(none);
}

static void test_exit_stack_arguments(void **state) {
    (void)state;
    aloop_exit_stack *s = aloop_exit_stack_new();
    assert_code(aloop_exit_stack_push(NULL, see, NULL), ALOOP_EINVAL);
    assert_code(aloop_exit_stack_push(s, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_exit_stack_callback(NULL, note, NULL), ALOOP_EINVAL);
    assert_code(aloop_exit_stack_callback(s, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_exit_stack_unref(s, NULL), ALOOP_EINVAL);
    assert_code(aloop_exit_stack_close(NULL, 0), ALOOP_EINVAL);
    assert_null(aloop_exit_stack_pop_all(NULL));
    aloop_unref(s);
}

SUITE(CASE(test_entries_run_last_in_first_out), CASE(test_the_error_survives_the_cleanup),
      CASE(test_a_scope_runs_on_every_way_out), CASE(test_a_scope_runs_on_cancellation),
      CASE(test_a_failing_exit_is_reported), CASE(test_pop_all_hands_over), CASE(test_auto_unref),
      CASE(test_exit_stack_arguments))
