// condition.hpp: a condition variable, asyncio.Condition.
//
// wait() gives the lock back, waits in line, and always holds the lock again
// when it ends: cancellations on the way are remembered and come last. Since
// re-acquiring may not fail for want of memory, the future of the first wait
// is used again.
//
// A condition belongs to the loop of its lock, which a wait binds: or the lock
// could be another loop's when the wait wants it back.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "lock.hpp"

namespace aloop {

struct condition final : object {
    lock *guard;  // owned
    line waiters;

    explicit condition(lock *l) : object(kind::condition), guard(l) {
        count_live(kind::condition, 1);
        ref(l);
    }
    ~condition() {
        unref(guard);
        count_live(kind::condition, -1);
    }
    int64_t check() const { return guard->check(); }
};

// Wakes n waiters at most; how many.
inline int64_t notify(condition *c, int64_t n) { return c->waiters.wake(n); }

// Waiting, as a part of an operation.
struct condition_wait {
    lock_claim node;
    bool relocking = false;
    bool cancelled = false;
    error *message = nullptr;  // of the last cancellation; owned

    // ALOOP_PENDING, or why it cannot wait (then the lock is as it was).
    int64_t begin(condition *c, operation *op);
    // ALOOP_PENDING, 0, or how it ended; the lock is held again.
    int64_t resume(condition *c, operation *op, task *by, int64_t status);
    void withdraw(condition *c, const operation *op);  // for the operation's destructor
};

future *make_condition_wait(loop *home, condition *c);
future *make_condition_wait_for(loop *home, condition *c, aloop_predicate_fn predicate,
                                void *data);

inline condition *from_c(aloop_condition *c) { return reinterpret_cast<condition *>(c); }

}  // namespace aloop
