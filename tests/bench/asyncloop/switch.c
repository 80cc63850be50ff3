// switch: stackless tasks that yield to each other with sleep(0).
//
// SPDX-License-Identifier: MIT
#include "ours.h"

typedef struct {
    ALOOP_CO_FRAME;
    size_t left;
} frame;

static int64_t yielder(aloop_task *task, void *data, void **value) {
    frame *f = data;
    int64_t result = 0;
    (void)value;
    ALOOP_CO_BEGIN(f);
    for (; f->left > 0; f->left--) {
        ALOOP_CO_AWAIT(task, f, aloop_sleep(0), result, NULL);
        must_code(result);
    }
    ALOOP_CO_END(f);
    return 0;
}

static aloop_task *start_yielder(size_t yields) {
    frame *f = must(calloc(1, sizeof *f));
    f->left = yields;
    return aloop_create_stackless_task(yielder, f, free);
}

static size_t tasks, switches;

static int64_t run_all(void *metric, void **value) {
    static aloop_task *all[1000];
    size_t yields = switches / tasks;
    (void)value;
    for (size_t i = 0; i < tasks; i++) all[i] = start_yielder(yields);
    uint64_t start = now_ns();
    for (size_t i = 0; i < tasks; i++) must_code(aloop_await(all[i], NULL));
    emit_as(BENCH_PEER, "switch", metric,
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
