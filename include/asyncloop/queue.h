/*
 * queue.h: queues between the tasks of one loop. asyncio.Queue, LifoQueue,
 * PriorityQueue.
 *
 * Items are pointers. An item has one owner at a time: the caller, then the queue,
 * then whoever got it. If the options have an item destructor, the queue frees the
 * items that nobody took, when it is destroyed or shut down immediately. NULL is an
 * item like any other, and is never freed.
 *
 * put, get and join are operations (see future.h). They are fair and safe to cancel:
 * a waiter that is cancelled after it was woken wakes the next one, and no item is
 * lost. What sync.h says about loops, threads and bad arguments holds here, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_QUEUE_H
#define ASYNCLOOP_QUEUE_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_queue aloop_queue;
typedef struct aloop_queue_options aloop_queue_options;

/* Compares two items: negative if a leaves the queue before b, positive if b does, 0 if the
 * one that came first does. Runs inside put and get, on the caller's stack; calls on the
 * same queue from inside it fail with ALOOP_EBUSY. */
typedef int64_t (*aloop_compare_fn)(const void *a, const void *b, void *data);

#define ALOOP_QUEUE_FIFO 0     /* first in, first out */
#define ALOOP_QUEUE_LIFO 1     /* last in, first out */
#define ALOOP_QUEUE_PRIORITY 2 /* needs a compare function; ties in order of arrival */

/* New options with the defaults; NULL when out of memory. aloop_unref frees them. Setters
 * return 0, ALOOP_EINVAL, or ALOOP_EBUSY once a queue was created with the options, which
 * can be used for more queues as they are. */
ALOOP_API aloop_queue_options *aloop_queue_options_new(void);
/* The most items in the queue; 0 (the default) or less: no limit. */
ALOOP_API int64_t aloop_queue_options_set_maxsize(aloop_queue_options *options, int64_t maxsize);
/* ALOOP_QUEUE_FIFO (the default), _LIFO or _PRIORITY. */
ALOOP_API int64_t aloop_queue_options_set_kind(aloop_queue_options *options, int32_t kind);
/* The compare function of a priority queue. free_fn frees data when the last queue with
 * these options is gone. */
ALOOP_API int64_t aloop_queue_options_set_compare(aloop_queue_options *options,
                                                  aloop_compare_fn compare, void *data,
                                                  aloop_free_fn free_fn);
/* Frees items that nobody took; runs on the loop's own stack. */
ALOOP_API int64_t aloop_queue_options_set_item_free(aloop_queue_options *options,
                                                    aloop_free_fn free_fn);

/* Creates a queue; *queue is a reference. options may be NULL: an unbounded FIFO queue
 * without an item destructor. ALOOP_EINVAL for a priority queue without a compare function. */
ALOOP_API int64_t aloop_queue_new(aloop_queue **queue, aloop_queue_options *options);

/* An operation that puts an item into the queue, and waits while the queue is full. The
 * call takes over the item: if the put fails, or is cancelled or dropped, the item
 * destructor frees it (in a stackful task perhaps only at its next await).
 * ALOOP_EQUEUESHUTDOWN. */
ALOOP_API aloop_future *aloop_queue_put(aloop_queue *queue, void *item);
/* The same without waiting. On failure the item stays the caller's: ALOOP_EQUEUEFULL,
 * ALOOP_EQUEUESHUTDOWN, ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_queue_put_nowait(aloop_queue *queue, void *item);

/* An operation that takes an item, which is its value, and waits while the queue is empty.
 * ALOOP_EQUEUESHUTDOWN once the queue is shut down and empty. */
ALOOP_API aloop_future *aloop_queue_get(aloop_queue *queue);
/* The same without waiting. ALOOP_EQUEUEEMPTY, ALOOP_EQUEUESHUTDOWN. */
ALOOP_API int64_t aloop_queue_get_nowait(aloop_queue *queue, void **item);

