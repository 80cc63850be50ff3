// switch: fibers that yield to each other with sleep(0).
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static int64_t yielder(void *yields, void **value) {
    (void)value;
    for (size_t i = *(size_t *)yields; i > 0; i--) must_code(aloop_await(aloop_sleep(0), NULL));
    return 0;
}

static size_t tasks, switches;

static int64_t run_all(void *metric, void **value) {
    static aloop_task *all[1000];
    size_t yields = switches / tasks;
    (void)value;
    for (size_t i = 0; i < tasks; i++) all[i] = aloop_create_task(yielder, &yields);
    uint64_t start = now_ns();
    for (size_t i = 0; i < tasks; i++) must_code(aloop_await(all[i], NULL));
    emit_as(BENCH_PEER "-fiber", "switch", metric,
            (double)(now_ns() - start) / (double)(yields * tasks), "ns");
    return 0;
}

int main(int argc, char **argv) {
    switches = count_arg(argc, argv);
    tasks = 2;
    must_code(aloop_run(run_all, "2 tasks", NULL));
    tasks = 1000;
    must_code(aloop_run(run_all, "1000 tasks", NULL));
}
