/*
 * A future is the bridge from callbacks to coroutines: one side awaits it, the
 * other sets its result, from a callback, from a task, or as an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define NO_LUCK (ALOOP_EUSER - 1)

static int64_t on_timer(void *future) {
    return aloop_future_set_result(future, 0, "from a callback", NULL);
}

static int64_t set_after(void *future, void **value) {
    (void)value;
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    return aloop_future_set_result(future, 0, "from a task", NULL);
}

static int64_t on_failure(void *future) {
    aloop_error *error = aloop_error_new(NO_LUCK, "no luck", NULL);
    const int64_t rc = aloop_future_set_error(future, error);
    aloop_error_unref(error);
    return rc;
}

/* Awaits a future that somebody else sets. */
static int64_t show(aloop_future *future) {
    void *text = NULL;
    const int64_t rc = aloop_await(future, &text);
    if (rc >= 0)
        printf("result: %s\n", (char *)text);
    else
        printf("error: %s\n", aloop_error_message(aloop_last_error()));
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *future = aloop_loop_create_future(loop);
    aloop_loop_call_later(loop, 1, on_timer, future, NULL);
    int64_t rc = show(future);
    if (rc < 0) return rc;

    future = aloop_loop_create_future(loop);
    aloop_spawn(set_after, future);
    rc = show(future);
    if (rc < 0) return rc;

    future = aloop_loop_create_future(loop);
    aloop_loop_call_soon(loop, on_failure, future, NULL);
    rc = show(future);
    return rc == NO_LUCK ? 0 : rc;
}

int main(void) { return aloop_main(run, NULL); }
