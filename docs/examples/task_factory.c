/*
 * A task factory makes every task of a loop: this one counts them and gives
 * each a name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static aloop_task *make_task(aloop_loop *loop, aloop_task_options *options, void *data) {
    char name[32];
    snprintf(name, sizeof name, "job-%d", ++*(int *)data);
    printf("making %s\n", name);
    aloop_task_options_set_name(options, name);
    return aloop_task_new(loop, options);
}

static int64_t work(void *arg, void **value) {
    (void)arg, (void)value;
    char name[32];
    aloop_task_get_name(aloop_current_task(NULL), name, sizeof name);
    printf("%s at work\n", name);
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int made = 0;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_loop_set_task_factory(loop, make_task, &made, NULL);
    printf("is ours: %d\n", aloop_loop_get_task_factory(loop) == make_task);
    int64_t rc = aloop_await(
        ALOOP_GATHER(0, aloop_create_task(work, NULL), aloop_create_task(work, NULL)), NULL);
    aloop_loop_set_task_factory(loop, NULL, NULL, NULL); /* made goes out of scope */
    if (rc >= 0) rc = aloop_await(aloop_create_task(work, NULL), NULL);
    printf("tasks made: %d\n", made);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
