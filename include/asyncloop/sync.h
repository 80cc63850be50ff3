/*
 * sync.h: locks, events, conditions, semaphores and barriers for the tasks of
 * one loop: asyncio's synchronization primitives, and a read-write lock.
 *
 * Functions that wait return operations (see future.h). Await them, or combine them,
 * for instance with a time limit:
 *     aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL)
 * They are fair: first come, first served, and nobody can overtake a waiter that was
 * woken. They are safe to cancel: a waiter that is cancelled after it was woken
 * passes its turn on.
 *
 * An object belongs to no loop until a task blocks on it, and then to the loop of
 * that task for good; blocking on it in another loop fails with ALOOP_EWRONGLOOP.
 * These are not locks between threads: other threads get ALOOP_EWRONGTHREAD.
 * aloop_unref works from any thread, and operations in progress hold a reference.
 *
 * Errors of all functions: ALOOP_EINVAL for NULL, for an object of another type and,
 * in a _statistic, for an unknown number; ALOOP_ENOMEM. A function that returns an
 * operation returns a future that has failed, or NULL if no loop runs in this thread.
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
/* An operation that is done when the caller has the lock. Not reentrant. */
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
/* Sets the event and wakes all waiters, even if it is cleared again at once. */
ALOOP_API int64_t aloop_event_set(aloop_event *event);
/* Clears the event: from now on waiters wait. */
ALOOP_API int64_t aloop_event_clear(aloop_event *event);
/* 1 or 0. */
ALOOP_API int64_t aloop_event_is_set(aloop_event *event);
/* An operation that is done when the event is set, or was set while this waited. */
ALOOP_API aloop_future *aloop_event_wait(aloop_event *event);
/* Whether it is set (1 or 0), and how many wait for it. */
#define ALOOP_EVENT_STAT_SET 0
#define ALOOP_EVENT_STAT_WAITING 1
ALOOP_API int64_t aloop_event_statistic(aloop_event *event, int32_t which);

/* Condition: asyncio.Condition -------------------------------------------------------- */

typedef struct aloop_condition aloop_condition;
/* Positive is true, 0 is false, negative is an error. Runs in the waiting task, on its
 * stack, with the lock held, and must not await. */
typedef int64_t (*aloop_predicate_fn)(void *data);

/* Creates a condition for lock, to which it keeps a reference; NULL: a new lock. The
 * condition belongs to the loop of its lock. */
ALOOP_API int64_t aloop_condition_new(aloop_condition **condition, aloop_lock *lock);
/* The same as those of its lock. */
ALOOP_API aloop_future *aloop_condition_acquire(aloop_condition *condition);
ALOOP_API int64_t aloop_condition_release(aloop_condition *condition);
ALOOP_API int64_t aloop_condition_locked(aloop_condition *condition);
/* An operation that releases the lock, waits for a notification, and acquires the lock
 * again, however it ends. It may end without a notification, so check what you wait for
 * in a loop. ALOOP_ENOTOWNER if the lock is not held. */
ALOOP_API aloop_future *aloop_condition_wait(aloop_condition *condition);
/* An operation that waits until predicate(data) is not 0; that result is its status. */
ALOOP_API aloop_future *aloop_condition_wait_for(aloop_condition *condition,
                                                 aloop_predicate_fn predicate, void *data);
/* Wakes up to n waiters, or all; returns how many. ALOOP_ENOTOWNER if the lock is not held,
 * ALOOP_EINVAL if n < 0. */
ALOOP_API int64_t aloop_condition_notify(aloop_condition *condition, int64_t n);
ALOOP_API int64_t aloop_condition_notify_all(aloop_condition *condition);
/* How many wait for a notification; whether the lock is held (1 or 0), and how many wait
 * for it, including those that were notified. */
#define ALOOP_CONDITION_STAT_WAITING 0
#define ALOOP_CONDITION_STAT_LOCKED 1
#define ALOOP_CONDITION_STAT_WAITING_LOCK 2
ALOOP_API int64_t aloop_condition_statistic(aloop_condition *condition, int32_t which);

/* Semaphores: asyncio.Semaphore, BoundedSemaphore ------------------------------------- */

typedef struct aloop_semaphore aloop_semaphore;

/* Creates a semaphore with value permits; ALOOP_EINVAL if value < 0. A bounded semaphore
 * cannot be released beyond its first value. */
ALOOP_API int64_t aloop_semaphore_new(aloop_semaphore **semaphore, int64_t value);
ALOOP_API int64_t aloop_bounded_semaphore_new(aloop_semaphore **semaphore, int64_t value);
/* An operation that is done when the caller has a permit. */
ALOOP_API aloop_future *aloop_semaphore_acquire(aloop_semaphore *semaphore);
/* Gives back a permit. ALOOP_EINVAL beyond the bound. */
ALOOP_API int64_t aloop_semaphore_release(aloop_semaphore *semaphore);
/* 1 if an acquire would have to wait (no permit, or others wait already), else 0. */
ALOOP_API int64_t aloop_semaphore_locked(aloop_semaphore *semaphore);
/* The number of free permits. */
ALOOP_API int64_t aloop_semaphore_value(aloop_semaphore *semaphore);
/* The same, and how many wait for one. */
#define ALOOP_SEMAPHORE_STAT_VALUE 0
#define ALOOP_SEMAPHORE_STAT_WAITING 1
ALOOP_API int64_t aloop_semaphore_statistic(aloop_semaphore *semaphore, int32_t which);

/* Barrier: asyncio.Barrier ------------------------------------------------------------ */

typedef struct aloop_barrier aloop_barrier;

/* Creates a barrier for this many tasks; ALOOP_EINVAL if parties < 1. */
ALOOP_API int64_t aloop_barrier_new(aloop_barrier **barrier, int64_t parties);
/* An operation that waits until this many tasks wait; its status is the order of arrival,
 * 0 to parties - 1. ALOOP_EBROKENBARRIER if the barrier is reset or aborted. A cancelled
 * waiter only leaves. */
ALOOP_API aloop_future *aloop_barrier_wait(aloop_barrier *barrier);
/* Operations. reset: waiters get ALOOP_EBROKENBARRIER, and then the barrier is as new.
 * abort: waiters and all later callers get it, until a reset. */
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

/* Read-write lock: not in asyncio -------------------------------------------------------- */

typedef struct aloop_rwlock aloop_rwlock;

/* A lock that nobody holds: a reference. ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_rwlock_new(aloop_rwlock **lock);
/* Operations that are done when the caller may read, together with other readers, or
 * write, alone. Readers do not overtake a waiting writer. */
ALOOP_API aloop_future *aloop_rwlock_acquire_read(aloop_rwlock *lock);
ALOOP_API aloop_future *aloop_rwlock_acquire_write(aloop_rwlock *lock);
/* Any task may release; ALOOP_ENOTOWNER if the lock is not held for this purpose. */
ALOOP_API int64_t aloop_rwlock_release_read(aloop_rwlock *lock);
ALOOP_API int64_t aloop_rwlock_release_write(aloop_rwlock *lock);
/* How many tasks read, write (0 or 1), and wait for either. Tasks that were let in and have
 * not run yet count as reading or writing. */
#define ALOOP_RWLOCK_STAT_READERS 0
#define ALOOP_RWLOCK_STAT_WRITERS 1
#define ALOOP_RWLOCK_STAT_WAITING_READERS 2
#define ALOOP_RWLOCK_STAT_WAITING_WRITERS 3
ALOOP_API int64_t aloop_rwlock_statistic(aloop_rwlock *lock, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
