/*
 * combine.h: running programs, and combining futures: sleep, gather, shield,
 * wait, wait_for, as_completed, select, timeouts, task groups.
 *
 * Functions that return a future consume the futures they are given. Arrays are
 * read only during the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_COMBINE_H
#define ASYNCLOOP_COMBINE_H

#include <asyncloop/base.h>
#include <asyncloop/loop.h>
#include <asyncloop/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Running a program ------------------------------------------------------------------- */

/* Creates a loop, runs fn(arg) as its main task, cancels and awaits all other tasks,
 * closes the loop, and returns the outcome of fn, as aloop_await does.
 * Ctrl-C (in the main thread) cancels the main task; if this ends it, the result is
 * -EINTR. A second Ctrl-C before that stops the run at once, also with -EINTR, and the
 * other tasks are cancelled as usual. The third kills the process, even if a callback
 * blocks the loop.
 * Running jobs of the default executor get 300 seconds, as in asyncio; for less, await
 * aloop_loop_shutdown_default_executor at the end of fn.
 * ALOOP_ELOOPRUNNING inside a running loop. asyncio.run. */
ALOOP_API int64_t aloop_run(aloop_coro_fn fn, void *arg, void **value);
/* The same for a program's main(), which returns the result: 0 for success, 130 after
 * Ctrl-C, and 1 if fn failed; then the error, where it was raised, and its causes are on
 * standard error. Not inside a running loop. */
ALOOP_API int32_t aloop_main(aloop_coro_fn fn, void *arg);

/* A runner: aloop_run in parts, for several main tasks on one loop and in one context.
 * asyncio.Runner. */
typedef struct aloop_runner aloop_runner;
ALOOP_API int64_t aloop_runner_new(aloop_runner **runner, const aloop_loop_options *options);
/* Runs fn(arg) as a main task; returns its outcome, as aloop_run does. */
ALOOP_API int64_t aloop_runner_run(aloop_runner *runner, aloop_coro_fn fn, void *arg,
                                   void **value);
/* The same with task options: for a step function, a name, a context. */
ALOOP_API int64_t aloop_runner_run_ex(aloop_runner *runner, aloop_task_options *options,
                                      void **value);
/* Its loop, borrowed; NULL after close, or out of memory. */
ALOOP_API aloop_loop *aloop_runner_get_loop(aloop_runner *runner);
/* Cancels all tasks and waits for them, then closes the async generators, the default
 * executor and the loop. Closing again returns 0. aloop_unref frees the runner. */
ALOOP_API int64_t aloop_runner_close(aloop_runner *runner);

/* Sleeping ------------------------------------------------------------------------------ */

/* Operations that are done after delay seconds. A delay <= 0 lets all other ready callbacks
 * run once. NaN fails with ALOOP_EINVAL. aloop_sleep_result has the given outcome. */
ALOOP_API aloop_future *aloop_sleep(double delay);
ALOOP_API aloop_future *aloop_sleep_result(double delay, int64_t status, void *value,
                                           aloop_free_fn free_fn);

/* Several futures ------------------------------------------------------------------------ */

#define ALOOP_RETURN_EXCEPTIONS 0x1 /* errors are results like others */

/* Waits for all futures. The value is an aloop_results with their outcomes, in the order
 * of the arguments; the status is their number. The first error is the error of the
 * gather, but the other futures continue; with ALOOP_RETURN_EXCEPTIONS errors are results,
 * too. Cancelling the gather cancels all futures. Operations become tasks. */
ALOOP_API aloop_future *aloop_gather(aloop_future *const *futures, int64_t n, int32_t flags);
ALOOP_API aloop_future *aloop_gather_v(int32_t flags, ...); /* futures, then NULL */
#ifndef SWIG
/* The same with the futures as arguments, at least one: ALOOP_GATHER(0, f1, f2). If one of
 * them is NULL, the gather fails. */
#define ALOOP_GATHER(flags, ...)                                                     \
    aloop_gather((aloop_future *const[]){__VA_ARGS__},                               \
                 (int64_t)(sizeof((aloop_future *[]){__VA_ARGS__}) / sizeof(void *)), \
                 (flags))
#endif

/* Has the outcome of future, but cancelling the shield does not cancel future. Keep a
 * reference to future (aloop_ref) to get its outcome after that. */
ALOOP_API aloop_future *aloop_shield(aloop_future *future);

#define ALOOP_ALL_COMPLETED 0   /* until all are done */
#define ALOOP_FIRST_COMPLETED 1 /* until one is */
#define ALOOP_FIRST_EXCEPTION 2 /* until one failed, or all are done */
/* An operation that waits until as many futures are done as return_when says, or until
 * timeout seconds have passed (negative: no limit), which is no error. It cancels none of
 * them. Its value is an aloop_wait_result, which holds the references to the futures.
 * The futures must not be operations (ALOOP_EWRONGTYPE). */
typedef struct aloop_wait_result aloop_wait_result;
ALOOP_API aloop_future *aloop_wait(aloop_future *const *futures, int64_t n, double timeout,
                                   int32_t return_when);
/* Borrowed lists, in the order of the arguments. aloop_unref frees the wait result. */
ALOOP_API aloop_results *aloop_wait_result_done(aloop_wait_result *result);
ALOOP_API aloop_results *aloop_wait_result_pending(aloop_wait_result *result);

