/*
 * A function that blocks runs in a thread, and the loop goes on meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>
#include <unistd.h>

static int64_t blocking_task(void *arg, void **value) {
    (void)arg, (void)value;
    puts("Task starting");
    usleep(500000); /* or anything else that blocks */
    puts("Task done");
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    puts("Main running the blocking task");
    /* An operation starts when it is awaited; ensure_future makes it a task. */
    aloop_future *task = aloop_ensure_future(aloop_to_thread(blocking_task, NULL, NULL));
    puts("Main doing other things");
    int64_t rc = aloop_await(aloop_sleep(0), NULL); /* lets the task start */
    const int64_t done = aloop_await(task, NULL);
    return rc < 0 ? rc : done;
}

int main(void) { return aloop_main(run, NULL); }
