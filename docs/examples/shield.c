/*
 * A shield takes the cancellation and leaves what is behind it alone: its outer
 * future is cancelled, the task runs to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t simple_task(void *arg, void **value) {
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    *value = arg;
    return 0;
}

static int64_t cancel_task(void *future, void **value) {
    (void)value;
    int64_t rc = aloop_await(aloop_sleep(0.2), NULL);
    if (rc < 0) return rc;
    const int64_t was_cancelled = aloop_future_cancel(future, NULL);
    printf("cancelled: %s\n", was_cancelled ? "True" : "False");
    return 0;
}

static const char *state(aloop_future *future) {
    return aloop_future_cancelled(future) ? "cancelled"
           : aloop_future_done(future)    ? "finished"
                                          : "pending";
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int number = 1;
    aloop_task *task = aloop_create_task(simple_task, &number);
    aloop_future *shielded = aloop_shield(aloop_ref(task));
    aloop_spawn(cancel_task, shielded);

    int64_t rc = aloop_await(aloop_ref(shielded), NULL);
    if (rc >= 0)
        puts(">got it");
    else if (rc == ALOOP_ECANCELED)
        puts("shielded was cancelled");

    rc = aloop_await(aloop_sleep(1), NULL);
    printf("shielded: %s\n", state(shielded));
    printf("task: %s\n", state(task));
    void *result = NULL;
    if (rc >= 0) rc = aloop_future_result(task, &result);
    if (rc >= 0) printf("%d\n", *(int *)result);
    aloop_unref(shielded);
    aloop_unref(task);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
