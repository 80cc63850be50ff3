/*
 * The same task twice in one gather: it runs once, and its result stands in
 * both places. Each mention needs a reference of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t work(void *arg, void **value) {
    (void)arg;
    puts("working");
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    *value = "done";
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *task = aloop_create_task(work, NULL);
    aloop_results *results = NULL;
    int64_t rc = aloop_await(ALOOP_GATHER(0, aloop_ref(task), task), (void **)&results);
    if (rc < 0) return rc;
    printf("['%s', '%s']\n", (char *)aloop_results_value(results, 0),
           (char *)aloop_results_value(results, 1));
    aloop_results_unref(results);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
