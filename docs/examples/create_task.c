/*
 * Tasks made in two ways: on the running loop, and on a loop that is named. A
 * task is a future: what is awaited is its coroutine's result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t work(void *arg, void **value) {
    (void)arg;
    *value = "done";
    return 0;
}

static int64_t custom_coro(void *arg, void **value) {
    (void)arg;
    puts("Hi from coroutine");
    *value = "RESULT";
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    void *result = NULL;
    int64_t rc = aloop_await(aloop_create_task(work, NULL), &result);
    if (rc < 0) return rc;
    puts(result);

    aloop_task *task = aloop_loop_create_task(aloop_get_running_loop(), custom_coro, NULL);
    rc = aloop_await(aloop_sleep(0), NULL); /* lets it run */
    if (rc >= 0) rc = aloop_future_result(task, &result);
    if (rc >= 0) puts(result);
    aloop_unref(task);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
