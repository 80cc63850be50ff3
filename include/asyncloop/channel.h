/*
 * channel.h: channels between tasks. A channel has a sending and a receiving end,
 * and each end knows when nobody is left on the other side. Not in asyncio.
 *
 *   channel     each item goes to one receiver; bounded, unbounded, or oneshot
 *   broadcast   each receiver gets every value
 *   watch       each receiver sees the latest value
 *
 * Both ends are reference counted, and an operation in progress holds a reference,
 * too. When the last reference to the sending end is dropped, receivers take the
 * remaining items and then get ALOOP_ESTOPITERATION. When the last reference to the
 * receiving end is dropped, the remaining items are freed and senders get
 * ALOOP_EPIPE. Any number of tasks may use an end.
 *
 * An item has one owner at a time: the caller, the channel, then whoever received it.
 * item_free (may be NULL) frees items that nobody received, on the loop's own stack.
 * NULL is an item like any other, and is never freed.
 *
 * Both ends belong to the loop on which they were created, and to its thread:
 * ALOOP_EWRONGLOOP, ALOOP_EWRONGTHREAD. ALOOP_EINVAL for NULL and for another kind of
 * object (an operation then returns a future that has failed with it). aloop_unref
 * works from any thread; the end is then closed on the loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_CHANNEL_H
#define ASYNCLOOP_CHANNEL_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_sender aloop_sender;
typedef struct aloop_receiver aloop_receiver;

/* Creates a channel that holds up to capacity items; 0 or less: no limit.
 * ALOOP_ENOMEM; ALOOP_ENORUNNINGLOOP where the thread has no loop. */
ALOOP_API int64_t aloop_channel_new(aloop_sender **sender, aloop_receiver **receiver,
                                    int64_t capacity, aloop_free_fn item_free);
/* Creates a channel for one item; the sending end closes when that was sent. */
ALOOP_API int64_t aloop_oneshot_new(aloop_sender **sender, aloop_receiver **receiver,
                                    aloop_free_fn item_free);

/* An operation that sends an item, and waits while the channel is full. The call takes
 * over the item, as aloop_queue_put does: a send that fails, or is cancelled or dropped,
 * frees it. ALOOP_EPIPE when no receiver is left; ALOOP_ESTALE once this end is closed. */
ALOOP_API aloop_future *aloop_sender_send(aloop_sender *sender, void *item);
/* The same without waiting: ALOOP_EQUEUEFULL. On failure the item stays the caller's. */
ALOOP_API int64_t aloop_sender_try_send(aloop_sender *sender, void *item);

/* An operation that receives an item, which is its value, and waits while the channel is
 * empty. Cancelling it loses no item. ALOOP_ESTOPITERATION when the channel is empty and no
 * sender is left; ALOOP_ESTALE once this end is closed. */
ALOOP_API aloop_future *aloop_receiver_receive(aloop_receiver *receiver);
/* The same without waiting: ALOOP_EQUEUEEMPTY. */
ALOOP_API int64_t aloop_receiver_try_receive(aloop_receiver *receiver, void **item);

/* Closes an end for all its holders, as if the last reference had been dropped. Operations
 * that wait on it fail with ALOOP_ESTALE. Closing again is legal. */
ALOOP_API int64_t aloop_sender_close(aloop_sender *sender);
ALOOP_API int64_t aloop_receiver_close(aloop_receiver *receiver);

/* Of either end's channel: the items in it, how many it holds at most (0: any
 * number), how many wait to send and to receive, and whether each end is open
 * (1 or 0). ALOOP_EINVAL for any other number. */
#define ALOOP_CHANNEL_STAT_ITEMS 0
#define ALOOP_CHANNEL_STAT_CAPACITY 1
#define ALOOP_CHANNEL_STAT_SENDING 2
#define ALOOP_CHANNEL_STAT_RECEIVING 3
#define ALOOP_CHANNEL_STAT_SENDER_OPEN 4
#define ALOOP_CHANNEL_STAT_RECEIVER_OPEN 5
ALOOP_API int64_t aloop_sender_statistic(aloop_sender *sender, int32_t which);
ALOOP_API int64_t aloop_receiver_statistic(aloop_receiver *receiver, int32_t which);

/* A value that several receivers share. Each has a reference, which it drops with
 * aloop_unref (any thread); item_free frees the value after the last. */
typedef struct aloop_message aloop_message;
/* The value, borrowed from the message. Any thread that holds it. */
ALOOP_API void *aloop_message_value(aloop_message *message);

/* Broadcast: every receiving end gets every value that is sent after its creation. Sending
 * never waits: the channel keeps the last `capacity` values, and a receiver that is
 * further behind misses the oldest ones. */
typedef struct aloop_broadcast_sender aloop_broadcast_sender;
typedef struct aloop_broadcast_receiver aloop_broadcast_receiver;

/* capacity < 1: ALOOP_EINVAL. */
ALOOP_API int64_t aloop_broadcast_new(aloop_broadcast_sender **sender, int64_t capacity,
                                      aloop_free_fn item_free);
/* Creates a receiving end. ALOOP_ESTALE once the sender is closed. */
ALOOP_API int64_t aloop_broadcast_sender_subscribe(aloop_broadcast_sender *sender,
                                                   aloop_broadcast_receiver **receiver);
