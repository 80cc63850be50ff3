/*
 * future.h: a future stands for a result that may not be there yet. asyncio.Future.
 *
 * A future is pending, and later finished (with a result or an error) or
 * cancelled; it changes only once. Its outcome is a status and possibly a value.
 * The status is a negative code for an error; zero or more is success.
 *
 * The value has one owner: the future, until somebody takes it (aloop_await and
 * aloop_future_take, with a place for it). A value that nobody takes is freed with
 * the destructor that came with it. A value without a destructor is plain data,
 * which any number of readers can get.
 *
 * Many functions return an operation (aloop_sleep, aloop_wait_for, reads, lock and
 * queue operations, ...). This is a future that starts only when it is awaited,
 * combined with others, given a callback, or passed to aloop_ensure_future; in
 * asyncio this would be a coroutine object. An operation that is dropped before
 * that has done nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_FUTURE_H
#define ASYNCLOOP_FUTURE_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs when a future is done. A negative result is reported to the exception handler. */
typedef int64_t (*aloop_done_fn)(aloop_future *future, void *data);

/* Finishes a pending future with a result. status must be >= 0. The value becomes
 * the future's (free_fn may be NULL); on failure it stays the caller's.
 * Errors: ALOOP_EINVALIDSTATE if the future is done, ALOOP_EWRONGTYPE for a task or
 * an operation, ALOOP_EWRONGTHREAD, ALOOP_EINVAL. */
ALOOP_API int64_t aloop_future_set_result(aloop_future *future, int64_t status, void *value,
                                          aloop_free_fn free_fn);
/* Finishes it with an error: an object (borrowed), or only a code < 0. */
ALOOP_API int64_t aloop_future_set_error(aloop_future *future, aloop_error *error);
ALOOP_API int64_t aloop_future_set_error_code(aloop_future *future, int64_t code);

/* The status, and in *value the value (borrowed), if value is not NULL.
 * ALOOP_EINVALIDSTATE while it is pending, ALOOP_ECANCELED if it was cancelled,
 * ALOOP_EVALUETAKEN if somebody has taken the value. */
ALOOP_API int64_t aloop_future_result(aloop_future *future, void **value);
/* The same, and the caller takes the value. */
ALOOP_API int64_t aloop_future_take(aloop_future *future, void **value);
/* Its error, borrowed; NULL while it is pending or if it succeeded. */
ALOOP_API aloop_error *aloop_future_error(aloop_future *future);
/* 1 if it has an outcome, else 0; and 1 if it was cancelled, else 0. */
ALOOP_API int64_t aloop_future_done(aloop_future *future);
ALOOP_API int64_t aloop_future_cancelled(aloop_future *future);

/* Cancels: returns 1, or 0 if it was done. A plain future is cancelled at once; in a
 * task the current await fails with ALOOP_ECANCELED in the next iteration. message
 * (may be NULL) is the message of the error that the awaiting side sees. */
ALOOP_API int64_t aloop_future_cancel(aloop_future *future, const char *message);

/* The loop calls fn when the future is done, or soon if it is done already. Several
 * callbacks run in the order in which they were added, each in a copy of the context
 * in which it was added. */
ALOOP_API int64_t aloop_future_add_done_callback(aloop_future *future, aloop_done_fn fn,
                                                 void *data, aloop_free_fn free_fn);
/* Removes every (fn, data) that is not scheduled yet; returns how many there were. */
ALOOP_API int64_t aloop_future_remove_done_callback(aloop_future *future, aloop_done_fn fn,
                                                    void *data);
/* The loop it belongs to, borrowed. */
ALOOP_API aloop_loop *aloop_future_loop(aloop_future *future);

/* The same from any thread; they wake the loop. The caller must hold a reference. If
 * the future is already done when the loop handles the call, the value is freed; the
 * call has then returned success. Errors: ALOOP_ENOMEM, ALOOP_ESTALE, ALOOP_EINVAL,
 * ALOOP_EWRONGTYPE (a result for a task or an operation). */
ALOOP_API int64_t aloop_future_set_result_threadsafe(aloop_future *future, int64_t status,
                                                     void *value, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_future_set_error_threadsafe(aloop_future *future, aloop_error *error);
ALOOP_API int64_t aloop_future_cancel_threadsafe(aloop_future *future, const char *message);

#ifdef __cplusplus
}
#endif

#endif
