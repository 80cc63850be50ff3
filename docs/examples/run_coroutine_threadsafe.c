/*
 * A loop in a thread of its own, and coroutines given to it from the main
 * thread, which waits for their results.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <pthread.h>
#include <stdio.h>

static void *run_loop(void *loop) {
    aloop_loop_run_forever(loop);
    return NULL;
}

static int64_t work(void *arg, void **value) {
    int64_t rc = aloop_await(aloop_sleep(0.1), NULL);
    if (rc < 0) return rc;
    *value = arg;
    return 0;
}

static int64_t sleep_long(void *arg, void **value) {
    (void)arg, (void)value;
    return aloop_await(aloop_sleep(3600), NULL);
}

/* What was cancelled ends before the loop stops. */
static int64_t finish(void *loop, void **value) {
    (void)value;
    int64_t rc = aloop_await(aloop_sleep(0), NULL);
    aloop_loop_stop(loop);
    return rc;
}

int main(void) {
    aloop_loop *loop = NULL;
    pthread_t thread;
    if (aloop_loop_new(&loop, NULL) < 0) return 1;
    if (pthread_create(&thread, NULL, run_loop, loop) != 0) return 1;

    void *result = NULL;
    aloop_thread_future *future = aloop_run_coroutine_threadsafe(loop, work, "done");
    int64_t rc = aloop_thread_future_wait(future, -1);
    if (rc >= 0) rc = aloop_thread_future_result(future, &result);
    if (rc >= 0) printf("from the loop's thread: %s\n", (char *)result);
    aloop_unref(future);

    future = aloop_run_coroutine_threadsafe(loop, sleep_long, NULL);
    if (aloop_thread_future_wait(future, 0.1) == ALOOP_ETIMEDOUT) {
        aloop_thread_future_cancel(future);
        printf("too long: cancelled: %d\n", (int)aloop_thread_future_cancelled(future));
    }
    aloop_unref(future);

    aloop_unref(aloop_run_coroutine_threadsafe(loop, finish, loop));
    pthread_join(thread, NULL);
    aloop_loop_close(loop);
    aloop_loop_unref(loop);
    return rc < 0;
}
