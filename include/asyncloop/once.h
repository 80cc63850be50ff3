/*
 * once.h: a value that is created once, by an initializer that may await. tokio's
 * OnceCell; not in asyncio.
 *
 * What sync.h says about loops, threads and bad arguments holds here, too.
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

/* Starts creating the value: returns a future, for instance a new task, whose outcome
 * becomes the cell's. The cell takes the value, so nobody else may await the future. Runs
 * in the task that awaits the cell, on its stack, and must not await itself. */
typedef aloop_future *(*aloop_once_fn)(void *data);

/* Creates an empty cell. Its value is freed with it. */
ALOOP_API int64_t aloop_once_new(aloop_once **once);

/* An operation whose outcome is the status and value in the cell; the value is borrowed. If
 * the cell is empty, the operation awaits init(data) to fill it, while others wait. If that
 * fails, its caller gets the error, and the next waiter tries with its own init; likewise
 * if the caller is cancelled, which cancels the future of init (a value that it gives
 * nevertheless is kept). */
ALOOP_API aloop_future *aloop_once_get_or_init(aloop_once *once, aloop_once_fn init, void *data);
/* Its status and, in *value, its value (borrowed). ALOOP_EINVALIDSTATE while it is empty. */
ALOOP_API int64_t aloop_once_get(aloop_once *once, void **value);
/* Fills it; status must be >= 0, and the value becomes the cell's. ALOOP_EEXIST if it is
 * full, ALOOP_EBUSY while an initializer runs. */
ALOOP_API int64_t aloop_once_set(aloop_once *once, int64_t status, void *value,
                                 aloop_free_fn free_fn);

/* Whether it is full, and whether an initializer runs (1 or 0); how many tasks wait for
 * that. */
#define ALOOP_ONCE_STAT_FULL 0
#define ALOOP_ONCE_STAT_BUSY 1
#define ALOOP_ONCE_STAT_WAITING 2
ALOOP_API int64_t aloop_once_statistic(aloop_once *once, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
