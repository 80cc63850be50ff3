// The least that posting from a thread can cost: a lock-free stack that the other side empties with
// one exchange, and for waking a sleeper an eventfd that epoll watches edge-triggered, so that
// nobody has to read it.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "../common/bench.h"

typedef struct node node;
struct node {
    node *next;
    void (*fn)(void);
};

static _Atomic(node *) inbox;
static size_t count, done;

static void work(void) { done++; }

// A running loop has other work, here 2 µs, and looks at its inbox now and then: to look all the
// time would slow down the poster, whose cache line it is too.
static void other_work(void) {
    for (uint64_t end = now_ns() + 2000; now_ns() < end;) {
    }
}

static void *poster(void *nodes) {
    pin_thread(1);
    for (node *n = nodes, *end = n + count; n < end; n++) {
        n->fn = work;
        n->next = atomic_load_explicit(&inbox, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&inbox, &n->next, n, memory_order_release,
                                                      memory_order_relaxed)) {
        }
    }
    return NULL;
}

static double flood(size_t n) {
    pthread_t thread;
    count = n;
    node *nodes = must(calloc(n, sizeof *nodes));
    memset(nodes, 1, n * sizeof *nodes);  // its pages are there before the clock runs
    uint64_t start = now_ns();
    pthread_create(&thread, NULL, poster, nodes);
    while (done < n) {
        node *all = atomic_exchange_explicit(&inbox, NULL, memory_order_acquire), *in_order = NULL;
        while (all) {
            node *next = all->next;
            all->next = in_order;
            in_order = all;
            all = next;
        }
        for (; in_order; in_order = in_order->next) in_order->fn();
        other_work();
    }
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    free(nodes);
    return ns;
}

// --- wake-up: two threads, each asleep while the other answers ---

typedef struct {
    int event_fd, epoll_fd;
} sleeper;

static sleeper sleepers[2];

static void sleeper_init(sleeper *s) {
    struct epoll_event in = {.events = EPOLLIN | EPOLLET};
    s->event_fd = must_ok(eventfd(0, EFD_NONBLOCK));
    s->epoll_fd = must_ok(epoll_create1(0));
    must_ok(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->event_fd, &in));
}

static void wait_for_wake(sleeper *s) {
    struct epoll_event ready;
    while (epoll_wait(s->epoll_fd, &ready, 1, -1) != 1) {
    }
}

static void wake(sleeper *s) { must_ok((int)write(s->event_fd, &(uint64_t){1}, 8)); }

static void *answer(void *unused) {
    pin_thread(1);
    for (size_t i = 0; i < count; i++) {
        wait_for_wake(&sleepers[1]);
        wake(&sleepers[0]);
    }
    return unused;
}

static double round_trip(size_t n) {
    pthread_t thread;
    count = n;
    sleeper_init(&sleepers[0]);
    sleeper_init(&sleepers[1]);
    pthread_create(&thread, NULL, answer, NULL);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        wake(&sleepers[1]);
        wait_for_wake(&sleepers[0]);
    }
    double ns = (double)(now_ns() - start) / (double)n;
    pthread_join(thread, NULL);
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
}
