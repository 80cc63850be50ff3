/*
 * A task that would run for ever is cancelled: its await fails, it cleans up
 * and returns the code. Another one refuses, and is not cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t spin(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = 0;
    while (rc >= 0) {
        puts("spinning");
        rc = aloop_await(aloop_sleep(1), NULL);
    }
    printf("cleaning up: %s\n", aloop_error_message(aloop_last_error()));
    return rc;
}

static int64_t refuse(void *arg, void **value) {
    (void)arg;
    int64_t rc = aloop_await(aloop_sleep(10), NULL);
    if (rc == ALOOP_ECANCELED) *value = "not now";
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *spinner = aloop_create_task(spin, NULL);
    aloop_task *stubborn = aloop_create_task(refuse, NULL);
    int64_t rc = aloop_await(aloop_sleep(2.5), NULL);

    printf("cancel: %d\n", (int)aloop_task_cancel(spinner, "enough of that"));
    aloop_task_cancel(stubborn, NULL);
    if (rc >= 0) aloop_await(aloop_ref(spinner), NULL);
    printf("spinner cancelled: %d\n", (int)aloop_future_cancelled(spinner));
    printf("once more: %d\n", (int)aloop_task_cancel(spinner, NULL));

    void *answer = NULL;
    if (rc >= 0) rc = aloop_await(aloop_ref(stubborn), &answer);
    printf("stubborn cancelled: %d, it says '%s'\n", (int)aloop_future_cancelled(stubborn),
           answer != NULL ? (char *)answer : "");
    aloop_unref(spinner);
    aloop_unref(stubborn);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
