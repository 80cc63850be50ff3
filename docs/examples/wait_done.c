/*
 * Waits for one task and looks whether it is among those that are done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdbool.h>
#include <stdio.h>

static int64_t work(void *arg, void **value) {
    (void)arg;
    *value = "done";
    return 0;
}

static bool contains(const aloop_results *list, const aloop_future *future) {
    for (int64_t i = 0; i < aloop_results_count(list); i++) {
        if (aloop_results_future(list, i) == future) return true;
    }
    return false;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *task = aloop_create_task(work, NULL);
    aloop_wait_result *lists = NULL;
    int64_t rc = aloop_await(aloop_wait(&task, 1, -1, ALOOP_ALL_COMPLETED), (void **)&lists);
    if (rc < 0) return rc;
    if (contains(aloop_wait_result_done(lists), task)) puts("work is done");
    aloop_unref(lists); /* which held the task */
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
