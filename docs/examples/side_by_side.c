/*
 * Two tasks side by side: 4 and 2 seconds take 4. Making a task schedules it;
 * by the time it is awaited it may long be done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct job {
    double delay;
    const char *name;
};

static int64_t delay_print(void *arg, void **value) {
    (void)value;
    const struct job *job = arg;
    printf(">>> start %s\n", job->name);
    int64_t rc = aloop_await(aloop_sleep(job->delay), NULL);
    if (rc < 0) return rc;
    printf("<<< end   %s\n", job->name);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    puts("Start");
    static struct job jobs[] = {{4, "task1"}, {2, "task2"}};
    aloop_task *task1 = aloop_create_task(delay_print, &jobs[0]);
    aloop_task *task2 = aloop_create_task(delay_print, &jobs[1]);

    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc >= 0) puts("All tasks are started");

    if (rc >= 0) rc = aloop_await(aloop_ref(task1), NULL);
    if (rc >= 0) rc = aloop_await(aloop_ref(task2), NULL);
    aloop_unref(task1);
    aloop_unref(task2);
    if (rc < 0) return rc;
    printf("End   after %.1f s\n", aloop_loop_time(loop) - start);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
