/*
 * Three tasks that sleep for 2, 1 and 3 seconds, side by side: asyncio's first
 * program. It takes 3 seconds, or none with ASYNCLOOP_CLOCK=virtual.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct job {
    const char *name;
    double delay;
    char result;
};

static int64_t work(void *arg, void **value) {
    struct job *job = arg;
    printf("%s: started\n", job->name);
    int64_t status = aloop_await(aloop_sleep(job->delay), NULL);
    if (status < 0) return status;
    printf("%s: finished\n", job->name);
    *value = &job->result;
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg;
    (void)value;
    struct job a = {"A", 2, 'a'};
    struct job b = {"B", 1, 'b'};
    struct job c = {"C", 3, 'c'};
    void *list = NULL;
    int64_t status =
        aloop_await(ALOOP_GATHER(0, aloop_create_task(work, &a), aloop_create_task(work, &b),
                                 aloop_create_task(work, &c)),
                    &list);
    if (status < 0) return status;

    printf("Result: [");
    for (int64_t i = 0; i < aloop_results_count(list); i++) {
        const char *letter = aloop_results_value(list, i);
        printf("%s'%c'", i > 0 ? ", " : "", *letter);
    }
    puts("]");
    aloop_unref(list);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
