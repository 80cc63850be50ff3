/*
 * scope.h: blocks that clean up after themselves, whichever way they are left,
 * and blocks that can be cancelled as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_SCOPE_H
#define ASYNCLOOP_SCOPE_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Cleaning up: contextlib.AsyncExitStack, and `async with` for C -------------------------
 *
 * An exit stack holds what is to be done when a block is left. Its entries run
 * in the code that closes it, last in, first out, each exactly once, and may
 * await: on an error, a cancellation and an early return just as at the end.
 *
 *     static int64_t release(void *lock) { return aloop_lock_release(lock); }
 *
 *     static int64_t work(void *lock, void **value) {
 *         ALOOP_SCOPE(scope);
 *         int64_t rc = aloop_await(aloop_lock_acquire(lock), NULL);
 *         if (rc < 0) return rc;
 *         aloop_exit_stack_callback(scope, release, lock);
 *         ...
 *         return rc;                                    release runs here
 *     }
 *
 * An exit stack belongs to one block at a time and is not thread-safe. Dropped
 * with entries in it (aloop_unref), it runs none of them. */

typedef struct aloop_exit_stack aloop_exit_stack;

/* Gets how the block ends so far and returns how it goes on: status to pass it
 * on, 0 to handle an error, another code to replace it. Python's __aexit__. */
typedef int64_t (*aloop_exit_fn)(void *data, int64_t status);

/* NULL: out of memory. */
ALOOP_API aloop_exit_stack *aloop_exit_stack_new(void);
/* ALOOP_EINVAL for a NULL stack or fn, ALOOP_ENOMEM: then nothing is registered,
 * and the caller undoes at once what it just did. */
ALOOP_API int64_t aloop_exit_stack_push(aloop_exit_stack *stack, aloop_exit_fn fn, void *data);
/* fn does not see the status; a result < 0 replaces it. */
ALOOP_API int64_t aloop_exit_stack_callback(aloop_exit_stack *stack, aloop_callback_fn fn,
                                            void *data);
/* Drops a reference to an object of the library on leaving. */
ALOOP_API int64_t aloop_exit_stack_unref(aloop_exit_stack *stack, void *object);
/* Moves all entries to a new stack: for a block that succeeded and hands over
 * what it opened. NULL: out of memory, and nothing moved. */
ALOOP_API aloop_exit_stack *aloop_exit_stack_pop_all(aloop_exit_stack *stack);
/* Runs the entries; status is how the block ended, the result how the whole
 * ends. The error behind status (aloop_raise, aloop_last_error) stays that of
 * the result if the code is the same. The stack is empty then and can be used
 * again. To be called where the entries may await. */
ALOOP_API int64_t aloop_exit_stack_close(aloop_exit_stack *stack, int64_t status);

/* What the macros call at the end of a variable's life. */
ALOOP_API void aloop_scope_leave_(aloop_exit_stack **variable);
ALOOP_API void aloop_unref_cleanup_(void *variable);

#if defined(__GNUC__) && !defined(SWIG)
/* Declares an exit stack that is closed at the end of the enclosing block, by
 * return, break and goto too. Its entries then see the status 0; what they
 * fail with is reported to the loop's exception handler. Where it matters how
 * the block ended: return aloop_exit_stack_close(name, rc). */
#define ALOOP_SCOPE(name)                                                         \
    __attribute__((cleanup(aloop_scope_leave_))) aloop_exit_stack *name = aloop_exit_stack_new()
/* Before a variable that holds an object of the library, or NULL: its reference
 * is dropped at the end of the block. */
#define ALOOP_AUTO_UNREF __attribute__((cleanup(aloop_unref_cleanup_)))
#endif

/* Cancel scopes: level-triggered cancellation, as Trio has it ------------------------------
 *
 *     aloop_cancel_scope *s;
 *     rc = aloop_cancel_scope_enter(&s, 5.0, 0);
 *     if (rc >= 0) { rc = work(); rc = aloop_cancel_scope_exit(s, rc); }
 *     if (aloop_cancel_scope_cancelled_caught(s)) ...;    aloop_unref(s);
 *
 * asyncio's cancel is an event: it makes one await fail, and code that handles
 * that goes on as if nothing had happened. A scope that is cancelled stays so:
 * every await inside it that has to wait fails with ALOOP_ECANCELED until the
 * scope is left (what is there already is taken: an item in a queue, a future
 * that is done). Operations of the library clean up undisturbed after that.
 *
 * Scopes belong to the running task, stackful or step, and nest. The
 * cancellation of an outer one holds in the inner ones, but for those that are
 * shielded and what is inside of them: for cleaning up that has to await. A
 * shield does not keep out aloop_task_cancel. Tasks that are created inside a
 * scope are not in it. A generator must not yield inside a scope. */

typedef struct aloop_cancel_scope aloop_cancel_scope;

/* delay: after how many seconds the scope cancels itself; INFINITY: never; <= 0:
 * at once. A reference: exit does not drop it. ALOOP_ENOTASK outside a task. */
ALOOP_API int64_t aloop_cancel_scope_enter(aloop_cancel_scope **scope, double delay,
                                           int32_t shield);
/* 1, or 0 if it was cancelled already or has been left. From any code on the
 * loop's thread. */
ALOOP_API int64_t aloop_cancel_scope_cancel(aloop_cancel_scope *scope);
/* The deadline in loop time, INFINITY: none. A cancelled scope stays cancelled.
 * ALOOP_EINVALIDSTATE once it was left. */
ALOOP_API int64_t aloop_cancel_scope_set_deadline(aloop_cancel_scope *scope, double when);
ALOOP_API double aloop_cancel_scope_deadline(const aloop_cancel_scope *scope);
/* Not 0: outer scopes do not reach into it any more. */
ALOOP_API int64_t aloop_cancel_scope_set_shield(aloop_cancel_scope *scope, int32_t shield);
/* Whether it was cancelled, by a call or its deadline. */
ALOOP_API int64_t aloop_cancel_scope_cancel_called(const aloop_cancel_scope *scope);
/* Whether its exit turned a cancellation into 0. */
ALOOP_API int64_t aloop_cancel_scope_cancelled_caught(const aloop_cancel_scope *scope);
/* Leaves the innermost scope. status: how the block ended; an ALOOP_ECANCELED that
 * is this scope's becomes 0, one that is also an outer scope's or comes from
 * aloop_task_cancel goes on. ALOOP_EINVALIDSTATE if it is not the innermost one,
 * or left already; ALOOP_ENOTASK in another task. */
ALOOP_API int64_t aloop_cancel_scope_exit(aloop_cancel_scope *scope, int64_t status);
/* Whether an await that has to wait would fail here and now. */
ALOOP_API int64_t aloop_in_cancelled_scope(void);

#ifdef __cplusplus
}
#endif

#endif
