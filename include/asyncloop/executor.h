/*
 * executor.h: running blocking functions beside the loop, in threads or worker
 * processes, and running coroutines from other threads. asyncio.to_thread,
 * loop.run_in_executor, concurrent.futures, asyncio.run_coroutine_threadsafe.
 *
 * A job is a function that runs on a thread of an executor; its outcome comes
 * back to the loop as that of a future. A job cannot be ended from outside: if
 * its future is cancelled it is taken out of the queue, or, where it runs
 * already, told so (aloop_job_cancelled), and its outcome is dropped.
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
 * Returns the status of the future, and its value in *value as plain data; a
 * value with a destructor goes through aloop_job_return. aloop_raise gives a
 * failure its detail. */
typedef int64_t (*aloop_job_fn)(void *arg, void **value);

/* In a job: sets its value with the destructor, and returns status. */
ALOOP_API int64_t aloop_job_return(int64_t status, void *value, aloop_free_fn free_fn);
/* In a job: 1 once its future was cancelled, its executor's shutdown ran out of
 * time or its loop was closed: it should end soon. 0 before, and outside. */
ALOOP_API int64_t aloop_job_cancelled(void);
/* In a job: how reports name it (copied, cut to 63 bytes); by default the name
 * of the function. ALOOP_EINVALIDSTATE outside a job. */
ALOOP_API int64_t aloop_job_set_name(const char *name);

/* Runs fn(arg) in the running loop's default executor, in a copy of the
 * caller's context. An operation. free_fn(arg) runs exactly once in every case,
 * on the loop's own stack, when the job has ended or cannot run any more.
 * Errors besides the job's own: ALOOP_ESHUTDOWN, ALOOP_EQUEUEFULL. */
ALOOP_API aloop_future *aloop_to_thread(aloop_job_fn fn, void *arg, aloop_free_fn free_fn);
/* The same in a given executor (NULL: the loop's default), started at once, with
 * an empty context. ALOOP_EWRONGTYPE for a pool of processes. NULL, and arg
 * freed, if loop is NULL, closed or of another thread. */
ALOOP_API aloop_future *aloop_run_in_executor(aloop_loop *loop, aloop_executor *executor,
                                              aloop_job_fn fn, void *arg, aloop_free_fn free_fn);

/* Executors --------------------------------------------------------------------------
 *
 * Made and used from any thread, by any number of loops; aloop_unref drops one:
 * when its last job has ended too, its threads end. NULL when out of memory. In a
 * forked child one from before the fork gives ALOOP_ECHILD; aloop_unref frees it. */

/* At most n threads, 0: min(32, cores + 4); each is started when a job finds
 * none idle; a job that finds no thread at all fails with -EAGAIN where none can
 * be started. One whose job ends it (pthread_exit) is replaced; that job fails
 * with ALOOP_EBROKENPOOL. They block the signals that the program may handle; faults get
 * through. A child that a job forks, or starts through process.h, begins without
 * that; one of system or popen does not. NULL for n < 0. */
ALOOP_API aloop_executor *aloop_executor_new_threads(int64_t n);
/* The threads are named name_0, name_1, ... (name cut to 11 bytes). */
ALOOP_API int64_t aloop_executor_set_name(aloop_executor *executor, const char *name);
/* How many jobs may wait for a thread, by default 2^20; more fail with
 * ALOOP_EQUEUEFULL. */
ALOOP_API int64_t aloop_executor_set_max_queue(aloop_executor *executor, int64_t n);

/* A pool of n worker processes, 0: one a core. They are forked from a server
 * process, which is forked in this call: make the pool early, best before the
 * program starts threads, for a worker begins with the memory of this moment,
 * without the program's descriptors: a FILE of it writes nowhere there. Ctrl-C ends
 * what a worker executes, not the worker. NULL also where no process can be made. */
ALOOP_API aloop_executor *aloop_executor_new_processes(int64_t n);
/* Runs fn(data) there (data is copied); the value is an aloop_bytes, what fn set
 * *result to (a reference), the status what it returned; aloop_raise gives a
 * failure its text. fn must lie in a module that was loaded when the pool was
 * made, else ALOOP_EINVAL. If the worker dies, its job alone fails, with
 * ALOOP_EBROKENPOOL and the cause in the text, the loop's exception handler is
 * told, and another worker takes its place; so it is with one that dies without a
 * job, which fails none. A shutdown whose time is up kills the
 * workers. What fn has printed to stdout or stderr is written before its outcome is
 * told. Other executors run fn in a thread. NULL if loop is NULL, closed or of
 * another thread. */
