// Posting into a libev loop: a queue under a mutex, and ev_async_send, which coalesces.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/inbox.h"

static struct ev_loop *loop;
static ev_async async;
static inbox posted;
static size_t count, done;

static void work(void) { done++; }

static void drain(struct ev_loop *l, ev_async *watcher, int what) {
    (void)what;
    inbox_run(&posted);
    if (done == count) ev_async_stop(l, watcher);
}

static void *post_all(void *nodes) {
    pin_thread(1);
    for (size_t i = 0; i < count; i++)
        if (inbox_push(&posted, (inbox_node *)nodes + i, work)) ev_async_send(loop, &async);
    return NULL;
}

static double flood(size_t n) {
    pthread_t thread;
    inbox_node *nodes = inbox_nodes(n);
    count = n;
    ev_async_init(&async, drain);
    ev_async_start(loop, &async);
    uint64_t start = now_ns();
    pthread_create(&thread, NULL, post_all, nodes);
    ev_run(loop, 0);
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    free(nodes);
    return ns;
}

// --- wake-up: two loops in two threads, each asleep while the other answers ---

static struct ev_loop *other_loop;
static ev_async here, there;
static size_t trips;

static void answer(struct ev_loop *l, ev_async *watcher, int what) {
    (void)what;
    int last = --trips == 0;
    ev_async_send(loop, &here);
    if (last) ev_async_stop(l, watcher);
}

static void ask(struct ev_loop *l, ev_async *watcher, int what) {
    (void)what;
    if (trips > 0)
        ev_async_send(other_loop, &there);
    else
        ev_async_stop(l, watcher);
}

static void *run_other(void *unused) {
    pin_thread(1);
    ev_run(other_loop, 0);
    return unused;
}

static double round_trip(size_t n) {
    pthread_t thread;
    trips = n;
    other_loop = must(ev_loop_new(EVFLAG_AUTO));
    ev_async_init(&there, answer);
    ev_async_init(&here, ask);
    ev_async_start(other_loop, &there);
    ev_async_start(loop, &here);
    pthread_create(&thread, NULL, run_other, NULL);
    uint64_t start = now_ns();
    ev_async_send(other_loop, &there);
    ev_run(loop, 0);
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    loop = EV_DEFAULT;
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
}
