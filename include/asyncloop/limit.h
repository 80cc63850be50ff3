/*
 * limit.h: limiters: a capacity limiter (how many at a time), like Trio's and anyio's,
 * and a rate limiter (how many per second), a token bucket. Not in asyncio.
 *
 * Functions that wait return operations (see future.h). They are fair: first come,
 * first served. They are safe to cancel: a waiter that is cancelled after it got a
 * token gives it back, and the next in line gets it. What sync.h says about loops,
 * threads and bad arguments holds here, too.
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
 * A semaphore that knows who has its tokens. A borrower is a task, or any object that
 * the program names; it has at most one token, and only it can give the token back.
 * The number of tokens can be changed at any time. */

typedef struct aloop_limiter aloop_limiter;

/* Creates a limiter; INT64_MAX is no limit. ALOOP_EINVAL if total_tokens < 0. */
ALOOP_API int64_t aloop_limiter_new(aloop_limiter **limiter, int64_t total_tokens);
/* An operation that is done when the running task, which makes this call, has a token; it
 * may be awaited elsewhere. ALOOP_EEXIST if the task has or awaits one; ALOOP_ENOTASK. */
ALOOP_API aloop_future *aloop_limiter_acquire(aloop_limiter *limiter);
/* The same without waiting: ALOOP_EAGAIN. */
ALOOP_API int64_t aloop_limiter_acquire_nowait(aloop_limiter *limiter);
/* Gives back the running task's token; ALOOP_ENOTOWNER if it has none. */
ALOOP_API int64_t aloop_limiter_release(aloop_limiter *limiter);

/* The same for a borrower that the program names: any pointer but NULL. The library does
 * not dereference it. */
ALOOP_API aloop_future *aloop_limiter_acquire_on_behalf_of(aloop_limiter *limiter,
                                                           void *borrower);
ALOOP_API int64_t aloop_limiter_acquire_on_behalf_of_nowait(aloop_limiter *limiter,
                                                            void *borrower);
ALOOP_API int64_t aloop_limiter_release_on_behalf_of(aloop_limiter *limiter, void *borrower);
/* 1 if this borrower has a token, else 0. */
ALOOP_API int64_t aloop_limiter_has(aloop_limiter *limiter, const void *borrower);

/* The total number of tokens. */
ALOOP_API int64_t aloop_limiter_total_tokens(aloop_limiter *limiter);
/* Changes the total. If it grows, waiters get the new tokens. If it shrinks below the
 * number in use, nobody loses a token, but returned ones are not given out again until the
 * number is right. */
ALOOP_API int64_t aloop_limiter_set_total_tokens(aloop_limiter *limiter, int64_t total_tokens);

/* The tokens in use, all tokens, the free ones (not below 0), and how many tasks wait. */
#define ALOOP_LIMITER_STAT_BORROWED 0
#define ALOOP_LIMITER_STAT_TOTAL 1
#define ALOOP_LIMITER_STAT_AVAILABLE 2
#define ALOOP_LIMITER_STAT_WAITING 3
ALOOP_API int64_t aloop_limiter_statistic(aloop_limiter *limiter, int32_t which);

/* Rate limiter -------------------------------------------------------------------------
 *
 * A bucket that holds up to burst tokens, is full at first, and gets rate more tokens per
 * second, evenly: exact to the nanosecond on the loop's clock, however long it runs.
 * Tokens are used up, not given back. It belongs to the loop that uses it first. */

typedef struct aloop_rate_limiter aloop_rate_limiter;

/* rate: tokens per second, 1e-9 to 1e9; burst: 1 to 10^15; otherwise ALOOP_EINVAL. */
ALOOP_API int64_t aloop_rate_limiter_new(aloop_rate_limiter **limiter, double rate,
                                         int64_t burst);
/* An operation that is done when the caller has n tokens, 1 to burst (otherwise
 * ALOOP_EINVAL). A waiter for few tokens does not overtake one for many. */
ALOOP_API aloop_future *aloop_rate_limiter_acquire(aloop_rate_limiter *limiter, int64_t n);
/* The same without waiting: ALOOP_EAGAIN. Uses the running loop, or the thread's:
 * ALOOP_EWRONGLOOP, ALOOP_ENORUNNINGLOOP. */
ALOOP_API int64_t aloop_rate_limiter_acquire_nowait(aloop_rate_limiter *limiter, int64_t n);

/* The tokens in the bucket, its size, and how many tasks wait. */
#define ALOOP_RATE_LIMITER_STAT_AVAILABLE 0
#define ALOOP_RATE_LIMITER_STAT_BURST 1
#define ALOOP_RATE_LIMITER_STAT_WAITING 2
ALOOP_API int64_t aloop_rate_limiter_statistic(aloop_rate_limiter *limiter, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
