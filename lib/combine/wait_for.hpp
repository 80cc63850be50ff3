// wait_for.hpp: an awaitable with a time limit.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

// Consumes f; an operation. timeout: k_never for none. nullptr: out of memory,
// and f is dropped.
future *make_wait_for(future *f, double timeout);

}  // namespace aloop
