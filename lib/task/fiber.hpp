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

#include "task.hpp"

namespace aloop {

int64_t prepare_fibers(loop *l);

// nullptr: out of memory. The coroutine starts with the first switch.
fiber *take_fiber(loop *l, size_t stack_size);
// The fiber is at its end, or will never be resumed.
void give_fiber(loop *l, fiber *f);

void set_coroutine(fiber *f, aloop_coro_fn fn, void *arg, aloop_free_fn arg_free);
void free_argument(fiber *f, deferred_value *reserve);
uint64_t address_of_coroutine(const fiber *f);

// Runs f until it suspends (true) or its coroutine returns (false).
bool switch_to(fiber *f);
// From inside: back to whoever switched here.
void switch_back(fiber *f);
int64_t result_of(const fiber *f, void **value);

// The return addresses of a suspended fiber, innermost first; how many.
int64_t backtrace_of(fiber *f, void **frames, int64_t limit);

// Whether the calling code runs on f's stack.
bool is_inside(const fiber *f);

}  // namespace aloop
