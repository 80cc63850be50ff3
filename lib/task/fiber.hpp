// fiber.hpp: the stacks of stackful tasks, and switching to them and back.
//
// Switching is Boost.Context's fcontext, or ucontext in builds for sanitizers
// and on machines that fcontext does not know. A fiber's control block stands
// at the top of its own stack, so that an idle fiber costs one touched page.
// Stacks come from a cache of the loop: cut from arenas of 32, each with a
// guard region below it (a hole in the page table where the kernel has
// MADV_GUARD_INSTALL, so that a hundred thousand fibers need no hundred
// thousand mappings; a protected page elsewhere). The pages of stacks beyond a
// small cache go back to the kernel when they are given back.
//
// A fiber runs one coroutine after another; it never leaves its thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "stack.hpp"
#include "switch.hpp"
#include "task.hpp"

namespace aloop {

struct fiber {
    execution own;     // where the fiber stopped
    execution caller;  // where to go back to
    stack memory;
    fiber *next = nullptr;  // in the cache
    aloop_coro_fn fn = nullptr;
    void *arg = nullptr;
    aloop_free_fn arg_free = nullptr;
    int64_t status = 0;
    void *value = nullptr;
    bool ended = false;
    // Set: the fiber is resumed only to write its own backtrace here.
    void **frames = nullptr;
    int64_t frame_limit = 0;
};

int64_t prepare_fibers(loop *l);

// nullptr: out of memory. The coroutine starts with the first switch.
fiber *take_fiber(loop *l, size_t stack_size);
// The fiber is at its end, or will never be resumed.
void give_fiber(loop *l, fiber *f);

inline void set_coroutine(fiber *f, aloop_coro_fn fn, void *arg, aloop_free_fn arg_free) {
    f->fn = fn;
    f->arg = arg;
    f->arg_free = arg_free;
    f->ended = false;
}
inline void free_argument(fiber *f, deferred_value *reserve) {
    free_off_fiber(f->arg_free, f->arg, reserve);
    f->arg_free = nullptr;
}
inline uint64_t address_of_coroutine(const fiber *f) { return reinterpret_cast<uint64_t>(f->fn); }

// Runs f until it suspends (true) or its coroutine returns (false).
inline bool switch_to(fiber *f) {
    enter_from(f->caller, f->own);
    return !f->ended;
}
// From inside: back to whoever switched here.
void write_backtraces(fiber *f);
inline void switch_back(fiber *f) {
    leave_to(f->own, f->caller);
    if (f->frames != nullptr) [[unlikely]] write_backtraces(f);
}
inline int64_t result_of(const fiber *f, void **value) {
    *value = f->value;
    return f->status;
}

// The return addresses of a suspended fiber, innermost first; how many.
int64_t backtrace_of(fiber *f, void **frames, int64_t limit);

// Whether the calling code runs on f's stack.
inline bool is_inside(const fiber *f) {
    const char *here = static_cast<const char *>(__builtin_frame_address(0));
    return here >= f->memory.base && here < f->memory.top;
}

inline bool on_own_fiber(const task *t) {
    return t->is(k_stackful) && t->has(k_started) &&
           is_inside(static_cast<const fiber *>(t->run.frame));
}

}  // namespace aloop
