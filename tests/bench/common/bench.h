// What every C and C++ benchmark program shares: clocks, a random number, resident memory and the
// one way to print a result. A result is one line of JSON on standard output; the peer's name comes
// from the build (-DBENCH_PEER).
//
// SPDX-License-Identifier: MIT
#ifndef BENCH_H
#define BENCH_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// Time all threads of this process spent on a processor: what waiting costs, without the waiting.
static inline uint64_t cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

// The same sequence in every run (xorshift64).
static inline uint64_t random_next(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static inline double resident_bytes(void) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &resident) != 2) abort();
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

// Memory that the compiler may not leave out though nobody reads it.
static inline void keep(const void *memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

// Where two threads talk, each has a processor of its own: the scheduler would at times put both on
// one, which is another measurement. A thread inherits it from the thread that starts it. On a
// machine with one processor nothing happens.
static inline void pin_thread(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

// For a program that measures two ways of using one peer, or two physical limits.
static inline void emit_as(const char *peer, const char *workload, const char *metric, double value,
                           const char *unit) {
    printf(
        "{\"workload\": \"%s\", \"peer\": \"%s\", \"metric\": \"%s\", \"value\": %.6g, \"unit\": "
        "\"%s\"}\n",
        workload, peer, metric, value, unit);
    fflush(stdout);
}

static inline void emit(const char *workload, const char *metric, double value, const char *unit) {
    emit_as(BENCH_PEER, workload, metric, value, unit);
}

// How many operations to measure: the runner names the number, so that --quick is its business
// alone.
static inline size_t count_arg(int argc, char **argv) {
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    if (n == 0) {
        fprintf(stderr, "usage: %s COUNT\n", argv[0]);
        exit(2);
    }
    return n;
}

static inline void *must(void *p) {
    if (!p) {
        perror("benchmark");
        exit(1);
    }
    return p;
}

static inline int must_ok(int result) {
    if (result < 0) {
        perror("benchmark");
        exit(1);
    }
    return result;
}

#endif
