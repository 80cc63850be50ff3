/*
 * own_clock.h: a clock in the test's own hands. Once it is stopped, time passes for the
 * library, and for nobody else, by what the test lets pass: a callback can be slow, or a
 * bucket fill up, by exactly so much on any machine.
 *
 * It takes the place of the C library's clock_gettime: for one file of a program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_OWN_CLOCK_H
#define TESTS_UNIT_OWN_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t own_time; /* ns; 0: the kernel's clock goes */

int clock_gettime(clockid_t id, struct timespec *to) {
    const int64_t time = own_time;
    if (time == 0) return (int)syscall(SYS_clock_gettime, id, to);
    to->tv_sec = time / 1000000000;
    to->tv_nsec = time % 1000000000;
    return 0;
}

/* At what it shows. */
static inline void stop_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    own_time = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline void pass_time(double seconds) { own_time += (int64_t)(seconds * 1e9); }

static inline void let_clock_go(void) { own_time = 0; }

#endif
