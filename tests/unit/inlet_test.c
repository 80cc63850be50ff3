/*
 * queue.h: inlets, through which other threads feed a loop's queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static aloop_inlet *inlet(aloop_queue *q, int64_t capacity) {
    aloop_inlet *i = NULL;
    assert_code(aloop_inlet_new(&i, q, capacity), 0);
    return i;
}

/* The item is gone in any case. */
static int64_t put_in(aloop_inlet *i, int64_t number, double timeout) {
    void *it = item(number);
    const int64_t status = timeout == 0 ? aloop_inlet_put_nowait(i, it)
                                        : aloop_inlet_put(i, it, timeout);
    if (status < 0) free_item(it);
    return status;
}

/* Items, capacity, waiting and open, as digits. */
static int64_t figures(aloop_inlet *i) {
    int64_t seen = 0;
    for (int32_t n = 0; n < 4; n++) seen = seen * 10 + aloop_inlet_statistic(i, n);
    return seen;
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

/* Threads ---------------------------------------------------------------------------------- */

struct feeder {
    aloop_inlet *inlet;
    int64_t first, n;
    double timeout;
    int64_t status; /* of the last put */
    pthread_t thread;
    void *refused; /* to be freed */
};

static void *feed(void *data) {
    struct feeder *f = data;
    for (int64_t k = 0; k < f->n && f->status >= 0; k++) {
        int64_t *it = malloc(sizeof *it); /* not counted: another thread */
        *it = f->first + k;
        f->status = aloop_inlet_put(f->inlet, it, f->timeout);
        if (f->status < 0) free(it);
    }
    return NULL;
}

static void start(struct feeder *f) {
    assert_int_equal(pthread_create(&f->thread, NULL, feed, f), 0);
}

static int64_t join(struct feeder *f) {
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    free(f->refused);
    return f->status;
}

static int64_t count_of(aloop_queue *q) {
    made++; /* a thread's */
    return get_item(q);
}

/* A queue of two places, an inlet of three, and many more items: everything
 * arrives, in order, and the loop sleeps meanwhile. */
static int64_t one_feeder(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(2);
    struct feeder f = {inlet(q, 3), 0, 2000, -1, 0, 0, NULL};
    start(&f);
    for (int64_t k = 0; k < f.n; k++) assert_code(count_of(q), k);
    assert_code(join(&f), 0);
    assert_code(figures(f.inlet), 301);
    aloop_unref(f.inlet);
    aloop_unref(q);
    return 0;
}

static int64_t several_feeders(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0); /* the queue takes any number */
    aloop_inlet *i = inlet(q, 4);
    struct feeder feeders[3];
    int64_t next[3];
    for (int t = 0; t < 3; t++) {
        feeders[t] = (struct feeder){i, t * 1000, 500, -1, 0, 0, NULL};
        next[t] = t * 1000;
        start(&feeders[t]);
    }
    for (int k = 0; k < 1500; k++) {
        const int64_t number = count_of(q);
        assert_code(number, next[number / 1000]++); /* each thread's in its order */
    }
    for (int t = 0; t < 3; t++) assert_code(join(&feeders[t]), 0);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

/* A limit that is not reached. */
static int64_t in_time(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    struct feeder f = {inlet(q, 1), 0, 20, k_hang, 0, 0, NULL};
    start(&f);
    while (aloop_inlet_statistic(f.inlet, ALOOP_INLET_STAT_WAITING) == 0) nap();
    for (int64_t k = 0; k < f.n; k++) assert_code(count_of(q), k);
    assert_code(join(&f), 0);
    aloop_unref(f.inlet);
    aloop_unref(q);
    return 0;
}

static void test_threads(void **state) {
    (void)state;
    in_program(in_time);
    in_program(one_feeder);
    in_program(several_feeders);
}

/* How a thread stops waiting, without the loop's running. */
static int64_t put_with_timeout(void *i) { return put_in(i, 9, 0.002); }
static int64_t put_for_ever(void *i) { return put_in(i, 9, -1); }
static int64_t close_it(void *i) { return aloop_inlet_close(i); }

/* Frees nothing when it is told: the loop's thread may be about to fork, and no lock of the
 * allocator may be in other hands then. */
static void *put_blocked(void *data) {
    struct feeder *f = data;
    f->refused = malloc(sizeof(int64_t)); /* not counted: the loop's thread counts, too */
    f->status = aloop_inlet_put(f->inlet, f->refused, -1);
    assert_true(f->status < 0);
    return NULL;
}

static int64_t threads_that_wait(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    aloop_inlet *i = inlet(q, 1);
    assert_code(put_in(i, 1, 0), 0);
    assert_code(on_foreign_thread(put_with_timeout, i), ALOOP_ETIMEDOUT);
    assert_code(put_in(i, 2, 1), ALOOP_EWRONGTHREAD); /* would wait for itself */
    assert_code(put_in(i, 2, 0), ALOOP_EQUEUEFULL);
    void *it = item(5);
    assert_code(aloop_inlet_put(i, it, 0), ALOOP_EWRONGTHREAD);
    free_item(it);
    struct feeder blocked = {.inlet = i};
    assert_int_equal(pthread_create(&blocked.thread, NULL, put_blocked, &blocked), 0);
    while (aloop_inlet_statistic(i, ALOOP_INLET_STAT_WAITING) == 0) nap();
    assert_code(figures(i), 1111);
    assert_code(on_foreign_thread(close_it, i), 0);
    assert_code(join(&blocked), ALOOP_ESTALE);
    assert_code(on_foreign_thread(put_for_ever, i), ALOOP_ESTALE);
    assert_code(figures(i), 1100);
    assert_code(get_item(q), 1); /* what it held is put */
    let_run(2);
    assert_code(figures(i), 100);
    assert_code(aloop_inlet_close(i), 0);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

struct setup {
    aloop_queue *queue;
    aloop_inlet *inlet;
    int how; /* nothing put, put and not seen, in line, woken */
};

static int64_t leave_it(void *arg, void **value) {
    (void)value;
    struct setup *s = arg;
    s->queue = fifo(1);
    s->inlet = inlet(s->queue, 1);
    if (s->how >= 2) put_now(s->queue, 1);
    if (s->how >= 1) assert_code(put_in(s->inlet, 2, 0), 0);
    if (s->how >= 2) let_run(2);
    return 0;
}

/* The loop's own thread waits for itself also while the loop does not run. */
static void test_loop_that_does_not_run(void **state) {
    (void)state;
    made = freed = 0;
    struct setup s = {.how = 2};
    aloop_loop *loop = virtual_loop();
    assert_code(run_on(loop, leave_it, &s), 0);
    assert_code(put_in(s.inlet, 3, 0), ALOOP_EQUEUEFULL);
    assert_code(put_in(s.inlet, 3, 0.001), ALOOP_EWRONGTHREAD);
    assert_code(put_in(s.inlet, 3, -1), ALOOP_EWRONGTHREAD);
    assert_code(on_foreign_thread(put_with_timeout, s.inlet), ALOOP_ETIMEDOUT);
    close_loop(loop);
    aloop_unref(s.inlet);
    aloop_unref(s.queue);
    assert_int_equal(made, freed);
}

static void test_waiting(void **state) {
    (void)state;
    in_program(threads_that_wait);
}

/* The loop's side -------------------------------------------------------------------------- */

/* An inlet stands in line with the loop's own putters. */
static int64_t in_line(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    aloop_inlet *i = inlet(q, 9);
    put_now(q, 1);
    struct actor early = {"early", q, 1, 2}, late = {"late", q, 1, 5};
    aloop_task *first = go(putter, &early);
    let_run(1);
    assert_code(put_in(i, 3, 0), 0);
    assert_code(put_in(i, 4, 0), 0);
    let_run(2);
    aloop_task *second = go(putter, &late);
    let_run(1);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_PUTTERS), 3);
    for (int64_t n = 1; n <= 3; n++) assert_code(get_item(q), n);
    assert_code(get_item(q), 5); /* it went to the end for its second item */
    assert_code(get_item(q), 4);
    assert_code(ended(first), 0);
    assert_code(ended(second), 0);
    assert_code(figures(i), 901);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

static int64_t priorities(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = new_queue(0, ALOOP_QUEUE_PRIORITY);
    aloop_inlet *i = inlet(q, 9);
    const int64_t numbers[] = {30, 10, 20};
    for (int k = 0; k < 3; k++) assert_code(put_in(i, numbers[k], 0), 0);
    assert_code(aloop_queue_qsize(q), 0); /* not before the loop looks */
    let_run(2);
    assert_code(aloop_queue_qsize(q), 3); /* all at once */
    for (int64_t n = 10; n <= 30; n += 10) assert_code(get_now(q), n);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

static int64_t queue_shut_down(void *arg, void **value) {
    (void)arg, (void)value;
    for (int waits = 0; waits < 2; waits++) {
        aloop_queue *q = fifo(1);
        aloop_inlet *i = inlet(q, 3);
        if (waits) put_now(q, 0);
        assert_code(put_in(i, 1, 0), 0);
        assert_code(put_in(i, 2, 0), 0);
        if (waits) let_run(2);
        assert_code(aloop_queue_shutdown(q, 0), 0);
        let_run(2);
        assert_code(put_in(i, 3, 0), ALOOP_EQUEUESHUTDOWN);
        assert_code(figures(i), 300); /* what it held was freed */
        if (waits) assert_code(get_now(q), 0);
        aloop_unref(i);
        aloop_unref(q);
    }
    return 0;
}

/* The handle goes: what it held is put. The queue goes: the inlet keeps it. */
static int64_t last_reference(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    aloop_inlet *i = inlet(q, 3);
    for (int64_t n = 1; n < 4; n++) assert_code(put_in(i, n, 0), 0);
    aloop_ref(i);
    aloop_unref(i);
    aloop_unref(i);
    for (int64_t n = 1; n < 4; n++) assert_code(get_item(q), n);
    i = inlet(q, 3);
    aloop_unref(q);
    assert_code(put_in(i, 1, 0), 0);
    let_run(1);
    aloop_unref(i);
    return 0;
}

static void test_loop_side(void **state) {
    (void)state;
    in_program(in_line);
    in_program(priorities);
    in_program(queue_shut_down);
    in_program(last_reference);
}

/* The loop closes --------------------------------------------------------------------------- */

static void test_loop_closes(void **state) {
    (void)state;
    for (int how = 0; how < 4; how++) {
        made = freed = 0;
        struct setup s = {.how = how};
        aloop_loop *loop = virtual_loop(), *other = virtual_loop();
        assert_code(run_on(loop, leave_it, &s), 0);
        struct feeder blocked = {.inlet = s.inlet};
        if (how == 2) {
            assert_int_equal(pthread_create(&blocked.thread, NULL, put_blocked, &blocked), 0);
            while (aloop_inlet_statistic(s.inlet, ALOOP_INLET_STAT_WAITING) == 0) nap();
        }
        if (how == 3) assert_code(get_now(s.queue), 1);
        close_loop(loop);
        if (how == 2) assert_code(join(&blocked), ALOOP_ESTALE);
        assert_code(put_in(s.inlet, 3, 0), ALOOP_ESTALE);
        assert_code(on_foreign_thread(put_for_ever, s.inlet), ALOOP_ESTALE);
        assert_code(figures(s.inlet), 100);
        assert_code(aloop_inlet_close(s.inlet), 0);
        aloop_unref(s.inlet);
        aloop_unref(s.queue);
        close_loop(other);
        assert_int_equal(made, freed);
    }
}

/* A forked child has no part in it; the parent's items arrive. */
static int64_t forked(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    aloop_inlet *i = inlet(q, 2);
    assert_code(put_in(i, 1, 0), 0);
    const pid_t child = fork();
    if (child == 0) {
        const bool refused = aloop_inlet_put_nowait(i, NULL) == ALOOP_ECHILD &&
                             aloop_inlet_put(i, NULL, -1) == ALOOP_ECHILD &&
                             aloop_inlet_statistic(i, 0) == ALOOP_ECHILD &&
                             aloop_inlet_close(i) == 0;
        aloop_unref(i);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_code(get_item(q), 1);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

/* Its end in a child does not wait for threads that only the parent has. */
static int64_t forked_under_threads(void *arg, void **value) {
    (void)arg, (void)value;
    enum { THREADS = 6 };
    aloop_queue *q = fifo(1);
    aloop_inlet *i = inlet(q, 1);
    put_now(q, 0);
    assert_code(put_in(i, 1, 0), 0);
    let_run(2);
    struct feeder blocked[THREADS];
    for (int t = 0; t < THREADS; t++) {
        blocked[t] = (struct feeder){.inlet = i};
        assert_int_equal(pthread_create(&blocked[t].thread, NULL, put_blocked, &blocked[t]), 0);
    }
    while (aloop_inlet_statistic(i, ALOOP_INLET_STAT_WAITING) < THREADS) nap();
    let_threads_rest();
    assert_code(aloop_queue_shutdown(q, 0), 0);
    let_run(1); /* the loop lets go of the inlet, and they are told */
    const pid_t child = fork();
    if (child == 0) {
        alarm(k_hang);
        aloop_unref(i);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int t = 0; t < THREADS; t++) assert_code(join(&blocked[t]), ALOOP_EQUEUESHUTDOWN);
    assert_int_equal(get_now(q), 0);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

static int64_t empty_loop(void *arg, void **value) {
    (void)value;
    struct setup *s = arg;
    s->how = 1;
    return leave_it(s, NULL);
}

static void test_fork(void **state) {
    (void)state;
    in_program(forked);
    for (int n = 0; n < 20; n++) in_program(forked_under_threads);
    made = freed = 0;
    struct setup s;
    aloop_loop *loop = virtual_loop();
    assert_code(run_on(loop, empty_loop, &s), 0);
    const pid_t child = fork();
    if (child == 0) { /* in a loop made new, the inlet is as after a close */
        const bool renewed = aloop_loop_after_fork(loop) == 0 && figures(s.inlet) == 100 &&
                             aloop_inlet_put(s.inlet, NULL, -1) == ALOOP_ESTALE;
        _exit(renewed ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close_loop(loop);
    aloop_unref(s.inlet);
    aloop_unref(s.queue);
    assert_int_equal(made, freed);
}

/* Bad input --------------------------------------------------------------------------------- */

static int64_t make_one(void *q) {
    aloop_inlet *i = NULL;
    return aloop_inlet_new(&i, q, 1);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    aloop_inlet *i = inlet(q, 1), *none = NULL;
    void *const wrong[] = {NULL, q};
    for (int k = 0; k < 2; k++) {
        assert_code(aloop_inlet_put(wrong[k], NULL, -1), ALOOP_EINVAL);
        assert_code(aloop_inlet_put_nowait(wrong[k], NULL), ALOOP_EINVAL);
        assert_code(aloop_inlet_close(wrong[k]), ALOOP_EINVAL);
        assert_code(aloop_inlet_statistic(wrong[k], 0), ALOOP_EINVAL);
    }
    assert_code(aloop_inlet_put(i, NULL, 0.0 / 0.0), ALOOP_EINVAL);
    assert_code(aloop_inlet_statistic(i, 4), ALOOP_EINVAL);
    assert_code(aloop_inlet_new(NULL, q, 1), ALOOP_EINVAL);
    assert_code(aloop_inlet_new(&none, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_inlet_new(&none, (aloop_queue *)i, 1), ALOOP_EINVAL);
    assert_code(aloop_inlet_new(&none, q, 0), ALOOP_EINVAL);
    assert_code(on_foreign_thread(make_one, q), ALOOP_EWRONGTHREAD);
    assert_code(aloop_inlet_put(i, NULL, 0), 0); /* NULL is an item */
    void *got = i;
    assert_code(aloop_await(aloop_queue_get(q), &got), 0);
    assert_null(got);
    aloop_unref(i);
    aloop_unref(q);
    return 0;
}

static int64_t makes_and_drops_one(void *q, void **value) {
    (void)value;
    aloop_unref(inlet(q, 1));
    return 0;
}

static int64_t another_loop(void *q, void **value) {
    (void)value;
    return make_one(q);
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    made = freed = 0;
    aloop_queue *q = fifo(1);
    assert_code(make_one(q), ALOOP_ENORUNNINGLOOP);
    aloop_loop *closed = virtual_loop();
    assert_code(aloop_set_event_loop(closed), 0);
    close_loop(closed);
    assert_code(make_one(q), ALOOP_ESTALE); /* and the queue is not bound by it */
    assert_code(aloop_set_event_loop(NULL), 0);
    assert_code(run_virtual(makes_and_drops_one, q, NULL), 0);
    struct setup s = {.how = 0};
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    assert_code(run_on(one, leave_it, &s), 0);
    assert_code(run_on(two, another_loop, s.queue), ALOOP_EWRONGLOOP);
    close_loop(one);
    close_loop(two);
    aloop_unref(s.inlet);
    aloop_unref(s.queue);
    aloop_unref(q);
}

SUITE(CASE(test_threads), CASE(test_waiting), CASE(test_loop_that_does_not_run),
      CASE(test_loop_side), CASE(test_loop_closes), CASE(test_fork), CASE(test_bad_input))
