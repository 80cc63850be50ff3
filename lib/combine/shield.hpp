// shield.hpp: awaiting a future without passing a cancellation on to it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

// Consumes f. Never nullptr.
future *make_shield(future *f);

}  // namespace aloop
