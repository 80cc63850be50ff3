/*
 * queue.h: queues between the tasks of one loop. asyncio.Queue, LifoQueue,
 * PriorityQueue.
 *
 * Items are pointers. An item belongs to one owner at a time: the caller, then
 * the queue, then whoever got it. With an item destructor in the options the
 * queue frees what nobody took: when it is shut down at once, and when it goes.
 * NULL is an item like any other, and never freed.
 *
 * put, get and join are operations (see future.h): fair, and safe to cancel: a
 * getter or putter cancelled after it was woken wakes the next one, and no
 * item is lost. Loops, threads and bad arguments: as in sync.h.
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

/* Less than 0: a leaves before b; 0: whichever came first; else b does. Runs
 * inside put and get, on the caller's stack; calls on the same queue from it
 * get ALOOP_EBUSY. */
typedef int64_t (*aloop_compare_fn)(const void *a, const void *b, void *data);

#define ALOOP_QUEUE_FIFO 0     /* first in, first out */
#define ALOOP_QUEUE_LIFO 1     /* last in, first out */
#define ALOOP_QUEUE_PRIORITY 2 /* needs a compare function; ties in order of arrival */

/* New options with the defaults; NULL when out of memory. aloop_unref frees.
 * Setters: 0; ALOOP_EINVAL; ALOOP_EBUSY once a queue was made with them (they
 * may serve for more queues as they are). */
ALOOP_API aloop_queue_options *aloop_queue_options_new(void);
/* How many items it holds at most; 0 (the default) or less: any number. */
ALOOP_API int64_t aloop_queue_options_set_maxsize(aloop_queue_options *options, int64_t maxsize);
/* ALOOP_QUEUE_FIFO (the default), _LIFO or _PRIORITY. */
ALOOP_API int64_t aloop_queue_options_set_kind(aloop_queue_options *options, int32_t kind);
/* free_fn frees data after the last queue with these options has gone. */
ALOOP_API int64_t aloop_queue_options_set_compare(aloop_queue_options *options,
                                                  aloop_compare_fn compare, void *data,
                                                  aloop_free_fn free_fn);
/* Frees items that nobody took; runs on the loop's own stack. */
ALOOP_API int64_t aloop_queue_options_set_item_free(aloop_queue_options *options,
                                                    aloop_free_fn free_fn);

/* options may be NULL: an unbounded queue, first in, first out, without
 * destructor. ALOOP_EINVAL for a priority queue without a compare function. */
ALOOP_API int64_t aloop_queue_new(aloop_queue **queue, aloop_queue_options *options);

/* An operation: waits while the queue is full. The item is given away with this
 * call: a put that fails, is cancelled or dropped frees it with the item
 * destructor (in a stackful task perhaps only when that awaits again).
 * ALOOP_EQUEUESHUTDOWN. */
ALOOP_API aloop_future *aloop_queue_put(aloop_queue *queue, void *item);
/* ALOOP_EQUEUEFULL, ALOOP_EQUEUESHUTDOWN, ALOOP_ENOMEM: the item stays the
 * caller's. */
ALOOP_API int64_t aloop_queue_put_nowait(aloop_queue *queue, void *item);

/* An operation: waits while the queue is empty; its value is the item.
 * ALOOP_EQUEUESHUTDOWN once the queue is shut down and empty. */
ALOOP_API aloop_future *aloop_queue_get(aloop_queue *queue);
/* ALOOP_EQUEUEEMPTY, ALOOP_EQUEUESHUTDOWN. */
ALOOP_API int64_t aloop_queue_get_nowait(aloop_queue *queue, void **item);

/* An operation: waits until every item that was put has been done with. */
ALOOP_API aloop_future *aloop_queue_join(aloop_queue *queue);
/* One item is done with. ALOOP_EINVAL more often than items were put. */
ALOOP_API int64_t aloop_queue_task_done(aloop_queue *queue);

/* How many items are in it; whether none is: 1, else 0. */
ALOOP_API int64_t aloop_queue_qsize(aloop_queue *queue);
ALOOP_API int64_t aloop_queue_empty(aloop_queue *queue);
/* Never 1 for an unbounded queue. */
ALOOP_API int64_t aloop_queue_full(aloop_queue *queue);
/* 0: unbounded. */
ALOOP_API int64_t aloop_queue_maxsize(aloop_queue *queue);

/* From now on puts fail with ALOOP_EQUEUESHUTDOWN, those that wait too; gets
 * take what is left and then fail likewise. immediate: what is left is freed,
 * and counts as done with. */
ALOOP_API int64_t aloop_queue_shutdown(aloop_queue *queue, int32_t immediate);

/* How many wait in get, put and join; items put and not done with; 1 once it
 * is shut down. ALOOP_EINVAL for any other number. */
#define ALOOP_QUEUE_STAT_GETTERS 0
#define ALOOP_QUEUE_STAT_PUTTERS 1
#define ALOOP_QUEUE_STAT_JOINERS 2
#define ALOOP_QUEUE_STAT_UNFINISHED 3
#define ALOOP_QUEUE_STAT_SHUTDOWN 4
ALOOP_API int64_t aloop_queue_statistic(aloop_queue *queue, int32_t which);

/* Inlet: an end of a queue for other threads to put into. asyncio has none.
 *
 * It holds items until the queue, which is the loop's, has room for them: they
 * stand in line with its other putters, in the order of each thread's puts. Once
 * it holds capacity items, threads wait. The loop is woken only where it sleeps,
 * and takes over what has come at once, however much that is. Every function but
 * _new may be called from any thread, aloop_ref and aloop_unref too. A virtual
 * clock does not wait for threads. */
typedef struct aloop_inlet aloop_inlet;

/* In the thread of the loop that is to use the queue. capacity < 1: ALOOP_EINVAL.
 * The queue is kept until the inlet is closed and empty, or the loop closes. */
ALOOP_API int64_t aloop_inlet_new(aloop_inlet **inlet, aloop_queue *queue, int64_t capacity);
/* Waits up to timeout seconds for room, for ever if it is negative. 0: the item
 * is given away, and if the queue is shut down or the loop closes before it is
 * put, it is freed. Else it is the caller's: ALOOP_ETIMEDOUT; ALOOP_ESTALE once the
 * inlet or the loop is closed, also while it waits; ALOOP_EQUEUESHUTDOWN;
 * ALOOP_EWRONGTHREAD from the loop's thread, which would wait for itself, also while
 * the loop does not run; ALOOP_ENOMEM; ALOOP_ECHILD. */
ALOOP_API int64_t aloop_inlet_put(aloop_inlet *inlet, void *item, double timeout);
/* The same without waiting, the loop's thread included: ALOOP_EQUEUEFULL. */
ALOOP_API int64_t aloop_inlet_put_nowait(aloop_inlet *inlet, void *item);
/* Takes no more; what it holds is still put. The last aloop_unref does the same. */
ALOOP_API int64_t aloop_inlet_close(aloop_inlet *inlet);

/* The items it holds, how many it may, the threads that wait, and whether it is
 * open (1 or 0). ALOOP_ECHILD in a forked child, until its loop is made new. */
#define ALOOP_INLET_STAT_ITEMS 0
#define ALOOP_INLET_STAT_CAPACITY 1
#define ALOOP_INLET_STAT_WAITING 2
#define ALOOP_INLET_STAT_OPEN 3
ALOOP_API int64_t aloop_inlet_statistic(aloop_inlet *inlet, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
