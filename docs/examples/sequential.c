/*
 * One coroutine after the other: calling a coroutine waits for it, so 4 and 2
 * seconds make 6. side_by_side.c does the same in 4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t delay_print(double delay, const char *name) {
    printf(">>> start %s\n", name);
    int64_t rc = aloop_await(aloop_sleep(delay), NULL);
    if (rc < 0) return rc;
    printf("<<< end   %s\n", name);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    puts("Start");
    int64_t rc = delay_print(4, "task1");
    if (rc >= 0) rc = delay_print(2, "task2");
    if (rc < 0) return rc;
    printf("End   after %.1f s\n", aloop_loop_time(loop) - start);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
