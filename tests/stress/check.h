/*
 * check.h: what the stress programs stand on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_STRESS_CHECK_H
#define TESTS_STRESS_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define check(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* The next number of a row that its first one decides. */
static inline unsigned roll(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

#endif
