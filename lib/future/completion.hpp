// completion.hpp: futures without callbacks, for languages that poll: a future is
// started with a token, and a record with this token tells that it is done.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "future.hpp"

namespace aloop {

// Consumes f, which is started already. 0 or ALOOP_ENOMEM.
int64_t watch_completion(future *f, uint64_t token);
// Fills up to n records from what is finished; returns how many.
int64_t collect_completions(loop *l, aloop_completion *records, int64_t n);
// Runs l until there is a record or the deadline has passed.
int64_t poll_completions(loop *l, aloop_completion *records, int64_t n, double timeout);

}  // namespace aloop
