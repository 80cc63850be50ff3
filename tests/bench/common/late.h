// The precision of a timer: how long after it was armed a timer of 1.3 ms fires. 1.3 ms, because a
// loop that rounds to milliseconds cannot hide there.
//
// SPDX-License-Identifier: MIT
#ifndef LATE_H
#define LATE_H

#include "bench.h"

static const double k_late_s = 0.0013;

typedef struct {
    double *elapsed_ms;
    size_t n, max;
    uint64_t armed;
} late;

static inline late late_new(size_t max) {
    late l = {(double *)must(calloc(max, sizeof(double))), 0, max, 0};
    return l;
}

static inline void late_arm(late *l) { l->armed = now_ns(); }

// Called as the first thing when the timer fired; true when another sample is wanted.
static inline int late_fired(late *l) {
    l->elapsed_ms[l->n++] = (double)(now_ns() - l->armed) / 1e6;
    return l->n < l->max;
}

static inline int late_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void late_emit(late *l, const char *peer) {
    qsort(l->elapsed_ms, l->n, sizeof(double), late_compare);
    emit_as(peer, "timer", "1.3 ms, earliest", l->elapsed_ms[0], "ms");
    emit_as(peer, "timer", "1.3 ms, p50", l->elapsed_ms[l->n / 2], "ms");
    emit_as(peer, "timer", "1.3 ms, p99", l->elapsed_ms[l->n * 99 / 100], "ms");
    free(l->elapsed_ms);
}

#endif
