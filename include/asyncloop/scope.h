/*
 * scope.h: cleanup at the end of a block, however it ends (exit stacks), and
 * blocks that can be cancelled as a whole (cancel scopes).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_SCOPE_H
#define ASYNCLOOP_SCOPE_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exit stacks: contextlib.AsyncExitStack, and `async with` for C -------------------------
 *
 * An exit stack is a list of cleanup functions for a block. They run when the stack is
 * closed, last in, first out, each exactly once, and may await: at the end of the block,
 * on an error, a cancellation or an early return.
 *
 *     static int64_t release(void *lock) { return aloop_lock_release(lock); }
 *
 *     static int64_t work(void *lock, void **value) {
 *         ALOOP_SCOPE(scope);
 *         int64_t rc = aloop_await(aloop_lock_acquire(lock), NULL);
 *         if (rc < 0) return rc;
 *         aloop_exit_stack_callback(scope, release, lock);
 *         ...
 *         return rc;                                    (release runs here)
 *     }
 *
 * An exit stack belongs to one block and is not thread-safe. If it is dropped with
 * aloop_unref, its functions do not run. */

typedef struct aloop_exit_stack aloop_exit_stack;

/* Gets the status with which the block ends, and returns the status from here on: the same
 * to pass it on, 0 to handle an error, or another code. Python's __aexit__. */
typedef int64_t (*aloop_exit_fn)(void *data, int64_t status);

/* NULL: out of memory. */
ALOOP_API aloop_exit_stack *aloop_exit_stack_new(void);
/* Adds a function that sees the status. ALOOP_EINVAL if stack or fn is NULL, ALOOP_ENOMEM;
 * then nothing is registered, and the caller must clean up itself. */
ALOOP_API int64_t aloop_exit_stack_push(aloop_exit_stack *stack, aloop_exit_fn fn, void *data);
/* Adds a function that does not see the status; a result < 0 replaces it. */
ALOOP_API int64_t aloop_exit_stack_callback(aloop_exit_stack *stack, aloop_callback_fn fn,
                                            void *data);
/* Adds a reference to an object of the library, to be dropped. */
ALOOP_API int64_t aloop_exit_stack_unref(aloop_exit_stack *stack, void *object);
/* Moves all entries to a new stack, for a block that succeeded and passes on what it
 * opened. NULL when out of memory; then nothing was moved. */
ALOOP_API aloop_exit_stack *aloop_exit_stack_pop_all(aloop_exit_stack *stack);
/* Runs the entries. status is how the block ended; the result is what the entries made of
 * it. If the code stays the same, so does its error (aloop_raise, aloop_last_error). The
 * stack is then empty and can be used again. Call it where the entries may await. */
ALOOP_API int64_t aloop_exit_stack_close(aloop_exit_stack *stack, int64_t status);

/* What the macros call at the end of a variable's life. */
ALOOP_API void aloop_scope_leave_(aloop_exit_stack **variable);
ALOOP_API void aloop_unref_cleanup_(void *variable);

#if defined(__GNUC__) && !defined(SWIG)
/* Declares an exit stack that is closed at the end of the enclosing block, also on return,
 * break and goto. Its entries see the status 0, and if they fail, this is reported to the
 * loop's exception handler. If the entries should see how the block ended, write
 *     return aloop_exit_stack_close(name, rc); */
#define ALOOP_SCOPE(name)                                                         \
    __attribute__((cleanup(aloop_scope_leave_))) aloop_exit_stack *name = aloop_exit_stack_new()
/* Put before a variable that holds an object of the library, or NULL: the reference is
 * dropped at the end of the block. */
#define ALOOP_AUTO_UNREF __attribute__((cleanup(aloop_unref_cleanup_)))
#endif

/* Cancel scopes: level-triggered cancellation, as Trio has it ------------------------------
 *
 *     aloop_cancel_scope *s;
 *     rc = aloop_cancel_scope_enter(&s, 5.0, 0);
 *     if (rc >= 0) { rc = work(); rc = aloop_cancel_scope_exit(s, rc); }
 *     if (aloop_cancel_scope_cancelled_caught(s)) ...;    aloop_unref(s);
 *
 * asyncio's cancel makes one await fail, and code that handles this error continues as
 * if nothing had happened. A cancelled scope stays cancelled: every await inside it that
 * has to wait fails with ALOOP_ECANCELED until the scope is left. (An await that need not
 * wait succeeds: a queue that has an item, a future that is done.) Operations of the
 * library clean up undisturbed after that.
 *
 * Scopes belong to the running task, stackful or stackless, and nest. The cancellation of
 * an outer scope also holds inside the inner ones, except inside shielded scopes, which
 * are for cleanup that has to await. A shield does not keep out aloop_task_cancel. Tasks
 * created inside a scope are not in it. A generator must not yield inside a scope. */

typedef struct aloop_cancel_scope aloop_cancel_scope;

/* Begins a scope that cancels itself after delay seconds; INFINITY: never; <= 0: at once.
 * *scope is a reference, which exit does not drop. ALOOP_ENOTASK outside a task. */
ALOOP_API int64_t aloop_cancel_scope_enter(aloop_cancel_scope **scope, double delay,
                                           int32_t shield);
/* Cancels the scope: 1, or 0 if it was cancelled already or has been left. May be called
 * by any code on the loop's thread. */
ALOOP_API int64_t aloop_cancel_scope_cancel(aloop_cancel_scope *scope);
/* The deadline, in time of the loop's clock; INFINITY: none. A cancelled scope stays
 * cancelled. set: ALOOP_EINVALIDSTATE once it was left. */
ALOOP_API int64_t aloop_cancel_scope_set_deadline(aloop_cancel_scope *scope, double when);
ALOOP_API double aloop_cancel_scope_deadline(const aloop_cancel_scope *scope);
/* Not 0: from now on cancellations of outer scopes do not reach into it. */
ALOOP_API int64_t aloop_cancel_scope_set_shield(aloop_cancel_scope *scope, int32_t shield);
/* Whether it was cancelled, by a call or its deadline. */
ALOOP_API int64_t aloop_cancel_scope_cancel_called(const aloop_cancel_scope *scope);
/* Whether its exit turned a cancellation into 0. */
ALOOP_API int64_t aloop_cancel_scope_cancelled_caught(const aloop_cancel_scope *scope);
/* Leaves the scope. status is how the block ended: ALOOP_ECANCELED becomes 0 if it is
 * this scope's alone, and is passed on if it is also an outer scope's or comes from
 * aloop_task_cancel. ALOOP_EINVALIDSTATE if it is not the innermost scope or was left
 * already; ALOOP_ENOTASK in another task. */
ALOOP_API int64_t aloop_cancel_scope_exit(aloop_cancel_scope *scope, int64_t status);
/* 1 if an await that has to wait would fail here, else 0. */
ALOOP_API int64_t aloop_in_cancelled_scope(void);

#ifdef __cplusplus
}
#endif

#endif
