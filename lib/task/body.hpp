// body.hpp: C code on a fiber of its own that runs as part of an operation: the
// body of an async generator.
//
// The awaiting task drives it, as it drives every operation: the operation's
// step enters the body, and what the body awaits the operation awaits. So the
// current task inside the body is the consumer, and its cancellation arrives at
// the body's await. Between two operations the body rests, suspended.
//
// Bodies are entered from the loop's stack or from a task's fiber; those that
// run right now form a chain (loop::inner_body, body::outer), innermost first. Which
// of task and body some code belongs to is decided by the stack it runs on.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "task.hpp"

namespace aloop {

enum class body_stop : uint8_t { awaits, rests, ended };

struct body {
    fiber *stack = nullptr;    // nullptr: not begun, or at its end
    operation *op = nullptr;   // the one that drives it; nullptr while it rests
    error *failure = nullptr;  // for aloop_last_error; owned
    int64_t outcome = 0;       // of what it awaited: that of the operation's step
    body *outer = nullptr;
    body_stop stop = body_stop::rests;
};

// Takes a fiber for fn(arg); 0 or ALOOP_ENOMEM.
int64_t prepare_body(loop *l, body *b, aloop_coro_fn fn, void *arg);
// Gives its fiber back, in the middle of the body too: then nothing in it is undone.
void drop_body(loop *l, body *b);

// Runs the body until it awaits (b->op waits for it then), rests or ends.
body_stop enter_body(body *b);
// How it ended.
int64_t result_of(const body *b);

// The innermost body, if the calling code runs on its stack; else nullptr.
body *running_body_of(const loop *l);
inline body *running_body(const loop *l) {
    return l->inner_body == nullptr ? nullptr : running_body_of(l);
}
// From inside: aloop_await, and going to rest until the next operation.
int64_t await_in_body(body *b, future *f, void **value);
void rest(body *b);
// What the body's last await, or what was thrown into it, failed with. Adopts.
void set_failure(body *b, error *adopted);

// The error of the last await of the code that runs, in a body or in t itself.
error *current_error(task *t);

}  // namespace aloop
