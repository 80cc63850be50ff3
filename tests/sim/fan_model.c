/*
 * fan_model.c: a broadcast shows every end every value since it joined, in
 * order, or says how many it missed; a watch shows the latest, and wakes for
 * each change that was not seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>

enum { ENDS = 3 };

static int64_t made, freed;
static int64_t sent; /* the number of the last value */

static void *new_number(int64_t number) {
    int64_t *n = malloc(sizeof *n);
    *n = number;
    made++;
    return n;
}

static void free_number(void *n) {
    freed++;
    free(n);
}

static int64_t number_in(aloop_message *m) {
    const int64_t number = *(int64_t *)aloop_message_value(m);
    aloop_unref(m);
    return number;
}

static int64_t cast(void (*once)(void), struct actor *a) {
    int64_t status = 0;
    while (a->steps-- > 0) {
        once();
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

/* Broadcast ------------------------------------------------------------------------------- */

static aloop_broadcast_sender *sender;
static int64_t capacity;
static struct {
    aloop_broadcast_receiver *end;
    int64_t expected; /* the next number that it is to see */
    bool over;        /* it saw the end */
} ends[ENDS];

static void send_one(void) {
    void *n = new_number(sent + 1);
    const int64_t status = aloop_broadcast_sender_send(sender, n);
    if (status < 0) free_number(n);
    else sent++;
}

static int64_t caster(void *arg, void **value) {
    (void)value;
    return cast(send_one, arg);
}

static int64_t receive(int32_t at) {
    int64_t status;
    void *got = NULL;
    if (any(4) == 0) {
        aloop_message *m = NULL;
        status = aloop_broadcast_receiver_try_receive(ends[at].end, &m);
        got = m;
        if (status == ALOOP_EQUEUEEMPTY) return aloop_await(aloop_sleep(0.001), NULL);
    } else {
        status = await_somehow(aloop_broadcast_receiver_receive(ends[at].end), &got);
    }
    if (status >= 0) {
        claim(number_in(got) == ends[at].expected++, "a receiver missed a value, or saw it twice");
    } else if (status == ALOOP_ELAGGED) {
        const int64_t missed =
            aloop_broadcast_receiver_statistic(ends[at].end, ALOOP_BROADCAST_STAT_MISSED);
        ends[at].expected += missed;
        claim(missed > 0 && ends[at].expected + capacity - 1 <= sent + 1, "lagged for no reason");
        status = 0;
    } else if (status == ALOOP_ESTOPITERATION) {
        claim(ends[at].expected == sent + 1, "the end came before the last value");
        ends[at].over = true;
    }
    return status;
}

static int64_t listener(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int32_t at = a->number % ENDS; /* some share an end */
    int64_t status = 0;
    while (status != ALOOP_ESTOPITERATION && status != ALOOP_ESTALE) {
        status = receive(at);
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        if (any(3) == 0 && dawdle() < 0 && !goes_on()) break;
    }
    return status;
}

void broadcast_model(void) {
    made = freed = sent = 0;
    capacity = 1 + any(4);
    aloop_broadcast_new(&sender, capacity, free_number);
    for (int32_t i = 0; i < ENDS; i++) {
        if (any(3) == 0) send_one();
        aloop_broadcast_sender_subscribe(sender, &ends[i].end);
        ends[i].expected = sent + 1;
        ends[i].over = false;
    }
    for (uint32_t n = 2 + any(3); n > 0; n--) add_actor(listener, 0);
    const int32_t listeners = world.count;
    for (uint32_t n = 1 + any(2); n > 0; n--) add_actor(caster, 1 + (int32_t)any(8));
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    for (int32_t i = 0; i < listeners; i++) {
        claim(has_ended(i) || aloop_broadcast_receiver_statistic(
                                  ends[i % ENDS].end, ALOOP_BROADCAST_STAT_UNSEEN) == 0,
              "a receiver waits while there is something to see");
    }
    if (any(2) == 0) aloop_broadcast_receiver_close(ends[0].end);
    if (any(2) == 0) aloop_broadcast_sender_close(sender);
    aloop_unref(sender);
    expect_all_ended();
    for (int32_t i = 0; i < ENDS; i++) aloop_unref(ends[i].end);
    drop_actors();
    claim(made == freed, "a value was not freed once");
}

/* Watch ----------------------------------------------------------------------------------- */

static aloop_watch_sender *announcer;
static struct {
    aloop_watch_receiver *end;
    int64_t seen;
} views[ENDS];
static int64_t waits_for_all;

static void announce(void) {
    void *n = new_number(sent + 1);
    const int64_t status = any(2) == 0 ? aloop_watch_sender_send(announcer, n)
                                       : aloop_watch_sender_replace(announcer, n);
    if (status < 0) free_number(n);
    else sent++;
}

static int64_t changer(void *arg, void **value) {
    (void)value;
    return cast(announce, arg);
}

static int64_t watcher(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int32_t at = a->number % ENDS;
    int64_t status = 0;
    while (status != ALOOP_ESTOPITERATION && status != ALOOP_ESTALE) {
        status = await_somehow(aloop_watch_receiver_changed(views[at].end), NULL);
        if (status >= 0) {
            aloop_message *m = NULL;
            aloop_watch_receiver_get(views[at].end, &m);
            const int64_t number = number_in(m);
            claim(number > views[at].seen, "a change was seen twice");
            claim(number == sent, "a receiver saw an old value");
            views[at].seen = number;
        }
        if (status == ALOOP_ESTOPITERATION) {
            claim(views[at].seen == sent, "the end came before the last value");
        }
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        if (any(3) == 0 && dawdle() < 0 && !goes_on()) break;
    }
    return status;
}

static int64_t until_all_left(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t status = aloop_await(aloop_watch_sender_closed(announcer), NULL);
    if (status >= 0) {
        claim(aloop_watch_sender_statistic(announcer, ALOOP_WATCH_STAT_RECEIVERS) == 0,
              "told that everybody left, and somebody is there");
    }
    waits_for_all = 0;
    return status;
}

void watch_model(void) {
    made = freed = sent = 0;
    aloop_watch_new(&announcer, new_number(0), free_number);
    for (int32_t i = 0; i < ENDS; i++) {
        if (any(3) == 0) announce();
        aloop_watch_sender_subscribe(announcer, &views[i].end);
        views[i].seen = sent;
    }
    for (uint32_t n = 2 + any(2); n > 0; n--) add_actor(watcher, 0);
    const int32_t watchers = world.count;
    for (uint32_t n = 1 + any(2); n > 0; n--) add_actor(changer, 1 + (int32_t)any(8));
    add_actor(until_all_left, 0);
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    for (int32_t i = 0; i < watchers; i++) {
        claim(has_ended(i) || aloop_watch_receiver_has_changed(views[i % ENDS].end) == 0,
              "a receiver waits while there is something to see");
    }
    const bool receivers_first = any(2) == 0;
    for (int32_t i = 0; receivers_first && i < ENDS; i++) {
        aloop_watch_receiver_close(views[i].end);
    }
    if (!receivers_first) aloop_watch_sender_close(announcer);
    expect_all_ended();
    for (int32_t i = 0; i < ENDS; i++) aloop_unref(views[i].end);
    aloop_unref(announcer);
    drop_actors();
    claim(made == freed, "a value was not freed once");
}
