// check.hpp: what the C entry points check before they call the core.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "object.hpp"

namespace aloop {

// NULL or an object of another kind is no object of this one.
inline bool is(const object *o, kind k) { return o != nullptr && o->type == k; }

}  // namespace aloop
