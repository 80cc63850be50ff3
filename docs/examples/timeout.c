/*
 * A limit for a whole block of awaits, which may be moved while it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <math.h>
#include <stdio.h>

static int64_t two_steps(double each) {
    int64_t rc = aloop_await(aloop_sleep(each), NULL);
    if (rc < 0) return rc;
    puts("first step done");
    rc = aloop_await(aloop_sleep(each), NULL);
    if (rc < 0) return rc;
    puts("second step done");
    return 0;
}

static int64_t limited(double each, double limit) {
    aloop_timeout *timeout = NULL;
    int64_t rc = aloop_timeout_enter(&timeout, limit);
    if (rc < 0) return rc;
    rc = aloop_timeout_exit(timeout, two_steps(each));
    printf("%s, expired: %d\n", aloop_errname(rc), (int)aloop_timeout_expired(timeout));
    aloop_unref(timeout);
    return rc == ALOOP_ETIMEDOUT ? 0 : rc;
}

/* The limit is known only later. */
static int64_t rescheduled(void) {
    aloop_timeout *timeout = NULL;
    int64_t rc = aloop_timeout_at(&timeout, INFINITY);
    if (rc < 0) return rc;
    const double now = aloop_loop_time(aloop_get_running_loop());
    aloop_timeout_reschedule(timeout, now + 1.5);
    rc = aloop_timeout_exit(timeout, two_steps(1));
    printf("rescheduled: %s\n", aloop_errname(rc));
    aloop_unref(timeout);
    return rc == ALOOP_ETIMEDOUT ? 0 : rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = limited(1, 3);
    if (rc >= 0) rc = limited(1, 1.5);
    if (rc >= 0) rc = rescheduled();
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
