/*
 * Gives up on what takes too long: the task is cancelled and its cleanup
 * awaited before the timeout is reported.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define HOUR 3600

static int64_t task_coro(void *arg, void **value) {
    (void)arg, (void)value;
    const double seconds = 1.65;
    printf(">task got %.2f\n", seconds);
    int64_t rc = aloop_await(aloop_sleep(seconds), NULL);
    if (rc < 0) return rc;
    puts(">task done");
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = aloop_await(aloop_wait_for(aloop_create_task(task_coro, NULL), 0.2), NULL);
    if (rc == ALOOP_ETIMEDOUT) puts("Gave up waiting, task canceled");

    /* Anything that can be awaited can be limited. */
    rc = aloop_await(aloop_wait_for(aloop_sleep(HOUR), 1), NULL);
    if (rc == ALOOP_ETIMEDOUT) puts("timeout!");
    return rc == ALOOP_ETIMEDOUT ? 0 : rc;
}

int main(void) { return aloop_main(run, NULL); }
