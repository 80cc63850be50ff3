// limiter.hpp: Trio's capacity limiter: a semaphore whose tokens have borrowers.
//
// A token is handed over when the waiter is woken; one that is cancelled after
// that gives it back. A borrower that waits is entered in the table at once, so
// that handing over needs no memory and nobody can wait twice.
//
// Invariant: while borrowed < total, nobody pending stands in line.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/limit.h>

#include "borrowers.hpp"
#include "waiting.hpp"

namespace aloop {

struct limiter final : loop_bound {
    int64_t total;
    int64_t borrowed = 0;
    borrowers known;
    ring waiters;

    explicit limiter(int64_t n) : loop_bound(kind::limiter), total(n) {}
};

// owner: the task that the borrower is, or empty. nullptr: out of memory.
future *make_limiter_acquire(loop *home, limiter *l, const void *borrower, ptr<object> owner);
// 0, ALOOP_EAGAIN, ALOOP_EEXIST, ALOOP_ENOMEM.
int64_t borrow_now(limiter *l, const void *borrower, ptr<object> owner);
// Gives the token of e, which holds one, back.
void give_back(limiter *l, borrowers::entry *e);
void set_total(limiter *l, int64_t n);

inline limiter *from_c(aloop_limiter *l) { return reinterpret_cast<limiter *>(l); }

}  // namespace aloop
