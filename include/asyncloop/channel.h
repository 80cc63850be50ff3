/*
 * channel.h: channels: an end to send into and an end to receive from, each of
 * which knows when nobody is left on the other side. asyncio has none. A queue
 * with two ends (each item goes to one receiver); a broadcast (each receiver
 * sees every value); a watch (each receiver sees the latest value).
 *
 * Both ends are counted: aloop_ref makes one more holder, aloop_unref drops
 * one, and an operation under way is a holder, too. When the last holder of the
 * sending end goes, receivers take what is left and then get
 * ALOOP_ESTOPITERATION; when the last one of the receiving end goes, what is
 * left is freed and senders get ALOOP_EPIPE. Any number of tasks may use an end.
 *
 * An item belongs to one owner at a time: the caller, the channel, then whoever
 * received it. item_free (it may be NULL) frees what nobody received; it runs
 * on the loop's own stack. NULL is an item like any other, and never freed.
 *
 * Both ends belong to the loop on which they were made, and to its thread:
 * ALOOP_EWRONGLOOP, ALOOP_EWRONGTHREAD; ALOOP_EINVAL for NULL and any other
 * object (an operation: a future that failed with it). aloop_unref works from
 * any thread; the end then closes on the loop's.
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

/* A channel that holds capacity items at most; 0 or less: any number.
 * ALOOP_ENOMEM; ALOOP_ENORUNNINGLOOP where the thread has no loop. */
ALOOP_API int64_t aloop_channel_new(aloop_sender **sender, aloop_receiver **receiver,
                                    int64_t capacity, aloop_free_fn item_free);
/* A channel for one item: it closes for sending when that was sent. */
ALOOP_API int64_t aloop_oneshot_new(aloop_sender **sender, aloop_receiver **receiver,
                                    aloop_free_fn item_free);

/* An operation: waits while the channel is full. The item is given away with
 * this call, as with aloop_queue_put: a send that fails, is cancelled or dropped
 * frees it. ALOOP_EPIPE when no receiver is left; ALOOP_ESTALE once this end is
 * closed. */
ALOOP_API aloop_future *aloop_sender_send(aloop_sender *sender, void *item);
/* The same at once, or ALOOP_EQUEUEFULL. If it fails, the item stays the
 * caller's. */
ALOOP_API int64_t aloop_sender_try_send(aloop_sender *sender, void *item);

/* An operation: waits while the channel is empty; its value is the item.
 * Cancelled, it loses none. ALOOP_ESTOPITERATION when the channel is empty and
 * no sender is left; ALOOP_ESTALE once this end is closed. */
ALOOP_API aloop_future *aloop_receiver_receive(aloop_receiver *receiver);
/* The same at once, or ALOOP_EQUEUEEMPTY. */
ALOOP_API int64_t aloop_receiver_try_receive(aloop_receiver *receiver, void **item);

/* Closes the end for all its holders, as if the last one had gone; those who
 * wait on it get ALOOP_ESTALE. More than once does no harm. */
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

/* A value that several receive: one holder each, dropped with aloop_unref (any
 * thread); item_free frees the value after the last. */
typedef struct aloop_message aloop_message;
/* The value, borrowed from the message. Any thread that holds it. */
ALOOP_API void *aloop_message_value(aloop_message *message);

/* Broadcast: every receiving end gets every value that was sent after it was
 * made. Sending never waits: the last `capacity` values are kept, and a receiver
 * that is further behind misses the oldest. */
typedef struct aloop_broadcast_sender aloop_broadcast_sender;
typedef struct aloop_broadcast_receiver aloop_broadcast_receiver;

/* capacity < 1: ALOOP_EINVAL. */
ALOOP_API int64_t aloop_broadcast_new(aloop_broadcast_sender **sender, int64_t capacity,
                                      aloop_free_fn item_free);
