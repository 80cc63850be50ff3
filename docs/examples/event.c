/*
 * One task waits for an event that another one sets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t listener(void *event, void **value) {
    (void)value;
    puts("Waiting for event");
    int64_t rc = aloop_await(aloop_event_wait(event), NULL);
    if (rc < 0) return rc;
    puts("Event processed");
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *myevent = NULL;
    int64_t rc = aloop_event_new(&myevent);
    if (rc < 0) return rc;
    aloop_task *handler = aloop_create_task(listener, myevent);
    rc = aloop_await(aloop_sleep(1), NULL);
    aloop_event_set(myevent);
    const int64_t processed = aloop_await(handler, NULL); /* until that is done */
    aloop_unref(myevent);
    return rc < 0 ? rc : processed;
}

int main(void) { return aloop_main(run, NULL); }
