// report.hpp: hooks through which reports know futures and tasks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../context/context.hpp"

namespace aloop {

// Writes the object as one line; set by the folders that know it.
extern void (*g_describe)(object *o, char *buffer, size_t size);
// The context of a task; nullptr if it has none of its own.
extern var_cell *(*g_context_of)(object *o);

}  // namespace aloop
