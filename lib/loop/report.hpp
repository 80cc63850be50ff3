// report.hpp: hook through which reports describe futures and tasks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/object.hpp"

namespace aloop {

// Writes the object as one line; set by the folders that know it.
extern void (*g_describe)(object *o, char *buffer, size_t size);

}  // namespace aloop
