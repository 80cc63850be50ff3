/*
 * Thirty jobs, ten at a time: a semaphore counts who may be at work. A second
 * each makes three seconds in all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define JOBS 30
#define AT_ONCE 10

static int at_work, most;

static int64_t work(void *semaphore, void **value) {
    (void)value;
    int64_t rc = aloop_await(aloop_semaphore_acquire(semaphore), NULL);
    if (rc < 0) return rc;
    if (++at_work > most) most = at_work;
    rc = aloop_await(aloop_sleep(1), NULL);
    at_work--;
    aloop_semaphore_release(semaphore);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    aloop_semaphore *semaphore = NULL;
    int64_t rc = aloop_semaphore_new(&semaphore, AT_ONCE);
    if (rc < 0) return rc;
    aloop_task *jobs[JOBS];
    for (int i = 0; i < JOBS; i++) jobs[i] = aloop_create_task(work, semaphore);
    rc = aloop_await(aloop_gather(jobs, JOBS, 0), NULL);
    printf("%d jobs, at most %d at once, %.1f s\n", JOBS, most, aloop_loop_time(loop) - start);
    aloop_unref(semaphore);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
