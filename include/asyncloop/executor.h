/*
 * executor.h: running blocking functions in threads or worker processes, and
 * coroutines from other threads. asyncio.to_thread, loop.run_in_executor,
 * concurrent.futures, asyncio.run_coroutine_threadsafe.
 *
 * A job is a function that runs in a thread of an executor; its outcome becomes that
 * of a future. A running job cannot be stopped from outside. If its future is
 * cancelled, a queued job is removed from the queue; a running one is told
 * (aloop_job_cancelled), and its outcome is dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_EXECUTOR_H
#define ASYNCLOOP_EXECUTOR_H

#include <asyncloop/base.h>
#include <asyncloop/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Jobs ------------------------------------------------------------------------------
 *
 * A job returns the status of the future, and in *value a value that is plain data; for a
 * value with a destructor, use aloop_job_return. aloop_raise adds a message to a failure. */
typedef int64_t (*aloop_job_fn)(void *arg, void **value);

/* In a job: sets its value with the destructor, and returns status. */
ALOOP_API int64_t aloop_job_return(int64_t status, void *value, aloop_free_fn free_fn);
/* In a job: 1 if it should end soon, because its future was cancelled, the shutdown of its
 * executor has timed out, or its loop was closed. Otherwise, and outside a job, 0. */
ALOOP_API int64_t aloop_job_cancelled(void);
/* In a job: its name in reports (copied, truncated to 63 bytes); by default the name of the
 * function. ALOOP_EINVALIDSTATE outside a job. */
ALOOP_API int64_t aloop_job_set_name(const char *name);

/* An operation that runs fn(arg) in the default executor of the running loop, in a copy of
 * the caller's context. free_fn(arg) runs exactly once in every case, on the loop's own
 * stack, when the job has ended or can no longer run. Its outcome is the job's, or
 * ALOOP_ESHUTDOWN or ALOOP_EQUEUEFULL. */
ALOOP_API aloop_future *aloop_to_thread(aloop_job_fn fn, void *arg, aloop_free_fn free_fn);
/* The same in another executor (NULL: the loop's default), with an empty context. The job
 * starts at once. ALOOP_EWRONGTYPE for a pool of processes. Returns NULL, and frees arg, if
 * loop is NULL, closed or of another thread. */
ALOOP_API aloop_future *aloop_run_in_executor(aloop_loop *loop, aloop_executor *executor,
                                              aloop_job_fn fn, void *arg, aloop_free_fn free_fn);

/* Executors --------------------------------------------------------------------------
 *
 * Executors can be created and used in any thread, by any number of loops. When the last
 * reference is dropped and the last job has ended, the threads end. In a forked child, an
 * executor from before the fork gives ALOOP_ECHILD, and can only be dropped. */

/* A pool of up to n threads, 0: min(32, cores + 4). A thread is started when a job finds none
 * idle; if there is no thread at all and none can be started, the job fails with -EAGAIN. A
 * thread that a job ends (pthread_exit) is replaced, and the job fails with
 * ALOOP_EBROKENPOOL. The threads block the signals that a program may handle, but not
 * faults. Child processes that a job forks, or starts through process.h, do not inherit
 * this; those of system and popen do. NULL for n < 0, or when out of memory. */
ALOOP_API aloop_executor *aloop_executor_new_threads(int64_t n);
/* Names the threads name_0, name_1, ... (name is truncated to 11 bytes). */
ALOOP_API int64_t aloop_executor_set_name(aloop_executor *executor, const char *name);
/* How many jobs may wait for a thread, by default 2^20; others fail with ALOOP_EQUEUEFULL. */
ALOOP_API int64_t aloop_executor_set_max_queue(aloop_executor *executor, int64_t n);

/* A pool of n worker processes, 0: one per core. They are forked from a server process, which
 * is forked in this call. Create the pool early, best before the program starts threads: a
 * worker starts with the memory of this moment, but without the program's descriptors, so a
 * FILE of the program writes nowhere. Ctrl-C ends programs that a worker executes, not the
 * worker. NULL also if the process cannot be created. */
ALOOP_API aloop_executor *aloop_executor_new_processes(int64_t n);
/* Runs fn(data) in a worker process (data is copied). The status is what fn returned, and the
 * value the aloop_bytes to which fn set *result (a reference); aloop_raise adds a message to
 * a failure. fn must be in a module that was loaded when the pool was created, otherwise
 * ALOOP_EINVAL. If the worker dies, its job fails with ALOOP_EBROKENPOOL and a message with
 * the cause, the loop's exception handler is told, and another worker takes its place. A
 * shutdown that times out kills the workers. Output of fn to stdout and stderr is written
 * before its outcome arrives. Other executors run fn in a thread. NULL if loop is NULL,
 * closed or of another thread. */
