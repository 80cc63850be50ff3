/*
 * Nine coroutines at once. They end one after the other; the results come in
 * the order in which gather was given them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define COROUTINES 9

static int64_t coro(void *arg, void **value) {
    const double *seconds = arg;
    printf("Coro with %.1f started..\n", *seconds);
    int64_t rc = aloop_await(aloop_sleep(*seconds), NULL);
    if (rc < 0) return rc;
    printf("Coro with %.1f done..\n", *seconds);
    *value = arg;
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    puts("main starting");
    double seconds[COROUTINES];
    aloop_task *tasks[COROUTINES];
    for (int i = 0; i < COROUTINES; i++) {
        seconds[i] = (i + 1) * 0.4;
        tasks[i] = aloop_create_task(coro, &seconds[i]);
    }
    aloop_results *results = NULL;
    int64_t rc = aloop_await(aloop_gather(tasks, COROUTINES, 0), (void **)&results);
    if (rc < 0) return rc;
    printf("main done, result [");
    for (int i = 0; i < COROUTINES; i++) {
        printf("%s%.1f", i > 0 ? ", " : "", *(double *)aloop_results_value(results, i));
    }
    puts("]");
    aloop_results_unref(results);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
