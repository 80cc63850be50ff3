// What our programs share: a loop, and the end of a program whose call failed.
//
// SPDX-License-Identifier: MIT
#ifndef OURS_H
#define OURS_H

#include <asyncloop.h>

#include "../common/bench.h"

static inline int64_t must_code(int64_t code) {
    if (code < 0) {
        fprintf(stderr, "benchmark: %s\n", aloop_strerror(code));
        exit(1);
    }
    return code;
}

static inline aloop_loop *new_loop(void) {
    aloop_loop *loop = NULL;
    must_code(aloop_loop_new(&loop, NULL));
    return loop;
}

static inline void close_loop(aloop_loop *loop) {
    must_code(aloop_loop_close(loop));
    aloop_loop_unref(loop);
}

#endif
