/*
 * aloop_run makes a loop, runs a coroutine on it and closes it again. Here that
 * happens twice, and each run sleeps for three seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    puts("Start");
    int64_t rc = aloop_await(aloop_sleep(3), NULL);
    if (rc < 0) return rc;
    printf("End   after %.1f s\n", aloop_loop_time(loop) - start);
    return 0;
}

int main(void) {
    int64_t rc = aloop_run(run, NULL, NULL);
    if (rc >= 0) rc = aloop_run(run, NULL, NULL);
    return rc < 0;
}
