/*
 * scenarios.h: the programs whose allocations fail; see allocation_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_SCENARIOS_H
#define TESTS_FAULT_SCENARIOS_H

#include <asyncloop.h>

/* main is the main coroutine of a program, and may end with ALOOP_ENOMEM or what
 * follows from it. */
struct scenario {
    const char *name;
    aloop_coro_fn main;
};

/* Of locks, queues and channels; ends with a NULL name. */
extern const struct scenario sync_scenarios[];
/* Of datagrams, plain sockets, files and lookups; the same. */
extern const struct scenario io_scenarios[];

#endif
