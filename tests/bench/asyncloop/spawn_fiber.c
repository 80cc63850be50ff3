// spawn: fibers that end at once, a thousand at a time, each awaited.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

enum { k_batch = 1000 };

static int64_t no_op(void *arg, void **value) {
    (void)arg, (void)value;
    return 0;
}

static int64_t spawn_all(void *count, void **value) {
    static aloop_task *tasks[k_batch];
    size_t n = *(size_t *)count;
    (void)value;
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += k_batch) {
        for (int i = 0; i < k_batch; i++) tasks[i] = aloop_create_task(no_op, NULL);
        for (int i = 0; i < k_batch; i++) must_code(aloop_await(tasks[i], NULL));
    }
    emit_as(BENCH_PEER "-fiber", "spawn", "spawn + join",
            (double)(now_ns() - start) / (double)n, "ns");
    return 0;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    must_code(aloop_run(spawn_all, &n, NULL));
}
