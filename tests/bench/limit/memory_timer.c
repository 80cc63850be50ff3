// The least that an armed timer can hold: deadline, function and argument, in the heap itself.
//
// SPDX-License-Identifier: MIT
#include "../common/bench.h"

typedef struct {
    uint64_t deadline;
    void (*fn)(void *);
    void *data;
} timer;

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    double before = resident_bytes();
    timer *timers = must(malloc(n * sizeof *timers));
    for (size_t i = 0; i < n; i++) timers[i] = (timer){now_ns() + i, free, NULL};
    keep(timers);
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
}