/* An operation that waits until one of the futures, which may be operations, is done. Its
 * status is the index of that future (the lowest, if several are done), and its value an
 * aloop_results with a reference to each future. Outcomes stay in the futures.
 * Nothing is cancelled, not even if the select itself is. The other futures continue:
 * await them later, select them again, or cancel them; a get or receive then loses no
 * item. Keep references (aloop_ref) to those that matter, since aloop_results_unref drops
 * the list's. An abandoned get or receive would still take an item, which is then freed.
 * n = 0: ALOOP_EINVAL. Not in asyncio. */
ALOOP_API aloop_future *aloop_select(aloop_future *const *futures, int64_t n);

/* An operation with the outcome of future. After timeout seconds it cancels future, waits
 * for its cleanup, and fails with ALOOP_ETIMEDOUT. A negative timeout is like 0; INFINITY
 * is no limit. */
ALOOP_API aloop_future *aloop_wait_for(aloop_future *future, double timeout);

/* Gives futures in the order in which they finish. aloop_as_completed_next is an operation
 * whose value is the next finished future (a reference). It fails with
 * ALOOP_ESTOPITERATION after the last one, and with ALOOP_ETIMEDOUT when timeout seconds
 * (negative: no limit) have passed. aloop_unref frees the iterator. */
typedef struct aloop_completions aloop_completions;
ALOOP_API int64_t aloop_as_completed(aloop_completions **completions, aloop_future *const *futures,
                                     int64_t n, double timeout);
ALOOP_API aloop_future *aloop_as_completed_next(aloop_completions *completions);
/* The same, but with the outcome of that future: asyncio's plain for loop. */
ALOOP_API aloop_future *aloop_as_completed_next_result(aloop_completions *completions);

/* Timeouts around a block ---------------------------------------------------------------
 *
 *     aloop_timeout *t;
 *     rc = aloop_timeout_enter(&t, 5.0);
 *     if (rc >= 0) { rc = work(); rc = aloop_timeout_exit(t, rc); aloop_unref(t); }
 *
 * When the time is up, the task is cancelled, and exit turns this cancellation into
 * ALOOP_ETIMEDOUT. Both calls must be made in the same task, stackful or stackless. */

typedef struct aloop_timeout aloop_timeout;
/* Begins a block that may take delay seconds; *timeout is a reference. ALOOP_ENOTASK
 * outside a task. */
ALOOP_API int64_t aloop_timeout_enter(aloop_timeout **timeout, double delay);
/* The same with a time of the loop's clock; INFINITY: no limit yet. */
ALOOP_API int64_t aloop_timeout_at(aloop_timeout **timeout, double when);
/* Moves the deadline. ALOOP_EINVALIDSTATE once it has expired or was left. */
ALOOP_API int64_t aloop_timeout_reschedule(aloop_timeout *timeout, double when);
/* The deadline; INFINITY: none. */
ALOOP_API double aloop_timeout_when(const aloop_timeout *timeout);
/* 1 if the time was up before it was left, else 0. */
ALOOP_API int64_t aloop_timeout_expired(const aloop_timeout *timeout);
/* Ends the block. status is how it ended; returns that, or ALOOP_ETIMEDOUT. */
ALOOP_API int64_t aloop_timeout_exit(aloop_timeout *timeout, int64_t status);

/* Task groups ---------------------------------------------------------------------------
 *
 *     aloop_task_group *g;
 *     rc = aloop_task_group_enter(&g);
 *     if (rc >= 0) { aloop_task_group_spawn(g, fn, arg); rc = aloop_task_group_exit(g, 0); }
 *
 * exit waits for all tasks of the group and drops the group. The first failure cancels
 * the other tasks and the block. The result is then ALOOP_EGROUP, an error with the errors
 * of the tasks as its children (aloop_last_error). */

typedef struct aloop_task_group aloop_task_group;
/* Begins a group in the running task. ALOOP_ENOTASK outside one. */
ALOOP_API int64_t aloop_task_group_enter(aloop_task_group **group);
/* Creates a task in the group; returns a reference. If the group is ending or finished, a
 * future that has failed with ALOOP_ESHUTDOWN. */
ALOOP_API aloop_task *aloop_task_group_create_task(aloop_task_group *group, aloop_coro_fn fn,
                                                   void *arg);
ALOOP_API aloop_task *aloop_task_group_create_task_ex(aloop_task_group *group,
                                                      aloop_task_options *options);
/* Creates a task in the group and drops the reference; 0 or a code. */
ALOOP_API int64_t aloop_task_group_spawn(aloop_task_group *group, aloop_coro_fn fn, void *arg);
/* Cancels the remaining tasks and the block; exit then returns 0. */
ALOOP_API int64_t aloop_task_group_cancel(aloop_task_group *group);
/* Ends the block; status is how it ended. In a stackful task. */
ALOOP_API int64_t aloop_task_group_exit(aloop_task_group *group, int64_t status);
/* The same as an operation, for stackless tasks; its outcome is what exit would return.
 * The group is dropped with it. */
ALOOP_API aloop_future *aloop_task_group_join(aloop_task_group *group, int64_t status);

#ifdef __cplusplus
}
#endif

#endif
