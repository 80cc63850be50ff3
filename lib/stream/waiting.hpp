// waiting.hpp: operations that wait in a list of the object they belong to: for
// a stream's drain or end, for a server's connections.
//
// The list is the object's own ring, and each entry says what it waits for, so
// that one ring serves all of them and an idle stream pays one word.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "../task/operation.hpp"

namespace aloop {

enum wait_reason : uint8_t {
    k_for_drain = 0x1,     // of streams
    k_for_empty = 0x2,
    k_for_writable = 0x4,
    k_for_made = 0x8,
    k_for_end = 0x10,      // of streams and of servers
    k_for_client = 0x20,   // of servers
    k_for_room = 0x40,     // as a drain, of a file under way
};

struct ring_link : link {};

struct ring_waiter : operation, ring_link {
    loop_object *of;  // a reference
    ring *in = nullptr;
    uint8_t reasons = 0;

    ring_waiter(domain *d, const op_info *info, loop_object *o) : operation(d, info), of(o) {
        ref(o);
    }
    ~ring_waiter() {
        leave();
        unref(of);
    }
    int64_t wait_in(ring *list, wait_reason reason) {
        in = list;
        reasons = reason;
        list->push(static_cast<ring_link *>(this));
        return await(make_future(loop_of(this)));
    }
    // Whether it was in a list.
    bool leave() {
        ring *list = std::exchange(in, nullptr);
        if (list != nullptr) list->remove(static_cast<ring_link *>(this));
        return list != nullptr;
    }
};

// Wakes those that wait for one of the reasons, and are not awake yet; at most so many.
inline void wake_waiting(ring &list, uint8_t reasons, int64_t most = INT64_MAX) {
    for (link *l = list.head(); l != nullptr && most > 0; l = list.after(l)) {
        ring_waiter *w = static_cast<ring_waiter *>(static_cast<ring_link *>(l));
        if ((w->reasons & reasons) == 0 || !w->inner->pending()) continue;
        finish(w->inner, 0, nullptr, nullptr);
        most--;
    }
}

}  // namespace aloop
