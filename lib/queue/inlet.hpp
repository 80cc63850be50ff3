// inlet.hpp: an end of a queue for other threads to put into.
//
// Threads put into a store under a mutex and wait on a condition variable while
// it is full. The loop's side is posted when something comes, once for however
// much comes until it runs; it takes the whole store over in one exchange, and
// puts the items into the queue as long as that has room. Where it has none, it
// stands in line with the queue's other putters, on a future that is used again
// and again, so that after the making only the queue itself needs memory. An
// item counts against the capacity until the queue has it.
//
// Two parts: the handle, whose last reference closes the inlet, and the core,
// which the handle, the loop (a resource of its, while the inlet is open) and a
// post under way hold.
//
// Invariant: is_posted while something has arrived and the loop is to look.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include "queue.hpp"

namespace aloop {

struct inlet_core final : resource, posted {
    std::atomic<int32_t> holders{1};
    loop *home;  // a reference
    queue *to;   // a reference
    int64_t capacity;
    uint32_t forks;

    // Under the mutex.
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed;
    item_store arrived;
    int64_t held = 0;     // what the queue does not have yet
    int64_t threads = 0;  // that wait for room
    int64_t refusal = 0;  // why nothing more is taken
    bool is_posted = false;

    // The loop's thread alone.
    struct bell_node : node {
        inlet_core *of;
    };
    item_store taken;     // out of `arrived`, in order
    waiter place;         // in the line of the queue's putters
    future *turn;         // what `place` waits for; a reference
    bell_node bell;       // stands on `turn`, or in the ready queue
    enum : uint8_t { idle, in_line, scheduled } state = idle;  // of the bell
    bool attached = true;  // the loop holds it

    inlet_core(loop *l, queue *q, int64_t n, future *f);
    ~inlet_core();
    // In a forked child, where the mutex may be held by a thread that is not there.
    bool forked() const { return forks != fork_generation(); }
};

struct inlet final : object {
    inlet_core *core;

    explicit inlet(inlet_core *c) : object(kind::inlet), core(c) { count_live(kind::inlet, 1); }
    ~inlet() { count_live(kind::inlet, -1); }
};

// On the loop's thread. 0, ALOOP_ENOMEM.
int64_t make_inlet(loop *l, queue *q, int64_t capacity, inlet **out);

// Any thread. 0, or why the item stays the caller's. wait_until, in monotonic
// ns: 0 does not wait, k_never waits for ever.
int64_t put_from_thread(inlet_core *c, void *item, int64_t wait_until);
void close_inlet(inlet_core *c);

struct inlet_figures {
    int64_t items, threads, open;
};
inlet_figures figures_of(inlet_core *c);

inline inlet *from_c(aloop_inlet *i) { return reinterpret_cast<inlet *>(i); }

}  // namespace aloop
