/*
 * task.h: tasks run coroutines concurrently on one loop. asyncio.Task.
 *
 * A coroutine is written in one of two ways:
 *   stackful   a plain C function. It runs on a stack of its own (a fiber) and can
 *              await anywhere in its call tree. To await another coroutine, call it.
 *   stackless  a step function, which the loop calls again each time the future it
 *              waits for is done. It keeps its state in a frame. For bindings, C++20
 *              and very many tasks (192 bytes each; a stackful one takes 4.3 KiB).
 *
 * The loop owns its unfinished tasks: dropping the last reference to one does not
 * end it. A task that fails while nobody awaits it is reported to the loop's
 * exception handler.
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

/* Suspends the running task until future (consumed) is done. Returns its status,
 * and in *value its value, which is then the caller's, if value is not NULL.
 * ALOOP_ECANCELED if the task or the future was cancelled. ALOOP_ENOTASK outside a
 * stackful task, ALOOP_EWRONGLOOP for a future of another loop, ALOOP_EINVAL for
 * NULL (ALOOP_ENORUNNINGLOOP if no loop runs) and for a task that awaits itself. */
ALOOP_API int64_t aloop_await(aloop_future *future, void **value);

/* Sets the value of the running task, with its destructor, and returns status:
 *     return aloop_return(0, line, free); */
ALOOP_API int64_t aloop_return(int64_t status, void *value, aloop_free_fn free_fn);

/* Stackless coroutines ------------------------------------------------------------------
 *
 * A step function returns its final status (and *value), or waits for a future with
 *     return aloop_suspend(task, future);
 * When that future is done, the step function is called again, and aloop_awaited
 * gives the outcome, as aloop_await would. A second aloop_suspend in one step gives
 * ALOOP_EBUSY. */

typedef int64_t (*aloop_step_fn)(aloop_task *task, void *frame, void **value);

/* Says what the step waits for (consumed). The step must return what this returns. */
ALOOP_API int64_t aloop_suspend(aloop_task *task, aloop_future *future);
/* Its outcome, in the next call of the step. */
ALOOP_API int64_t aloop_awaited(aloop_task *task, void **value);

#ifndef SWIG
/* Macros that write the state machine. A frame begins with ALOOP_CO_FRAME, and its
 * members are the variables that must survive an await. The body is between BEGIN
 * and END. AWAIT waits for a future and stores its status in result:
 *
 *     struct tick { ALOOP_CO_FRAME; int i; };
 *
 *     static int64_t tick(aloop_task *task, void *frame, void **value) {
 *         struct tick *f = frame;
 *         int64_t rc = 0;
 *         (void)value;
 *         ALOOP_CO_BEGIN(f);
 *         for (f->i = 0; f->i < 3; f->i++) {
 *             ALOOP_CO_AWAIT(task, f, aloop_sleep(1), rc, NULL);
 *             if (rc < 0) return rc;
 *         }
 *         ALOOP_CO_END(f);
 *         return 0;
 *     } */
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

/* Creating tasks ----------------------------------------------------------------------------
 *
 * All return a reference for the caller, who awaits the task or drops it with
 * aloop_unref. They return NULL if no loop runs, and when out of memory a future that
 * has failed with ALOOP_ENOMEM. */

/* A task that runs fn(arg). */
ALOOP_API aloop_task *aloop_create_task(aloop_coro_fn fn, void *arg);
/* A task that runs step with frame, which the task owns: free_fn frees it at the end. */
ALOOP_API aloop_task *aloop_create_stackless_task(aloop_step_fn step, void *frame,
                                                  aloop_free_fn free_fn);
/* A task as the options describe it. They are borrowed and may be used again, but an
 * argument with a destructor belongs to the first task and must then be set again. */
ALOOP_API aloop_task *aloop_create_task_ex(aloop_task_options *options);
/* The same without the loop's task factory; a task factory calls this function. */
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
/* 1: the task runs inside the call that creates it, up to its first await; 0: it does
 * not; default: as the loop's factory decides. Fails with ALOOP_EBUSY if the task's
 * context is in use, as the caller's own is. */
