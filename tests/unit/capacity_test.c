/*
 * How many tasks fit into one program, and what each takes. Under sanitizers,
 * whose memory is another, the numbers are a hundredth.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { scale = 100 };
#else
enum { scale = 1 };
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static long resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    long pages = 0;
    assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t count;
static int64_t ended;

static int64_t sleep_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int64_t status = aloop_await(aloop_sleep(10), NULL);
    ended++;
    return status;
}

static int64_t step_once(aloop_task *task, void *frame, void **value) {
    int *phase = frame;
    (void)value;
    if ((*phase)++ == 0) return aloop_suspend(task, aloop_sleep(10));
    ended++;
    return aloop_awaited(task, NULL);
}

static void report_size(const char *what, long before) {
    print_message("%ld %s asleep at once: %ld bytes each\n", (long)count, what,
                  (resident() - before) / (long)count);
}

static int64_t many_fibers(void *unused, void **value) {
    (void)unused;
    (void)value;
    const long before = resident();
    for (int64_t i = 0; i < count; i++) assert_code(aloop_spawn(sleep_once, NULL), 0);
    assert_code(aloop_await(aloop_sleep(5), NULL), 0);
    assert_int_equal(ended, 0);
    report_size("stackful tasks", before);
    assert_code(aloop_await(aloop_sleep(6), NULL), 0);
    assert_int_equal(ended, count);
    return 0;
}

static int64_t many_steps(void *phases, void **value) {
    (void)value;
    const long before = resident();
    for (int64_t i = 0; i < count; i++) {
        aloop_task *task = aloop_create_stackless_task(step_once, (int *)phases + i, NULL);
        assert_non_null(task);
        aloop_unref(task);
    }
    assert_code(aloop_await(aloop_sleep(5), NULL), 0);
    assert_int_equal(ended, 0);
    report_size("step tasks", before);
    assert_code(aloop_await(aloop_sleep(6), NULL), 0);
    assert_int_equal(ended, count);
    return 0;
}

static void test_a_million_step_tasks(void **state) {
    (void)state;
    count = 1000000 / scale;
    ended = 0;
    int *phases = calloc((size_t)count, sizeof *phases);
    assert_non_null(phases);
    assert_code(run_virtual(many_steps, phases, NULL), 0);
    free(phases);
}

static void test_ten_thousand_stackful_tasks(void **state) {
    (void)state;
    count = 10000 / scale;
    ended = 0;
    in_task(many_fibers);
}

/* Guards that are mappings stop at vm.max_map_count; those that are not, do not. */
static void test_a_hundred_thousand_stackful_tasks(void **state) {
    (void)state;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    const bool guards = madvise(page, 4096, MADV_GUARD_INSTALL) == 0;
    munmap(page, 4096);
    if (!guards) {
        print_message("this kernel has no guard regions: 30,000 instead\n");
    }
    count = (guards ? 100000 : 30000) / scale;
    ended = 0;
    in_task(many_fibers);
}

SUITE(CASE(test_ten_thousand_stackful_tasks), CASE(test_a_million_step_tasks),
      CASE(test_a_hundred_thousand_stackful_tasks))
