/*
 * A done callback gets the task: its name, its state and its result. Callbacks
 * run before whoever awaits the task goes on, if they were added first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t my_coro(void *arg, void **value) {
    (void)arg;
    int64_t rc = aloop_await(aloop_sleep(3), NULL);
    if (rc < 0) return rc;
    *value = "Im alive!";
    return 0;
}

static int64_t my_coro_callback(aloop_future *task, void *data) {
    (void)data;
    char name[32];
    void *result = NULL;
    aloop_task_get_name(task, name, sizeof name);
    const int64_t rc = aloop_future_result(task, &result);
    if (rc < 0) return 0; /* cancelled: whoever awaits it hears of it */
    printf("%s is %s\n", name,
           aloop_task_state(task) == ALOOP_TASK_FINISHED ? "finished" : "cancelled");
    puts("Im here to callback u!");
    puts(result);
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *task = aloop_create_task(my_coro, NULL);
    aloop_future_add_done_callback(task, my_coro_callback, NULL, NULL);
    void *result = NULL;
    int64_t rc = aloop_await(task, &result);
    if (rc < 0) return rc;
    printf("main got '%s'\n", (char *)result);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
