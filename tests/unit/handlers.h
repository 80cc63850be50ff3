/* handlers.h: what a program has for a signal before and after the library.
 * SPDX-License-Identifier: MIT */
#ifndef ASYNCLOOP_TESTS_HANDLERS_H
#define ASYNCLOOP_TESTS_HANDLERS_H

#include <signal.h>

#include "support.h"

/* The program's own handler, which was there first. */
static volatile sig_atomic_t earlier_calls;

static inline void earlier(int signum) {
    (void)signum;
    earlier_calls++;
}

/* What the kernel calls now. */
static inline void (*handler_of(int signum))(int) {
    struct sigaction now;
    assert_int_equal(sigaction(signum, NULL, &now), 0);
    return now.sa_handler;
}

#endif
