// fan.hpp: what broadcast and watch have in common: one sending end, and any number
// of receiving ends, each with its own position in what is sent.
//
// A value that many receive is a message, a counted object whose last holder frees
// the value. As in a channel, the ends are loop objects whose references are their
// holders. They share a core, which knows the open receiving ends. A wake-up is
// only a hint, and every waiter gets it: a waiter that finds nothing new waits
// again, so a cancelled waiter has nothing to pass on.
//
// Once the loop is closed nothing can be sent or received, and several threads may
// drop ends at the same time; an end then only releases the core.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/channel.h>

#include "../sync/waiting.hpp"

namespace aloop {

struct message final : loop_object {
    void *value;
    aloop_free_fn value_free;

    message(domain *d, void *what, aloop_free_fn free_fn)
        : loop_object(kind::message, d), value(what), value_free(free_fn) {}
};

enum class fan_way : uint8_t { every_value, latest_value };

struct fan_end;

struct fan : object {
    const fan_way way;
    aloop_free_fn item_free;
    bool sender_open = true;
    int64_t receivers = 0;  // open ones
    ring waiters;           // for something new
    ring leaving;           // for the last receiver to go
    // Receiving end e closes: gives up what only it had still to see. nullptr: nothing.
    void (*give_up)(fan *f, fan_end *e) = nullptr;
    void (*destroy_all)(fan *f);

    fan(fan_way w, aloop_free_fn free_fn, void (*destroy_fn)(fan *))
        : object(kind::channel), way(w), item_free(free_fn), destroy_all(destroy_fn) {
        count_live(kind::channel, 1);
    }
    ~fan() { count_live(kind::channel, -1); }
};

struct fan_end final : loop_object {
    fan *of;  // owned
    bool sends;
    bool is_closed = false;
    int64_t place;       // a receiving end's: the number of what it has not seen yet
    int64_t missed = 0;  // of what it should have seen

    fan_end(domain *d, fan *f, bool sending, int64_t at)
        : loop_object(kind::fan_end, d), of(f), sends(sending), place(at) {
        ref(f);
    }
    ~fan_end() { unref(of); }
};

// The end that sends; consumes f. nullptr: out of memory.
fan_end *make_fan_sender(loop *l, fan *f);
// One more that receives, from number `at` on.
fan_end *make_fan_receiver(loop *l, fan *f, int64_t at);
void close_fan_end(fan_end *e);

// What an operation on an end has in common: the end, and its wait.
struct fan_op : operation {
    fan_end *end;  // owned
    waiter node;

    fan_op(domain *d, const op_info *info, fan_end *e) : operation(d, info), end(e) { ref(e); }
    ~fan_op() {
        node.leave(end->sends ? end->of->leaving : end->of->waiters);
        unref(end);
    }
    // Waits once more, or for the first time.
    int64_t wait();
    // To be called first in step: false if it was cancelled, and *status says so.
    bool resume(task *by, int64_t *status);
};

}  // namespace aloop
