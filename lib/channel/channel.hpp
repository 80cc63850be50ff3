// channel.hpp: a channel is a queue and two ends that share it.
//
// An end is a loop object whose references are its holders, so counting them costs
// nothing, and the last drop, on any thread, closes the end on the loop's thread.
// The queue does the waiting, and guarantees that no item is lost. An operation of
// a channel only awaits one of the queue, keeps its end alive meanwhile, and
// translates the queue's result into the channel's.
//
// Invariant: the queue takes items only while both ends are open.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/channel.h>

#include "../queue/queue.hpp"

namespace aloop {

struct channel_end final : loop_object {
    queue *items;  // owned
    channel_end *peer = nullptr;  // nullptr once that has gone
    bool sends;
    bool once;  // closes after the first item
    bool is_closed = false;
    bool counted = false;  // the pair was made

    channel_end(domain *d, queue *q, bool sending, bool single)
        : loop_object(kind::channel_end, d), items(q), sends(sending), once(single) {
        ref(q);
    }
    ~channel_end() { unref(items); }
    bool open(bool sending) const {
        const channel_end *end = sends == sending ? this : peer;
        return end != nullptr && !end->is_closed;
    }
};

// 0 or ALOOP_ENOMEM. capacity <= 0: any number.
int64_t make_channel(loop *l, int64_t capacity, bool once, aloop_free_fn item_free,
                     channel_end **sender, channel_end **receiver);
void close_end(channel_end *end);

// 0, or the code of the refusal; after that the item is the caller's.
int64_t try_send(channel_end *sender, void *item);
int64_t try_receive(channel_end *receiver, void **item);

// nullptr: out of memory, and the item is the caller's.
future *make_channel_send(channel_end *sender, void *item);
future *make_receive(channel_end *receiver);

}  // namespace aloop
