/*
 * combine.h: running programs, and awaiting several things at once: sleep,
 * gather, shield, wait, wait_for, as_completed, timeouts, task groups.
 *
 * Functions that return a future consume the futures they are given. What is
 * given as an array is read during the call only.
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

/* Makes a loop, runs fn(arg) as its main task, cancels what is left, closes
 * the loop, and returns the outcome of fn as aloop_await does. Ctrl-C cancels
 * the main task, in the main thread; if that ends it, the result is -EINTR. A second
 * one before its end ends the run at once (-EINTR), what is left being cancelled as
 * ever; the third, also where the loop is stuck in a callback, kills the process. Jobs
 * of the default executor that still run get 300 seconds, as asyncio's; for less
 * the program awaits aloop_loop_shutdown_default_executor itself.
 * ALOOP_ELOOPRUNNING inside a running loop. asyncio.run. */
ALOOP_API int64_t aloop_run(aloop_coro_fn fn, void *arg, void **value);
/* The same for a program's main(), which returns what this returns: 0; or 1 if fn
 * failed, when standard error has been told with what, where it was raised, and what
 * was behind it; or 130 after Ctrl-C. Never inside a loop. */
ALOOP_API int32_t aloop_main(aloop_coro_fn fn, void *arg);

/* The same in parts: several main tasks on one loop and in one context. */
typedef struct aloop_runner aloop_runner;
ALOOP_API int64_t aloop_runner_new(aloop_runner **runner, const aloop_loop_options *options);
/* Runs fn(arg) as a main task; its outcome, as aloop_run gives it. */
ALOOP_API int64_t aloop_runner_run(aloop_runner *runner, aloop_coro_fn fn, void *arg,
                                   void **value);
/* As options say: step tasks, names, contexts. */
ALOOP_API int64_t aloop_runner_run_ex(aloop_runner *runner, aloop_task_options *options,
                                      void **value);
/* Borrowed; NULL once it is closed, or out of memory. */
ALOOP_API aloop_loop *aloop_runner_get_loop(aloop_runner *runner);
/* In asyncio's order: cancels all tasks and waits for them, closes the async
 * generators, the default executor, the loop. Again: 0. aloop_unref frees. */
ALOOP_API int64_t aloop_runner_close(aloop_runner *runner);

/* Sleeping ------------------------------------------------------------------------------ */

/* Done after delay seconds; <= 0 lets every other ready callback run once.
 * NaN fails with ALOOP_EINVAL. Operations. */
ALOOP_API aloop_future *aloop_sleep(double delay);
ALOOP_API aloop_future *aloop_sleep_result(double delay, int64_t status, void *value,
                                           aloop_free_fn free_fn);

/* Several at once ----------------------------------------------------------------------- */

#define ALOOP_RETURN_EXCEPTIONS 0x1 /* failures are results like others */

/* Runs all; the value is an aloop_results with the outcomes in the order given,
 * the status how many.
 * The first error ends the gather, not the others; with RETURN_EXCEPTIONS all
 * outcomes are results. Cancelling it cancels all. Operations become tasks. */
ALOOP_API aloop_future *aloop_gather(aloop_future *const *futures, int64_t n, int32_t flags);
ALOOP_API aloop_future *aloop_gather_v(int32_t flags, ...); /* ends with a NULL */
#ifndef SWIG
/* The futures as arguments, at least one: ALOOP_GATHER(0, f1, f2). A NULL among
 * them fails the gather rather than ending the list. */
#define ALOOP_GATHER(flags, ...)                                                     \
    aloop_gather((aloop_future *const[]){__VA_ARGS__},                               \
                 (int64_t)(sizeof((aloop_future *[]){__VA_ARGS__}) / sizeof(void *)), \
                 (flags))
#endif

/* Awaits future; cancelling the awaiting side leaves future running. Keep a
 * reference to it (aloop_ref) if its outcome matters after that. */
ALOOP_API aloop_future *aloop_shield(aloop_future *future);

#define ALOOP_ALL_COMPLETED 0   /* until all are done */
#define ALOOP_FIRST_COMPLETED 1 /* until one is */
#define ALOOP_FIRST_EXCEPTION 2 /* until one failed, or all are done */
/* Waits until as many of them are done as return_when says, or timeout seconds
 * passed (negative: none). Accepts no operations (ALOOP_EWRONGTYPE). An
 * operation; its value is an aloop_wait_result, which holds the references to
 * the futures; it never fails by timing out and never cancels. */
typedef struct aloop_wait_result aloop_wait_result;
ALOOP_API aloop_future *aloop_wait(aloop_future *const *futures, int64_t n, double timeout,
                                   int32_t return_when);
/* Borrowed lists, in the order given. aloop_unref frees the wait result. */
ALOOP_API aloop_results *aloop_wait_result_done(aloop_wait_result *result);
ALOOP_API aloop_results *aloop_wait_result_pending(aloop_wait_result *result);

