/*
 * Loops, one after the other in each of three threads, share one pool: stress_pool
 * [ROUNDS], 300 loops a thread unless told otherwise. Of each loop a job blocks a thread
 * of the pool until a later job runs, with others between them, some of which are
 * cancelled; where a wake-up is lost, all stands still. A loop goes when its last job is
 * back, while the thread that handed it over may still be about that. The pool is shut
 * down with jobs in its queue, and once by its last reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

enum { k_loops = 3, k_most_jobs = 24 };

static aloop_executor *pool;
static int rounds = 300;
static atomic_long submitted, freed, ran, canceled;

struct visitor {
    pthread_t thread;
    sem_t gate;
    unsigned seed;
};

static void count_freed(void *unused) {
    (void)unused;
    atomic_fetch_add(&freed, 1);
}

static int64_t pass(void *unused, void **value) {
    (void)unused, (void)value;
    atomic_fetch_add(&ran, 1);
    return 0;
}

static int64_t wait_at_gate(void *gate, void **value) {
    (void)value;
    while (sem_wait(gate) != 0) continue; /* a signal */
    atomic_fetch_add(&ran, 1);
    return 0;
}

static int64_t open_gate(void *gate, void **value) {
    (void)value;
    sem_post(gate);
    atomic_fetch_add(&ran, 1);
    return 0;
}

static aloop_future *submit(aloop_job_fn fn, void *arg) {
    atomic_fetch_add(&submitted, 1);
    aloop_loop *loop = aloop_get_running_loop();
    return aloop_run_in_executor(loop, pool, fn, arg, count_freed);
}

/* The gate and its opener are not cancelled. */
static int64_t visit(void *visitor, void **value) {
    struct visitor *v = visitor;
    (void)value;
    aloop_future *jobs[k_most_jobs];
    int n = 0;
    const int between = (int)(roll(&v->seed) % (k_most_jobs - 2));
    jobs[n++] = submit(wait_at_gate, &v->gate);
    for (int i = 0; i < between; i++) jobs[n++] = submit(pass, v);
    if (roll(&v->seed) % 4 == 0) check(aloop_await(aloop_sleep(0), NULL) == 0);
    for (int i = 1; i < n; i++) {
        if (roll(&v->seed) % 8 == 0) aloop_future_cancel(jobs[i], NULL);
    }
    jobs[n++] = submit(open_gate, &v->gate);
    for (int i = 0; i < n; i++) {
        const int64_t code = aloop_await(jobs[i], NULL);
        check(code == 0 || (code == ALOOP_ECANCELED && i > 0 && i < n - 1));
        if (code == ALOOP_ECANCELED) atomic_fetch_add(&canceled, 1);
    }
    return 0;
}

static void *run(void *visitor) {
    for (int i = 0; i < rounds; i++) check(aloop_run(visit, visitor, NULL) == 0);
    return NULL;
}

/* A queue that is longer than the threads can empty at once. */
static int64_t shut_down(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *jobs[k_most_jobs];
    for (int i = 0; i < k_most_jobs; i++) jobs[i] = submit(pass, NULL);
    check(aloop_await(aloop_executor_shutdown(pool, -1), NULL) == 0);
    for (int i = 0; i < k_most_jobs; i++) check(aloop_await(jobs[i], NULL) == 0);
    return 0;
}

static void share(int threads, int with_shutdown) {
    struct visitor visitors[k_loops];
    pool = aloop_executor_new_threads(threads);
    check(pool != NULL);
    for (int i = 0; i < k_loops; i++) {
        visitors[i].seed = (unsigned)(i + 10 * threads);
        check(sem_init(&visitors[i].gate, 0, 0) == 0);
        check(pthread_create(&visitors[i].thread, NULL, run, &visitors[i]) == 0);
    }
    for (int i = 0; i < k_loops; i++) {
        check(pthread_join(visitors[i].thread, NULL) == 0);
        sem_destroy(&visitors[i].gate);
    }
    if (with_shutdown) check(aloop_run(shut_down, NULL, NULL) == 0);
    aloop_unref(pool);
}

int main(int argc, char **argv) {
    if (argc > 1) rounds = atoi(argv[1]);
    share(k_loops + 1, 1); /* one thread that no gate blocks */
    share(k_loops + 5, 0);
    /* A cancelled job that ran all the same is counted on both sides. */
    check(atomic_load(&freed) == atomic_load(&submitted));
    check(atomic_load(&ran) + atomic_load(&canceled) >= atomic_load(&submitted));
    for (int i = 0; aloop_debug_stats_name(i) != NULL; i++) check(aloop_debug_stats(i) == 0);
    printf("%ld jobs, %ld cancelled\n", atomic_load(&submitted), atomic_load(&canceled));
    return 0;
}
