// report.hpp: hooks through which reports know futures and tasks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../context/context.hpp"

namespace aloop {

// Writes the object as one line; set by the folders that know it.
extern void (*g_describe)(object *o, char *buffer, size_t size);
// The name of an operation that never began; nullptr for anything else.
extern const char *(*g_unawaited)(const object *o);
// The error with those behind it, a line each; without one (nullptr) the code alone.
void describe_failure(writer &out, int64_t code, const error *e);
// The context of a task; nullptr if it has none of its own.
extern var_cell *(*g_context_of)(object *o);

}  // namespace aloop