/* An operation that waits until aloop_queue_task_done was called for every item. */
ALOOP_API aloop_future *aloop_queue_join(aloop_queue *queue);
/* Tells that the work on an item is done. ALOOP_EINVAL if called more often than put. */
ALOOP_API int64_t aloop_queue_task_done(aloop_queue *queue);

/* The number of items in the queue; and 1 if it is empty, else 0. */
ALOOP_API int64_t aloop_queue_qsize(aloop_queue *queue);
ALOOP_API int64_t aloop_queue_empty(aloop_queue *queue);
/* 1 if the queue is full, else 0; never 1 for an unbounded queue. */
ALOOP_API int64_t aloop_queue_full(aloop_queue *queue);
/* The most items in the queue; 0: no limit. */
ALOOP_API int64_t aloop_queue_maxsize(aloop_queue *queue);

/* From now on every put fails with ALOOP_EQUEUESHUTDOWN, also those that wait. Gets take
 * the remaining items and then fail in the same way. If immediate is not 0, the remaining
 * items are freed at once, and count as done. */
ALOOP_API int64_t aloop_queue_shutdown(aloop_queue *queue, int32_t immediate);

/* How many tasks wait in get, put and join; how many items are not done; 1 once it is shut
 * down, else 0. ALOOP_EINVAL for any other number. */
#define ALOOP_QUEUE_STAT_GETTERS 0
#define ALOOP_QUEUE_STAT_PUTTERS 1
#define ALOOP_QUEUE_STAT_JOINERS 2
#define ALOOP_QUEUE_STAT_UNFINISHED 3
#define ALOOP_QUEUE_STAT_SHUTDOWN 4
ALOOP_API int64_t aloop_queue_statistic(aloop_queue *queue, int32_t which);

/* Inlets: let other threads put items into a queue of a loop. Not in asyncio.
 *
 * An inlet holds items until the queue has room for them. It stands in line with the
 * queue's other putters, and keeps the order of each thread's items. While it holds
 * capacity items, threads wait. All functions but aloop_inlet_new may be called from any
 * thread. The virtual clock does not wait for threads. */
typedef struct aloop_inlet aloop_inlet;

/* Call it in the thread of the queue's loop. ALOOP_EINVAL if capacity < 1. The inlet keeps
 * the queue until it is closed and empty, or the loop closes. */
ALOOP_API int64_t aloop_inlet_new(aloop_inlet **inlet, aloop_queue *queue, int64_t capacity);
/* Puts an item, and blocks up to timeout seconds for room (negative: no limit). On success
 * the item is given away; if the queue is shut down or the loop closes before it gets
 * there, it is freed. On failure it stays the caller's: ALOOP_ETIMEDOUT; ALOOP_ESTALE if
 * the inlet or the loop is closed, also during the wait; ALOOP_EQUEUESHUTDOWN;
 * ALOOP_EWRONGTHREAD in the loop's own thread, which would wait for itself; ALOOP_ENOMEM;
 * ALOOP_ECHILD. */
ALOOP_API int64_t aloop_inlet_put(aloop_inlet *inlet, void *item, double timeout);
/* The same without waiting, also from the loop's thread: ALOOP_EQUEUEFULL. */
ALOOP_API int64_t aloop_inlet_put_nowait(aloop_inlet *inlet, void *item);
/* Refuses further items; those that it holds still go into the queue. Dropping the last
 * reference does the same. */
ALOOP_API int64_t aloop_inlet_close(aloop_inlet *inlet);

/* The number of items in it, its capacity, the number of waiting threads, and whether it is
 * open (1 or 0). ALOOP_ECHILD in a forked child, until its loop is renewed. */
#define ALOOP_INLET_STAT_ITEMS 0
#define ALOOP_INLET_STAT_CAPACITY 1
#define ALOOP_INLET_STAT_WAITING 2
#define ALOOP_INLET_STAT_OPEN 3
ALOOP_API int64_t aloop_inlet_statistic(aloop_inlet *inlet, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
