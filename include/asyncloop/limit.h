/*
 * limit.h: how many at a time, and how many in a time: a capacity limiter, as
 * Trio's and anyio's, and a rate limiter, a token bucket. asyncio has neither.
 *
 * What waits is an operation (see future.h): fair, first come, first served, and
 * safe to cancel: who is cancelled after a token was given to it gives it back,
 * and the next in line gets it. Loops, threads and bad arguments: as in sync.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_LIMIT_H
#define ASYNCLOOP_LIMIT_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Capacity limiter ---------------------------------------------------------------------
 *
 * A semaphore that knows who has its tokens: a borrower, which is a task or any
 * object of the program, has one at most, and alone can give it back. How many
 * there are can be changed at any time. */

typedef struct aloop_limiter aloop_limiter;

/* total_tokens < 0: ALOOP_EINVAL; INT64_MAX: no limit. */
ALOOP_API int64_t aloop_limiter_new(aloop_limiter **limiter, int64_t total_tokens);
/* An operation: 0 when the running task, which makes this call, has a token; it
 * may be awaited elsewhere. ALOOP_EEXIST if it has or awaits one; ALOOP_ENOTASK. */
ALOOP_API aloop_future *aloop_limiter_acquire(aloop_limiter *limiter);
/* The same at once, or ALOOP_EAGAIN. */
ALOOP_API int64_t aloop_limiter_acquire_nowait(aloop_limiter *limiter);
/* The running task's token goes back: ALOOP_ENOTOWNER if it has none. */
ALOOP_API int64_t aloop_limiter_release(aloop_limiter *limiter);

/* The same for a borrower that the program names: any pointer but NULL, which
 * the library never looks behind (a task's own is as good). */
ALOOP_API aloop_future *aloop_limiter_acquire_on_behalf_of(aloop_limiter *limiter,
                                                           void *borrower);
ALOOP_API int64_t aloop_limiter_acquire_on_behalf_of_nowait(aloop_limiter *limiter,
                                                            void *borrower);
ALOOP_API int64_t aloop_limiter_release_on_behalf_of(aloop_limiter *limiter, void *borrower);
/* 1 if this borrower has a token, else 0. */
ALOOP_API int64_t aloop_limiter_has(aloop_limiter *limiter, const void *borrower);

/* How many tokens there are in all. */
ALOOP_API int64_t aloop_limiter_total_tokens(aloop_limiter *limiter);
/* More: as many of those who wait get one. Fewer than are out: nobody loses
 * one, and those that come back stay until the number is right. */
ALOOP_API int64_t aloop_limiter_set_total_tokens(aloop_limiter *limiter, int64_t total_tokens);

/* The tokens that are out, all, those to be had (not below 0), and how many wait. */
#define ALOOP_LIMITER_STAT_BORROWED 0
#define ALOOP_LIMITER_STAT_TOTAL 1
#define ALOOP_LIMITER_STAT_AVAILABLE 2
#define ALOOP_LIMITER_STAT_WAITING 3
ALOOP_API int64_t aloop_limiter_statistic(aloop_limiter *limiter, int32_t which);

/* Rate limiter -------------------------------------------------------------------------
 *
 * A bucket that holds burst tokens at most, is full at first, and gets rate more
 * in a second, evenly: exact to the nanosecond on the loop's clock, however long
 * it runs. Tokens are used up, not given back. It belongs to the loop that uses
 * it first. */

typedef struct aloop_rate_limiter aloop_rate_limiter;

/* rate: tokens a second, from 1e-9 to 1e9; burst: 1 to 10^15; else ALOOP_EINVAL. */
ALOOP_API int64_t aloop_rate_limiter_new(aloop_rate_limiter **limiter, double rate,
                                         int64_t burst);
/* An operation: 0 when the caller has n tokens. n from 1 to burst, else
 * ALOOP_EINVAL. Who wants few does not overtake who wants many. */
ALOOP_API aloop_future *aloop_rate_limiter_acquire(aloop_rate_limiter *limiter, int64_t n);
/* The same at once, or ALOOP_EAGAIN; on the running loop (or the thread's):
 * ALOOP_EWRONGLOOP, ALOOP_ENORUNNINGLOOP. */
ALOOP_API int64_t aloop_rate_limiter_acquire_nowait(aloop_rate_limiter *limiter, int64_t n);

/* The tokens in the bucket, its size, and how many wait. */
#define ALOOP_RATE_LIMITER_STAT_AVAILABLE 0
#define ALOOP_RATE_LIMITER_STAT_BURST 1
#define ALOOP_RATE_LIMITER_STAT_WAITING 2
ALOOP_API int64_t aloop_rate_limiter_statistic(aloop_rate_limiter *limiter, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
