// SPDX-License-Identifier: MIT
#include "switch.hpp"

#include <cstdint>

#ifdef ALOOP_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ALOOP_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef ALOOP_VALGRIND
#include <valgrind/valgrind.h>
#endif

namespace aloop {

#ifdef ALOOP_UCONTEXT

namespace {

// Tells the tools that the stack changes: before the jump, and after it.
inline void announce([[maybe_unused]] execution &from, [[maybe_unused]] execution &to) {
#ifdef ALOOP_ASAN
    __sanitizer_start_switch_fiber(&from.fake_stack, to.base, to.size);
#endif
#ifdef ALOOP_TSAN
    from.tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
}

inline void arrive([[maybe_unused]] execution &here, [[maybe_unused]] execution *from) {
#ifdef ALOOP_ASAN
    const void *base = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(here.fake_stack, &base, &size);
    if (from != nullptr && from->base == nullptr) {
        from->base = base;
        from->size = size;
    }
#endif
}

struct start_record {
    execution *self;
    execution *caller;
};
thread_local start_record t_start;

void trampoline() {
    execution *self = t_start.self;
    arrive(*self, t_start.caller);
    self->body(self->argument);
}

}  // namespace

void prepare(execution &e, void *base, size_t size, void (*body)(void *), void *argument) {
    e.body = body;
    e.argument = argument;
    e.base = base;
    e.size = size;
    getcontext(&e.context);
    e.context.uc_stack.ss_sp = base;
    e.context.uc_stack.ss_size = size;
    e.context.uc_link = nullptr;
    makecontext(&e.context, trampoline, 0);
#ifdef ALOOP_TSAN
    e.tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef ALOOP_VALGRIND
    e.valgrind_id = VALGRIND_STACK_REGISTER(base, static_cast<char *>(base) + size);
#endif
}

void enter_from(execution &caller, execution &fiber) {
    t_start = {&fiber, &caller};
    caller.base = nullptr;
    announce(caller, fiber);
    swapcontext(&caller.context, &fiber.context);
    arrive(caller, nullptr);
}

void leave_to(execution &fiber, execution &caller) {
    announce(fiber, caller);
    swapcontext(&fiber.context, &caller.context);
    arrive(fiber, t_start.self == &fiber ? t_start.caller : nullptr);
}

#else

using boost::context::detail::fcontext_t;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

namespace {

// The first entry gets the fiber's execution; each later jump the caller's
// context comes back in the transfer.
void trampoline(transfer_t transfer) {
    execution **pair = static_cast<execution **>(transfer.data);
    execution *self = pair[0];
    pair[1]->context = transfer.fctx;
    self->body(self->argument);
}

}  // namespace

void prepare(execution &e, void *base, size_t size, void (*body)(void *), void *argument) {
    e.body = body;
    e.argument = argument;
    e.base = base;
    e.size = size;
    e.context = make_fcontext(static_cast<char *>(base) + size, size, trampoline);
#ifdef ALOOP_VALGRIND
    e.valgrind_id = VALGRIND_STACK_REGISTER(base, static_cast<char *>(base) + size);
#endif
}

#endif

void discard([[maybe_unused]] execution &e) {
#ifdef ALOOP_TSAN
    if (e.tsan_fiber != nullptr) __tsan_destroy_fiber(e.tsan_fiber);
    e.tsan_fiber = nullptr;
#endif
#ifdef ALOOP_VALGRIND
    VALGRIND_STACK_DEREGISTER(e.valgrind_id);
#endif
}

}  // namespace aloop
