/*
 * Debug mode finds what makes a program slow or wrong without a trace: a task
 * that blocks the loop, and an operation that nobody awaits.
 *
 * The environment variable ASYNCLOOP_DEBUG=1 turns it on for any program. This
 * one has reports printed to standard output, without the times in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int64_t blocks(void *arg, void **value) {
    (void)arg, (void)value;
    usleep(600000); /* wrong: holds up every other task; see to_thread.c */
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_task *task = aloop_create_task(blocks, NULL);
    aloop_task_set_name(task, "blocks");
    int64_t rc = aloop_await(task, NULL);

    aloop_event *event = NULL;
    if (rc >= 0) rc = aloop_event_new(&event);
    aloop_future *forgotten = aloop_event_wait(event);
    aloop_unref(forgotten); /* wrong: it has not even begun to wait */
    aloop_unref(event);
    return rc;
}

static void report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)data;
    const char *message = aloop_exception_context_message(context);
    const char *time = strstr(message, " took ");
    const int length = time != NULL ? (int)(time - message) : (int)strlen(message);
    printf("%.*s%s\n", length, message, time != NULL ? " took too long" : "");
}

int main(void) {
    aloop_loop_options *options = aloop_loop_options_new();
    aloop_loop_options_set_debug(options, 1);
    aloop_runner *runner = NULL;
    int64_t rc = aloop_runner_new(&runner, options);
    aloop_unref(options);
    if (rc < 0) return 1;
    aloop_loop *loop = aloop_runner_get_loop(runner);
    aloop_loop_set_slow_callback_duration(loop, 0.5); /* by default 0.1 s */
    aloop_loop_set_exception_handler(loop, report, NULL, NULL);
    rc = aloop_runner_run(runner, run, NULL, NULL);
    aloop_runner_close(runner);
    aloop_unref(runner);
    return rc < 0;
}
