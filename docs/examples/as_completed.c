/*
 * Results as they come: the first that is done is the first to be shown,
 * whatever the order in which they were started.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct job {
    const char *name;
    double delay;
    char *result;
};

static int64_t work(void *arg, void **value) {
    const struct job *job = arg;
    printf("%s: started\n", job->name);
    int64_t rc = aloop_await(aloop_sleep(job->delay), NULL);
    if (rc < 0) return rc;
    printf("%s: finished\n", job->name);
    *value = job->result;
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    static struct job jobs[] = {{"C", 3, "c"}, {"B", 1, "b"}, {"A", 2, "a"}};
    aloop_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = aloop_create_task(work, &jobs[i]);

    aloop_completions *finished = NULL;
    int64_t rc = aloop_as_completed(&finished, tasks, 3, -1);
    void *result = NULL;
    while (rc >= 0) {
        rc = aloop_await(aloop_as_completed_next_result(finished), &result);
        if (rc >= 0) puts(result);
    }
    aloop_unref(finished);
    return rc == ALOOP_ESTOPITERATION ? 0 : rc; /* that is its end */
}

int main(void) { return aloop_main(run, NULL); }
