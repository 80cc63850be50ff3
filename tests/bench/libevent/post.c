// Posting into a libevent loop: a queue under a mutex, and event_active from the other thread, on a
// base with locks.
//
// SPDX-License-Identifier: MIT
#include <event2/event.h>
#include <event2/thread.h>

#include "../common/inbox.h"

static struct event_base *base;
static struct event *wake;
static inbox posted;
static size_t count, done;

static void work(void) { done++; }

static void drain(evutil_socket_t fd, short what, void *data) {
    (void)fd, (void)what, (void)data;
    inbox_run(&posted);
    if (done == count) event_base_loopbreak(base);
}

static void *post_all(void *nodes) {
    pin_thread(1);
    for (size_t i = 0; i < count; i++)
        if (inbox_push(&posted, (inbox_node *)nodes + i, work)) event_active(wake, EV_READ, 0);
    return NULL;
}

static double flood(size_t n) {
    pthread_t thread;
    inbox_node *nodes = inbox_nodes(n);
    count = n;
    base = must(event_base_new());
    wake = must(event_new(base, -1, EV_PERSIST, drain, NULL));
    uint64_t start = now_ns();
    pthread_create(&thread, NULL, post_all, nodes);
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    free(nodes);
    return ns;
}

// --- wake-up: two loops in two threads, each asleep while the other answers ---

static struct event_base *bases[2];
static struct event *wakes[2];
static size_t trips;

static void answer(evutil_socket_t fd, short what, void *data) {
    (void)fd, (void)what, (void)data;
    int last = --trips == 0;
    event_active(wakes[0], EV_READ, 0);
    if (last) event_base_loopbreak(bases[1]);
}

static void ask(evutil_socket_t fd, short what, void *data) {
    (void)fd, (void)what, (void)data;
    if (trips > 0)
        event_active(wakes[1], EV_READ, 0);
    else
        event_base_loopbreak(bases[0]);
}

static void *run_other(void *unused) {
    pin_thread(1);
    event_base_loop(bases[1], EVLOOP_NO_EXIT_ON_EMPTY);
    return unused;
}

static double round_trip(size_t n) {
    pthread_t thread;
    trips = n;
    for (int i = 0; i < 2; i++) {
        bases[i] = must(event_base_new());
        wakes[i] = must(event_new(bases[i], -1, EV_PERSIST, i == 0 ? ask : answer, NULL));
    }
    pthread_create(&thread, NULL, run_other, NULL);
    uint64_t start = now_ns();
    event_active(wakes[1], EV_READ, 0);
    event_base_loop(bases[0], EVLOOP_NO_EXIT_ON_EMPTY);
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    evthread_use_pthreads();
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
}