/* One more receiving end. ALOOP_ESTALE once the sender is closed. */
ALOOP_API int64_t aloop_broadcast_sender_subscribe(aloop_broadcast_sender *sender,
                                                   aloop_broadcast_receiver **receiver);
/* To how many ends it goes. ALOOP_EPIPE if there is none (one may come later),
 * ALOOP_ESTALE; the item then stays the caller's. */
ALOOP_API int64_t aloop_broadcast_sender_send(aloop_broadcast_sender *sender, void *item);
/* An operation, whose value is the next aloop_message, the caller's. ALOOP_ELAGGED:
 * this end was too slow and has missed values, see the statistic; the oldest
 * that is left comes next. ALOOP_ESTOPITERATION after the last one. */
ALOOP_API aloop_future *aloop_broadcast_receiver_receive(aloop_broadcast_receiver *receiver);
/* The same at once, or ALOOP_EQUEUEEMPTY. */
ALOOP_API int64_t aloop_broadcast_receiver_try_receive(aloop_broadcast_receiver *receiver,
                                                       aloop_message **message);
/* Closes the end for all its holders. */
ALOOP_API int64_t aloop_broadcast_sender_close(aloop_broadcast_sender *sender);
ALOOP_API int64_t aloop_broadcast_receiver_close(aloop_broadcast_receiver *receiver);

/* Values that somebody has yet to see, the capacity, the receiving ends, how many
 * wait to receive, whether the sender is open (1 or 0); and of a receiving end
 * alone: values that it will see, and how many its last ALOOP_ELAGGED was about. */
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

/* Watch: one value that changes, and receivers who want to know. */
typedef struct aloop_watch_sender aloop_watch_sender;
typedef struct aloop_watch_receiver aloop_watch_receiver;

/* With a first value, given away on success. */
ALOOP_API int64_t aloop_watch_new(aloop_watch_sender **sender, void *item,
                                  aloop_free_fn item_free);
/* One more receiving end; it has seen the value of now. ALOOP_ESTALE once the
 * sender is closed. */
ALOOP_API int64_t aloop_watch_sender_subscribe(aloop_watch_sender *sender,
                                               aloop_watch_receiver **receiver);
/* A new value. send: ALOOP_EPIPE if there is no receiver; replace: also then.
 * If it fails, the item stays the caller's. ALOOP_ESTALE. */
ALOOP_API int64_t aloop_watch_sender_send(aloop_watch_sender *sender, void *item);
ALOOP_API int64_t aloop_watch_sender_replace(aloop_watch_sender *sender, void *item);
/* An operation: waits until no receiver is left. */
ALOOP_API aloop_future *aloop_watch_sender_closed(aloop_watch_sender *sender);
/* An operation: waits for a value that this end has not seen, and sees it.
 * ALOOP_ESTOPITERATION when it has seen the last one. */
ALOOP_API aloop_future *aloop_watch_receiver_changed(aloop_watch_receiver *receiver);
/* 1 if there is one, else 0, or ALOOP_ESTOPITERATION. */
ALOOP_API int64_t aloop_watch_receiver_has_changed(aloop_watch_receiver *receiver);
/* The value of now, as a message of the caller's own; update: it is seen. Also
 * when the sender is gone. */
ALOOP_API int64_t aloop_watch_sender_get(aloop_watch_sender *sender, aloop_message **message);
ALOOP_API int64_t aloop_watch_receiver_get(aloop_watch_receiver *receiver,
                                           aloop_message **message);
ALOOP_API int64_t aloop_watch_receiver_get_and_update(aloop_watch_receiver *receiver,
                                                      aloop_message **message);
/* Closes the end for all its holders. */
ALOOP_API int64_t aloop_watch_sender_close(aloop_watch_sender *sender);
ALOOP_API int64_t aloop_watch_receiver_close(aloop_watch_receiver *receiver);

/* How many ends receive, how many wait for a change and for the last receiver
 * to go, and whether the sender is open (1 or 0). */
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
