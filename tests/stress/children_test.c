/*
 * children_test.c: children in numbers, and much through their pipes.
 *
 * None of 2,000 is lost, none stays as a zombie, no descriptor stays open; a
 * start from a process with much memory copies none of its page tables; 100 MB
 * go through cat in both directions at once, and no more than the high-water
 * mark waits on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../unit/support.h"

#include <errno.h>
#include <limits.h>
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
static const size_t k_large = (size_t)256 << 20;
static const size_t k_page = 4096;

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

/* Of this thread, in microseconds; for the reader alone. */
static double cpu_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static long minor_faults(void) {
    struct rusage r;
    assert_int_equal(getrusage(RUSAGE_THREAD, &r), 0);
    return r.ru_minflt;
}

/* Starts a child and waits for its end; how long the start kept this thread busy. */
static double start_true(const aloop_process_options *options) {
    const char *const argv[] = {"/bin/true", NULL};
    aloop_process *p = NULL;
    const double began = cpu_time();
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, options), (void **)&p), 0);
    const double took = cpu_time() - began;
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_unref(p);
    return took;
}

/* Writes to every page; how many of these writes the kernel had to see to. */
static long touch(volatile uint8_t *memory) {
    const long before = minor_faults();
    for (size_t i = 0; i < k_large; i += k_page) memory[i]++;
    return minor_faults() - before;
}

/* What posix_spawn cannot do, so that the library starts the child itself. */
static aloop_process_options *own_start(void) {
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_user(o, getuid()), 0);
    assert_code(aloop_process_options_set_umask(o, 027), 0);
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_CORE, 0, 0), 0);
    return o;
}

/* What the count sees of a start that does copy them: every page is write-protected
 * afterwards, in both processes, until the next write to it. */
static long faults_after_fork(volatile uint8_t *memory) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return touch(memory);
}

static long faults_after_start(const aloop_process_options *options, volatile uint8_t *memory) {
    long least = LONG_MAX;
    for (int i = 0; i < 5; i++) { /* now and then the kernel itself moves pages about */
        const double took = start_true(options);
        const long faults = touch(memory);
        print_message("with %zu MiB resident: %.0f us of CPU, then %ld faults\n", k_large >> 20,
                      took, faults);
        if (faults < least) least = faults;
    }
    return least;
}

static int64_t small_and_large(void *unused, void **value) {
    (void)unused;
    (void)value;
    const long pages = (long)(k_large / k_page);
    aloop_process_options *const options[] = {NULL, own_start()};
    for (int i = 0; i < 2; i++) print_message("a start: %.0f us of CPU\n", start_true(options[i]));
    uint8_t *memory = mmap(NULL, k_large, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise(memory, k_large, MADV_NOHUGEPAGE); /* so that each page can fault by itself */
    touch(memory);
    assert_true(faults_after_fork(memory) >= pages);
    for (int i = 0; i < 2; i++) assert_true(faults_after_start(options[i], memory) < pages / 10);
    munmap(memory, k_large);
    aloop_unref(options[1]);
    return 0;
}

static void a_large_parent_copies_no_page_tables(void **state) {
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
      CASE(a_large_parent_copies_no_page_tables), CASE(a_hundred_megabytes_through_cat))
