/* executor.h: threads that sleep are woken, as many as have something to do. A wake-up that
 * is lost shows as a hang.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>

enum { k_threads = 4, k_rounds = 200 };

static pthread_barrier_t all_there;
static sem_t opened;

static int64_t meet(void *unused, void **value) {
    (void)unused;
    (void)value;
    pthread_barrier_wait(&all_there);
    return 1;
}

static int64_t pass(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 2;
}

static int64_t wait_for_the_next(void *unused, void **value) {
    (void)unused;
    (void)value;
    while (sem_wait(&opened) != 0) continue; /* a signal */
    return 3;
}

static int64_t let_the_other_go(void *unused, void **value) {
    (void)unused;
    (void)value;
    sem_post(&opened);
    return 4;
}

static aloop_future *submit(aloop_executor *pool, aloop_job_fn fn) {
    return aloop_run_in_executor(aloop_get_running_loop(), pool, fn, NULL, NULL);
}

static void end(aloop_executor *pool) {
    assert_code(aloop_await(aloop_executor_shutdown(pool, -1), NULL), 0);
    aloop_unref(pool);
}

/* Each job waits until all four run, so four threads must have one. */
static int64_t meetings(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = aloop_executor_new_threads(k_threads);
    for (int i = 0; i < k_rounds; i++) {
        aloop_future *all[k_threads];
        for (int k = 0; k < k_threads; k++) all[k] = submit(pool, meet);
        assert_code(aloop_await(aloop_gather(all, k_threads, 0), NULL), k_threads);
    }
    end(pool);
    return 0;
}

static void as_many_wake_as_have_jobs(void **state) {
    (void)state;
    assert_int_equal(pthread_barrier_init(&all_there, NULL, k_threads), 0);
    in_task(meetings);
    pthread_barrier_destroy(&all_there);
}

/* One of the two threads is blocked by the first job until the last one runs. */
static int64_t gates(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = aloop_executor_new_threads(2);
    for (int i = 0; i < k_rounds; i++) {
        aloop_future *gate = submit(pool, wait_for_the_next);
        for (int k = 0; k < i % 5; k++) aloop_unref(submit(pool, pass));
        if (i % 3 == 0) assert_code(aloop_await(submit(pool, pass), NULL), 2);
        aloop_future *opener = submit(pool, let_the_other_go);
        assert_code(aloop_await(gate, NULL), 3);
        assert_code(aloop_await(opener, NULL), 4);
    }
    end(pool);
    return 0;
}

static void a_blocked_job_keeps_no_other_from_a_thread(void **state) {
    (void)state;
    in_task(gates);
}

/* The thread that is on its way finds nothing, or the job behind the one that left. */
static int64_t withdrawals(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = aloop_executor_new_threads(1);
    for (int i = 0; i < k_rounds; i++) {
        aloop_future *first = submit(pool, pass);
        aloop_future *second = i % 2 == 0 ? submit(pool, pass) : NULL;
        assert_code(aloop_future_cancel(first, NULL), 1);
        if (second != NULL) assert_code(aloop_await(second, NULL), 2);
        assert_code(aloop_await(first, NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(submit(pool, pass), NULL), 2);
    }
    end(pool);
    return 0;
}

static void a_job_that_leaves_takes_no_wake_up_along(void **state) {
    (void)state;
    in_task(withdrawals);
}

int main(void) {
    sem_init(&opened, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(as_many_wake_as_have_jobs),
        CASE(a_blocked_job_keeps_no_other_from_a_thread),
        CASE(a_job_that_leaves_takes_no_wake_up_along),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
