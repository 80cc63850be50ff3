// select.hpp: waiting for the first of several awaitables, whatever they are,
// and leaving all of them as they are.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/results.hpp"
#include "../future/future.hpp"

namespace aloop {

// An operation. Consumes the futures (n > 0). Never nullptr.
future *make_select(loop *l, future *const *futures, int64_t n);

}  // namespace aloop
