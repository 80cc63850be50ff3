/*
 * What aloop_run does at its end, written out: the main coroutine returns, the
 * tasks that are left are cancelled and awaited, and what they fail with then
 * is reported. Then the generators, the default executor and the loop end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>

#define CLUMSY (ALOOP_EUSER - 1)

static int64_t poll_for_ever(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = 0;
    while (rc >= 0) rc = aloop_await(aloop_sleep(1), NULL);
    puts("poll_for_ever: stopped");
    return rc;
}

static int64_t fail_in_cleanup(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_await(aloop_sleep(60), NULL);
    return aloop_raise(CLUMSY, "could not say goodbye");
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_spawn(poll_for_ever, NULL);
    aloop_spawn(fail_in_cleanup, NULL);
    int64_t rc = aloop_await(aloop_sleep(2.5), NULL);
    puts("main: returns");
    return rc;
}

static void report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)data;
    printf("%s: %s\n", aloop_exception_context_message(context),
           aloop_error_message(aloop_exception_context_error(context)));
}

static int64_t gather_all(void *list, void **value) {
    (void)value;
    const int64_t n = aloop_results_count(list) - 1; /* the last one is this task */
    aloop_future **left = calloc((size_t)n + 1, sizeof *left);
    if (left == NULL) return ALOOP_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        left[i] = aloop_ref(aloop_results_future(list, i));
        aloop_task_cancel(left[i], NULL);
    }
    aloop_results *outcomes = NULL;
    int64_t rc = aloop_await(aloop_gather(left, n, ALOOP_RETURN_EXCEPTIONS), (void **)&outcomes);
    free(left);
    for (int64_t i = 0; i < aloop_results_count(outcomes); i++) {
        if (aloop_results_status(outcomes, i) == ALOOP_ECANCELED) continue;
        aloop_error *error = aloop_results_error(outcomes, i);
        if (error == NULL) continue;
        aloop_loop_call_exception_handler(aloop_get_running_loop(),
                                          "unhandled exception during shutdown", error);
    }
    aloop_results_unref(outcomes);
    return rc;
}

static int64_t cancel_all_tasks(void *arg, void **value) {
    (void)arg;
    aloop_results *tasks = aloop_all_tasks(NULL);
    const int64_t rc = gather_all(tasks, value);
    aloop_results_unref(tasks);
    return rc;
}

int main(void) {
    aloop_loop *loop = NULL;
    int64_t rc = aloop_loop_new(&loop, NULL);
    if (rc < 0) return 1;
    aloop_loop_set_exception_handler(loop, report, NULL, NULL);
    rc = aloop_loop_run_until_complete(loop, aloop_loop_create_task(loop, run, NULL), NULL);
    aloop_loop_run_until_complete(loop, aloop_loop_create_task(loop, cancel_all_tasks, NULL), NULL);
    aloop_loop_run_until_complete(loop, aloop_loop_shutdown_asyncgens(loop), NULL);
    aloop_loop_run_until_complete(loop, aloop_loop_shutdown_default_executor(loop, -1), NULL);
    aloop_loop_close(loop);
    aloop_loop_unref(loop);
    puts("closed");
    return rc < 0;
}
