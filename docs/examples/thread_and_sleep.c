/*
 * A blocking function in a thread beside a sleep on the loop: they overlap, so
 * that the whole takes as long as the longer of the two.
 *
 *     thread_and_sleep [SECONDS]    how long the function blocks (1)
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct timespec start;

/* Whole seconds since the program began; any thread. */
static int elapsed(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double s = (double)(now.tv_sec - start.tv_sec) + (now.tv_nsec - start.tv_nsec) / 1e9;
    return (int)(s + 0.5);
}

static int64_t blocking_io(void *arg, void **value) {
    (void)value;
    printf("start blocking_io at %d s\n", elapsed());
    const struct timespec pause = {*(int *)arg, 0};
    nanosleep(&pause, NULL);
    printf("blocking_io complete at %d s\n", elapsed());
    return 0;
}

static int64_t run(void *seconds, void **value) {
    (void)value;
    printf("started main at %d s\n", elapsed());
    int64_t rc = aloop_await(
        ALOOP_GATHER(0, aloop_to_thread(blocking_io, seconds, NULL), aloop_sleep(1)), NULL);
    if (rc < 0) return rc;
    printf("finished main at %d s\n", elapsed());
    return 0;
}

int main(int argc, char **argv) {
    int seconds = argc > 1 ? atoi(argv[1]) : 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    return aloop_main(run, &seconds);
}
