/*
 * What each construct costs in iterations, and what a cancellation does when:
 * the figures are those that CPython's asyncio gives for the same program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <string.h>

static int64_t now_at(void) { return aloop_loop_iteration(aloop_get_running_loop()); }

static int64_t at_once(void *arg, void **value) {
    (void)value;
    return (int64_t)(intptr_t)arg;
}

static int64_t sleep_two(void *arg, void **value) {
    (void)arg;
    (void)value;
    return aloop_await(aloop_sleep(2), NULL);
}

static aloop_future *done_future(void) {
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_future_set_result(f, 0, NULL, NULL), 0);
    return f;
}

/* A statement, and the iterations it takes. */
#define assert_cost(n, statement)                \
    do {                                         \
        const int64_t cost_began = now_at();     \
        statement;                               \
        assert_int_equal(now_at() - cost_began, n); \
    } while (0)
#define await_ok(future) assert_true(aloop_await((future), NULL) >= 0)

static int64_t simple_costs(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_cost(1, await_ok(aloop_sleep(0)));
    assert_cost(1, await_ok(aloop_sleep(-1)));
    assert_cost(0, await_ok(done_future()));
    assert_cost(2, await_ok(aloop_sleep(1)));
    assert_cost(2, await_ok(aloop_create_task(at_once, NULL)));
    assert_cost(1, await_ok(aloop_sleep_result(0, 3, NULL, NULL)));
    return 0;
}

static void test_simple_costs(void **state) {
    (void)state;
    in_task(simple_costs);
}

static int64_t combined_costs(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *one = aloop_create_task(at_once, NULL);
    aloop_future *two = aloop_create_task(at_once, NULL);
    aloop_results *list = NULL;
    assert_cost(3, assert_code(aloop_await(ALOOP_GATHER(0, one, two), (void **)&list), 2));
    aloop_unref(list);
    assert_cost(0, await_ok(ALOOP_GATHER(0, done_future(), done_future())));
    assert_cost(0, await_ok(aloop_gather(NULL, 0, 0)));

    one = aloop_create_task(at_once, NULL);
    aloop_wait_result *result = NULL;
    assert_cost(3, assert_code(aloop_await(aloop_wait(&one, 1, -1, 0), (void **)&result), 1));
    aloop_unref(result);
    one = done_future();
    assert_cost(2, await_ok(aloop_wait(&one, 1, -1, 0)));
    one = aloop_loop_create_future(aloop_get_running_loop());
    assert_cost(2, await_ok(aloop_wait(&one, 1, 1, 0)));

    assert_cost(1, await_ok(aloop_wait_for(aloop_sleep(0), 9)));
    assert_cost(0, await_ok(aloop_wait_for(done_future(), 9)));
    assert_cost(2, await_ok(aloop_wait_for(aloop_create_task(at_once, NULL), 9)));
    assert_cost(3, await_ok(aloop_shield(aloop_create_task(at_once, NULL))));
    assert_cost(3, assert_code(aloop_await(aloop_wait_for(aloop_sleep(2), 0), NULL),
                               ALOOP_ETIMEDOUT));
    return 0;
}

static void test_combined_costs(void **state) {
    (void)state;
    in_task(combined_costs);
}

static int64_t block_costs(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_group *group = NULL;
    assert_code(aloop_task_group_enter(&group), 0);
    assert_cost(0, assert_code(aloop_task_group_exit(group, 0), 0));
    assert_code(aloop_task_group_enter(&group), 0);
    assert_code(aloop_task_group_spawn(group, at_once, NULL), 0);
    assert_cost(3, assert_code(aloop_task_group_exit(group, 0), 0));
    aloop_timeout *timeout = NULL;
    assert_cost(0, assert_code(aloop_timeout_enter(&timeout, 5), 0);
                assert_code(aloop_timeout_exit(timeout, 0), 0));
    aloop_unref(timeout);

    aloop_completions *all = NULL;
    aloop_future *one = aloop_create_task(at_once, NULL);
    assert_code(aloop_as_completed(&all, &one, 1, -1), 0);
    assert_cost(3, assert_code(aloop_await(aloop_as_completed_next_result(all), NULL), 0));
    assert_code(aloop_await(aloop_as_completed_next(all), NULL), ALOOP_ESTOPITERATION);
    aloop_unref(all);
    return 0;
}

static void test_block_costs(void **state) {
    (void)state;
    in_task(block_costs);
}

static int64_t chain(void *arg, void **value) {
    (void)value;
    const intptr_t left = (intptr_t)arg;
    if (left == 1) return 0;
    return aloop_await(aloop_create_task(chain, (void *)(left - 1)), NULL);
}

static int64_t chain_costs(void *unused, void **value) {
    (void)unused;
    (void)value;
    /* Three starts, then three wake-ups: what a chain of three costs. */
    assert_cost(6, await_ok(aloop_create_task(chain, (void *)3)));
    aloop_task *t = aloop_create_task(sleep_two, NULL);
    await_ok(aloop_sleep(0));
    assert_cost(2, assert_code(aloop_task_cancel(t, NULL), 1);
                assert_code(aloop_await(t, NULL), ALOOP_ECANCELED));
    return 0;
}

static void test_chain_costs(void **state) {
    (void)state;
    in_task(chain_costs);
}

SUITE(CASE(test_simple_costs), CASE(test_combined_costs), CASE(test_block_costs),
      CASE(test_chain_costs))
