/*
 * fibers.c: stackful tasks of C that are busy on the loop of a C# test, while managed
 * callbacks run beside them and the collector runs in another thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdatomic.h>
#include <string.h>

static atomic_llong g_switches;
static atomic_int g_stop;

/* Fills some of its stack, and looks whether it is as it was after each switch. */
static int64_t busy(void *arg, void **value) {
    (void)value;
    unsigned char own[2048];
    const int mark = (int)(intptr_t)arg;
    memset(own, mark, sizeof own);
    while (!atomic_load(&g_stop)) {
        const int64_t rc = aloop_await(aloop_sleep(mark % 8 == 0 ? 0.0005 : 0), NULL);
        if (rc < 0) return rc;
        for (size_t i = 0; i < sizeof own; i++) {
            if (own[i] != (unsigned char)mark) return ALOOP_EUSER - 1;
        }
        atomic_fetch_add(&g_switches, 1);
    }
    return 0;
}

/* Begins n of them on the running loop: a gather of all, which the caller awaits. */
ALOOP_API aloop_future *fibers_start(int32_t n) {
    aloop_future *all[64];
    if (n < 1 || n > 64) return NULL;
    atomic_store(&g_stop, 0);
    for (int32_t i = 0; i < n; i++) all[i] = aloop_create_task(busy, (void *)(intptr_t)(i + 1));
    return aloop_gather(all, n, 0);
}

ALOOP_API void fibers_stop(void) { atomic_store(&g_stop, 1); }

ALOOP_API int64_t fibers_switches(void) { return atomic_load(&g_switches); }
