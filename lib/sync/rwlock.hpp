// rwlock.hpp: a lock for one writer or any number of readers.
//
// Fair: one line for both, so that readers who come later never overtake a
// writer that waits. A turn is handed over when the waiter is woken and taken
// off the line; a waiter that is cancelled after that gives it back.
//
// Invariant: writing implies readers == 0, and nobody pending stands first in
// line who could be let in.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/sync.h>

#include "waiting.hpp"

namespace aloop {

struct rwlock final : loop_bound {
    int64_t readers = 0;
    bool writing = false;
    ring waiters;

    rwlock() : loop_bound(kind::rwlock) {}
};

// Gives up a read or the write; it is held.
void release_turn(rwlock *l, bool write);
int64_t count_waiting(rwlock *l, bool write);
future *make_rwlock_acquire(loop *home, rwlock *l, bool write);

inline rwlock *from_c(aloop_rwlock *l) { return reinterpret_cast<rwlock *>(l); }

}  // namespace aloop
