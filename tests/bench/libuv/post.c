// Posting into a libuv loop: a queue under a mutex, and uv_async_send, which coalesces.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/bench.h"
#include "../common/inbox.h"

static uv_loop_t *loop;
static uv_async_t async;
static inbox posted;
static size_t count, done;

static void work(void) { done++; }

static void drain(uv_async_t *handle) {
    inbox_run(&posted);
    if (done == count) uv_close((uv_handle_t *)handle, NULL);
}

static void post_all(void *nodes) {
    pin_thread(1);
    for (size_t i = 0; i < count; i++)
        if (inbox_push(&posted, (inbox_node *)nodes + i, work)) uv_async_send(&async);
}

static double flood(size_t n) {
    uv_thread_t thread;
    inbox_node *nodes = inbox_nodes(n);
    count = n;
    uv_async_init(loop, &async, drain);
    uint64_t start = now_ns();
    uv_thread_create(&thread, post_all, nodes);
    uv_run(loop, UV_RUN_DEFAULT);
    double ns = (double)(now_ns() - start) / (double)n;
    uv_thread_join(&thread);
    free(nodes);
    return ns;
}

// --- wake-up: two loops in two threads, each asleep while the other answers ---

static uv_loop_t other_loop;
static uv_async_t here, there;
static size_t trips;

static void answer(uv_async_t *handle) {
    uv_async_send(&here);
    if (--trips == 0) uv_close((uv_handle_t *)handle, NULL);
}

static void ask(uv_async_t *handle) {
    if (trips > 0)
        uv_async_send(&there);
    else
        uv_close((uv_handle_t *)handle, NULL);
}

static void run_other(void *unused) {
    (void)unused;
    pin_thread(1);
    uv_run(&other_loop, UV_RUN_DEFAULT);
}

static double round_trip(size_t n) {
    uv_thread_t thread;
    trips = n;
    uv_loop_init(&other_loop);
    uv_async_init(&other_loop, &there, answer);
    uv_async_init(loop, &here, ask);
    uv_thread_create(&thread, run_other, NULL);
    uint64_t start = now_ns();
    uv_async_send(&there);
    uv_run(loop, UV_RUN_DEFAULT);
    double ns = (double)(now_ns() - start) / (double)n;
    uv_thread_join(&thread);
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    loop = uv_default_loop();
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
}
