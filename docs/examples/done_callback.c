/*
 * A function that runs when a task is done, and one that was taken back in time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t callback(aloop_future *task, void *data) {
    (void)task, (void)data;
    puts("Task is done");
    return 0;
}

static int64_t unwanted(aloop_future *task, void *data) {
    (void)task, (void)data;
    puts("nobody sees this");
    return 0;
}

static int64_t task_coroutine(void *arg, void **value) {
    (void)arg, (void)value;
    puts("executing the task");
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    puts("main coroutine started");
    aloop_task *task = aloop_create_task(task_coroutine, NULL);
    aloop_future_add_done_callback(task, callback, NULL, NULL);
    aloop_future_add_done_callback(task, unwanted, NULL, NULL);
    aloop_future_add_done_callback(task, unwanted, NULL, NULL);
    printf("removed: %d\n", (int)aloop_future_remove_done_callback(task, unwanted, NULL));
    int64_t rc = aloop_await(task, NULL);
    if (rc < 0) return rc;
    puts("main coroutine done");
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
