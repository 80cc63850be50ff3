// The three measurements of the process workload: one child at a time, 16 at a time, and one at a
// time from a process with 1 GiB resident, whose page tables a fork would have to copy.
//
// SPDX-License-Identifier: MIT
#ifndef PROCESS_H
#define PROCESS_H

#include "bench.h"

static inline double per_second(size_t n, uint64_t start) {
    return (double)n * 1e9 / (double)(now_ns() - start);
}

static inline void process_emit(size_t n, double (*run)(size_t children, size_t at_a_time)) {
    emit("process", "1 at a time", run(n, 1), "/s");
    emit("process", "16 at a time", run(n, 16), "/s");
    const size_t gib = (size_t)1 << 30;
    char *ballast = (char *)must(malloc(gib));
    memset(ballast, 1, gib);
    keep(ballast);
    emit("process", "with 1 GiB resident", run(1 + n / 20, 1), "/s");
    free(ballast);
}

#endif
