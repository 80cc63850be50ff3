/*
 * loop.h: the event loop: running it, callbacks, timers, file descriptors,
 * signals, and errors that nobody handles. asyncio's AbstractEventLoop.
 *
 * An iteration runs exactly the callbacks that were ready when it began, in
 * this order: those scheduled before it, those of ready descriptors, due timers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_LOOP_H
#define ASYNCLOOP_LOOP_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options ------------------------------------------------------------------ */

typedef struct aloop_loop_options aloop_loop_options;

#define ALOOP_CLOCK_MONOTONIC 0 /* CLOCK_MONOTONIC */
#define ALOOP_CLOCK_VIRTUAL 1 /* starts at 0; jumps to the next timer when idle */

/* New options with the defaults; NULL when out of memory. aloop_unref frees.
 * Every setter returns 0, or ALOOP_EINVAL for NULL or a value out of range. */
ALOOP_API aloop_loop_options *aloop_loop_options_new(void);
/* Debug mode from the start; default: whether ASYNCLOOP_DEBUG=1 is in the environment. */
ALOOP_API int64_t aloop_loop_options_set_debug(aloop_loop_options *options, int32_t debug);
/* The clock; default: monotonic, or virtual with ASYNCLOOP_CLOCK=virtual in the environment.
 * The virtual clock does not jump while the loop waits for descriptors, threads or children;
 * otherwise it jumps to the next timer, so a program that only sleeps finishes at once. */
ALOOP_API int64_t aloop_loop_options_set_clock(aloop_loop_options *options, int32_t clock);
/* For tests: the loop's TCP and UDP sockets and pairs are simulated, on the virtual clock. Data
 * arrives after up to most_delay seconds, and reads and writes are short, as drawn from the
 * seed: the same seed gives the same run. One such loop per thread. */
ALOOP_API int64_t aloop_loop_options_set_simulator(aloop_loop_options *options, uint64_t seed,
                                                   double most_delay);
/* The share of simulated datagrams that is lost, 0 to 1; default 0. */
ALOOP_API int64_t aloop_loop_options_set_simulated_loss(aloop_loop_options *options, double share);
/* For tests: not 0 shuffles the callbacks of each iteration, as drawn from this seed. */
ALOOP_API int64_t aloop_loop_options_set_seed(aloop_loop_options *options, uint64_t seed);
/* The size of each coroutine's stack, 16 KiB to 1 GiB, in whole pages; default 64 KiB. */
ALOOP_API int64_t aloop_loop_options_set_stack_size(aloop_loop_options *options, size_t bytes);
/* How long an idle loop looks for work before it sleeps, 0 (the default) to 1 second. This
 * avoids a wake-up of some 40 us at the price of a busy processor; long waits shorten it. */
ALOOP_API int64_t aloop_loop_options_set_busy_poll(aloop_loop_options *options, double seconds);
/* Not 0: tasks start eagerly (asyncio.eager_task_factory). */
ALOOP_API int64_t aloop_loop_options_set_eager_tasks(aloop_loop_options *options, int32_t eager);

/* Life ------------------------------------------------------------------------ */

/* A new loop; options may be NULL. The caller owns a reference.
 * Errors: ALOOP_ENOMEM, or -errno where the kernel gives no descriptor. */
ALOOP_API int64_t aloop_loop_new(aloop_loop **loop, const aloop_loop_options *options);
/* Take and drop a reference; NULL is legal. */
ALOOP_API aloop_loop *aloop_loop_ref(aloop_loop *loop);
ALOOP_API void aloop_loop_unref(aloop_loop *loop);
/* Drops everything scheduled, and unfinished tasks (reported: "Task was destroyed but it is
 * pending!"). After that, calls on the loop and its objects return ALOOP_ESTALE, but outcomes
 * stay readable. Closing twice is legal; ALOOP_ELOOPRUNNING while the loop runs. */
ALOOP_API int64_t aloop_loop_close(aloop_loop *loop);
/* 1 or 0; any thread. */
ALOOP_API int64_t aloop_loop_is_closed(aloop_loop *loop);
ALOOP_API int64_t aloop_loop_is_running(aloop_loop *loop);

/* Runs until aloop_loop_stop. The loop then belongs to this thread.
 * ALOOP_ELOOPRUNNING if a loop runs in this thread, ALOOP_ESTALE if closed,
 * ALOOP_ECHILD in a forked child. */
ALOOP_API int64_t aloop_loop_run_forever(aloop_loop *loop);
/* Runs until future (consumed) is done and returns its outcome as aloop_await
 * does. ALOOP_ELOOPSTOPPED if the loop was stopped before that. */
ALOOP_API int64_t aloop_loop_run_until_complete(aloop_loop *loop, aloop_future *future,
                                                void **value);
/* Runs one iteration, which waits at most timeout seconds for something to become
 * ready (negative: no limit; on the virtual clock a wait is a jump, and 0 never moves
 * it). Returns the number of callbacks that ran. */
