// queue.hpp: asyncio.Queue, LifoQueue and PriorityQueue.
//
// Waking is a hint: the item stays in the queue until the getter runs, so that
// nothing is lost when that one is cancelled; it then wakes the next. Whoever
// wakes takes the waiter off the list, unlike with locks.
//
// An item belongs to the caller until put_nowait succeeded or put was called,
// then to the put or the queue, then to who gets it. Its destructor is program
// code and never runs on a fiber: what is to be freed there waits for the
// loop's own stack (`doomed`, and the loop's graveyard).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/queue.h>

#include "../sync/waiting.hpp"
#include "items.hpp"

namespace aloop {

// A queue keeps a reference to the options that it was made with, for the data
// of the compare function; from then on that function cannot be changed.
struct queue_options final : options_of<queue_options> {
    int64_t maxsize = 0;
    int32_t kind = ALOOP_QUEUE_FIFO;
    aloop_free_fn item_free = nullptr;
    aloop_compare_fn compare = nullptr;
    void *compare_data = nullptr;
    aloop_free_fn compare_free = nullptr;
    bool in_use = false;

    ~queue_options() { free_off_fiber(compare_free, compare_data); }
};

struct queue final : loop_bound, posted {
    ptr<queue_options> options;
    int64_t maxsize = 0;
    aloop_free_fn item_free = nullptr;
    item_store items;
    item_store doomed;  // to be freed on the loop's stack; `posted` is scheduled then
    int64_t unfinished = 0;
    bool is_shutdown = false;
    bool busy = false;  // inside the program's compare function or destructor
    ring getters;
    ring putters;
    line joiners;

    queue() : loop_bound(kind::queue) {}
    bool full() const { return maxsize > 0 && items.count() >= maxsize; }
    bool empty() const { return items.count() == 0; }
    // Calls from there wait for the end of what is under way; where nothing comes
    // or goes any more they may as well be answered.
    bool occupied() const { return busy && !(is_shutdown && empty()); }
    bool compares() const { return options && options->kind == ALOOP_QUEUE_PRIORITY; }
};

// options: nullptr for an unbounded FIFO. nullptr: out of memory.
queue *make_queue(queue_options *options);

// Frees the item of a call that failed, on a queue or channel of this loop, or of
// none (nullptr): on that loop's own stack, or where it is closed, or the caller's
// own thread's, on the caller's, off its fiber.
void free_refused(loop *home, aloop_free_fn item_free, void *item);

// 0, or the code of the refusal; after that the item is the caller's.
int64_t put_now(queue *q, void *item);
int64_t get_now(queue *q, void **item);
void task_done(queue *q);
void shut_down(queue *q, bool immediate);

// nullptr: out of memory, and the item is the caller's.
future *make_put(loop *home, queue *q, void *item);
future *make_get(loop *home, queue *q);
future *make_queue_join(loop *home, queue *q);

inline queue *from_c(aloop_queue *q) { return reinterpret_cast<queue *>(q); }

}  // namespace aloop
