// Round trips to libuv's pool of four threads.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/bench.h"

static uv_loop_t *loop;
static size_t to_submit;

static void work(uv_work_t *job) { (void)job; }

static void back(uv_work_t *job, int status) {
    if (status != 0) abort();
    if (to_submit == 0) return;
    to_submit--;
    uv_queue_work(loop, job, work, back);
}

static double run(size_t trips, size_t in_flight) {
    uv_work_t jobs[64];
    to_submit = trips - in_flight;
    uint64_t start = now_ns();
    for (size_t i = 0; i < in_flight; i++) uv_queue_work(loop, &jobs[i], work, back);
    uv_run(loop, UV_RUN_DEFAULT);
    return (double)(now_ns() - start) / (double)trips;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    loop = uv_default_loop();
    pin_thread(1);  // the pool has one processor, the loop the other
    run(100, 4);    // starts the threads
    pin_thread(0);
    emit("thread", "1 in flight", run(n, 1), "ns");
    emit("thread", "64 in flight", run(10 * n, 64), "ns");
}
