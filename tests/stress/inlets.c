/*
 * Threads feed a loop's queue through one inlet, and the loop checks that every
 * item came once and in its thread's order: stress_inlets [ITEMS], a million
 * unless told otherwise. After that, loops close in the middle of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

enum { k_threads = 4, k_consumers = 3 };

struct world {
    aloop_queue *queue;
    aloop_inlet *inlet;
    int64_t items;         /* each thread's */
    int64_t last[k_threads][k_consumers];
    int64_t received;
    int32_t consumers;
    atomic_long made, freed, refused;
};

struct thread {
    struct world *world;
    int64_t number;
    pthread_t thread;
};

struct item {
    int64_t thread, number;
};

static struct world *current;

static void free_item(void *it) {
    atomic_fetch_add(&current->freed, 1);
    free(it);
}

static int64_t put(struct world *w, struct item *it, unsigned roll) {
    switch (roll % 3) {
    case 0: return aloop_inlet_put_nowait(w->inlet, it);
    case 1: return aloop_inlet_put(w->inlet, it, 0.001);
    default: return aloop_inlet_put(w->inlet, it, -1);
    }
}

static void *feed(void *data) {
    struct thread *t = data;
    struct world *w = t->world;
    unsigned random = (unsigned)t->number + 1;
    for (int64_t i = 1; i <= w->items; i++) {
        struct item *it = malloc(sizeof *it);
        check(it != NULL);
        *it = (struct item){t->number, i};
        atomic_fetch_add(&w->made, 1);
        int64_t status;
        do {
            random = random * 1664525u + 1013904223u;
            status = put(w, it, random >> 16);
        } while (status == ALOOP_EQUEUEFULL || status == ALOOP_ETIMEDOUT);
        if (status < 0) {
            check(status == ALOOP_ESTALE);
            free(it);
            atomic_fetch_add(&w->refused, 1);
            break;
        }
    }
    aloop_unref(w->inlet);
    return NULL;
}

static int64_t consume(void *arg, void **value) {
    (void)value;
    struct world *w = arg;
    const int32_t me = w->consumers++;
    for (;;) {
        void *got = NULL;
        const int64_t status = aloop_await(aloop_queue_get(w->queue), &got);
        if (status < 0) return status == ALOOP_EQUEUESHUTDOWN ? 0 : status;
        struct item *it = got;
        check(it->number > w->last[it->thread][me]);
        w->last[it->thread][me] = it->number;
        free_item(it);
        if (++w->received == w->items * k_threads) aloop_queue_shutdown(w->queue, 0);
    }
}

static int64_t host(void *arg, void **value) {
    (void)value;
    struct world *w = arg;
    aloop_future *tasks[k_consumers];
    for (int i = 0; i < k_consumers; i++) tasks[i] = aloop_create_task(consume, w);
    return aloop_await(aloop_gather(tasks, k_consumers, 0), NULL);
}

static int64_t make_ends(void *arg) {
    struct world *w = arg;
    aloop_queue_options *options = aloop_queue_options_new();
    aloop_queue_options_set_maxsize(options, 7);
    aloop_queue_options_set_item_free(options, free_item);
    check(aloop_queue_new(&w->queue, options) == 0);
    aloop_unref(options);
    check(aloop_inlet_new(&w->inlet, w->queue, 64) == 0);
    for (int t = 0; t < k_threads; t++) aloop_ref(w->inlet);
    return 0;
}

/* Tasks that a closing loop drops are no news here. */
static void ignore(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

/* turns: of the loop, before it closes; 0: until all is there. */
static void run(struct world *w, int turns) {
    struct thread threads[k_threads];
    current = w;
    aloop_loop *loop = NULL;
    check(aloop_loop_new(&loop, NULL) == 0);
    aloop_loop_set_exception_handler(loop, ignore, NULL, NULL);
    aloop_set_event_loop(loop);
    make_ends(w);
    for (int t = 0; t < k_threads; t++) {
        threads[t] = (struct thread){.world = w, .number = t};
        check(pthread_create(&threads[t].thread, NULL, feed, &threads[t]) == 0);
    }
    aloop_task *task = aloop_loop_create_task(loop, host, w);
    if (turns == 0) {
        check(aloop_loop_run_until_complete(loop, task, NULL) >= 0); /* how many */
    } else {
        while (turns-- > 0) check(aloop_loop_run_once(loop, 0.0005) >= 0);
        aloop_unref(task);
    }
    aloop_set_event_loop(NULL);
    check(aloop_loop_close(loop) == 0);
    aloop_unref(loop);
    aloop_unref(w->inlet);
    for (int t = 0; t < k_threads; t++) check(pthread_join(threads[t].thread, NULL) == 0);
    aloop_unref(w->queue);
    check(w->made == w->freed + w->refused);
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) check(aloop_debug_stats(i) == 0);
}


int main(int argc, char **argv) {
    const int64_t items = argc > 1 ? atoll(argv[1]) : 1000000;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    static struct world all;
    all.items = items / k_threads;
    run(&all, 0);
    check(all.received == all.items * k_threads);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double took = (double)(end.tv_sec - begin.tv_sec) +
                        (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    printf("%lld items in %.2f s, %.0f ns each\n", (long long)all.received, took,
           took * 1e9 / (double)all.received);
    for (int round = 1; round <= 20; round++) {
        static struct world cut;
        cut = (struct world){.items = 1000000};
        run(&cut, round % 7 + 1);
    }
    printf("closed in the middle 20 times\n");
    return 0;
}