ALOOP_API int64_t aloop_task_options_set_eager_start(aloop_task_options *options, int32_t eager);
/* Bytes of its stack, instead of the loop's default. */
ALOOP_API int64_t aloop_task_options_set_stack_size(aloop_task_options *options, size_t bytes);

/* Turns an operation into a task that runs it; returns any other future as it is. */
ALOOP_API aloop_future *aloop_ensure_future(aloop_future *future);
/* From now on tasks of this loop start eagerly (1) or not (0). */
ALOOP_API int64_t aloop_set_eager_task_factory(aloop_loop *loop, int32_t eager);

/* Inspecting tasks ----------------------------------------------------------------------------- */

/* The running task, borrowed; NULL outside one. */
ALOOP_API aloop_task *aloop_current_task(aloop_loop *loop);
/* The unfinished tasks of the loop (NULL: the running loop), in the order of their
 * creation: aloop_results_future(list, i). */
ALOOP_API aloop_results *aloop_all_tasks(aloop_loop *loop);

/* Requests cancellation: 1, or 0 if the task is done. Requests are counted. */
ALOOP_API int64_t aloop_task_cancel(aloop_task *task, const char *message);
/* The number of requests minus those taken back. uncancel takes one back and returns
 * the new number; at 0, a request that was not delivered yet is dropped. */
ALOOP_API int64_t aloop_task_cancelling(aloop_task *task);
ALOOP_API int64_t aloop_task_uncancel(aloop_task *task);

/* The name, by default "Task-N". get returns its length and copies it to buffer,
 * truncated to size and with a NUL. */
ALOOP_API int64_t aloop_task_set_name(aloop_task *task, const char *name);
ALOOP_API int64_t aloop_task_get_name(aloop_task *task, char *buffer, size_t size);
/* The address of the coroutine or step function as an integer; 0 when it is done. */
ALOOP_API uint64_t aloop_task_get_coro(aloop_task *task);
/* The task's own context, borrowed; NULL out of memory. */
ALOOP_API aloop_context *aloop_task_get_context(aloop_task *task);

#define ALOOP_TASK_WAITING 0  /* for a future */
#define ALOOP_TASK_READY 1    /* to run: its next step is scheduled */
#define ALOOP_TASK_RUNNING 2  /* right now */
#define ALOOP_TASK_FINISHED 3 /* with a result or an error */
#define ALOOP_TASK_CANCELLED 4 /* with ALOOP_ECANCELED */
/* One of the above; ALOOP_EINVAL if it is not a task. */
ALOOP_API int64_t aloop_task_state(aloop_task *task);
/* One line like Python's repr() of a task; returns the length as get_name does. */
ALOOP_API int64_t aloop_task_repr(aloop_task *task, char *buffer, size_t size);
/* The code addresses on a suspended task's stack, innermost first; returns how many. */
ALOOP_API int64_t aloop_task_get_stack(aloop_task *task, void **frames, int64_t limit);
/* Writes its name and stack to a descriptor. */
ALOOP_API int64_t aloop_task_print_stack(aloop_task *task, int64_t limit, int32_t fd);

/* Wakers: a stackless task that waits for something outside the loop (another
 * executor, a device) suspends on aloop_task_waker_future. Whoever holds the waker can
 * wake the task, from any thread and any number of times. */
typedef struct aloop_task_waker aloop_task_waker;
ALOOP_API aloop_task_waker *aloop_task_waker_new(aloop_task *task);
ALOOP_API aloop_future *aloop_task_waker_future(aloop_task_waker *waker);
ALOOP_API int64_t aloop_task_waker_wake(aloop_task_waker *waker);
ALOOP_API void aloop_task_waker_unref(aloop_task_waker *waker);

#ifdef __cplusplus
}
#endif

#endif
