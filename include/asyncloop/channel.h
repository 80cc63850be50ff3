/*
 * channel.h: channels: a queue with an end to send into and an end to receive
 * from, which knows when nobody is left on the other side. asyncio has none.
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

#ifdef __cplusplus
}
#endif

#endif
