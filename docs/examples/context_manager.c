/*
 * async with for C: what is entered is left at the end of the block, however
 * that ends, and both may await.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t leave(void *data) {
    (void)data;
    puts(">exiting the context manager");
    return aloop_await(aloop_sleep(0.5), NULL);
}

static int64_t enter(aloop_exit_stack *scope) {
    puts(">entering the context manager");
    int64_t rc = aloop_await(aloop_sleep(0.5), NULL);
    return rc < 0 ? rc : aloop_exit_stack_callback(scope, leave, NULL);
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    ALOOP_SCOPE(scope); /* closed wherever this function returns */
    int64_t rc = enter(scope);
    if (rc < 0) return rc;
    puts("within the manager");
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