ALOOP_API int64_t aloop_loop_run_once(aloop_loop *loop, double timeout);
/* Makes the loop return after the current iteration, or the next one. Any thread. */
ALOOP_API int64_t aloop_loop_stop(aloop_loop *loop);
/* The loop's clock in seconds; for NULL, a negative code as a double. */
ALOOP_API double aloop_loop_time(aloop_loop *loop);
/* How many iterations the loop has begun. */
ALOOP_API int64_t aloop_loop_iteration(aloop_loop *loop);

/* The loop that runs in this thread, borrowed; NULL if none does. */
ALOOP_API aloop_loop *aloop_get_running_loop(void);
/* The thread's current loop: the running one, or the one that was set, or NULL.
 * set keeps a reference; NULL clears. */
ALOOP_API int64_t aloop_set_event_loop(aloop_loop *loop);
ALOOP_API aloop_loop *aloop_get_event_loop(void);

/* Renews the loop in a forked child, where every other call on it gives ALOOP_ECHILD:
 * new descriptors, and everything that the parent had scheduled is dropped, tasks
 * included. If a callback or task forked, it first runs to its end in the child, then
 * running the loop returns ALOOP_ECHILD; until then this is ALOOP_ELOOPRUNNING. */
ALOOP_API int64_t aloop_loop_after_fork(aloop_loop *loop);

/* Callbacks and timers ---------------------------------------------------------
 *
 * Each returns a handle > 0, or a code: ALOOP_EINVAL (no fn, NaN), ALOOP_ESTALE,
 * ALOOP_EWRONGTHREAD, ALOOP_ENOMEM. The callback runs in a copy of the context
 * in which this call was made. */

/* Calls fn in the next iteration, in the order of these calls. */
ALOOP_API int64_t aloop_loop_call_soon(aloop_loop *loop, aloop_callback_fn fn, void *data,
                                       aloop_free_fn free_fn);
/* The same from any thread; wakes the loop. Not from signal handlers. */
ALOOP_API int64_t aloop_loop_call_soon_threadsafe(aloop_loop *loop, aloop_callback_fn fn,
                                                  void *data, aloop_free_fn free_fn);
/* Calls fn after delay seconds (<= 0: in the next iteration, behind what is ready), or
 * at a time of the loop's clock. Never early; equal times in the order of the calls. */
