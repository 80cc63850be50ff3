// semaphore.hpp: a counter of permits, asyncio.Semaphore and BoundedSemaphore.
//
// A permit is handed to a waiter when it is woken (value goes down then), not
// when it runs. A waiter that is cancelled in between gives it back, and every
// waiter that ends wakes as many others as there are permits.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/sync.h>

#include "waiting.hpp"

namespace aloop {

struct semaphore final : loop_bound {
    int64_t value;
    int64_t bound;  // release may not go beyond it
    line waiters;

    semaphore(int64_t initial, int64_t limit)
        : loop_bound(kind::semaphore), value(initial), bound(limit) {}
};

// No permit, or somebody who came earlier waits.
bool is_locked(semaphore *s);
void release_permit(semaphore *s);
future *make_semaphore_acquire(loop *home, semaphore *s);

inline semaphore *from_c(aloop_semaphore *s) { return reinterpret_cast<semaphore *>(s); }

}  // namespace aloop
