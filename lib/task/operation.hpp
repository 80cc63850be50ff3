// operation.hpp: an operation is a small coroutine inside the library: a read,
// a lock's acquire, a wait_for. It is what asyncio writes as `async def`.
//
// It starts when it is awaited, and then runs inside the awaiting task, as a
// coroutine does: the task suspends on what the innermost operation waits for,
// and when it resumes, the operations are stepped from the inside out. So what
// an operation does after a wake-up happens in the task's own iteration, and a
// cancellation arrives at the innermost await, where the undo code is.
// If it is combined, or given a callback, a task of its own runs it (start()). A task
// that ends inside an operation leaves it behind, suspended; whoever awaits it next
// continues it, as with a coroutine object that somebody else has begun.
//
// To write one: derive from operation (up to 128 bytes come from the slab),
// give it an op_info, make it with loop::make_object, and in step() return
// op->await(f), op->yield() or the final status. step is first called with
// phase 0 (which the operation advances), and after each wait with the status of
// the outcome: that of the awaited future, which can be read from `inner`, or
// ALOOP_ECANCELED. A step that fails with the code of `inner` passes on its
// error; raise() and fail() set another.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

struct operation;

struct op_info {
    const char *name;
    int64_t (*step)(operation *op, task *by, int64_t status);
    void (*destroy)(operation *op);  // free_operation<its type>
    // Optional. Called for an operation that has not begun and that only the awaiting side
    // holds. If its first step succeeds without waiting: does it, frees the operation
    // (end_at_once), returns the status. Otherwise ALOOP_PENDING, and changes nothing.
    int64_t (*at_once)(operation *op, void **value) = nullptr;
};

struct operation : future {
    const op_info *ops;
    future *inner = nullptr;  // what it waits for; owned
    task *driver = nullptr;   // whose coroutine it is part of; none: not begun, or left behind
    uint32_t phase = 0;
    uint32_t scratch = 0;  // the kind's own

    operation(domain *d, const op_info *info) : future(d, kind::operation), ops(info) {}
    ~operation() {
        if (inner != nullptr) unref(inner);
        if (!ended_plainly()) [[unlikely]] release_all();
    }

    // It succeeded, and holds no value and no waiters.
    bool ended_plainly() const {
        return state == k_finished && done.status >= 0 && done.value_free == nullptr &&
               waiters.empty();
    }

    // `done` is free while pending: the value or the raised error wait there.

    // Consumes f, which may be nullptr (out of memory).
    int64_t await(future *f) {
        if (inner != nullptr || f == nullptr) return await_another(f);
        inner = f;
        return ALOOP_PENDING;
    }
    // Lets everything else that is ready run once.
    int64_t yield();
    // The value that goes with the final status.
    void give(void *value, aloop_free_fn free_fn);
    // The error that goes with it; returns its code. Adopts; nullptr: code only.
    int64_t raise(int64_t code, error *adopted);
    // The same from a text.
    int64_t fail(int64_t code, const char *format, ...) ALOOP_PRINTF(3, 4);

private:
    int64_t await_another(future *f);
    void release_all();
};

// Ends op, which is pending, after its last step.
void finish_operation(operation *op, int64_t status);
// The same where it stands, without a step in which it could undo what it did: its
// destructor does that.
void end_from_outside(operation *op, int64_t status);

template <typename T>
void free_operation(operation *op) {
    loop_of(op)->free_object(static_cast<T *>(op));
}

inline operation *as_operation(future *f) {
    return f->type == kind::operation ? static_cast<operation *>(f) : nullptr;
}

// Gives the loop a task that runs an unstarted operation or sleep; other
// futures start themselves. 0 or ALOOP_ENOMEM. Not eagerly: no code of the program
// runs inside the call.
int64_t start(future *f, bool eagerly = true);
// The same, but as asyncio.ensure_future: the task itself. Consumes f; gives
// back f where it is no operation. nullptr never: a failed future at worst.
future *ensure_future(future *f);

}  // namespace aloop
