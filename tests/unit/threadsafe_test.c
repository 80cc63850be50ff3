/* executor.h: coroutines from other threads.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static sem_t started;

static int64_t fail_in_detail(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise(ALOOP_EUSER - 3, "no %s", "luck");
}

static int64_t stop_host(void *loop) { return aloop_loop_stop(loop); }

struct host {
    aloop_loop *loop;
    pthread_t thread;
};

static void *host_loop(void *data) {
    struct host *h = data;
    assert_code(aloop_loop_run_forever(h->loop), 0);
    return NULL;
}

static void start_host(struct host *h) {
    h->loop = real_loop();
    assert_int_equal(pthread_create(&h->thread, NULL, host_loop, h), 0);
}

static void end_host(struct host *h) {
    assert_true(aloop_loop_call_soon_threadsafe(h->loop, stop_host, h->loop, NULL) > 0);
    pthread_join(h->thread, NULL);
    close_loop(h->loop);
}

static atomic_bool may_end;

static int64_t text_after_a_while(void *text, void **value) {
    (void)value;
    do assert_code(aloop_await(aloop_sleep(0.001), NULL), 0);
    while (!may_end);
    return aloop_return(5, strdup(text), free);
}

static void a_thread_awaits_a_coroutine(void **state) {
    (void)state;
    struct host host;
    start_host(&host);
    aloop_thread_future *f = aloop_run_coroutine_threadsafe(host.loop, text_after_a_while, "hello");
    assert_code(aloop_thread_future_result(f, NULL), ALOOP_EINVALIDSTATE);
    assert_code(aloop_thread_future_wait(f, 0), ALOOP_ETIMEDOUT);
    assert_code(aloop_thread_future_wait(f, 0.01), ALOOP_ETIMEDOUT);
    may_end = true;
    assert_code(aloop_thread_future_wait(f, -1), 5);
    assert_code(aloop_thread_future_done(f), 1);
    assert_code(aloop_thread_future_cancelled(f), 0);
    assert_code(aloop_thread_future_cancel(f), 0);
    char *text = NULL;
    assert_code(aloop_thread_future_result(f, (void **)&text), 5);
    assert_string_equal(text, "hello");
    assert_code(aloop_thread_future_take(f, (void **)&text), 5);
    assert_code(aloop_thread_future_take(f, (void **)&text), ALOOP_EVALUETAKEN);
    free(text);
    assert_null(aloop_thread_future_error(f));
    aloop_unref(f);
    f = aloop_run_coroutine_threadsafe(host.loop, text_after_a_while, "not taken");
    assert_code(aloop_thread_future_wait(f, k_hang), 5);
    aloop_unref(f);
    f = aloop_run_coroutine_threadsafe(host.loop, fail_in_detail, NULL);
    assert_code(aloop_thread_future_wait(f, k_hang), ALOOP_EUSER - 3);
    assert_string_equal(aloop_error_message(aloop_thread_future_error(f)), "no luck");
    aloop_unref(f);
    end_host(&host);
}

static sem_t was_cancelled;

static int64_t until_cancelled(void *unused, void **value) {
    sem_post(&started);
    const int64_t status = sleep_for_ever(unused, value);
    assert_code(status, ALOOP_ECANCELED);
    sem_post(&was_cancelled);
    return status;
}

static void cancelling_goes_to_the_task_and_back(void **state) {
    (void)state;
    struct host host;
    start_host(&host);
    aloop_thread_future *f = aloop_run_coroutine_threadsafe(host.loop, until_cancelled, NULL);
    sem_wait(&started);
    assert_code(aloop_thread_future_cancel(f), 1);
    assert_code(aloop_thread_future_cancelled(f), 1);
    assert_code(aloop_thread_future_wait(f, 1), ALOOP_ECANCELED);
    sem_wait(&was_cancelled);
    aloop_unref(f);
    end_host(&host);
}

static int64_t wait_on_own_thread(void *data, void **value) {
    (void)value;
    aloop_thread_future *f = aloop_run_coroutine_threadsafe(data, until_cancelled, NULL);
    assert_code(aloop_thread_future_wait(f, 1), ALOOP_EWRONGTHREAD);
    assert_code(aloop_thread_future_cancel(f), 1); /* before it began: it never runs */
    aloop_unref(f);
    let_run(4);
    f = aloop_run_coroutine_threadsafe(data, until_cancelled, NULL);
    aloop_unref(f); /* cancels nothing */
    let_run(4);
    sem_wait(&started);
    return 0;
}

static void waiting_for_oneself_is_refused(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    assert_code(run_on(loop, wait_on_own_thread, loop), 0);
    assert_null(aloop_run_coroutine_threadsafe(NULL, until_cancelled, NULL));
    assert_null(aloop_run_coroutine_threadsafe(loop, NULL, NULL));
    aloop_thread_future *f = aloop_run_coroutine_threadsafe(loop, until_cancelled, NULL);
    assert_code(aloop_loop_close(loop), 0);
    assert_code(aloop_thread_future_wait(f, 1), ALOOP_ECANCELED);
    aloop_unref(f);
    assert_null(aloop_run_coroutine_threadsafe(loop, until_cancelled, NULL));
    aloop_loop_unref(loop);
    assert_code(aloop_thread_future_wait(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_thread_future_done(NULL), ALOOP_EINVAL);
    assert_code(aloop_thread_future_cancel(NULL), ALOOP_EINVAL);
    assert_code(aloop_thread_future_cancelled(NULL), ALOOP_EINVAL);
    assert_code(aloop_thread_future_result(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_thread_future_take(NULL, NULL), ALOOP_EINVAL);
    assert_null(aloop_thread_future_error(NULL));
}

/* After the close, two threads drop what waits for one future. */
enum { dropped = 500 };

static void *drop_all(void *futures) {
    for (int i = 0; i < dropped; i++) aloop_unref(((aloop_future **)futures)[i]);
    return NULL;
}

static int64_t shield_often(void *data, void **value) {
    aloop_future *(*futures)[dropped] = data;
    (void)value;
    aloop_future *inner = aloop_loop_create_future(aloop_get_running_loop());
    for (int i = 0; i < dropped; i++) {
        futures[0][i] = aloop_shield(aloop_ref(inner));
        futures[1][i] = aloop_shield(aloop_ref(inner));
    }
    aloop_unref(inner);
    return 0;
}

static void shields_outlive_their_loop(void **state) {
    (void)state;
    static aloop_future *futures[2][dropped];
    aloop_loop *loop = virtual_loop();
    assert_code(run_on(loop, shield_often, futures), 0);
    close_loop(loop);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, drop_all, futures[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&was_cancelled, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(a_thread_awaits_a_coroutine),
        CASE(cancelling_goes_to_the_task_and_back),
        CASE(waiting_for_oneself_is_refused),
        CASE(shields_outlive_their_loop),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
