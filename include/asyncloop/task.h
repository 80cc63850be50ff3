/*
 * task.h: tasks run coroutines side by side on one loop. asyncio.Task.
 *
 * A coroutine is written in one of two ways:
 *   stackful   a plain C function; it runs on a stack of its own (a fiber) and
 *              awaits anywhere in its call tree. To await another coroutine
 *              directly, call it.
 *   stackless  a step function that the loop calls again each time what it
 *              waits for is done; it keeps its state in a frame. For bindings,
 *              C++20 and very many tasks (192 bytes each, against 4.3 KiB).
 *
 * The loop owns its unfinished tasks: dropping the last reference to a running
 * task does not end it. A task that fails while nobody awaits it is reported
 * to the loop's exception handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_TASK_H
#define ASYNCLOOP_TASK_H

#include <asyncloop/base.h>
#include <asyncloop/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stackful coroutines (aloop_coro_fn, loop.h) --------------------------------------- */

/* Suspends the running task until future (consumed) is done; returns its
 * status, and its value in *value (the caller's now) if value is not NULL.
 * ALOOP_ECANCELED when the task or the future was cancelled. ALOOP_ENOTASK
 * outside a stackful task, ALOOP_EWRONGLOOP for a future of another loop,
 * ALOOP_EINVAL for NULL (ALOOP_ENORUNNINGLOOP where no loop runs), and for a
 * task that awaits itself. */
ALOOP_API int64_t aloop_await(aloop_future *future, void **value);

/* Sets the value of the running task, with its destructor, and returns status:
 *     return aloop_return(0, line, free); */
ALOOP_API int64_t aloop_return(int64_t status, void *value, aloop_free_fn free_fn);

/* Stackless coroutines ------------------------------------------------------------------
 *
 * The step returns its final status (and *value), or
 *     return aloop_suspend(task, future);
 * which names what to wait for (consumed); when the step is called again,
 * aloop_awaited gives the outcome as aloop_await would. A second suspend in one
 * step gives ALOOP_EBUSY. */

typedef int64_t (*aloop_step_fn)(aloop_task *task, void *frame, void **value);

/* Names what the step waits for (consumed); the step returns what this returns. */
ALOOP_API int64_t aloop_suspend(aloop_task *task, aloop_future *future);
/* The outcome of that, in the next call of the step. */
ALOOP_API int64_t aloop_awaited(aloop_task *task, void **value);

#ifndef SWIG
/* A frame begins with ALOOP_CO_FRAME; locals that live across an await are its
 * members. The body stands between BEGIN and END; AWAIT leaves the status in
 * result. */
#define ALOOP_CO_FRAME int32_t aloop_co_line
#define ALOOP_CO_BEGIN(frame)        \
    switch ((frame)->aloop_co_line) { \
    case 0:
#define ALOOP_CO_AWAIT(task, frame, future, result, value) \
    do {                                                   \
        (frame)->aloop_co_line = __LINE__;                 \
        return aloop_suspend((task), (future));            \
    case __LINE__:                                         \
        (result) = aloop_awaited((task), (value));         \
    } while (0)
#define ALOOP_CO_END(frame)          \
    }                                \
    (frame)->aloop_co_line = -1
#endif

/* Making tasks ------------------------------------------------------------------------------
 *
 * All return a reference that the caller owns (await it, or aloop_unref it),
 * and need a running loop: without one they return NULL. Out of memory gives a
 * future that has failed with ALOOP_ENOMEM. */

/* A task that runs fn(arg). */
ALOOP_API aloop_task *aloop_create_task(aloop_coro_fn fn, void *arg);
/* frame becomes the task's; free_fn frees it when the step has ended. */
ALOOP_API aloop_task *aloop_create_stackless_task(aloop_step_fn step, void *frame,
                                                  aloop_free_fn free_fn);
/* As the options say (borrowed; may be used again, but an argument with a
 * destructor goes to the first task, and then needs setting anew). */
ALOOP_API aloop_task *aloop_create_task_ex(aloop_task_options *options);
/* The same without the loop's task factory, which calls this one. */
ALOOP_API aloop_task *aloop_task_new(aloop_loop *loop, aloop_task_options *options);
/* Creates a task and drops the reference: 0 or a code. */
ALOOP_API int64_t aloop_spawn(aloop_coro_fn fn, void *arg);

/* New options with the defaults; NULL when out of memory. aloop_unref frees.
 * Setters: 0, ALOOP_EINVAL, ALOOP_ENOMEM. */
