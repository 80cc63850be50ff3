/*
 * The task that runs right now, and the loop that runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    puts("main coroutine started");
    aloop_task *task = aloop_current_task(NULL);
    char name[32];
    aloop_task_get_name(task, name, sizeof name);
    printf("the current task is %s, %s\n", name,
           aloop_task_state(task) == ALOOP_TASK_RUNNING ? "running" : "not running");
    aloop_task_set_name(task, "main");
    aloop_task_get_name(task, name, sizeof name);
    printf("now it is called %s\n", name);
    printf("of the loop that runs: %s\n",
           aloop_future_loop(task) == aloop_get_running_loop() ? "yes" : "no");
    return 0;
}

int main(void) {
    printf("outside there is none: %s\n", aloop_current_task(NULL) == NULL ? "yes" : "no");
    return aloop_main(run, NULL);
}