typedef int64_t (*aloop_process_fn)(const void *data, size_t len, aloop_bytes **result);
ALOOP_API aloop_future *aloop_run_in_process(aloop_loop *loop, aloop_executor *executor,
                                             aloop_process_fn fn, const void *data, size_t len);

/* An executor of the program's own. submit gets a job: it arranges for
 * aloop_job_run(job) to be called once, on any thread, and returns 0; or refuses
 * it with a code. withdraw (may be NULL) returns 1 if job will now never be run,
 * else 0. shutdown (may be NULL): no more jobs will come. Its shutdown is done when
 * all jobs were answered: with one that never is, and no timeout, it never is; at the
 * end of aloop_run that takes 300 seconds. free_fn(data) at the
 * end, in a forked child also, where it alone is called. submit and withdraw are
 * called on the threads of the loops. */
typedef struct aloop_job aloop_job;
typedef struct aloop_executor_vtable {
    int64_t (*submit)(void *data, aloop_job *job);   /* takes a job */
    int64_t (*withdraw)(void *data, aloop_job *job); /* gives one up */
    void (*shutdown)(void *data);                    /* the end */
} aloop_executor_vtable;
ALOOP_API aloop_executor *aloop_executor_new_custom(const aloop_executor_vtable *vtable,
                                                    void *data, aloop_free_fn free_fn);
/* Runs job, or gives it up (its future is cancelled), and hands it back to its
 * loop; exactly one of the two, once: the loop frees it soon after that (until
 * then another call is ALOOP_EINVALIDSTATE). Both may be called in submit and in
 * withdraw, whose result does not matter then. */
ALOOP_API int64_t aloop_job_run(aloop_job *job);
ALOOP_API int64_t aloop_job_drop(aloop_job *job);

/* Takes no more jobs, and is done when all have ended and the threads are gone.
 * With jobs left after timeout seconds (negative: no limit) fails with
 * ALOOP_ETIMEDOUT: the error names those that still run, they are told to end,
 * and what waited in the queue is cancelled. An operation; executor is borrowed. */
ALOOP_API aloop_future *aloop_executor_shutdown(aloop_executor *executor, double timeout);
/* The names of the jobs that run now, one a line, as snprintf does: the whole
 * length is returned. Of an executor of the program's own: of those that it has not
 * answered. Any thread. */
ALOOP_API int64_t aloop_executor_running(aloop_executor *executor, char *buffer, size_t size);

/* Coroutines from other threads ---------------------------------------------------------
 *
 * The outcome of a coroutine on a loop, for a thread that has none. Any thread;
 * aloop_unref drops it, which cancels nothing. */
typedef struct aloop_thread_future aloop_thread_future;

/* Runs fn(arg) as a task of loop, in the caller's context. arg is fn's once that
 * begins, which it does not if it is cancelled or the loop closed before: where arg
 * is to be freed, fn notes that it began. NULL: out of memory,
 * loop is NULL or closed, fn is NULL. asyncio.run_coroutine_threadsafe. */
ALOOP_API aloop_thread_future *aloop_run_coroutine_threadsafe(aloop_loop *loop, aloop_coro_fn fn,
                                                              void *arg);
/* Blocks until it is done, timeout seconds at most (negative: no limit), and
 * returns its status; ALOOP_ETIMEDOUT if it is not (aloop_thread_future_done
 * tells), ALOOP_EWRONGTHREAD inside the running loop, which would wait for itself,
 * ALOOP_ECHILD in a forked child, where the parent's loop does not run. */
ALOOP_API int64_t aloop_thread_future_wait(aloop_thread_future *future, double timeout);
/* 1 or 0; any thread. */
ALOOP_API int64_t aloop_thread_future_done(aloop_thread_future *future);
ALOOP_API int64_t aloop_thread_future_cancelled(aloop_thread_future *future);
/* 1 if it was not done: it is cancelled at once, its task soon; else 0.
 * ALOOP_ECHILD as above. */
ALOOP_API int64_t aloop_thread_future_cancel(aloop_thread_future *future);
/* As aloop_future_result, _take and _error. */
ALOOP_API int64_t aloop_thread_future_result(aloop_thread_future *future, void **value);
ALOOP_API int64_t aloop_thread_future_take(aloop_thread_future *future, void **value);
ALOOP_API aloop_error *aloop_thread_future_error(aloop_thread_future *future);

#ifdef __cplusplus
}
#endif

#endif
