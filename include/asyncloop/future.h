/*
 * future.h: a future is an outcome that is not there yet. asyncio.Future.
 *
 * A future is pending, finished (with a result or an error) or cancelled, and
 * changes once. An outcome is a status: negative is the error code, zero or
 * more the integer answer; plus, where there is one, a value.
 *
 * The value belongs to one owner: the future, until somebody takes it
 * (aloop_await and aloop_future_take with a place for it). What nobody took is
 * freed with the destructor that came with it. A value without a destructor is
 * plain data: any number of readers get it.
 *
 * Some functions return an operation (aloop_sleep, aloop_wait_for, reads, lock
 * and queue operations, ...): a future that starts, as an asyncio coroutine
 * does, when it is awaited, combined, given a callback or passed to
 * aloop_ensure_future, and not before. Dropped unstarted, nothing happened.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_FUTURE_H
#define ASYNCLOOP_FUTURE_H

#include <asyncloop/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What runs when a future is done; less than 0 is reported. */
typedef int64_t (*aloop_done_fn)(aloop_future *future, void *data);

/* Finishes a pending future. The value becomes the future's (free_fn may be
 * NULL); on failure it stays the caller's. status must be >= 0.
 * Errors: ALOOP_EINVALIDSTATE if it is done, ALOOP_EWRONGTYPE on a task or an
 * operation, ALOOP_EWRONGTHREAD, ALOOP_EINVAL. */
ALOOP_API int64_t aloop_future_set_result(aloop_future *future, int64_t status, void *value,
                                          aloop_free_fn free_fn);
/* With an error (borrowed), or with a bare code < 0. */
ALOOP_API int64_t aloop_future_set_error(aloop_future *future, aloop_error *error);
ALOOP_API int64_t aloop_future_set_error_code(aloop_future *future, int64_t code);

/* The outcome: status, and the value (borrowed) in *value if value is not
 * NULL. ALOOP_EINVALIDSTATE while pending, ALOOP_ECANCELED if cancelled,
 * ALOOP_EVALUETAKEN if the value went to somebody else. */
ALOOP_API int64_t aloop_future_result(aloop_future *future, void **value);
/* The same, and the value is the caller's from now on. */
ALOOP_API int64_t aloop_future_take(aloop_future *future, void **value);
/* The detail of its failure, borrowed: NULL while pending or after success. */
ALOOP_API aloop_error *aloop_future_error(aloop_future *future);
/* Whether it has an outcome, and whether that is a cancellation: 1 or 0. */
ALOOP_API int64_t aloop_future_done(aloop_future *future);
ALOOP_API int64_t aloop_future_cancelled(aloop_future *future);

/* Cancels: 1 if it was not done, else 0. A plain future is cancelled now, a
 * task gets ALOOP_ECANCELED from its await in the next iteration. message may
 * be NULL; it is the text of the error that the awaiting side sees. */
ALOOP_API int64_t aloop_future_cancel(aloop_future *future, const char *message);

/* fn runs through the loop when future is done, or soon if it is done already;
 * in the order of adding, each in the context of this call. */
ALOOP_API int64_t aloop_future_add_done_callback(aloop_future *future, aloop_done_fn fn,
                                                 void *data, aloop_free_fn free_fn);
/* Removes all entries of fn with data that have not been scheduled yet;
 * returns how many. */
ALOOP_API int64_t aloop_future_remove_done_callback(aloop_future *future, aloop_done_fn fn,
                                                    void *data);
/* The loop it belongs to, borrowed. */
ALOOP_API aloop_loop *aloop_future_loop(aloop_future *future);

/* From any thread, and they wake the loop; the caller must hold a reference.
 * They succeed also where the future is done by the time the loop gets to it:
 * then the value is freed. Errors: ALOOP_ENOMEM, ALOOP_ESTALE, ALOOP_EINVAL,
 * ALOOP_EWRONGTYPE (a result for a task or an operation). */
ALOOP_API int64_t aloop_future_set_result_threadsafe(aloop_future *future, int64_t status,
                                                     void *value, aloop_free_fn free_fn);
ALOOP_API int64_t aloop_future_set_error_threadsafe(aloop_future *future, aloop_error *error);
ALOOP_API int64_t aloop_future_cancel_threadsafe(aloop_future *future, const char *message);

#ifdef __cplusplus
}
#endif

#endif
