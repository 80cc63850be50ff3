/*
 * A coroutine is a C function of one type, aloop_coro_fn. Called from another
 * coroutine it runs right there, sleeps included: that is `await coro()`. Its
 * return value is the status, and what it stores in *value its result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t custom_coro(void *arg, void **value) {
    (void)arg;
    puts("hello from async world");
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    *value = "RESULT";
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    /* Naming it, or making an operation, runs nothing yet. */
    aloop_coro_fn coro = custom_coro;
    aloop_future *unstarted = aloop_sleep(1000);

    void *result = NULL;
    int64_t rc = coro(NULL, &result);
    aloop_unref(unstarted); /* never awaited: it never began */
    if (rc < 0) return rc;
    puts(result);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
