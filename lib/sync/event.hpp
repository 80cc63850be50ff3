// event.hpp: a flag to wait for, asyncio.Event.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/sync.h>

#include "waiting.hpp"

namespace aloop {

struct event final : loop_bound {
    bool is_set = false;
    line waiters;

    event() : loop_bound(kind::event) {}
};

void set_event(event *e);
future *make_event_wait(loop *home, event *e);

inline event *from_c(aloop_event *e) { return reinterpret_cast<event *>(e); }

}  // namespace aloop
