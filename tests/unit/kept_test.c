/*
 * sync.h, queue.h: a loop keeps references to the locks and queues that it uses, and
 * nobody notices: they go when their last owner lets go of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

enum { k_queues = 40 }; /* more than a loop keeps at hand */

static aloop_queue *queues[k_queues];
static int freed;

static aloop_queue *new_queue(aloop_free_fn item_free) {
    aloop_queue *queue = NULL;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_item_free(options, item_free), 0);
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    return queue;
}

static void free_item(void *item) {
    (void)item;
    freed++;
}

static void use(aloop_queue *queue) {
    void *item = NULL;
    assert_code(aloop_await(aloop_queue_put(queue, &freed), NULL), 0);
    assert_code(aloop_await(aloop_queue_put(queue, &freed), NULL), 0);
    assert_code(aloop_await(aloop_queue_get(queue), &item), 0);
    assert_ptr_equal(item, &freed);
}

/* Within one iteration, right after it was used. */
static int64_t drop_after_use(void *unused, void **value) {
    (void)unused, (void)value;
    for (int i = 0; i < k_queues; i++) queues[i] = new_queue(NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < k_queues; i++) use(queues[i]);
    }
    for (int i = 0; i < k_queues; i++) aloop_unref(queues[i]);

    freed = 0;
    aloop_queue *queue = new_queue(NULL);
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    use(queue);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(queue);
    aloop_unref(lock);
    return 0;
}

static void test_the_program_drops_the_last_one(void **state) {
    (void)state;
    in_task(drop_after_use);
}

static int64_t drop_all(void *unused) {
    (void)unused;
    for (int i = 0; i < k_queues; i++) aloop_unref(queues[i]);
    return 0;
}

/* Another thread: what the loop keeps goes with the iteration. */
static int64_t drop_elsewhere(void *unused, void **value) {
    (void)unused, (void)value;
    freed = 0;
    for (int i = 0; i < k_queues; i++) {
        queues[i] = new_queue(free_item);
        use(queues[i]);
    }
    assert_code(on_foreign_thread(drop_all, NULL), 0);
    let_run(2);
    assert_int_equal(freed, k_queues);
    return 0;
}

static void test_another_thread_drops_the_last_one(void **state) {
    (void)state;
    in_task(drop_elsewhere);
}

/* An item's destructor uses other queues, which the loop keeps in the same places. */
static aloop_queue *others[k_queues];

static void use_others(void *item) {
    free_item(item);
    for (int i = 0; i < k_queues; i++) {
        void *got = NULL;
        assert_code(aloop_queue_put_nowait(others[i], item), 0);
        assert_code(aloop_queue_get_nowait(others[i], &got), 0);
        aloop_unref(aloop_queue_get(others[i])); /* made and never awaited */
    }
}

static int64_t evict(void *unused, void **value) {
    (void)unused, (void)value;
    freed = 0;
    for (int i = 0; i < k_queues; i++) others[i] = new_queue(NULL);
    for (int i = 0; i < k_queues; i++) {
        queues[i] = new_queue(use_others);
        use(queues[i]);
    }
    assert_code(on_foreign_thread(drop_all, NULL), 0);
    for (int i = 0; i < k_queues; i++) use(others[i]);
    let_run(2);
    assert_int_equal(freed, k_queues);
    for (int i = 0; i < k_queues; i++) aloop_unref(others[i]);
    return 0;
}

static void test_destructors_come_back(void **state) {
    (void)state;
    in_task(evict);
}

/* A lock that is used outside of a run, and one that is used when the run ends. */
static int64_t acquire_last(void *lock, void **value) {
    (void)value;
    return aloop_await(aloop_lock_acquire(lock), NULL);
}

static void test_the_run_ends(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(run_on(loop, acquire_last, lock), 0);
    assert_code(aloop_set_event_loop(loop), 0);
    aloop_unref(aloop_lock_acquire(lock));
    assert_code(aloop_set_event_loop(NULL), 0);
    aloop_unref(lock);
    close_loop(loop);
}

/* A loop keeps a sleep of no length for the next one: each is as if it were its own. */
static int64_t yield_in_all_ways(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *held = aloop_sleep(0);
    assert_code(aloop_await(aloop_ref(held), NULL), 0);
    assert_code(aloop_future_done(held), 1);
    for (int debug = 0; debug < 4; debug++) {
        assert_code(aloop_loop_set_debug(loop, debug % 2), 0);
        let_run(2);
        aloop_future *first = aloop_sleep(0), *second = aloop_sleep(-1);
        assert_true(first != second && first != held && second != held);
        const int64_t before = aloop_loop_iteration(loop);
        assert_code(aloop_await(second, NULL), 0);
        aloop_future *third = aloop_sleep(0);
        assert_true(third != first && third != held);
        assert_code(aloop_future_done(third), 0);
        assert_code(aloop_future_cancel(first, NULL), 1);
        assert_code(aloop_await(first, NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(third, NULL), 0);
        assert_int_equal(aloop_loop_iteration(loop), before + 2);
        assert_code(aloop_future_done(held), 1);
    }
    aloop_unref(held);
    return 0;
}

static void test_each_yield_is_its_own(void **state) {
    (void)state;
    in_task(yield_in_all_ways);
}

SUITE(CASE(test_the_program_drops_the_last_one), CASE(test_another_thread_drops_the_last_one),
      CASE(test_destructors_come_back), CASE(test_the_run_ends),
      CASE(test_each_yield_is_its_own))
