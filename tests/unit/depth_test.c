/*
 * How deep things may lie in each other: whatever holds, awaits or cancels the next one,
 * fifty thousand times, ends with an outcome and not with the stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <stdlib.h>

enum { deep = 50000 };

/* Generators that fit in each other on one stack; the sanitizers need much of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { nested = 40 };
#else
enum { nested = 300 };
#endif

struct link {
    ALOOP_CO_FRAME;
    aloop_future *next;
    int64_t status;
};

static int64_t await_next(aloop_task *task, void *frame, void **value) {
    struct link *l = frame;
    (void)value;
    ALOOP_CO_BEGIN(l);
    ALOOP_CO_AWAIT(task, l, l->next, l->status, NULL);
    ALOOP_CO_END(l);
    return l->status;
}

/* Tasks that await each other, the last one leaf (consumed). */
static aloop_task *chain_to(aloop_future *leaf) {
    aloop_future *next = leaf;
    for (int i = 0; i < deep; i++) {
        struct link *l = calloc(1, sizeof *l);
        l->next = next;
        next = aloop_create_stackless_task(await_next, l, free);
    }
    return next;
}

typedef aloop_future *(*wrap_fn)(aloop_future *);
static aloop_future *gathered(aloop_future *f) { return aloop_gather(&f, 1, 0); }
static aloop_future *limited(aloop_future *f) { return aloop_wait_for(f, 1000); }

static aloop_future *wrap(wrap_fn fn, aloop_future *leaf) {
    aloop_future *f = leaf;
    for (int i = 0; i < deep; i++) f = fn(f);
    return f;
}

static aloop_future *leaf(void) { return aloop_loop_create_future(aloop_get_running_loop()); }

static int64_t chains(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *end = leaf();
    aloop_task *first = chain_to(aloop_ref(end));
    let_run(2);
    assert_code(aloop_future_set_result(end, 7, NULL, NULL), 0);
    aloop_unref(end);
    assert_code(aloop_await(first, NULL), 7);
    first = chain_to(leaf());
    let_run(2);
    assert_code(aloop_task_cancel(first, "far away"), 1);
    assert_code(aloop_await(first, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "far away");
    return 0;
}

static void test_chains_of_tasks(void **state) {
    (void)state;
    in_task(chains);
}

/* A chain that a run leaves behind: each of its tasks is asked to end, and asks the next. */
struct left_chain {
    int length;
    bool oldest_first; /* waits for the others; else the youngest does */
    int64_t requests;  /* that came to the end of the chain */
};

static int64_t count_requests(void *chain, void **value) {
    (void)value;
    const int64_t status = aloop_await(leaf(), NULL);
    ((struct left_chain *)chain)->requests = aloop_task_cancelling(aloop_current_task(NULL));
    return status;
}

static int64_t leave_chain(void *arg, void **value) {
    (void)value;
    struct left_chain *c = arg;
    aloop_future *next = c->oldest_first ? NULL : aloop_create_task(count_requests, c);
    struct link *before = NULL;
    for (int i = 1; i < c->length; i++) {
        struct link *l = calloc(1, sizeof *l);
        l->next = next;
        next = aloop_create_stackless_task(await_next, l, free);
        if (!c->oldest_first) continue;
        if (before != NULL) before->next = next;
        else aloop_unref(next);
        before = l;
        next = NULL;
    }
    if (c->oldest_first) before->next = aloop_create_task(count_requests, c);
    else aloop_unref(next);
    let_run(2);
    return 0;
}

/* As often as there are tasks, as in asyncio, unless that takes long. */
static void test_chains_that_are_left(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct left_chain c = {i < 2 ? 50 : deep, i % 2 == 1, 0};
        assert_code(aloop_run(leave_chain, &c, NULL), 0);
        if (i < 2) assert_int_equal(c.requests, 50);
        else assert_true(c.requests > 0 && c.requests < deep / 10);
    }
}