ALOOP_API int64_t aloop_loop_call_later(aloop_loop *loop, double delay, aloop_callback_fn fn,
                                        void *data, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_loop_call_at(aloop_loop *loop, double when, aloop_callback_fn fn,
                                     void *data, aloop_free_fn free_fn);
/* Cancels; free_fn runs. ALOOP_ENOENT if it ran, was cancelled, or never existed. */
ALOOP_API int64_t aloop_loop_cancel_handle(aloop_loop *loop, aloop_handle handle);
/* The time at which a timer fires; NaN if there is no such timer. */
ALOOP_API double aloop_loop_handle_when(aloop_loop *loop, aloop_handle handle);

/* Futures and tasks of this loop; see future.h and task.h ------------------------ */

/* A stackful coroutine (see task.h); a function that creates the loop's tasks. */
typedef int64_t (*aloop_coro_fn)(void *arg, void **value);
typedef struct aloop_task_options aloop_task_options;
typedef aloop_task *(*aloop_task_factory_fn)(aloop_loop *loop, aloop_task_options *options,
                                             void *data);

/* A pending future; NULL if loop is NULL, closed or of another thread. */
ALOOP_API aloop_future *aloop_loop_create_future(aloop_loop *loop);
/* A task of this loop, as aloop_create_task makes one. */
ALOOP_API aloop_task *aloop_loop_create_task(aloop_loop *loop, aloop_coro_fn fn, void *arg);
/* From now on fn creates every task, with aloop_task_new; NULL restores the default. */
ALOOP_API int64_t aloop_loop_set_task_factory(aloop_loop *loop, aloop_task_factory_fn fn,
                                              void *data, aloop_free_fn free_fn);
/* The factory, or NULL. */
ALOOP_API aloop_task_factory_fn aloop_loop_get_task_factory(aloop_loop *loop);

/* File descriptors and signals ----------------------------------------------------
 *
 * fn runs in each iteration in which fd is ready, each time in the same context. A
 * second add replaces the first. Errors: ALOOP_EINVAL, ALOOP_EBADF, ALOOP_EBUSY if a stream
 * owns fd, -EPERM if it cannot be polled. remove returns 1 if there was one, else 0. */

ALOOP_API int64_t aloop_loop_add_reader(aloop_loop *loop, int32_t fd, aloop_callback_fn fn,
                                        void *data, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_loop_remove_reader(aloop_loop *loop, int32_t fd);
ALOOP_API int64_t aloop_loop_add_writer(aloop_loop *loop, int32_t fd, aloop_callback_fn fn,
                                        void *data, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_loop_remove_writer(aloop_loop *loop, int32_t fd);

/* fn runs as a callback when the process gets signum. Several loops may handle the
 * same signal. A handler installed before runs, too; it is restored with the last removal
 * and in a forked child. ALOOP_EINVAL for a signal that cannot be caught. */
ALOOP_API int64_t aloop_loop_add_signal_handler(aloop_loop *loop, int32_t signum,
                                                aloop_callback_fn fn, void *data,
                                                aloop_free_fn free_fn);
/* 1 if there was one, else 0. A call that is already queued still runs (also after an add). */
ALOOP_API int64_t aloop_loop_remove_signal_handler(aloop_loop *loop, int32_t signum);

/* Errors that nobody handles --------------------------------------------------------
 *
 * The handler gets an object, valid during the call, that tells what happened and which
 * objects are concerned (borrowed; NULL for none). It runs on the loop's own stack, in the
 * context (context.h) of the task or callback that failed. */

typedef struct aloop_exception_context aloop_exception_context;
typedef void (*aloop_exception_handler_fn)(aloop_loop *loop, aloop_exception_context *context,
                                           void *data);

ALOOP_API const char *aloop_exception_context_message(const aloop_exception_context *context);
ALOOP_API int64_t aloop_exception_context_code(const aloop_exception_context *context);
ALOOP_API aloop_error *aloop_exception_context_error(const aloop_exception_context *context);
ALOOP_API aloop_future *aloop_exception_context_future(const aloop_exception_context *context);
ALOOP_API aloop_task *aloop_exception_context_task(const aloop_exception_context *context);
ALOOP_API aloop_handle aloop_exception_context_handle(const aloop_exception_context *context);
/* In debug mode, otherwise "": where the task, future or callback was created, and where
 * the callback that ran when the error was found; one call per line, the most recent
 * last. asyncio's source_traceback and handle_traceback. */
ALOOP_API const char *aloop_exception_context_source(const aloop_exception_context *context);
ALOOP_API const char *aloop_exception_context_handle_source(const aloop_exception_context *context);

/* NULL restores the default, which writes to standard error. */
ALOOP_API int64_t aloop_loop_set_exception_handler(aloop_loop *loop, aloop_exception_handler_fn fn,
                                                   void *data, aloop_free_fn free_fn);
/* The handler that was set, or NULL. */
ALOOP_API aloop_exception_handler_fn aloop_loop_get_exception_handler(aloop_loop *loop);
/* Writes the report to standard error. */
ALOOP_API int64_t aloop_loop_default_exception_handler(aloop_loop *loop,
                                                       aloop_exception_context *context);
/* Reports an error of the program; error (borrowed) may be NULL. */
ALOOP_API int64_t aloop_loop_call_exception_handler(aloop_loop *loop, const char *message,
                                                    aloop_error *error);

/* Debugging ------------------------------------------------------------------------- */

/* Debug mode (also ASYNCLOOP_DEBUG=1) reports calls from the wrong thread, slow callbacks,
 * operations never awaited (at the latest when the loop is closed), swallowed cancellations
 * and loops never closed to the exception handler, with the place of their creation. */
ALOOP_API int64_t aloop_loop_set_debug(aloop_loop *loop, int32_t debug);
ALOOP_API int64_t aloop_loop_get_debug(aloop_loop *loop);
/* Debug mode reports a callback or task step that takes this long; default 0.1. */
ALOOP_API int64_t aloop_loop_set_slow_callback_duration(aloop_loop *loop, double seconds);

/* Shut down parts of the loop: futures that are done when all async generators are closed,
 * and when the threads of the default executor have ended (timeout in seconds, negative:
 * none; then ALOOP_ETIMEDOUT). */
ALOOP_API aloop_future *aloop_loop_shutdown_asyncgens(aloop_loop *loop);
ALOOP_API aloop_future *aloop_loop_shutdown_default_executor(aloop_loop *loop, double timeout);
typedef struct aloop_executor aloop_executor;
/* The executor that aloop_to_thread uses from now on; a reference is kept. */
ALOOP_API int64_t aloop_loop_set_default_executor(aloop_loop *loop, aloop_executor *executor);

/* Embedding in another loop, and completion records ------------------------------------ */

/* A descriptor that becomes readable when the loop has something to do, and how many
 * seconds to wait for it at most (negative: no limit). After that, call
 * aloop_loop_run_once(loop, 0). On the virtual clock, do not wait, since no time passes;
 * call run_once with that timeout instead. */
ALOOP_API int64_t aloop_loop_backend_fd(aloop_loop *loop);
ALOOP_API double aloop_loop_backend_timeout(aloop_loop *loop);

/* A finished future: the token with which it was started, its status, and its value,
 * which is then the caller's (free_fn frees it, if not NULL). */
typedef struct aloop_completion {
    uint64_t token;        /* with which it was started */
    int64_t status;        /* how it ended */
    void *value;           /* the caller's */
    aloop_free_fn free_fn; /* frees value; may be NULL */
    aloop_error *error; /* a reference, or NULL */
} aloop_completion;

/* Starts future (consumed). When it is done, aloop_loop_poll returns a record with this
 * token. */
ALOOP_API int64_t aloop_loop_start(aloop_loop *loop, aloop_future *future, uint64_t token);
/* Runs the loop until there is a record or timeout seconds have passed (negative: no
 * limit), stores up to n records, and returns their number. */
ALOOP_API int64_t aloop_loop_poll(aloop_loop *loop, aloop_completion *records, int64_t n,
                                  double timeout);

#ifdef __cplusplus
}
#endif

#endif
