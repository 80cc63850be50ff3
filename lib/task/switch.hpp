// switch.hpp: switching stacks: fcontext, or ucontext (see fiber.hpp), with the
// annotations that AddressSanitizer, ThreadSanitizer and valgrind need to
// follow.
//
// The fcontext switch is inline: each function between a jump and the code that
// goes on there returns to where the processor did not expect it, which costs
// more than the jump itself.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#ifdef ALOOP_UCONTEXT
#include <ucontext.h>
#else
#include <boost/context/detail/fcontext.hpp>
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
#ifdef ALOOP_UCONTEXT
void enter_from(execution &caller, execution &fiber);
void leave_to(execution &fiber, execution &caller);
#else
inline void enter_from(execution &caller, execution &fiber) {
    execution *pair[2] = {&fiber, &caller};
    fiber.context = boost::context::detail::jump_fcontext(fiber.context, pair).fctx;
}
inline void leave_to(execution &, execution &caller) {
    const auto back = boost::context::detail::jump_fcontext(caller.context, nullptr);
    static_cast<execution **>(back.data)[1]->context = back.fctx;
}
#endif

}  // namespace aloop
