// thread: round trips to a pool of four threads, by as many fibers as jobs are in flight.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static aloop_executor *pool;
static size_t left;

static int64_t job(void *arg, void **value) {
    (void)arg, (void)value;
    return 0;
}

static int64_t submit(void *loop, void **value) {
    (void)value;
    while (left > 0) {
        left--;  // before the await, during which the other fibers look at it
        must_code(aloop_await(aloop_run_in_executor(loop, pool, job, NULL, NULL), NULL));
    }
    return 0;
}

static double run(size_t trips, size_t in_flight) {
    aloop_task *tasks[64];
    aloop_loop *loop = aloop_get_running_loop();
    left = trips;
    uint64_t start = now_ns();
    for (size_t i = 0; i < in_flight; i++) tasks[i] = aloop_create_task(submit, loop);
    for (size_t i = 0; i < in_flight; i++) must_code(aloop_await(tasks[i], NULL));
    return (double)(now_ns() - start) / (double)trips;
}

static int64_t run_all(void *count, void **value) {
    size_t n = *(size_t *)count;
    (void)value;
    pin_thread(1);  // the pool has one processor, the loop the other
    pool = must(aloop_executor_new_threads(4));
    run(100, 4);  // starts the threads
    pin_thread(0);
    emit("thread", "1 in flight", run(n, 1), "ns");
    emit("thread", "64 in flight", run(10 * n, 64), "ns");
    must_code(aloop_await(aloop_executor_shutdown(pool, -1), NULL));
    aloop_unref(pool);
    return 0;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    must_code(aloop_run(run_all, &n, NULL));
}
