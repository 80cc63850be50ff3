// wait.hpp: waiting for the first, the first failing, or all of several futures,
// without cancelling any; and taking them in the order in which they finish.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/combine.h>

#include "../base/results.hpp"
#include "../future/future.hpp"

namespace aloop {

// The value of a wait: two lists of futures.
struct wait_lists final : object {
    results *done = nullptr;
    results *pending = nullptr;

    wait_lists() : object(kind::free_other) {}
};

// Consumes the futures, which are no operations. limit < 0: none. Never nullptr.
future *make_wait(loop *l, future *const *futures, int64_t n, double limit, int32_t mode);

struct completions;

// Consumes the futures. nullptr: out of memory.
completions *make_completions(loop *l, future *const *futures, int64_t n, double limit);
// An operation: the next future that is done, or its outcome.
future *next_completion(completions *c, bool outcome);

inline completions *from_c(aloop_completions *c) { return reinterpret_cast<completions *>(c); }

}  // namespace aloop
