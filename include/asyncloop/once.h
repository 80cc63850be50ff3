/*
 * once.h: a value that is made once, by an initializer that may wait. asyncio
 * has none; tokio's OnceCell.
 *
 * Loops, threads and bad arguments: as in sync.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_ONCE_H
#define ASYNCLOOP_ONCE_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_once aloop_once;

/* Starts making the value: gives a future whose outcome it will be, for instance
 * a new task. The cell takes the value: nobody else may await it. Runs in a task
 * that awaits, on its stack, and must not await itself. */
typedef aloop_future *(*aloop_once_fn)(void *data);

/* An empty cell. What is in it is freed with it. */
ALOOP_API int64_t aloop_once_new(aloop_once **once);

/* An operation: its outcome, status and value, is what is in the cell; the value
 * is borrowed from it. If the cell is empty, init(data) is awaited to fill it;
 * while that is under way, others wait. If it fails, its caller gets the error,
 * and the next who waits tries with its own init; the same if its caller is
 * cancelled, which cancels what is awaited (a value that was made all the same is
 * kept). */
ALOOP_API aloop_future *aloop_once_get_or_init(aloop_once *once, aloop_once_fn init, void *data);
/* What is in it, borrowed: ALOOP_EINVALIDSTATE while it is empty. */
ALOOP_API int64_t aloop_once_get(aloop_once *once, void **value);
/* Fills it (the value is the cell's from now on): ALOOP_EEXIST if it is full,
 * ALOOP_EBUSY while an initializer is under way. status: not below 0. */
ALOOP_API int64_t aloop_once_set(aloop_once *once, int64_t status, void *value,
                                 aloop_free_fn free_fn);

/* Whether it is full, and whether an initializer is under way (1 or 0); how many
 * wait for that one. */
#define ALOOP_ONCE_STAT_FULL 0
#define ALOOP_ONCE_STAT_BUSY 1
#define ALOOP_ONCE_STAT_WAITING 2
ALOOP_API int64_t aloop_once_statistic(aloop_once *once, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
