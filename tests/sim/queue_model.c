/*
 * queue_model.c: no item is lost, none is given out twice, nobody is left
 * waiting for what is there, and each kind keeps its order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>

struct item {
    int64_t priority;
    int64_t entered; /* the how manieth to enter the queue; 0: not inside yet */
};

static aloop_queue *queue;
static int32_t kind;
static int64_t made, freed, taken, entered, unfinished;
static int64_t last_entered; /* of a FIFO, to leave */

static void free_item(void *item) {
    freed++;
    free(item);
}

static int64_t by_priority(const void *a, const void *b, void *data) {
    (void)data;
    const int64_t x = ((const struct item *)a)->priority, y = ((const struct item *)b)->priority;
    return x < y ? -1 : x > y;
}

static struct item *new_item(void) {
    struct item *item = malloc(sizeof *item);
    item->priority = any(3);
    item->entered = 0;
    made++;
    return item;
}

static void note_entered(struct item *item) {
    item->entered = ++entered;
    unfinished++;
}

/* An item may be taken before its putter runs again only if both happen in one
 * step, which they never do: so `entered` tells the order of the puts. */
static void take(struct item *item) {
    taken++;
    claim(item->entered > 0, "an item left that never entered");
    if (kind == ALOOP_QUEUE_FIFO) {
        claim(item->entered > last_entered, "a queue gave items out of order");
        last_entered = item->entered;
    }
    free(item);
    if (any(4) != 0) {
        claim(aloop_queue_task_done(queue) == 0, "task_done failed");
        unfinished--;
    }
}

static int64_t maker(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        struct item *item = new_item();
        if (any(3) == 0) {
            status = aloop_queue_put_nowait(queue, item);
            if (status == 0) note_entered(item);
            if (status < 0) free_item(item);
            status = 0;
        } else {
            status = await_somehow(aloop_queue_put(queue, item), NULL);
            if (status >= 0) note_entered(item);
        }
        if (status < 0 && !goes_on()) break;
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
        void *item = NULL;
        if (any(3) == 0) {
            status = aloop_queue_get_nowait(queue, &item);
            if (status == ALOOP_EQUEUEEMPTY) {
                status = aloop_await(aloop_sleep(0.001), NULL);
                if (status < 0 && !goes_on()) break;
                continue;
            }
        } else {
            status = await_somehow(aloop_queue_get(queue), &item);
        }
        if (status >= 0) take(item);
        if (status < 0 && status != ALOOP_EQUEUESHUTDOWN && !goes_on()) break;
        if (any(2) == 0 && dawdle() < 0 && !goes_on()) break;
    }
    return status;
}

static void make_queue(void) {
    aloop_queue_options *options = aloop_queue_options_new();
    kind = (int32_t)any(3);
    aloop_queue_options_set_kind(options, kind);
    aloop_queue_options_set_maxsize(options, any(4));
    aloop_queue_options_set_compare(options, by_priority, NULL, NULL);
    aloop_queue_options_set_item_free(options, free_item);
    aloop_queue_new(&queue, options);
    aloop_unref(options);
    made = freed = taken = entered = unfinished = last_entered = 0;
}

/* What is left must come out in its order. */
static void drain(void) {
    const struct item *before = NULL;
    void *got = NULL;
    while (aloop_queue_get_nowait(queue, &got) == 0) {
        struct item *item = got;
        if (kind == ALOOP_QUEUE_PRIORITY && before != NULL) {
            claim(before->priority < item->priority || (before->priority == item->priority &&
                                                        before->entered < item->entered),
                  "a priority queue gave items out of order");
        }
        if (kind == ALOOP_QUEUE_LIFO && before != NULL) {
            claim(before->entered > item->entered, "a stack gave items out of order");
        }
        if (kind == ALOOP_QUEUE_FIFO) {
            claim(item->entered > last_entered, "a queue gave items out of order");
            last_entered = item->entered;
        }
        free((void *)before);
        before = item;
        taken++;
    }
    free((void *)before);
}

void queue_model(void) {
    make_queue();
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(maker, 1 + (int32_t)any(6));
    const int32_t makers = world.count;
    /* Those that stop early leave putters behind, who must use the last place. */
    const int32_t gets = any(2) == 0 ? 1 + (int32_t)any(4) : 1000;
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(taker, gets);
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    int64_t waiting_makers = 0, waiting_takers = 0;
    for (int32_t i = 0; i < world.count; i++) {
        if (has_ended(i)) continue;
        *(i < makers ? &waiting_makers : &waiting_takers) += 1;
    }
    claim(waiting_takers == 0 || aloop_queue_empty(queue) == 1, "a getter missed an item");
    claim(waiting_makers == 0 || aloop_queue_full(queue) == 1, "a putter missed a place");
    claim(aloop_queue_statistic(queue, ALOOP_QUEUE_STAT_UNFINISHED) == unfinished,
          "the queue miscounts what is unfinished");
    if (any(2) == 0) {
        wreak_havoc(2);
        settle();
    }
    const bool immediate = any(3) == 0;
    const int64_t inside = aloop_queue_qsize(queue);
    aloop_queue_shutdown(queue, immediate);
    if (immediate) claim(aloop_queue_qsize(queue) == 0, "an immediate shutdown left items");
    expect_all_ended();
    if (immediate) claim(freed >= inside, "an immediate shutdown lost items");
    drain();
    drop_actors();
    claim(made == taken + freed, "an item was lost, or given out twice");
    aloop_unref(queue);
}
