/*
 * operations.h: the operations whose cost is recorded, each as a function that
 * performs it n times in a task of a running loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_COST_OPERATIONS_H
#define TESTS_COST_OPERATIONS_H

#include <asyncloop.h>

struct cost_operation {
    const char *name;
    void (*perform)(int64_t n);
};

/* Lines of n (lines.c). */
void line_condition(int64_t n);
void line_lock(int64_t n);
void line_semaphore(int64_t n);
void line_once(int64_t n);
void line_event(int64_t n);
void line_join(int64_t n);

/* Ends with a NULL name. */
extern const struct cost_operation cost_operations[];

/* Ends the program if code is a failure; the code. */
int64_t must(int64_t code, const char *what);
#define MUST(call) must((call), #call)

/* The clock that the library sees stands still but for this, and for a loop that
 * sleeps until a timer. */
void pass_time(double seconds);

#endif
