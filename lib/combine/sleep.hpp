// sleep.hpp: a sleep is a future of 64 bytes whose result words hold its timer.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

// nullptr: out of memory. It starts when it is awaited.
future *make_sleep(loop *l, double delay);
// An operation that sleeps and then has this outcome.
future *make_sleep_result(loop *l, double delay, int64_t status, void *value,
                          aloop_free_fn free_fn);

}  // namespace aloop
