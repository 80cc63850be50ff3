/*
 * A sleep can bring something along: its value goes to whoever awaits it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    void *result = NULL;
    int64_t rc = aloop_await(aloop_sleep_result(1, 0, "done", NULL), &result);
    if (rc < 0) return rc;
    puts(result);
    return 0;
}

int main(void) { return aloop_main(run, NULL); }