typedef int64_t (*aloop_process_fn)(const void *data, size_t len, aloop_bytes **result);
ALOOP_API aloop_future *aloop_run_in_process(aloop_loop *loop, aloop_executor *executor,
                                             aloop_process_fn fn, const void *data, size_t len);

/* An executor that the program implements. submit gets a job: it arranges that
 * aloop_job_run(job) is called once, in any thread, and returns 0; or it refuses the job
 * with a code. withdraw (may be NULL) returns 1 if the job will now never run, else 0.
 * shutdown (may be NULL) tells that no more jobs will come. submit and withdraw are called
 * in the threads of the loops.
 * aloop_executor_shutdown is done when all jobs have been answered, so it needs a timeout
 * if one may never be (the end of aloop_run waits 300 seconds).
 * free_fn(data) is called at the end; in a forked child it is the only function that is
 * called. */
typedef struct aloop_job aloop_job;
typedef struct aloop_executor_vtable {
    int64_t (*submit)(void *data, aloop_job *job);   /* takes a job */
    int64_t (*withdraw)(void *data, aloop_job *job); /* gives one up */
    void (*shutdown)(void *data);                    /* the end */
} aloop_executor_vtable;
ALOOP_API aloop_executor *aloop_executor_new_custom(const aloop_executor_vtable *vtable,
                                                    void *data, aloop_free_fn free_fn);
/* Run a job, or give it up (its future is cancelled). Call exactly one of the two, once; the
 * loop frees the job soon after that (until then another call is ALOOP_EINVALIDSTATE). Both
 * may be called inside submit and withdraw, whose result is then ignored. */
ALOOP_API int64_t aloop_job_run(aloop_job *job);
ALOOP_API int64_t aloop_job_drop(aloop_job *job);

/* An operation that refuses further jobs, and is done when all jobs have ended and the threads
 * are gone. If there are jobs left after timeout seconds (negative: no limit), it fails with
 * ALOOP_ETIMEDOUT and a message that names the running ones; these are told to end, and
 * those in the queue are cancelled. executor is borrowed. */
ALOOP_API aloop_future *aloop_executor_shutdown(aloop_executor *executor, double timeout);
/* Writes the names of the running jobs to buffer, one per line, truncated as by snprintf;
 * returns the whole length. For an executor that the program implements: of the jobs that it
 * has not answered. Any thread. */
ALOOP_API int64_t aloop_executor_running(aloop_executor *executor, char *buffer, size_t size);

/* Coroutines from other threads ---------------------------------------------------------
 *
 * The outcome of a coroutine on a loop, for a thread without a loop. Any thread. Dropping it
 * with aloop_unref cancels nothing. */
typedef struct aloop_thread_future aloop_thread_future;

/* Runs fn(arg) as a task of loop, in the caller's context. fn does not start if it is
 * cancelled or the loop is closed before; if arg must be freed, let fn record that it
 * started. NULL if out of memory, if loop is NULL or closed, or if fn is NULL.
 * asyncio.run_coroutine_threadsafe. */
ALOOP_API aloop_thread_future *aloop_run_coroutine_threadsafe(aloop_loop *loop, aloop_coro_fn fn,
                                                              void *arg);
/* Blocks until it is done, for up to timeout seconds (negative: no limit), and returns its
 * status; ALOOP_ETIMEDOUT if it is not done by then (or failed with this code: ask
 * aloop_thread_future_done), ALOOP_EWRONGTHREAD inside the running loop, which would wait for
 * itself, ALOOP_ECHILD in a forked child, where the parent's loop does not run. */
ALOOP_API int64_t aloop_thread_future_wait(aloop_thread_future *future, double timeout);
/* 1 or 0; any thread. */
ALOOP_API int64_t aloop_thread_future_done(aloop_thread_future *future);
ALOOP_API int64_t aloop_thread_future_cancelled(aloop_thread_future *future);
/* Cancels it at once, and its task soon: 1, or 0 if it was done. ALOOP_ECHILD as above. */
ALOOP_API int64_t aloop_thread_future_cancel(aloop_thread_future *future);
/* Like aloop_future_result, aloop_future_take and aloop_future_error. */
ALOOP_API int64_t aloop_thread_future_result(aloop_thread_future *future, void **value);
ALOOP_API int64_t aloop_thread_future_take(aloop_thread_future *future, void **value);
ALOOP_API aloop_error *aloop_thread_future_error(aloop_thread_future *future);

#ifdef __cplusplus
}
#endif

#endif
