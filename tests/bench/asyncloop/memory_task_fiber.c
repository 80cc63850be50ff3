// memory: a fiber that sleeps.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static int64_t sleeper(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_sleep(3600), NULL);
}

static int64_t run_all(void *count, void **value) {
    size_t n = *(size_t *)count;
    (void)value;
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++) must_code(aloop_spawn(sleeper, NULL));
    must_code(aloop_await(aloop_sleep(0), NULL));  // lets each run to its sleep
    emit_as(BENCH_PEER "-fiber", "memory", "sleeping task",
            (resident_bytes() - before) / (double)n, "B");
    _exit(0);  // cancelling them all is not measured
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    must_code(aloop_run(run_all, &n, NULL));
}
