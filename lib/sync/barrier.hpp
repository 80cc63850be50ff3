// barrier.hpp: a meeting point of a fixed number of tasks, asyncio.Barrier.
//
// A condition guards the count of those inside and the state:
//   filling    they arrive and wait; the last one sets
//   draining   and all leave; newcomers wait until the last one has left
//   resetting  they leave with an error; newcomers wait likewise
//   broken     everybody leaves, and is turned away, with an error
//
// It belongs to the loop of that condition: to nobody until one waits.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "condition.hpp"

namespace aloop {

enum class barrier_state : uint8_t { filling, draining, resetting, broken };

struct barrier final : object {
    condition *gate;  // owned
    int64_t parties;
    int64_t inside = 0;
    barrier_state phase = barrier_state::filling;

    // Takes the reference to the condition over.
    barrier(condition *c, int64_t n) : object(kind::barrier), gate(c), parties(n) {
        count_live(kind::barrier, 1);
    }
    ~barrier() {
        unref(gate);
        count_live(kind::barrier, -1);
    }
    int64_t check() const { return gate->check(); }
};

future *make_barrier_wait(loop *home, barrier *b);
// Resets it, or breaks it for good.
future *make_barrier_change(loop *home, barrier *b, bool abort);

inline barrier *from_c(aloop_barrier *b) { return reinterpret_cast<barrier *>(b); }

}  // namespace aloop
