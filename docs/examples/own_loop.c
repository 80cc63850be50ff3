/*
 * A loop of one's own: made, run until a coroutine is done, closed.
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
    return aloop_await(aloop_gather(tasks, 3, 0), NULL);
}

int main(void) {
    aloop_loop *loop = NULL;
    int64_t rc = aloop_loop_new(&loop, NULL);
    if (rc < 0) return 1;
    rc = aloop_loop_run_until_complete(loop, aloop_loop_create_task(loop, run, NULL), NULL);
    aloop_loop_close(loop);
    aloop_loop_unref(loop);
    return rc < 0;
}
