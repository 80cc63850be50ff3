// deferred.hpp: destructors of the program that must not run on a fiber.
//
// No code of another language may run on a fiber's stack. An object that holds a
// destructor of the program embeds a deferred. If it ends on a fiber, it waits in a
// list of the running loop until the loop is back on its own stack, within the same
// step of the task. This needs no memory, so it cannot fail.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/base.h>

namespace aloop {

struct deferred {
    deferred *next = nullptr;
    void (*finish)(deferred *self) = nullptr;
};

// Whether d waits now; set by the loop's folder.
extern bool (*g_defer)(deferred *d);

// Runs d->finish(d), now or as soon as no fiber runs.
inline void finish_off_fiber(deferred *d) {
    if (g_defer == nullptr || !g_defer(d)) d->finish(d);
}

// For values whose holder cannot embed one.
struct deferred_value : deferred {
    aloop_free_fn free_fn = nullptr;
    void *value = nullptr;
};

// Whoever must not fail reserves it; nullptr: out of memory.
deferred_value *reserve_deferred();
void drop_reserve(deferred_value *reserve);
// Calls free_fn(value), if there is one, now or as soon as no fiber runs. Takes the
// reserve over; without one, and with no memory left, it is called where it is.
void free_off_fiber(aloop_free_fn free_fn, void *value, deferred_value *reserve = nullptr);

}  // namespace aloop
