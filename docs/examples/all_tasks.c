/*
 * Starts ten tasks and then lists every task of the loop that is not done: the
 * main one, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define TASKS 10

static int64_t task_coroutine(void *arg, void **value) {
    (void)value;
    printf("task %d is running\n", *(int *)arg);
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t run(void *arg, void **value);

static const char *coroutine_of(aloop_task *task) {
    const uint64_t coro = aloop_task_get_coro(task);
    return coro == (uintptr_t)run              ? "run"
           : coro == (uintptr_t)task_coroutine ? "task_coroutine"
                                               : "another";
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    puts("main coroutine started");
    int numbers[TASKS];
    aloop_task *started[TASKS];
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i;
        started[i] = aloop_create_task(task_coroutine, &numbers[i]);
    }
    int64_t rc = aloop_await(aloop_sleep(0.1), NULL); /* lets them start */

    aloop_results *tasks = aloop_all_tasks(NULL);
    for (int64_t i = 0; i < aloop_results_count(tasks); i++) {
        aloop_task *task = aloop_results_future(tasks, i);
        char name[32];
        aloop_task_get_name(task, name, sizeof name);
        printf("> %s, coroutine %s\n", name, coroutine_of(task));
    }
    aloop_results_unref(tasks);

    for (int i = 0; i < TASKS; i++) {
        const int64_t one = aloop_await(started[i], NULL);
        if (rc >= 0) rc = one;
    }
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
