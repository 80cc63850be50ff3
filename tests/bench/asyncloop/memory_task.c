// memory: a stackless task that sleeps.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static int64_t sleeper(aloop_task *task, void *frame, void **value) {
    (void)frame, (void)value;
    return aloop_suspend(task, aloop_sleep(3600));
}

static int64_t run_all(void *count, void **value) {
    size_t n = *(size_t *)count;
    (void)value;
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++) {
        aloop_unref(must(aloop_create_stackless_task(sleeper, NULL, NULL)));
    }
    must_code(aloop_await(aloop_sleep(0), NULL));  // lets each run to its sleep
    emit_as(BENCH_PEER, "memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
    _exit(0);  // cancelling them all is not measured
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    must_code(aloop_run(run_all, &n, NULL));
}
