/*
 * generators.h: what the tests of async generators share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_GENERATORS_H
#define TESTS_UNIT_GENERATORS_H

#include <string.h>

#include "support.h"

#define E_MINE (ALOOP_EUSER - 1)
#define E_OTHER (ALOOP_EUSER - 2)

static inline int64_t next(aloop_generator *g, intptr_t *value) {
    void *v = NULL;
    const int64_t rc = aloop_await(aloop_generator_next(g), &v);
    if (rc >= 0) *value = (intptr_t)v;
    return rc;
}

#define assert_next(g, expected)                \
    do {                                        \
        intptr_t got_ = -1;                     \
        assert_code(next((g), &got_), 0);       \
        assert_int_equal(got_, (expected));     \
    } while (0)
#define assert_end(g)                                          \
    do {                                                       \
        intptr_t got_ = -1;                                    \
        assert_code(next((g), &got_), ALOOP_ESTOPITERATION);   \
    } while (0)

static inline char *copy_of(const char *text) {
    char *copy = strdup(text);
    assert_non_null(copy);
    return copy;
}

/* 1, 2, 3; a second apart where arg says so. */
static inline int64_t count_to_three(void *delay) {
    for (intptr_t i = 1; i <= 3; i++) {
        int64_t rc = 0;
        if (delay != NULL) rc = aloop_await(aloop_sleep(*(double *)delay), NULL);
        if (rc >= 0) rc = aloop_yield((void *)i);
        if (rc < 0) return rc;
    }
    return 0;
}

/* A body that cleans up, and the traces of that. */
struct cleanup {
    int begun, done;
    int64_t status; /* to end with: 0 passes on what was thrown */
    bool yields;
};

static inline int64_t cleans_up(void *data) {
    struct cleanup *c = data;
    int64_t rc = aloop_yield((void *)1);
    if (rc >= 0) return rc;
    c->begun++;
    const int64_t slept = aloop_await(aloop_sleep(1.0), NULL);
    if (slept < 0) return slept;
    c->done++;
    if (c->yields) aloop_yield_result(0, copy_of("ignored"), free, NULL);
    if (c->status == E_MINE) return aloop_raise(E_MINE, "broken cleanup");
    return c->status < 0 ? c->status : rc;
}

#endif
