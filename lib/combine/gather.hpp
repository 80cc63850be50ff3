// gather.hpp: see gather.cpp.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

// Consumes the futures, none of which is nullptr. Never nullptr.
future *make_gather(loop *l, future *const *futures, int64_t n, bool return_errors);

}  // namespace aloop
