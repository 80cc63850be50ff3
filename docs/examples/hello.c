/*
 * The smallest program: sleeps for a second without holding anybody up, and
 * prints hello.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc; /* cancelled by Ctrl-C */
    puts("hello");
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
