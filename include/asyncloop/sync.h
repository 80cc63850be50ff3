/*
 * sync.h: locks, events, conditions, semaphores and barriers for the tasks of
 * one loop: asyncio's synchronization primitives, and a read-write lock.
 *
 * What waits is an operation (see future.h): await it, or combine it, for
 * instance with a timeout: aloop_await(aloop_wait_for(aloop_lock_acquire(l), 1), NULL).
 * All are fair: first come, first served, and nobody who comes later gets in
 * before a waiter that was woken. All are safe to cancel: a waiter cancelled
 * after it was woken passes its turn on.
 *
 * An object belongs to no loop until a task blocks on it, and then to that
 * task's loop for good: operations of another one that would block fail with
 * ALOOP_EWRONGLOOP. They are no locks between threads: use one from its loop's
 * thread; others get ALOOP_EWRONGTHREAD. aloop_unref frees it, from any thread;
 * operations under way keep it.
 *
 * Every function gives ALOOP_EINVAL for NULL and for an object of another type
 * (an operation: a future that failed with it), every _new ALOOP_ENOMEM, every
 * operation ALOOP_ENOMEM when it cannot wait for want of memory, and NULL where
 * no loop runs in this thread. Every _statistic gives ALOOP_EINVAL for a number
 * that it does not know.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_SYNC_H
#define ASYNCLOOP_SYNC_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lock: asyncio.Lock ------------------------------------------------------------------ */

typedef struct aloop_lock aloop_lock;

/* A lock that nobody holds: a reference. ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_lock_new(aloop_lock **lock);
/* An operation: done, with 0, when the caller has the lock. Not reentrant. */
ALOOP_API aloop_future *aloop_lock_acquire(aloop_lock *lock);
/* Wakes the first in line. Any task may release; ALOOP_ENOTOWNER if the lock
 * is not held. */
ALOOP_API int64_t aloop_lock_release(aloop_lock *lock);
/* 1 while it is held, else 0. */
ALOOP_API int64_t aloop_lock_locked(aloop_lock *lock);
/* Whether it is held (1 or 0), and how many wait for it. */
#define ALOOP_LOCK_STAT_LOCKED 0
#define ALOOP_LOCK_STAT_WAITING 1
ALOOP_API int64_t aloop_lock_statistic(aloop_lock *lock, int32_t which);

/* Event: asyncio.Event ---------------------------------------------------------------- */

typedef struct aloop_event aloop_event;

/* An event that is not set: a reference. ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_event_new(aloop_event **event);
/* Wakes everybody who waits now, also if it is cleared at once. */
ALOOP_API int64_t aloop_event_set(aloop_event *event);
/* From now on waiters wait. */
ALOOP_API int64_t aloop_event_clear(aloop_event *event);
/* 1 or 0. */
ALOOP_API int64_t aloop_event_is_set(aloop_event *event);
/* An operation: 0 when the event is set, or was while this waited. */
ALOOP_API aloop_future *aloop_event_wait(aloop_event *event);
/* Whether it is set (1 or 0), and how many wait for it. */
#define ALOOP_EVENT_STAT_SET 0
#define ALOOP_EVENT_STAT_WAITING 1
ALOOP_API int64_t aloop_event_statistic(aloop_event *event, int32_t which);

/* Condition: asyncio.Condition -------------------------------------------------------- */

typedef struct aloop_condition aloop_condition;
/* Not 0 is true, less than 0 an error. Runs in the waiting task, on its stack,
 * with the lock held, and must not await. */
typedef int64_t (*aloop_predicate_fn)(void *data);

/* lock (a reference is kept) is the lock to use; NULL makes one. The condition
 * belongs to the loop of its lock. */
ALOOP_API int64_t aloop_condition_new(aloop_condition **condition, aloop_lock *lock);
/* The same as those of its lock. */
ALOOP_API aloop_future *aloop_condition_acquire(aloop_condition *condition);
ALOOP_API int64_t aloop_condition_release(aloop_condition *condition);
ALOOP_API int64_t aloop_condition_locked(aloop_condition *condition);
/* An operation: releases the lock, waits to be notified, and holds the lock
 * again however it ends. It may end without a notification, so that what was
 * waited for must be looked at. ALOOP_ENOTOWNER if the lock is not held. */
ALOOP_API aloop_future *aloop_condition_wait(aloop_condition *condition);
/* An operation: waits until predicate(data) is not 0, which is its status. */
ALOOP_API aloop_future *aloop_condition_wait_for(aloop_condition *condition,
                                                 aloop_predicate_fn predicate, void *data);
/* Wakes n waiters at most, or all: how many it woke. ALOOP_ENOTOWNER if the
 * lock is not held; n < 0: ALOOP_EINVAL. */
ALOOP_API int64_t aloop_condition_notify(aloop_condition *condition, int64_t n);
ALOOP_API int64_t aloop_condition_notify_all(aloop_condition *condition);
/* How many wait to be notified; of its lock: whether it is held (1 or 0), and how
 * many wait for it, those who were notified among them. */
