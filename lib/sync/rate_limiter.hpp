// rate_limiter.hpp: a token bucket.
//
// Its state is when it was last full and how many tokens were taken since. How
// many came in is computed from the time that has passed, never added up, so
// that it stays exact for ever: token k comes due(k) nanoseconds after the
// bucket was full, rounded up, so that none is early.
//
// The first in line has an alarm for the time when there are enough tokens for
// it. A share is taken when the waiter is woken; one that is cancelled after
// that pours it back, as far as others did not have what ran over meanwhile: in
// any time, no more is used than the bucket holds and the rate gives.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/limit.h>

#include "../loop/alarm.hpp"
#include "waiting.hpp"

namespace aloop {

struct rate_limiter final : loop_bound {
    long double rate;  // tokens a second; 64 bits of it, so that due() is exact
    int64_t burst;
    int64_t full_at = 0;   // when it was last full
    int64_t taken = 0;     // since then
    int64_t given = 0;     // in all, what came back included
    ring waiters;
    ring served;           // woken, and have not run yet

    rate_limiter(double per_second, int64_t size)
        : loop_bound(kind::rate_limiter), rate(per_second), burst(size) {}
    // Of its loop, which it must have.
    int64_t available();
};

// nullptr: out of memory. n: 1 to burst.
future *make_rate_acquire(loop *home, rate_limiter *r, int64_t n);
// Of the loop that the limiter belongs to: whether it was possible.
bool take_now(rate_limiter *r, int64_t n);

inline rate_limiter *from_c(aloop_rate_limiter *r) { return reinterpret_cast<rate_limiter *>(r); }

}  // namespace aloop
