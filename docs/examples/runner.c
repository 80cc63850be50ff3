/*
 * A runner is aloop_run in parts: several main coroutines on one loop, which
 * keeps what the first ones left running.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t tick(void *arg, void **value) {
    (void)value;
    int *ticks = arg;
    int64_t rc = 0;
    while (rc >= 0) {
        ++*ticks;
        rc = aloop_await(aloop_sleep(1), NULL);
    }
    puts("tick: cancelled by close");
    return rc;
}

static int64_t first(void *ticks, void **value) {
    (void)value;
    int64_t rc = aloop_spawn(tick, ticks);
    if (rc >= 0) rc = aloop_await(aloop_sleep(1.5), NULL);
    return rc;
}

static int64_t second(void *ticks, void **value) {
    int64_t rc = aloop_await(aloop_sleep(2), NULL);
    if (rc < 0) return rc;
    *value = ticks;
    return 0;
}

int main(void) {
    aloop_runner *runner = NULL;
    if (aloop_runner_new(&runner, NULL) < 0) return 1;
    int ticks = 0;
    int64_t rc = aloop_runner_run(runner, first, &ticks, NULL);
    printf("after the first run: %d ticks\n", ticks);
    void *result = NULL;
    if (rc >= 0) rc = aloop_runner_run(runner, second, &ticks, &result);
    if (rc >= 0) printf("after the second run: %d ticks\n", *(int *)result);
    aloop_runner_close(runner);
    aloop_unref(runner);
    return rc < 0;
}
