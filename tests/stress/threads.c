/*
 * Eight threads against one loop at a time, from its making past its end: they
 * post callbacks, finish futures, take and drop references, cancel and wake,
 * while the loop runs, sleeps, stops and closes under them. Meant for
 * ThreadSanitizer and AddressSanitizer; without them it still checks that every
 * destructor ran once and that no object is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

enum { k_threads = 8, k_futures = 64, k_operations = 400 };

struct world {
    aloop_loop *loop;
    aloop_future *futures[k_threads][k_futures]; /* a reference each, the thread's */
    aloop_task_waker *wakers[k_threads];
    pthread_barrier_t start;
    atomic_long registered;
    atomic_long called;
    atomic_long freed;
    atomic_int left;
    unsigned seed;
};

struct visitor {
    struct world *world;
    int number;
};

static int64_t called(void *data) {
    struct world *w = data;
    atomic_fetch_add(&w->called, 1);
    return 0;
}

static void freed(void *data) {
    struct world *w = data;
    atomic_fetch_add(&w->freed, 1);
}

static int64_t nothing(void *data) {
    (void)data;
    return 0;
}

static void post(struct world *w) {
    if (aloop_loop_call_soon_threadsafe(w->loop, called, w, freed) > 0) {
        atomic_fetch_add(&w->registered, 1);
    }
}

static void set_result(struct world *w, aloop_future *f) {
    if (aloop_future_set_result_threadsafe(f, 1, w, freed) == 0) {
        atomic_fetch_add(&w->registered, 1);
    }
}

static void act(struct world *w, int number, unsigned *seed) {
    aloop_future **slot = &w->futures[number][roll(seed) % k_futures];
    switch (roll(seed) % 8) {
    case 0: post(w); break;
    case 1: aloop_future_cancel_threadsafe(*slot, "stress"); break;
    case 2: set_result(w, *slot); break;
    case 3: aloop_unref(aloop_ref(*slot)); break;
    case 4: /* handed over: the loop's thread drops what this one took */
        aloop_ref(*slot);
        if (aloop_loop_call_soon_threadsafe(w->loop, nothing, *slot, aloop_unref) <= 0) {
            aloop_unref(*slot);
        }
        break;
    case 5:
        aloop_unref(*slot);
        *slot = NULL;
        break;
    case 6: aloop_task_waker_wake(w->wakers[number]); break;
    default:
        if (roll(seed) % 50 == 0) aloop_loop_stop(w->loop);
        if (roll(seed) % 20 == 0) usleep(50);
        break;
    }
}

static void *visit(void *data) {
    struct visitor *v = data;
    struct world *w = v->world;
    unsigned seed = w->seed * 31u + (unsigned)v->number;
    pthread_barrier_wait(&w->start);
    for (int i = 0; i < k_operations; i++) act(w, v->number, &seed);
    atomic_fetch_sub(&w->left, 1);
    for (int i = 0; i < k_futures; i++) aloop_unref(w->futures[v->number][i]);
    aloop_task_waker_unref(w->wakers[v->number]);
    aloop_loop_unref(w->loop);
    return NULL;
}

static int64_t await_one(void *future, void **value) {
    (void)value;
    return aloop_await(future, NULL);
}

static int64_t await_wakes(void *waker, void **value) {
    (void)value;
    for (;;) {
        const int64_t status = aloop_await(aloop_task_waker_future(waker), NULL);
        if (status < 0) return status;
    }
}

/* Sleeps a little at a time, so that the loop goes to sleep and is woken. */
static int64_t tick(void *data, void **value) {
    (void)value;
    struct world *w = data;
    while (atomic_load(&w->left) > 0) {
        const int64_t status = aloop_await(aloop_sleep(0.0005), NULL);
        if (status < 0) return status;
    }
    return aloop_loop_stop(w->loop);
}

static void quiet(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    (void)context;
    (void)data;
}

static void fill(struct world *w) {
    check(aloop_loop_new(&w->loop, NULL) == 0);
    aloop_loop_set_exception_handler(w->loop, quiet, NULL, NULL);
    for (int t = 0; t < k_threads; t++) {
        for (int i = 0; i < k_futures; i++) {
            aloop_future *f = aloop_loop_create_future(w->loop);
            w->futures[t][i] = f;
            if (i % 2 == 0) {
                aloop_unref(aloop_loop_create_task(w->loop, await_one, aloop_ref(f)));
            }
        }
        aloop_task *task = aloop_loop_create_task(w->loop, tick, w);
        w->wakers[t] = aloop_task_waker_new(task);
        aloop_unref(task);
    }
}

static int64_t start_waker_tasks(void *data) {
    struct world *w = data;
    for (int t = 0; t < k_threads; t++) {
        aloop_unref(aloop_create_task(await_wakes, w->wakers[t]));
    }
    return 0;
}

/* how: 0 closes after the threads have left, else while they are at work. */
static void round_of(unsigned seed, unsigned how) {
    static struct world world;
    struct world *w = &world;
    *w = (struct world){.seed = seed};
    atomic_store(&w->left, k_threads);
    fill(w);
    check(pthread_barrier_init(&w->start, NULL, k_threads + 1) == 0);
    pthread_t threads[k_threads];
    struct visitor visitors[k_threads];
    for (int t = 0; t < k_threads; t++) {
        aloop_loop_ref(w->loop);
        visitors[t] = (struct visitor){w, t};
        check(pthread_create(&threads[t], NULL, visit, &visitors[t]) == 0);
    }
    /* Borrowed wakers: the tasks end, or are dropped, before the threads do. */
    for (int t = 0; t < k_threads; t++) aloop_ref(w->wakers[t]);
    aloop_task_waker *held[k_threads];
    for (int t = 0; t < k_threads; t++) held[t] = w->wakers[t];
    check(aloop_loop_call_soon(w->loop, start_waker_tasks, w, NULL) > 0);
    pthread_barrier_wait(&w->start);
    if (how == 0) {
        /* At least once: what a task that never started was given is nobody's. */
        do aloop_loop_run_forever(w->loop);
        while (atomic_load(&w->left) > 0);
    } else {
        for (unsigned i = 0; i < how; i++) aloop_loop_run_once(w->loop, 0.0005);
    }
    check(aloop_loop_close(w->loop) == 0);
    aloop_loop *loop = w->loop;
    for (int t = 0; t < k_threads; t++) check(pthread_join(threads[t], NULL) == 0);
    for (int t = 0; t < k_threads; t++) aloop_task_waker_unref(held[t]);
    aloop_loop_unref(loop);
    pthread_barrier_destroy(&w->start);
    check(atomic_load(&w->freed) == atomic_load(&w->registered));
    for (int i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (aloop_debug_stats(i) != 0) {
            fprintf(stderr, "seed %u, how %u: %s: %ld left\n", seed, how,
                    aloop_debug_stats_name(i), (long)aloop_debug_stats(i));
            abort();
        }
    }
}

int main(void) {
    const char *text = getenv("STRESS_ROUNDS");
    const unsigned rounds = text != NULL ? (unsigned)atoi(text) : 20;
    for (unsigned i = 0; i < rounds; i++) round_of(i, i % 4 == 0 ? 0 : i % 17 + 1);
    printf("%u rounds\n", rounds);
    return 0;
}