ALOOP_API aloop_task_options *aloop_task_options_new(void);
ALOOP_API int64_t aloop_task_options_set_coro(aloop_task_options *options, aloop_coro_fn fn,
                                              void *arg, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_task_options_set_step(aloop_task_options *options, aloop_step_fn step,
                                              void *frame, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_task_options_set_name(aloop_task_options *options, const char *name);
ALOOP_API int64_t aloop_task_options_set_context(aloop_task_options *options,
                                                 aloop_context *context);
/* 1: runs at once, inside the call, up to its first suspension; 0: not; the
 * default is what the loop's factory does. In a context that is entered, such as the
 * caller's own, the task is an ALOOP_EBUSY. */
ALOOP_API int64_t aloop_task_options_set_eager_start(aloop_task_options *options, int32_t eager);
/* Bytes of its stack, instead of the loop's default. */
ALOOP_API int64_t aloop_task_options_set_stack_size(aloop_task_options *options, size_t bytes);

/* An operation becomes a task that runs it; any other future is given back
 * (the reference passes through). */
ALOOP_API aloop_future *aloop_ensure_future(aloop_future *future);
/* From now on tasks of this loop start eagerly (1) or not (0). */
ALOOP_API int64_t aloop_set_eager_task_factory(aloop_loop *loop, int32_t eager);

/* Looking at tasks ----------------------------------------------------------------------------- */

/* The running task, borrowed; NULL outside one. */
ALOOP_API aloop_task *aloop_current_task(aloop_loop *loop);
/* The tasks of the loop (NULL: the running one) that are not done, in the order
 * of their making: aloop_results_future(list, i). */
ALOOP_API aloop_results *aloop_all_tasks(aloop_loop *loop);

/* Requests cancellation: 1, or 0 if it is done. Counted: see cancelling. */
ALOOP_API int64_t aloop_task_cancel(aloop_task *task, const char *message);
/* Requests so far less those taken back; uncancel takes one back and returns
 * what is left, and at 0 a request not yet delivered is dropped. */
ALOOP_API int64_t aloop_task_cancelling(aloop_task *task);
ALOOP_API int64_t aloop_task_uncancel(aloop_task *task);

/* "Task-N" unless named. get: the length; copies it, cut to size with a NUL. */
ALOOP_API int64_t aloop_task_set_name(aloop_task *task, const char *name);
ALOOP_API int64_t aloop_task_get_name(aloop_task *task, char *buffer, size_t size);
/* The coroutine or step function's address as an integer; 0 once it is done. */
ALOOP_API uint64_t aloop_task_get_coro(aloop_task *task);
/* The task's own context, borrowed; NULL out of memory. */
ALOOP_API aloop_context *aloop_task_get_context(aloop_task *task);

#define ALOOP_TASK_WAITING 0  /* for a future */
#define ALOOP_TASK_READY 1    /* its next step is scheduled */
#define ALOOP_TASK_RUNNING 2  /* right now */
#define ALOOP_TASK_FINISHED 3 /* with a result or an error */
#define ALOOP_TASK_CANCELLED 4 /* with ALOOP_ECANCELED */
/* One of the above; ALOOP_EINVAL for what is no task. */
ALOOP_API int64_t aloop_task_state(aloop_task *task);
/* One line as asyncio's repr(); returns the length as get_name does. */
ALOOP_API int64_t aloop_task_repr(aloop_task *task, char *buffer, size_t size);
/* The code addresses of a suspended task's stack, innermost first; how many. */
ALOOP_API int64_t aloop_task_get_stack(aloop_task *task, void **frames, int64_t limit);
/* Writes name and stack to a descriptor. */
ALOOP_API int64_t aloop_task_print_stack(aloop_task *task, int64_t limit, int32_t fd);

/* Wakers: a stackless task that waits for something outside the loop (another
 * executor, a device) suspends on aloop_task_waker_future, and whoever holds
 * the waker wakes it, from any thread and as often as it likes. */
typedef struct aloop_task_waker aloop_task_waker;
ALOOP_API aloop_task_waker *aloop_task_waker_new(aloop_task *task);
ALOOP_API aloop_future *aloop_task_waker_future(aloop_task_waker *waker);
ALOOP_API int64_t aloop_task_waker_wake(aloop_task_waker *waker);
ALOOP_API void aloop_task_waker_unref(aloop_task_waker *waker);

#ifdef __cplusplus
}
#endif

#endif
