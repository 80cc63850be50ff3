// process: create_subprocess_exec and wait, by as many fibers as children run at a time.
//
// SPDX-License-Identifier: MIT
#include "../common/process.h"

#include "ours.h"

static size_t left, workers;

static int64_t start_and_wait(void *unused, void **value) {
    const char *args[] = {"/bin/true", NULL};
    (void)unused, (void)value;
    while (left > 0) {
        void *child = NULL;
        left--;
        must_code(aloop_await(aloop_create_subprocess_exec(args, NULL), &child));
        must_code(aloop_await(aloop_process_wait(child), NULL));
        aloop_unref(child);
    }
    return 0;
}

static int64_t run_all(void *unused, void **value) {
    aloop_task *tasks[16];
    (void)unused, (void)value;
    for (size_t i = 0; i < workers; i++) tasks[i] = aloop_create_task(start_and_wait, NULL);
    for (size_t i = 0; i < workers; i++) must_code(aloop_await(tasks[i], NULL));
    return 0;
}

static double run(size_t children, size_t at_a_time) {
    left = children;
    workers = at_a_time;
    uint64_t start = now_ns();
    must_code(aloop_run(run_all, NULL, NULL));
    return per_second(children, start);
}

int main(int argc, char **argv) { process_emit(count_arg(argc, argv), run); }
