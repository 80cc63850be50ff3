/*
 * channel_model.c: a channel loses no item and gives none out twice, keeps the
 * order, wakes who waits, and ends for the others when the last end goes; also
 * where receives are selected, lose, and are selected again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>

static aloop_sender *in;
static aloop_receiver *out;
static int64_t made, freed, taken, sent, last_taken;
static bool in_order; /* by who receives: not where another task does it first */

struct item {
    int64_t number; /* the how manieth to be sent; 0: not yet */
};

static void free_item(void *it) {
    freed++;
    free(it);
}

static int64_t send_one(void) {
    struct item *it = malloc(sizeof *it);
    it->number = 0;
    made++;
    int64_t status;
    if (any(3) == 0) {
        status = aloop_sender_try_send(in, it);
        if (status < 0) free_item(it);
        if (status == ALOOP_EQUEUEFULL) return 0;
    } else {
        status = await_somehow(aloop_sender_send(in, it), NULL);
    }
    if (status >= 0) it->number = ++sent;
    return status;
}

static int64_t sender(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = send_one();
        if (status == ALOOP_EPIPE || status == ALOOP_ESTALE) break;
        if (status < 0 && !goes_on()) break;
        status = any(2) == 0 ? dawdle() : 0;
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

static void take(struct item *it) {
    taken++;
    claim(it->number > 0, "an item came that was not sent");
    if (in_order) claim(it->number > last_taken, "a channel gave items out of order");
    last_taken = it->number;
    free(it);
}

/* Takes what a receive that nobody waits for any more has got, if it has. */
static void wind_up(aloop_future *pending) {
    if (pending == NULL) return;
    aloop_future_cancel(pending, NULL);
    while (aloop_future_done(pending) == 0) aloop_await(aloop_sleep(0), NULL);
    void *got = NULL;
    if (aloop_future_take(pending, &got) >= 0) take(got);
    aloop_unref(pending);
}

/* One round of select between a receive and a sleep: 0 if the sleep won. */
static int64_t select_receive(aloop_future **pending) {
    if (*pending == NULL) *pending = aloop_receiver_receive(out);
    aloop_future *both[] = {aloop_ref(*pending), aloop_sleep(any(4) * 0.001)};
    void *list = NULL;
    const int64_t first = aloop_await(aloop_select(both, 2), &list);
    aloop_results_unref(list);
    if (first < 0) return first;
    if (first == 1) return 0;
    void *got = NULL;
    const int64_t status = aloop_future_take(*pending, &got);
    aloop_unref(*pending);
    *pending = NULL;
    if (status >= 0) take(got);
    return status;
}

static int64_t receiver(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    aloop_future *pending = NULL;
    int64_t status = 0;
    while (a->steps-- > 0) {
        void *got = NULL;
        if (!in_order) {
            status = select_receive(&pending);
        } else if (any(4) == 0) {
            status = aloop_receiver_try_receive(out, &got);
            if (status >= 0) take(got);
            if (status == ALOOP_EQUEUEEMPTY) status = aloop_await(aloop_sleep(0.001), NULL);
        } else {
            status = await_somehow(aloop_receiver_receive(out), &got);
            if (status >= 0) take(got);
        }
        if (status == ALOOP_ESTOPITERATION && in_order) {
            claim(taken == sent, "the end came before the last item");
        }
        if (status == ALOOP_ESTOPITERATION || status == ALOOP_ESTALE) break;
        if (status < 0 && !goes_on()) break;
        if (any(3) == 0 && dawdle() < 0 && !goes_on()) break;
    }
    wind_up(pending);
    return status;
}

/* Nobody waits for what is there. */
static void expect_no_one_forgotten(int32_t senders) {
    int64_t waiting_senders = 0, waiting_receivers = 0;
    for (int32_t i = 0; i < world.count; i++) {
        if (!has_ended(i)) *(i < senders ? &waiting_senders : &waiting_receivers) += 1;
    }
    const int64_t items = aloop_sender_statistic(in, ALOOP_CHANNEL_STAT_ITEMS);
    const int64_t room = aloop_sender_statistic(in, ALOOP_CHANNEL_STAT_CAPACITY);
    claim(in_order ? waiting_receivers == 0 || items == 0 : true, "a receiver missed an item");
    claim(waiting_senders == 0 || (room > 0 && items >= room), "a sender missed a place");
}

void channel_model(void) {
    const bool once = any(4) == 0;
    in_order = any(2) == 0;
    made = freed = taken = sent = last_taken = 0;
    if (once) aloop_oneshot_new(&in, &out, free_item);
    else aloop_channel_new(&in, &out, any(4), free_item);
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(sender, 1 + (int32_t)any(6));
    const int32_t senders = world.count;
    const int32_t receives = any(2) == 0 ? 1 + (int32_t)any(4) : 1000;
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(receiver, receives);
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    expect_no_one_forgotten(senders);
    if (any(2) == 0) wreak_havoc(2);
    /* One end goes: both sides must notice, and end. */
    if (any(2) == 0) aloop_sender_close(in);
    else aloop_receiver_close(out);
    expect_all_ended();
    aloop_unref(in);
    aloop_unref(out);
    drop_actors();
    claim(made == taken + freed, "an item was lost, or given out twice");
    if (once) claim(sent <= 1, "a oneshot took more than one item");
}
