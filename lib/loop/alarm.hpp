// alarm.hpp: a timer inside another object: for timeouts, waits, and the like.
//
// The object must outlive the alarm's stay in the wheel and in the ready queue:
// while it is set, the alarm holds a reference to it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "loop.hpp"

namespace aloop {

struct alarm : node {
    void (*rings)(alarm *self) = nullptr;
    loop_object *owner = nullptr;
    enum : uint8_t { idle, armed, queued, silenced } alarm_state = idle;

    // At a time of the loop's clock; queued as a callback at once if now is set
    // and the time has come (as asyncio's call_soon in timeouts).
    void set(loop_object *o, void (*fn)(alarm *), int64_t when, bool soon);
    // Not to ring any more. May drop the last reference to the owner. What stands
    // in the ready queue stays there, silenced, for taking it out is not O(1).
    void clear();
    bool is_set() const { return alarm_state == armed || alarm_state == queued; }
};

}  // namespace aloop
