/*
 * Three tasks, awaited one by one: they run side by side all the same, since
 * each was scheduled when it was made. three_tasks.c gathers them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct job {
    char name;
    double delay;
};

static int64_t work(void *arg, void **value) {
    (void)value;
    const struct job *job = arg;
    printf("%c: started\n", job->name);
    int64_t rc = aloop_await(aloop_sleep(job->delay), NULL);
    if (rc < 0) return rc;
    printf("%c: finished\n", job->name);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    static struct job jobs[] = {{'A', 2}, {'B', 1}, {'C', 3}};
    aloop_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = aloop_create_task(work, &jobs[i]);
    int64_t rc = 0;
    for (int i = 0; i < 3; i++) {
        const int64_t one = aloop_await(tasks[i], NULL); /* takes the reference over */
        if (rc >= 0) rc = one;
    }
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
