/*
 * inlet_model.c: an inlet loses no item, keeps each feeder's order, holds no more
 * than it may, and waits only for room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>

static aloop_queue *queue;
static aloop_inlet *inlet;
static int64_t made, freed, taken, capacity;
static int64_t last[MODEL_ACTORS]; /* of each feeder, to leave */

struct item {
    int32_t feeder;
    int64_t number;
};

static void free_item(void *it) {
    freed++;
    free(it);
}

static int64_t figure(int32_t which) { return aloop_inlet_statistic(inlet, which); }

/* Through the inlet, as a thread does, or as a task of the loop. */
static int64_t feeder(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const bool outside = any(4) != 0;
    int64_t status = 0;
    for (int64_t number = 1; number <= a->steps; number++) {
        struct item *it = malloc(sizeof *it);
        *it = (struct item){a->number, number};
        made++;
        if (outside) {
            while ((status = aloop_inlet_put_nowait(inlet, it)) == ALOOP_EQUEUEFULL) {
                claim(figure(ALOOP_INLET_STAT_ITEMS) == capacity, "full with less than it holds");
                aloop_await(aloop_sleep(0.001), NULL);
            }
            if (status < 0) free_item(it);
            claim(figure(ALOOP_INLET_STAT_ITEMS) <= capacity, "it holds too much");
        } else {
            status = await_somehow(aloop_queue_put(queue, it), NULL);
        }
        if (status == ALOOP_ESTALE || status == ALOOP_EQUEUESHUTDOWN) break;
        status = any(2) == 0 ? dawdle() : 0;
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

static int64_t taker(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (status != ALOOP_EQUEUESHUTDOWN && a->steps-- > 0) {
        void *got = NULL;
        status = await_somehow(aloop_queue_get(queue), &got);
        if (status >= 0) {
            struct item *it = got;
            taken++;
            claim(it->number > last[it->feeder], "a feeder's items came out of order");
            last[it->feeder] = it->number;
            free(it);
        }
        if (status == ALOOP_ECANCELED && !goes_on()) break;
        if (any(3) == 0 && dawdle() < 0 && !goes_on()) break;
    }
    return status;
}

static void make_ends(void) {
    aloop_queue_options *options = aloop_queue_options_new();
    aloop_queue_options_set_maxsize(options, any(3));
    aloop_queue_options_set_item_free(options, free_item);
    aloop_queue_new(&queue, options);
    aloop_unref(options);
    capacity = 1 + any(3);
    aloop_inlet_new(&inlet, queue, capacity);
    made = freed = taken = 0;
    for (int32_t i = 0; i < MODEL_ACTORS; i++) last[i] = 0;
}

void inlet_model(void) {
    make_ends();
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(feeder, 1 + (int32_t)any(6));
    const int32_t gets = any(2) == 0 ? 1 + (int32_t)any(4) : 1000;
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(taker, gets);
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    claim(figure(ALOOP_INLET_STAT_ITEMS) == 0 || aloop_queue_full(queue) == 1,
          "the inlet missed a place");
    const int32_t end = (int32_t)any(3);
    if (end == 0) aloop_inlet_close(inlet);
    if (any(2) == 0) wreak_havoc(2);
    if (end != 1) aloop_queue_shutdown(queue, any(2) == 0);
    void *got = NULL;
    for (int turns = 0; turns < 30; turns++) { /* what is left in both */
        while (aloop_queue_get_nowait(queue, &got) == 0) {
            free(got);
            taken++;
        }
        settle();
    }
    aloop_queue_shutdown(queue, 0);
    expect_all_ended();
    claim(figure(ALOOP_INLET_STAT_ITEMS) == 0, "the inlet kept something");
    if (end == 1) claim(freed <= made - taken, "items were freed that were there to be taken");
    aloop_unref(inlet);
    drop_actors();
    while (aloop_queue_get_nowait(queue, &got) == 0) free_item(got);
    claim(made == taken + freed, "an item was lost, or given out twice");
    aloop_unref(queue);
}
