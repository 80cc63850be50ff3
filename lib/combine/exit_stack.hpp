// exit_stack.hpp: cleanup functions for the end of a block, run last in, first out:
// contextlib.AsyncExitStack. They run in the code that closes the stack, so they may
// await. Cleanup cannot fail because of memory: an entry is allocated when it is
// registered.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/scope.h>

#include "../base/memory.hpp"
#include "../base/object.hpp"

namespace aloop {

struct exit_entry {
    exit_entry *below;
    aloop_exit_fn fn;  // nullptr: call, which does not see the status
    aloop_callback_fn call;
    void *data;
};

struct exit_stack final : object {
    exit_entry *top = nullptr;

    exit_stack() : object(kind::exit_stack) { count_live(kind::exit_stack, 1); }
    ~exit_stack();

    // 0 or ALOOP_ENOMEM.
    int64_t push(aloop_exit_fn fn, aloop_callback_fn call, void *data);
    // Runs and drops the entries; how the block ends.
    int64_t unwind(int64_t status);
};

inline exit_stack *from_c(aloop_exit_stack *s) { return reinterpret_cast<exit_stack *>(s); }
inline aloop_exit_stack *to_c(exit_stack *s) { return reinterpret_cast<aloop_exit_stack *>(s); }

}  // namespace aloop
