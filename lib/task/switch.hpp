// switch.hpp: switching stacks: fcontext, or ucontext (see fiber.hpp), with the
// annotations that AddressSanitizer, ThreadSanitizer and valgrind need to
// follow.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#ifdef ALOOP_UCONTEXT
#include <ucontext.h>
#endif

namespace aloop {

struct execution {
#ifdef ALOOP_UCONTEXT
    ucontext_t context;
#else
    void *context = nullptr;
#endif
    void (*body)(void *) = nullptr;
    void *argument = nullptr;
    const void *base = nullptr;  // of the stack it runs on
    size_t size = 0;
    void *fake_stack = nullptr;  // AddressSanitizer's
    void *tsan_fiber = nullptr;
    unsigned valgrind_id = 0;
};

// Makes e start in body(argument) on the given stack.
void prepare(execution &e, void *base, size_t size, void (*body)(void *), void *argument);
// e will never run again.
void discard(execution &e);
// From the caller into a fiber, and back.
void enter_from(execution &caller, execution &fiber);
void leave_to(execution &fiber, execution &caller);

}  // namespace aloop
