// lock.hpp: a fair lock, asyncio.Lock.
//
// release() sets it free and wakes the first waiter; the lock is taken when
// that one runs. In between it reads unlocked, and yet nobody gets in before
// it, because acquire() queues up behind any waiter that is not cancelled.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/sync.h>

#include "waiting.hpp"

namespace aloop {

struct lock final : loop_bound {
    bool locked = false;
    line waiters;

    lock() : loop_bound(kind::lock) {}
};

// Frees the lock, which is held, and wakes the first in line.
void unlock(lock *l);

// Acquiring, as a part of an operation.
struct lock_claim : waiter {
    // 0: acquired; ALOOP_PENDING: call resume after the wait. f (consumed) is what
    // to wait on, nullptr to make a future.
    int64_t begin(lock *l, operation *op, future *f);
    int64_t resume(lock *l, operation *op, task *by, int64_t status);
    // For the operation's destructor.
    void withdraw(lock *l, const operation *op) {
        if (queued()) leave_line(l, op);
    }

private:
    void leave_line(lock *l, const operation *op);
};

future *make_acquire(loop *home, lock *l);

inline lock *from_c(aloop_lock *l) { return reinterpret_cast<lock *>(l); }

}  // namespace aloop