#define ALOOP_CONDITION_STAT_WAITING 0
#define ALOOP_CONDITION_STAT_LOCKED 1
#define ALOOP_CONDITION_STAT_WAITING_LOCK 2
ALOOP_API int64_t aloop_condition_statistic(aloop_condition *condition, int32_t which);

/* Semaphores: asyncio.Semaphore, BoundedSemaphore ------------------------------------- */

typedef struct aloop_semaphore aloop_semaphore;

/* With value permits; less than 0: ALOOP_EINVAL. A bounded one refuses to be
 * released beyond its first value. */
ALOOP_API int64_t aloop_semaphore_new(aloop_semaphore **semaphore, int64_t value);
ALOOP_API int64_t aloop_bounded_semaphore_new(aloop_semaphore **semaphore, int64_t value);
/* An operation: 0 when the caller has a permit. */
ALOOP_API aloop_future *aloop_semaphore_acquire(aloop_semaphore *semaphore);
/* Gives a permit back. ALOOP_EINVAL beyond the bound. */
ALOOP_API int64_t aloop_semaphore_release(aloop_semaphore *semaphore);
/* 1 if an acquire would have to wait: no permit, or others are first. */
ALOOP_API int64_t aloop_semaphore_locked(aloop_semaphore *semaphore);
/* The permits that nobody has. */
ALOOP_API int64_t aloop_semaphore_value(aloop_semaphore *semaphore);
/* The same, and how many wait for one. */
#define ALOOP_SEMAPHORE_STAT_VALUE 0
#define ALOOP_SEMAPHORE_STAT_WAITING 1
ALOOP_API int64_t aloop_semaphore_statistic(aloop_semaphore *semaphore, int32_t which);

/* Barrier: asyncio.Barrier ------------------------------------------------------------ */

typedef struct aloop_barrier aloop_barrier;

/* parties < 1: ALOOP_EINVAL. */
ALOOP_API int64_t aloop_barrier_new(aloop_barrier **barrier, int64_t parties);
/* An operation: waits until as many as parties do; its status is the place of
 * arrival, 0 to parties - 1. ALOOP_EBROKENBARRIER if the barrier is reset or
 * aborted. A cancelled waiter just leaves. */
ALOOP_API aloop_future *aloop_barrier_wait(aloop_barrier *barrier);
/* Operations. reset: those who wait get ALOOP_EBROKENBARRIER, then the barrier
 * is as new. abort: so does everybody from now on, until a reset. */
ALOOP_API aloop_future *aloop_barrier_reset(aloop_barrier *barrier);
ALOOP_API aloop_future *aloop_barrier_abort(aloop_barrier *barrier);
/* How many it lets through together. */
ALOOP_API int64_t aloop_barrier_parties(aloop_barrier *barrier);
/* How many wait for the others to arrive. */
ALOOP_API int64_t aloop_barrier_n_waiting(aloop_barrier *barrier);
/* 1 after an abort, until a reset. */
ALOOP_API int64_t aloop_barrier_broken(aloop_barrier *barrier);
/* The three above, and how many wait outside until those who were let go have left. */
#define ALOOP_BARRIER_STAT_PARTIES 0
#define ALOOP_BARRIER_STAT_WAITING 1
#define ALOOP_BARRIER_STAT_BROKEN 2
#define ALOOP_BARRIER_STAT_WAITING_OUTSIDE 3
ALOOP_API int64_t aloop_barrier_statistic(aloop_barrier *barrier, int32_t which);

/* Read-write lock: asyncio has none ------------------------------------------------------ */

typedef struct aloop_rwlock aloop_rwlock;

/* A lock that nobody holds: a reference. ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_rwlock_new(aloop_rwlock **lock);
/* Operations: 0 when the caller may read, with other readers, or write, alone.
 * First come, first served: readers do not overtake a writer that waits. */
ALOOP_API aloop_future *aloop_rwlock_acquire_read(aloop_rwlock *lock);
ALOOP_API aloop_future *aloop_rwlock_acquire_write(aloop_rwlock *lock);
/* Any task may release; ALOOP_ENOTOWNER if the lock is not held in this way. */
ALOOP_API int64_t aloop_rwlock_release_read(aloop_rwlock *lock);
ALOOP_API int64_t aloop_rwlock_release_write(aloop_rwlock *lock);
/* How many read, write (0 or 1), and wait for either. Those
 * who were let in and have not run yet count as reading or writing. */
#define ALOOP_RWLOCK_STAT_READERS 0
#define ALOOP_RWLOCK_STAT_WRITERS 1
#define ALOOP_RWLOCK_STAT_WAITING_READERS 2
#define ALOOP_RWLOCK_STAT_WAITING_WRITERS 3
ALOOP_API int64_t aloop_rwlock_statistic(aloop_rwlock *lock, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
