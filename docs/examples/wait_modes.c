/*
 * Waits for nine tasks in three ways: until all are done, until one is, and
 * until one has failed. wait gives two lists, done and pending, and never
 * cancels what is pending.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define TASKS 9
#define REFUSED (ALOOP_EUSER - 1)

static double fails_at; /* the task with this many seconds fails; 0: none */

static int64_t coro(void *arg, void **value) {
    const double *seconds = arg;
    printf("Coro with %.1f started..\n", *seconds);
    int64_t rc = aloop_await(aloop_sleep(*seconds), NULL);
    if (rc < 0) return rc;
    if (*seconds == fails_at) return aloop_raise(REFUSED, "%.1f is refused", *seconds);
    printf("Coro with %.1f done..\n", *seconds);
    *value = arg;
    return 0;
}

static void show(const char *label, const aloop_results *list) {
    printf("%s: ", label);
    const int64_t n = aloop_results_count(list);
    for (int64_t i = 0; i < n; i++) {
        aloop_future *task = aloop_results_future(list, i);
        void *seconds = NULL;
        const int64_t rc = aloop_future_result(task, &seconds);
        if (rc >= 0)
            printf("result=%.1f ", *(double *)seconds);
        else if (rc != ALOOP_EINVALIDSTATE)
            printf("%s ", aloop_error_message(aloop_future_error(task)));
    }
    printf("(%d)\n", (int)n);
}

static int64_t wait_for_nine(const char *mode, int32_t return_when) {
    printf("main starting, %s\n", mode);
    double seconds[TASKS];
    aloop_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) {
        seconds[i] = (i + 1) * 0.4;
        tasks[i] = aloop_create_task(coro, &seconds[i]);
    }
    aloop_wait_result *lists = NULL;
    int64_t rc = aloop_await(aloop_wait(tasks, TASKS, -1, return_when), (void **)&lists);
    if (rc < 0) return rc;
    show("main done, result", aloop_wait_result_done(lists));
    aloop_results *pending = aloop_wait_result_pending(lists);
    show("pending", pending);

    /* seconds[] goes out of scope: end what still uses it. */
    for (int64_t i = 0; i < aloop_results_count(pending); i++) {
        aloop_future *task = aloop_results_future(pending, i);
        aloop_task_cancel(task, NULL);
        aloop_await(aloop_ref(task), NULL);
    }
    aloop_unref(lists);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = wait_for_nine("ALL_COMPLETED", ALOOP_ALL_COMPLETED);
    if (rc >= 0) rc = wait_for_nine("FIRST_COMPLETED", ALOOP_FIRST_COMPLETED);
    fails_at = 3 * 0.4;
    if (rc >= 0) rc = wait_for_nine("FIRST_EXCEPTION", ALOOP_FIRST_EXCEPTION);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
