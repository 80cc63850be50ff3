/*
 * children_test.c: children in numbers, and much through their pipes.
 *
 * None of 2,000 is lost, none stays as a zombie, no descriptor stays open; a
 * start costs the same from a process with a gibibyte of memory (a copy of its
 * page tables would make it many times slower); 100 MB go through cat in both
 * directions at once, and no more than the high-water mark waits on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../unit/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { k_children = 2000, k_at_a_time = 16 };

static const size_t k_much = 100 * 1000 * 1000;
static const size_t k_gibibyte = (size_t)1 << 30;

static void on_real_clock(aloop_coro_fn fn) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, fn, NULL), 0);
    close_loop(loop);
}

static aloop_process *start(const char *command, const aloop_process_options *options) {
    aloop_process *p = NULL;
    assert_code(aloop_await(aloop_create_subprocess_shell(command, options), (void **)&p), 0);
    return p;
}

/* All children were reaped: the kernel knows of none. */
static void assert_no_child_left(void) {
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

/* Numbers ---------------------------------------------------------------------------------- */

static int left;

/* Starts one after another until none is left to start. */
static int64_t worker(void *unused, void **value) {
    (void)unused;
    (void)value;
    while (left > 0) {
        const int number = left--;
        char command[32];
        snprintf(command, sizeof command, "exit %d", number % 256);
        aloop_process *p = start(command, NULL);
        assert_code(aloop_await(aloop_process_wait(p), NULL), (int64_t)(number % 256));
        aloop_unref(p);
    }
    return 0;
}

static int64_t all_of_them(void *workers, void **value) {
    (void)value;
    const int before = open_descriptors();
    const int64_t n = *(const int *)workers;
    aloop_future *list[k_at_a_time];
    left = k_children;
    for (int64_t i = 0; i < n; i++) list[i] = aloop_create_task(worker, NULL);
    assert_code(aloop_await(aloop_gather(list, n, 0), NULL), n);
    assert_int_equal(left, 0);
    assert_int_equal(open_descriptors(), before);
    assert_no_child_left();
    return 0;
}

static void run_workers(int n) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, all_of_them, &n), 0);
    close_loop(loop);
}

static void two_thousand_one_after_another(void **state) {
    (void)state;
    run_workers(1);
}

static void two_thousand_sixteen_at_a_time(void **state) {
    (void)state;
    run_workers(k_at_a_time);
}

/* A large parent ----------------------------------------------------------------------------- */

/* Of this thread, in seconds: a copy of the page tables would be made in it, and
 * what else the machine does is left out. */
static double cpu_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of 51 starts. */
static double start_time(const aloop_process_options *options) {
    enum { k_starts = 51 };
    double took[k_starts];
    const char *const argv[] = {"/bin/true", NULL};
    for (int i = 0; i < k_starts; i++) {
        aloop_process *p = NULL;
        const double began = cpu_time();
        assert_code(aloop_await(aloop_create_subprocess_exec(argv, options), (void **)&p), 0);
        took[i] = cpu_time() - began;
        assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
        aloop_unref(p);
    }
    qsort(took, k_starts, sizeof took[0], ascending);
    return took[k_starts / 2];
}

/* What posix_spawn cannot do, so that the library starts the child itself. */
static aloop_process_options *own_start(void) {
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_user(o, getuid()), 0);
    assert_code(aloop_process_options_set_umask(o, 027), 0);
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_CORE, 0, 0), 0);
    return o;
}

static int64_t small_and_large(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *const options[] = {NULL, own_start()};
    double small[2];
    for (int i = 0; i < 2; i++) small[i] = start_time(options[i]);
    uint8_t *memory = mmap(NULL, k_gibibyte, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, k_gibibyte, MADV_NOHUGEPAGE); /* as many page tables as there can be */
    for (size_t i = 0; i < k_gibibyte; i += 4096) memory[i] = 1;
    for (int i = 0; i < 2; i++) {
        const double large = start_time(options[i]);
        print_message("a start%s: %.0f us of CPU; with 1 GiB resident: %.0f us\n",
                      i == 1 ? " with ids and limits" : "", small[i] * 1e6, large * 1e6);
        /* fork() takes 15 to 30 times as long then; the margin is the machine's noise. */
        assert_true(large < 4 * small[i]);
    }
    munmap(memory, k_gibibyte);
    aloop_unref(options[1]);
    return 0;
}

static void a_large_parent_starts_as_fast(void **state) {
    (void)state;
    on_real_clock(small_and_large);
}

/* 100 MB both ways ---------------------------------------------------------------------------- */

static size_t most_waiting;

/* Looks in each iteration how much waits to be written. */
static int64_t look(void *process, void **value) {
    (void)value;
    for (int64_t status = 0; status >= 0;) {
        const int64_t waiting = aloop_stream_get_write_buffer_size(aloop_process_stdin(process));
        if (waiting > 0 && (size_t)waiting > most_waiting) most_waiting = (size_t)waiting;
        status = aloop_await(aloop_sleep(0), NULL);
    }
    return ALOOP_ECANCELED;
}

static int64_t through_cat(void *unused, void **value) {
    (void)unused;
    (void)value;
    uint32_t *data = malloc(k_much);
    for (size_t i = 0; i < k_much / 4; i++) data[i] = (uint32_t)(i * 2654435761u);
    aloop_process_options *options = aloop_process_options_new();
    aloop_process_options_set_stdin(options, ALOOP_PIPE);
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *cat = start("exec cat", options);
    aloop_unref(options);

    aloop_task *watcher = aloop_create_task(look, cat);
    aloop_results *outputs = NULL;
    assert_code(aloop_await(aloop_process_communicate(cat, data, k_much), (void **)&outputs), 0);
    aloop_task_cancel(watcher, NULL);
    assert_code(aloop_await(watcher, NULL), ALOOP_ECANCELED);

    const aloop_bytes *back = aloop_results_value(outputs, 0);
    assert_int_equal(aloop_bytes_size(back), k_much);
    assert_true(memcmp(aloop_bytes_data(back), data, k_much) == 0);
    print_message("at most %zu bytes waited to be written\n", most_waiting);
    assert_true(most_waiting > 0);
    assert_true(most_waiting <= 65536 + 65536); /* the high-water mark and one portion */
    aloop_unref(outputs);
    aloop_unref(cat);
    free(data);
    return 0;
}

static void a_hundred_megabytes_through_cat(void **state) {
    (void)state;
    on_real_clock(through_cat);
}

SUITE(CASE(two_thousand_one_after_another), CASE(two_thousand_sixteen_at_a_time),
      CASE(a_large_parent_starts_as_fast), CASE(a_hundred_megabytes_through_cat))
