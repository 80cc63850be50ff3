// cancel_scope.hpp: level-triggered cancellation, Trio's model: once a scope is
// cancelled, every await inside it that has to wait fails, until it is left.
//
// A scope is a link in its task's chain (task.hpp); the await machine looks at
// the chain each time the task is about to wait. Cancelling interrupts a wait
// under way once; what the program awaits after that fails by itself. What a
// library operation awaits while it cleans up is left alone: it has had its
// cancellation.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/scope.h>

#include "../loop/alarm.hpp"
#include "../task/task.hpp"

namespace aloop {

struct cancel_scope final : loop_object, scope_state {
    aloop::alarm alarm;
    task *of;  // owned
    int64_t deadline = k_never;
    uint32_t requests_before;  // asyncio's own cancellations, which are not ours
    bool left = false;
    bool caught = false;

    cancel_scope(domain *d, task *t)
        : loop_object(kind::cancel_scope, d), of(t), requests_before(t->cancel_requests()) {
        ref(static_cast<future *>(t));
    }
};

inline cancel_scope *from_c(aloop_cancel_scope *s) { return reinterpret_cast<cancel_scope *>(s); }
inline aloop_cancel_scope *to_c(cancel_scope *s) {
    return reinterpret_cast<aloop_cancel_scope *>(s);
}

// For the running task t. nullptr: out of memory.
cancel_scope *enter_cancel_scope(task *t, int64_t deadline, bool shield);
void set_deadline(cancel_scope *s, int64_t deadline);
// Taken away, it lets in the cancellation of outer scopes.
void set_shield(cancel_scope *s, bool shield);
void cancel_scope_now(cancel_scope *s);
// s is the innermost scope of the running task. How the block ends.
int64_t leave_cancel_scope(cancel_scope *s, int64_t status);

}  // namespace aloop
