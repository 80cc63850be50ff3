/*
 * A loop that runs until it is told to stop, with callbacks alone, and what can
 * be asked of it: is it running, is it closed, which one is current.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static const char *yes(int64_t answer) { return answer ? "yes" : "no"; }

static int64_t hello(void *loop) {
    puts("Hello World");
    printf("running: %s, the running one: %s\n", yes(aloop_loop_is_running(loop)),
           yes(aloop_get_running_loop() == loop));
    return 0;
}

static int64_t stop(void *loop) {
    puts("stopping");
    return aloop_loop_stop(loop);
}

int main(void) {
    aloop_loop *loop = NULL;
    if (aloop_loop_new(&loop, NULL) < 0) return 1;
    aloop_set_event_loop(loop);
    printf("current: %s, running: %s\n", yes(aloop_get_event_loop() == loop),
           yes(aloop_loop_is_running(loop)));
    aloop_loop_call_later(loop, 2, stop, loop, NULL);
    aloop_loop_call_soon(loop, hello, loop, NULL);
    const int64_t rc = aloop_loop_run_forever(loop);
    printf("running: %s, closed: %s\n", yes(aloop_loop_is_running(loop)),
           yes(aloop_loop_is_closed(loop)));
    aloop_set_event_loop(NULL);
    aloop_loop_close(loop);
    printf("closed: %s\n", yes(aloop_loop_is_closed(loop)));
    aloop_loop_unref(loop);
    return rc < 0;
}
