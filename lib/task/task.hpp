// task.hpp: a task is a running coroutine, in 128 bytes: its future, the node
// with which it is in the ready queue or waits for a future, and what it
// waits for.
//
// The primitive is the step task: a function that is called again after each
// wait. A stackful task is a step task whose step resumes a fiber; it gets the
// fiber with its first step, so that a thousand tasks that never wait share
// one stack.
//
// At any time an unfinished task is in exactly one of three states: its node is
// in the ring of a future's waiters (prev is set), its node is in the ready
// queue (prev is nullptr), or it runs.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/task.h>

#include "operation.hpp"

namespace aloop {

struct fiber;

enum task_flags : uint16_t {
    k_stackful = 0x100,
    k_begun = 0x200,          // its first step was made
    k_must_cancel = 0x400,    // to be thrown at the next step
    k_immediate = 0x800,      // what it suspended on was done: step again
    k_running = 0x1000,
    k_override = 0x2000,      // the outcome of its await is a cancellation
    k_keep_failure = 0x4000,  // `waiting` is kept for aloop_last_error
    k_suspended = 0x8000,     // the step that runs has named what to wait for
};

// A part of a coroutine in which, once it is cancelled, every await that has to
// wait fails (combine/cancel_scope.hpp). They nest, innermost first.
struct scope_state {
    scope_state *outer = nullptr;
    bool cancelled = false;
    bool shield = false;  // from the cancellation of outer ones
};

// What only a few tasks have, allocated when it is needed.
struct task_extra {
    aloop::context *context = nullptr;
    char *name = nullptr;
    error *cancel_error = nullptr;  // the message of a request not yet delivered
    error *raised = nullptr;
    void *value = nullptr;  // of aloop_return
    aloop_free_fn value_free = nullptr;
    bool has_value = false;
    size_t stack_size = 0;
    scope_state *scope = nullptr;  // the innermost
    deferred_value *reserve = nullptr;  // for the argument of one begun on a fiber
};

struct all_tasks_link : link {};

struct task final : future, node, all_tasks_link {
    future *waiting = nullptr;  // what its coroutine awaits; owned
    task_extra *more = nullptr;
    uint64_t number = 0;  // of "Task-N"

    explicit task(domain *d) : future(d, kind::task) {}

    bool is(task_flags f) const { return (flags & f) != 0; }
    void on(task_flags f) { flags |= f; }
    void off(task_flags f) { flags &= static_cast<uint16_t>(~f); }
    uint32_t &cancel_requests() { return extra; }
    task_extra *need_extra();  // nullptr: out of memory
};
static_assert(sizeof(task) == 128);

inline task *as_task(future *f) {
    return f != nullptr && f->type == kind::task ? static_cast<task *>(f) : nullptr;
}
inline task *task_of(link *l) { return static_cast<task *>(static_cast<all_tasks_link *>(l)); }

struct task_options final : options_of<task_options> {
    aloop_coro_fn fn = nullptr;
    aloop_step_fn step = nullptr;
    void *arg = nullptr;
    aloop_free_fn arg_free = nullptr;
    char *name = nullptr;
    aloop::context *context = nullptr;
    int32_t eager = -1;
    size_t stack_size = 0;

    ~task_options();
};

// Makes and schedules (or eagerly runs) a task; nullptr: out of memory, and
// arg stays the caller's. Moves arg and its destructor out of the options.
task *make_task(loop *l, task_options *options);
// Whether that would run it.
bool starts_at_once(const loop *l, const task_options *options);
// The short ways for the two kinds.
task *make_step_task(loop *l, aloop_step_fn step, void *frame, aloop_free_fn free_fn,
                     bool eager);
task *make_stackful_task(loop *l, aloop_coro_fn fn, void *arg);
// Through the loop's factory, if it has one; a failed future when out of memory.
future *create_task(loop *l, task_options *options);

int64_t prepare_tasks(loop *l);
// Whether l is closing, so that no task of it will run any more.
inline bool ends_tasks(const loop *l) { return l->end_of_iteration == nullptr; }
// For an operation's destructor: whether it was left behind and dropped while its loop
// goes on. Then it must pass on what it was handed, as after a cancellation. Not so one that
// was ended from outside (for want of stack or memory) before it was dropped: that is done.
inline bool is_given_up(const operation *op) {
    return op->pending() && op->has(k_started) && !ends_tasks(loop_of(op));
}

// f itself, if t may await it, else a future that failed with the reason.
// Consumes f, which may be nullptr.
future *check_awaited(task *t, future *f);
// The await machine (await.cpp). begin: t's coroutine awaits f (consumed);
// true: the outcome is there. collect: takes it. await_on_fiber: both, and the wait.
bool begin_await(task *t, future *f);
int64_t collect(task *t, void **value);
int64_t await_on_fiber(task *t, future *f, void **value);
// The node of t runs.
void run_task(node *item, action what);
void step_task(task *t);

// Takes t off what it waits for, for good.
void abandon_wait(task *t);
// The same for the task that runs, which may stand in the ready queue too.
void leave_wait(task *t);
bool waits_on_future(const task *t);
// What a cancellation of t has to cancel: the innermost thing it waits for.
future *leaf_of(task *t);

// Asks f, which is pending, and whom it waits for to end; whether it accepts. An
// operation has been begun.
bool pass_cancel_on(future *f, const char *message);
bool cancel_task(task *t, const char *message);
// The same without a message: how many were asked on the way.
int64_t ask_task(task *t);
// The same without counting it as a request.
void interrupt_task(task *t);
// Tasks that await each other in a circle can only be freed by force: t gets the
// cancellation although what it waits for is pending still.
void break_circle(task *t);
// Whether the scope that t is in, or one around it, is cancelled.
bool in_cancelled_scope(const task *t);
// Before t waits: a cancelled scope has it fail there. True: it is set, and to
// be taken back (k_must_cancel) where there was nothing to wait for.
bool press_scope(task *t);
int64_t uncancel(task *t);
error *last_error(task *t);
void raise(task *t, error *adopted);

// Gives the coroutine up, wherever it is.
void drop_coroutine(task *t);

int64_t describe_name(const task *t, char *buffer, size_t size);
int64_t describe_task(task *t, char *buffer, size_t size);
uint64_t coroutine_address(const task *t);
int64_t print_stack(task *t, int64_t limit, int fd);
int64_t stack_of(task *t, void **frames, int64_t limit);

}  // namespace aloop