/* Sends a value; returns the number of receiving ends. On failure the item stays the
 * caller's: ALOOP_EPIPE if there is no receiving end (one may come later), ALOOP_ESTALE. */
ALOOP_API int64_t aloop_broadcast_sender_send(aloop_broadcast_sender *sender, void *item);
/* An operation whose value is the next aloop_message (a reference). ALOOP_ELAGGED if this
 * end was too slow and has missed values (the statistic tells how many); the oldest one
 * that is left comes next. ALOOP_ESTOPITERATION after the last one. */
ALOOP_API aloop_future *aloop_broadcast_receiver_receive(aloop_broadcast_receiver *receiver);
/* The same at once, or ALOOP_EQUEUEEMPTY. */
ALOOP_API int64_t aloop_broadcast_receiver_try_receive(aloop_broadcast_receiver *receiver,
                                                       aloop_message **message);
/* Closes the end for all its holders. */
ALOOP_API int64_t aloop_broadcast_sender_close(aloop_broadcast_sender *sender);
ALOOP_API int64_t aloop_broadcast_receiver_close(aloop_broadcast_receiver *receiver);

/* The number of values that some receiver has not seen, the capacity, the number of
 * receiving ends and of those that wait, whether the sender is open (1 or 0); only for a
 * receiving end: how many values it will see, and how many its last ALOOP_ELAGGED missed. */
#define ALOOP_BROADCAST_STAT_ITEMS 0
#define ALOOP_BROADCAST_STAT_CAPACITY 1
#define ALOOP_BROADCAST_STAT_RECEIVERS 2
#define ALOOP_BROADCAST_STAT_WAITING 3
#define ALOOP_BROADCAST_STAT_SENDER_OPEN 4
#define ALOOP_BROADCAST_STAT_UNSEEN 5
#define ALOOP_BROADCAST_STAT_MISSED 6
ALOOP_API int64_t aloop_broadcast_sender_statistic(aloop_broadcast_sender *sender, int32_t which);
ALOOP_API int64_t aloop_broadcast_receiver_statistic(aloop_broadcast_receiver *receiver,
                                                     int32_t which);

/* Watch: one value that changes, and receivers that want to know about it. */
typedef struct aloop_watch_sender aloop_watch_sender;
typedef struct aloop_watch_receiver aloop_watch_receiver;

/* Creates a watch with a first value, which is given away on success. */
ALOOP_API int64_t aloop_watch_new(aloop_watch_sender **sender, void *item,
                                  aloop_free_fn item_free);
/* Creates a receiving end, which counts the present value as seen. ALOOP_ESTALE once the
 * sender is closed. */
ALOOP_API int64_t aloop_watch_sender_subscribe(aloop_watch_sender *sender,
                                               aloop_watch_receiver **receiver);
/* Sets a new value. send fails with ALOOP_EPIPE if there is no receiver; replace does not.
 * On failure the item stays the caller's. ALOOP_ESTALE. */
ALOOP_API int64_t aloop_watch_sender_send(aloop_watch_sender *sender, void *item);
ALOOP_API int64_t aloop_watch_sender_replace(aloop_watch_sender *sender, void *item);
/* An operation that waits until no receiver is left. */
ALOOP_API aloop_future *aloop_watch_sender_closed(aloop_watch_sender *sender);
/* An operation that waits for a value this end has not seen, and marks it as seen.
 * ALOOP_ESTOPITERATION when it has seen the last one. */
ALOOP_API aloop_future *aloop_watch_receiver_changed(aloop_watch_receiver *receiver);
/* 1 if there is such a value, else 0, or ALOOP_ESTOPITERATION. */
ALOOP_API int64_t aloop_watch_receiver_has_changed(aloop_watch_receiver *receiver);
/* The present value, as a message (a reference), also when the sender is gone. get_and_update
 * marks it as seen. */
ALOOP_API int64_t aloop_watch_sender_get(aloop_watch_sender *sender, aloop_message **message);
ALOOP_API int64_t aloop_watch_receiver_get(aloop_watch_receiver *receiver,
                                           aloop_message **message);
ALOOP_API int64_t aloop_watch_receiver_get_and_update(aloop_watch_receiver *receiver,
                                                      aloop_message **message);
/* Closes the end for all its holders. */
ALOOP_API int64_t aloop_watch_sender_close(aloop_watch_sender *sender);
ALOOP_API int64_t aloop_watch_receiver_close(aloop_watch_receiver *receiver);

/* The number of receiving ends, how many wait for a change and for the last receiver to
 * go, and whether the sender is open (1 or 0). */
#define ALOOP_WATCH_STAT_RECEIVERS 0
#define ALOOP_WATCH_STAT_WAITING 1
#define ALOOP_WATCH_STAT_WAITING_CLOSED 2
#define ALOOP_WATCH_STAT_SENDER_OPEN 3
ALOOP_API int64_t aloop_watch_sender_statistic(aloop_watch_sender *sender, int32_t which);
ALOOP_API int64_t aloop_watch_receiver_statistic(aloop_watch_receiver *receiver, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