/* Waits until one of them, operations as well, is done: an operation whose
 * status is that one's index (the lowest, if several are) and whose value is an
 * aloop_results with a reference to every future, in the order given. Outcomes
 * stay in the futures; nothing is cancelled, whether it loses or the select
 * itself is cancelled. A loser keeps running: await it later, select it again,
 * or cancel it; a get or receive then loses no item. aloop_results_unref drops
 * the references, so keep one (aloop_ref) of what still matters. In particular
 * of a get or receive, also in case the select is cancelled or times out: it
 * runs on even if nobody has a reference, and an item that it takes is freed.
 * n = 0: ALOOP_EINVAL. asyncio has none. */
ALOOP_API aloop_future *aloop_select(aloop_future *const *futures, int64_t n);

/* The outcome of future, or ALOOP_ETIMEDOUT after timeout seconds: then it was
 * cancelled, and its cleanup awaited. Negative infinity or less than 0 behaves
 * as 0; INFINITY waits without limit. An operation. */
ALOOP_API aloop_future *aloop_wait_for(aloop_future *future, double timeout);

/* The futures in the order in which they finish. next is an operation: its
 * value is the future that finished (a reference; free with aloop_unref), its
 * status 0; ALOOP_ESTOPITERATION after the last, ALOOP_ETIMEDOUT once timeout
 * seconds (negative: none) have passed. */
typedef struct aloop_completions aloop_completions;
ALOOP_API int64_t aloop_as_completed(aloop_completions **completions, aloop_future *const *futures,
                                     int64_t n, double timeout);
ALOOP_API aloop_future *aloop_as_completed_next(aloop_completions *completions);
/* The same, but resolves to the outcome itself: asyncio's plain for loop. */
ALOOP_API aloop_future *aloop_as_completed_next_result(aloop_completions *completions);

/* Timeouts around a block ---------------------------------------------------------------
 *
 *     aloop_timeout *t;
 *     rc = aloop_timeout_enter(&t, 5.0);
 *     if (rc >= 0) { rc = work(); rc = aloop_timeout_exit(t, rc); aloop_unref(t); }
 *
 * When the time is up the task is cancelled; exit turns that cancellation into
 * ALOOP_ETIMEDOUT. Both belong to the running task, stackful or step. */

typedef struct aloop_timeout aloop_timeout;
/* Begins a block that may take delay seconds: a reference. ALOOP_ENOTASK outside a task. */
ALOOP_API int64_t aloop_timeout_enter(aloop_timeout **timeout, double delay);
/* when: the loop's time; INFINITY: none yet. */
ALOOP_API int64_t aloop_timeout_at(aloop_timeout **timeout, double when);
/* ALOOP_EINVALIDSTATE once it has expired or was left. */
ALOOP_API int64_t aloop_timeout_reschedule(aloop_timeout *timeout, double when);
ALOOP_API double aloop_timeout_when(const aloop_timeout *timeout); /* INFINITY: none */
/* 1 once its time was up, else 0. */
ALOOP_API int64_t aloop_timeout_expired(const aloop_timeout *timeout);
/* status: how the block ended; returns how the whole ends. */
ALOOP_API int64_t aloop_timeout_exit(aloop_timeout *timeout, int64_t status);

/* Task groups ---------------------------------------------------------------------------
 *
 *     aloop_task_group *g;
 *     rc = aloop_task_group_enter(&g);
 *     if (rc >= 0) { aloop_task_group_spawn(g, fn, arg); rc = aloop_task_group_exit(g, 0); }
 *
 * exit waits for all tasks of the group and drops the group. The first failure
 * cancels the others and the block; the result is ALOOP_EGROUP with the errors
 * as children (aloop_last_error). */

typedef struct aloop_task_group aloop_task_group;
/* Begins a group in the running task. ALOOP_ENOTASK outside one. */
ALOOP_API int64_t aloop_task_group_enter(aloop_task_group **group);
/* A task of the group: a reference. ALOOP_ESHUTDOWN as a failed future when
 * the group is shutting down or finished. */
ALOOP_API aloop_task *aloop_task_group_create_task(aloop_task_group *group, aloop_coro_fn fn,
                                                   void *arg);
ALOOP_API aloop_task *aloop_task_group_create_task_ex(aloop_task_group *group,
                                                      aloop_task_options *options);
/* Creates a task of the group and drops the reference: 0 or a code. */
ALOOP_API int64_t aloop_task_group_spawn(aloop_task_group *group, aloop_coro_fn fn, void *arg);
/* Cancels what is left of the group and its block; exit then returns 0. */
ALOOP_API int64_t aloop_task_group_cancel(aloop_task_group *group);
/* status: how the block ended. In a stackful task. */
ALOOP_API int64_t aloop_task_group_exit(aloop_task_group *group, int64_t status);
/* The same as an operation, for step tasks: suspend on it; its outcome is how
 * the whole ends. The group is dropped with it. */
ALOOP_API aloop_future *aloop_task_group_join(aloop_task_group *group, int64_t status);

#ifdef __cplusplus
}
#endif

#endif
