// broadcast.hpp: every receiving end sees every value sent since it joined.
//
// The last `capacity` messages are kept in a ring, each with the number of open
// ends that have not seen it, and released when this is zero. Sending never waits:
// a full ring drops its oldest message, and an end that had not seen it is told
// how many it missed. Messages are numbered from 0; number n is in slot n % room.
// The ring grows, up to the capacity, when it would overwrite a message that some
// end has not seen. Therefore every message below next - room was seen by all.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "fan.hpp"

namespace aloop {

struct broadcast final : fan {
    struct slot {
        message *held = nullptr;  // nullptr: everybody has seen it
        int64_t unseen = 0;
    };
    slot *slots;
    int64_t room;  // of slots
    int64_t capacity;
    int64_t next = 0;  // the number of the next message

    broadcast(slot *first, int64_t n, int64_t most, aloop_free_fn free_fn);
    ~broadcast();
    int64_t oldest() const { return next > capacity ? next - capacity : 0; }
    slot *at(int64_t number) { return &slots[number % room]; }
};

inline broadcast *broadcast_of(const fan_end *e) { return static_cast<broadcast *>(e->of); }

// 0 or ALOOP_ENOMEM.
int64_t make_broadcast(loop *l, int64_t capacity, aloop_free_fn item_free, fan_end **sender);
// How many will see it, or ALOOP_EPIPE, ALOOP_ESTALE, ALOOP_ENOMEM: then it is the caller's.
int64_t send_to_all(fan_end *sender, void *item);
// The next message, a reference; ALOOP_EQUEUEEMPTY, ALOOP_ELAGGED, ...
int64_t take_next(fan_end *receiver, message **m);
// nullptr: out of memory.
future *make_broadcast_receive(fan_end *receiver);
// Messages that some end has yet to see.
int64_t count_kept(const broadcast *b);

}  // namespace aloop