static int64_t combinations(void *unused, void **value) {
    (void)unused, (void)value;
    const wrap_fn kinds[] = {aloop_shield, gathered};
    for (int i = 0; i < 2; i++) {
        aloop_future *end = leaf();
        aloop_future *outermost = wrap(kinds[i], aloop_ref(end));
        assert_code(aloop_future_set_result(end, 1, NULL, NULL), 0);
        aloop_unref(end);
        assert_code(aloop_await(outermost, NULL), 1);
        aloop_unref(wrap(kinds[i], leaf())); /* never awaited */
    }
    aloop_future *cancelled = wrap(gathered, leaf());
    assert_code(aloop_future_cancel(cancelled, "all of them"), 1);
    assert_code(aloop_await(cancelled, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "all of them");
    return 0;
}

static void test_combinations(void **state) {
    (void)state;
    in_task(combinations);
}

static int64_t operations(void *some, void **value) {
    (void)value;
    assert_code(aloop_await(wrap(limited, aloop_sleep(1)), NULL), ALOOP_ESTACK);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "too many operations in each other");
    aloop_unref(wrap(limited, aloop_sleep(1)));
    aloop_future *f = aloop_sleep(1);
    for (int i = some != NULL ? *(int *)some : 50; i > 0; i--) f = limited(f);
    return aloop_await(f, NULL); /* so many are fine */
}

static void test_operations(void **state) {
    (void)state;
    in_task(operations);
}

static int64_t on_a_small_stack(void *unused, void **value) {
    (void)unused, (void)value;
    int some = 20;
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, operations, &some, NULL), 0);
    assert_code(aloop_task_options_set_stack_size(o, 32768), 0);
    aloop_task *task = aloop_create_task_ex(o);
    aloop_unref(o);
    return aloop_await(task, NULL);
}

static void test_operations_on_a_small_stack(void **state) {
    (void)state;
    in_task(on_a_small_stack);
}

static void test_errors(void **state) {
    (void)state;
    aloop_error *cause = aloop_error_new(-5, "first", NULL);
    for (int i = 0; i < deep; i++) {
        aloop_error *next = aloop_error_new(-6, "because of", cause);
        aloop_error_unref(cause);
        cause = next;
    }
    aloop_error_unref(cause);
}

static int64_t fail_in_a_group(void *left, void **value) {
    (void)value;
    int less = *(int *)left - 1;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    if (less == 0) return aloop_task_group_exit(g, -5);
    assert_code(aloop_task_group_spawn(g, fail_in_a_group, &less), 0);
    return aloop_task_group_exit(g, 0);
}

static int64_t groups(void *unused, void **value) {
    (void)unused, (void)value;
    int levels = 2000;
    assert_code(aloop_await(aloop_create_task(fail_in_a_group, &levels), NULL), ALOOP_EGROUP);
    aloop_error *e = aloop_last_error();
    while (levels-- > 0) {
        assert_int_equal(aloop_error_child_count(e), 1);
        e = aloop_error_child(e, 0);
    }
    assert_code(aloop_error_code(e), -5);
    return 0;
}

static void test_groups(void **state) {
    (void)state;
    in_task(groups);
}

static int64_t count_down(void *from) {
    if (from == NULL) return 0;
    aloop_generator *rest = aloop_generator_new(count_down, (char *)from - 1, NULL);
    int64_t rc = aloop_yield(from);
    void *next = NULL;
    while (rc >= 0 && (rc = aloop_await(aloop_generator_next(rest), &next)) >= 0) {
        rc = aloop_yield(next);
    }
    aloop_unref(rest);
    return rc == ALOOP_ESTOPITERATION ? 0 : rc;
}

/* As a walk through a tree is written: each yields what the one below it does. */
static int64_t generators(void *unused, void **value) {
    (void)unused, (void)value;
    void *next = NULL;
    int64_t rc;
    intptr_t expected = nested;
    aloop_generator *g = aloop_generator_new(count_down, (void *)expected, NULL);
    while ((rc = aloop_await(aloop_generator_next(g), &next)) >= 0) {
        assert_int_equal((intptr_t)next, expected--);
    }
    assert_code(rc, ALOOP_ESTOPITERATION);
    assert_int_equal(expected, 0);
    aloop_unref(g);
    return 0;
}

static void test_generators(void **state) {
    (void)state;
    in_task(generators);
}

SUITE(CASE(test_chains_of_tasks), CASE(test_chains_that_are_left), CASE(test_combinations),
      CASE(test_operations),
      CASE(test_operations_on_a_small_stack), CASE(test_errors), CASE(test_groups),
      CASE(test_generators))
