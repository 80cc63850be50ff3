/*
 * queue.h: a queue in steady state allocates nothing.
 *
 * A program of its own, because the allocator that counts must be there before
 * anything else. Under a sanitizer, where each small object is a block of the
 * heap, the count that must not grow is that of live blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../unit/support.h"

#include <stdlib.h>
#include <string.h>

static int64_t allocations, live;

static void *counting_malloc(size_t size) {
    allocations++;
    live++;
    return malloc(size);
}

static void *counting_realloc(void *block, size_t size) {
    if (block == NULL) return counting_malloc(size);
    allocations++;
    return realloc(block, size);
}

static void counting_free(void *block) {
    live -= block != NULL;
    free(block);
}

static bool small_objects_are_blocks(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    const char *slab = getenv("ASYNCLOOP_SLAB");
    return slab != NULL && strcmp(slab, "0") == 0;
#endif
}

enum { WARM = 200, ITEMS = 20000 };

static int64_t numbers[ITEMS];
static int64_t allocations_warm, live_warm;

static int64_t put_all(void *queue, void **value) {
    (void)value;
    for (int64_t i = 0; i < ITEMS; i++) {
        const int64_t status = aloop_await(aloop_queue_put(queue, &numbers[i]), NULL);
        if (status < 0) return status;
    }
    return 0;
}

static int64_t get_all(void *queue, void **value) {
    (void)value;
    for (int64_t i = 0; i < ITEMS; i++) {
        void *item = NULL;
        const int64_t status = aloop_await(aloop_queue_get(queue), &item);
        if (status < 0) return status;
        assert_ptr_equal(item, &numbers[i]);
        assert_code(aloop_queue_task_done(queue), 0);
        if (i == WARM) {
            allocations_warm = allocations;
            live_warm = live;
        }
    }
    if (!small_objects_are_blocks()) assert_int_equal(allocations, allocations_warm);
    assert_int_equal(live, live_warm);
    return 0;
}

static int64_t between_two_tasks(void *arg, void **value) {
    (void)value;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_maxsize(options, *(const int64_t *)arg), 0);
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    aloop_task *putter = aloop_create_task(put_all, queue);
    assert_code(aloop_await(aloop_create_task(get_all, queue), NULL), 0);
    assert_code(aloop_await(putter, NULL), 0);
    aloop_unref(queue);
    return 0;
}

static void test_bounded_queue_allocates_nothing(void **state) {
    (void)state;
    int64_t sizes[] = {1, 7, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_code(run_virtual(between_two_tasks, &sizes[i], NULL), 0);
    }
}

/* A queue reserves its room when it is made: filling it needs no more. */
static void test_room_is_reserved(void **state) {
    (void)state;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_maxsize(options, 1000), 0);
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    const int64_t before = allocations;
    for (int i = 0; i < 1000; i++) assert_code(aloop_queue_put_nowait(queue, &numbers[i]), 0);
    assert_code(aloop_queue_put_nowait(queue, NULL), ALOOP_EQUEUEFULL);
    assert_int_equal(allocations, before);
    aloop_unref(queue);
}

int main(void) {
    if (aloop_set_allocator(counting_malloc, counting_realloc, counting_free) != 0) return 1;
    const struct CMUnitTest cases[] = {CASE(test_bounded_queue_allocates_nothing),
                                       CASE(test_room_is_reserved)};
    prepare_suite();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
