/*
 * Prints what compiled it, then performs each operation 2,000 and 6,000 times and
 * prints how many blocks the second run took from the allocator beyond the first.
 * Under callgrind it also has the instructions of both runs written, so that what
 * is done once drops out of the difference. Arguments: the operations wanted; all
 * of them without.
 *
 * The clock stands still and the kernel's timer goes off at once, so that how often
 * the loop looks at the kernel does not depend on how fast the machine is: the
 * library's calls of the C library end here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "operations.h"

enum { k_few = 2000, k_more = 6000 };

int64_t must(int64_t code, const char *what) {
    if (code >= 0) return code;
    fprintf(stderr, "%s: %s\n", what, aloop_strerror(code));
    exit(1);
}

/* Time ---------------------------------------------------------------------------------- */

static int64_t now = 1000000000;

void pass_time(double seconds) { now += (int64_t)(seconds * 1e9); }

int clock_gettime(clockid_t id, struct timespec *to) {
    (void)id;
    to->tv_sec = now / 1000000000;
    to->tv_nsec = now % 1000000000;
    return 0;
}

/* The loop arms its timer right before it sleeps until then. */
int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old) {
    const struct itimerspec at_once = {.it_value = {0, 1}};
    (void)flags;
    const int64_t deadline = to->it_value.tv_sec * 1000000000 + to->it_value.tv_nsec;
    if (now < deadline) now = deadline;
    return (int)syscall(SYS_timerfd_settime, fd, 0, &at_once, old);
}

/* Memory -------------------------------------------------------------------------------- */

static int64_t allocations;

static void *counting_malloc(size_t size) {
    allocations++;
    return malloc(size);
}

static void *counting_realloc(void *block, size_t size) {
    allocations++;
    return realloc(block, size);
}

/* Running ------------------------------------------------------------------------------- */

struct run {
    const struct cost_operation *operation;
    int64_t n;
};

static int64_t perform(void *data, void **value) {
    const struct run *run = data;
    (void)value;
    run->operation->perform(run->n);
    return 0;
}

/* How many allocations it took. */
static int64_t run_times(aloop_loop *loop, const struct cost_operation *operation, int64_t n) {
    struct run run = {operation, n};
    const int64_t before = allocations;
    aloop_task *task = aloop_loop_create_task(loop, perform, &run);
    MUST(aloop_loop_run_until_complete(loop, task, NULL));
    return allocations - before;
}

static void measure(const struct cost_operation *operation) {
    char part[64];
    aloop_loop *loop = NULL;
    MUST(aloop_loop_new(&loop, NULL));
    run_times(loop, operation, k_more); /* everything has its memory from now on */
    CALLGRIND_ZERO_STATS;
    const int64_t few = run_times(loop, operation, k_few);
    snprintf(part, sizeof part, "%s few", operation->name);
    CALLGRIND_DUMP_STATS_AT(part);
    const int64_t more = run_times(loop, operation, k_more);
    snprintf(part, sizeof part, "%s more", operation->name);
    CALLGRIND_DUMP_STATS_AT(part);
    MUST(aloop_loop_close(loop));
    aloop_loop_unref(loop);
    printf("%s %d %.3f\n", operation->name, k_more - k_few,
           (double)(more - few) / (k_more - k_few));
}

static void print_compiler(void) {
#if defined(__clang__)
    const char *name = "clang", *version = __clang_version__;
#else
    const char *name = "gcc", *version = __VERSION__;
#endif
#if defined(__x86_64__)
    const char *processor = "x86_64";
#else
    const char *processor = "other";
#endif
    printf("compiler %s %d %s\n", name, atoi(version), processor);
}

static int is_wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) return 1;
    }
    return argc == 1;
}

int main(int argc, char **argv) {
    MUST(aloop_set_allocator(counting_malloc, counting_realloc, free));
    print_compiler();
    for (const struct cost_operation *o = cost_operations; o->name != NULL; o++) {
        if (is_wanted(o->name, argc, argv)) measure(o);
    }
}
