// coroutine.hpp: running a task's coroutine until it suspends or ends: its step
// function, or its fiber.
//
// Inline into the await machine, its only user: see switch.hpp.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "fiber.hpp"

namespace aloop {

// A coroutine ended as if it waited.
inline int64_t refuse_pending(task *t) {
    raise(t, make_error(ALOOP_EINVAL, "Task got bad yield: a coroutine ended with ALOOP_PENDING"));
    return ALOOP_EINVAL;
}

inline int64_t run_steps(task *t, void **value) {
    int64_t status;
    do {
        t->flags &= static_cast<uint16_t>(~(k_immediate | k_suspended));
        status = t->run.step(to_c(static_cast<future *>(t)), t->run.frame, value);
        const bool waits = (t->flags & (k_immediate | k_suspended)) == k_suspended;
        if (status == ALOOP_PENDING && waits) [[likely]] return status;
    } while (status == ALOOP_PENDING && t->is(k_immediate));
    if (status != ALOOP_PENDING && t->is(k_suspended) && !t->is(k_immediate)) {
        leave_wait(t);  // it named something to wait for and ended all the same
    }
    if (status == ALOOP_PENDING && !t->is(k_suspended)) {
        raise(t, make_error(ALOOP_EINVAL,
                            "Task got bad yield: a step that waits returns aloop_suspend(...)"));
        return ALOOP_EINVAL;
    }
    return status;
}

// The fiber comes with the first step. false: out of memory.
inline bool begin_fiber(task *t) {
    fiber *f = take_fiber(loop_of(t), t->more != nullptr ? t->more->stack_size : 0);
    if (f == nullptr) return false;
    set_coroutine(f, t->run.fn, t->run.frame, t->run.frame_free);
    t->run.frame = f;
    t->set(k_started);
    return true;
}

[[gnu::always_inline]] inline int64_t run_fiber(task *t, void **value) {
    if (!t->has(k_started) && !begin_fiber(t)) return ALOOP_ENOMEM;
    loop *l = loop_of(t);
    fiber *f = static_cast<fiber *>(t->run.frame);
    const bool nested = l->on_fiber;
    l->on_fiber = true;
    const bool suspended = switch_to(f);
    l->on_fiber = nested;
    if (suspended) [[likely]] return ALOOP_PENDING;
    const int64_t status = result_of(f, value);
    return status != ALOOP_PENDING ? status : refuse_pending(t);
}

[[gnu::always_inline]] inline int64_t run_coroutine(task *t, void **value) {
    return t->is(k_stackful) ? run_fiber(t, value) : run_steps(t, value);
}

}  // namespace aloop
