/*
 * What an object costs while it waits, in bytes that the library took from its
 * allocator: of so many at a time that what they share hardly counts. A stackful
 * task's stack comes from the kernel, and is counted in resident pages.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "../unit/support.h"

enum { k_objects = 100000, k_fibers = 10000 };

static int64_t live;

static void *counting_malloc(size_t size) {
    void *block = malloc(size);
    live += (int64_t)malloc_usable_size(block);
    return block;
}

static void *counting_realloc(void *block, size_t size) {
    live -= (int64_t)malloc_usable_size(block);
    block = realloc(block, size);
    live += (int64_t)malloc_usable_size(block);
    return block;
}

static void counting_free(void *block) {
    live -= (int64_t)malloc_usable_size(block);
    free(block);
}

/* Counted page by page: the kernel's own sum lags behind, by more on more processors. */
static int64_t resident(void) {
    long kib = -1;
    char line[128];
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof line, file) != NULL) sscanf(line, "Rss: %ld kB", &kib);
    fclose(file);
    assert_true(kib > 0);
    return kib * 1024;
}

/* n of them have grown the library by so much: at most so many bytes each. */
static void check_each(const char *what, int64_t growth, int n, double most) {
    const double each = (double)growth / n;
    printf("%s: %.1f bytes\n", what, each);
    fflush(stdout);
    assert_true(each <= most);
}

static int64_t sleep_in_steps(aloop_task *task, void *frame, void **value) {
    (void)frame, (void)value;
    const int64_t status = aloop_awaited(task, NULL);
    if (status != ALOOP_EINVALIDSTATE) return status; /* it has slept */
    return aloop_suspend(task, aloop_sleep(3600));
}

static int64_t no_call(void *unused) {
    (void)unused;
    return 0;
}


static aloop_task *tasks[k_objects];

static void end_tasks(int n) {
    for (int i = 0; i < n; i++) aloop_task_cancel(tasks[i], NULL);
    for (int i = 0; i < n; i++) {
        assert_code(aloop_await(tasks[i], NULL), ALOOP_ECANCELED);
    }
}

static int64_t step_tasks(void *unused, void **value) {
    (void)unused, (void)value;
    const int64_t before = live;
    for (int i = 0; i < k_objects; i++) {
        tasks[i] = aloop_create_stackless_task(sleep_in_steps, NULL, NULL);
    }
    let_run(1);
    check_each("a step task that sleeps", live - before, k_objects, 196);
    end_tasks(k_objects);
    return 0;
}

static int64_t stackful_tasks(void *unused, void **value) {
    (void)unused, (void)value;
    const int64_t before = live, pages = resident();
    for (int i = 0; i < k_fibers; i++) tasks[i] = aloop_create_task(sleep_for_ever, NULL);
    let_run(1);
    check_each("a stackful task that sleeps, without its stack", live - before, k_fibers, 210);
    check_each("the same, resident", resident() - pages, k_fibers, 4506);
    end_tasks(k_fibers);
    return 0;
}

static int64_t small_objects(void *unused, void **value) {
    static aloop_handle handles[k_objects];
    static aloop_future *futures[k_objects];
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    int64_t before = live;
    for (int i = 0; i < k_objects; i++) {
        handles[i] = (aloop_handle)aloop_loop_call_later(loop, 3600 + i, no_call, NULL, NULL);
    }
    check_each("a timer", live - before, k_objects, 66);
    for (int i = 0; i < k_objects; i++) {
        assert_code(aloop_loop_cancel_handle(loop, handles[i]), 0);
    }
    before = live;
    for (int i = 0; i < k_objects; i++) futures[i] = aloop_loop_create_future(loop);
    check_each("a future", live - before, k_objects, 66);
    for (int i = 0; i < k_objects; i++) aloop_unref(futures[i]);

    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, NULL), 0);
    before = live;
    for (int i = 0; i < k_objects; i++) assert_code(aloop_queue_put_nowait(queue, loop), 0);
    check_each("an item in a queue", live - before, k_objects, 16);
    aloop_unref(queue);
    return 0;
}

static void test_step_tasks(void **state) {
    (void)state;
    in_task(step_tasks);
}

static void test_stackful_tasks(void **state) {
    (void)state;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* huge pages would round up */
    in_task(stackful_tasks);
}

static void test_small_objects(void **state) {
    (void)state;
    in_task(small_objects);
}

int main(void) {
    if (aloop_set_allocator(counting_malloc, counting_realloc, counting_free) != 0) return 1;
    const struct CMUnitTest cases[] = {CASE(test_step_tasks), CASE(test_stackful_tasks),
                                       CASE(test_small_objects)};
    prepare_suite();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
