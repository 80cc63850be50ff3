/*
 * A generator without an end: counts on each DELAY seconds until Ctrl-C.
 *
 *     counter [DELAY [HOW_MANY]]
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t acounter(void *delay) {
    for (intptr_t c = 1;; c++) {
        int64_t rc = aloop_await(aloop_sleep(*(double *)delay), NULL);
        if (rc >= 0) rc = aloop_yield((void *)c);
        if (rc < 0) return rc;
    }
}

struct settings {
    double delay;
    int how_many; /* 0: no end */
};

static int64_t run(void *arg, void **value) {
    (void)value;
    struct settings *settings = arg;
    aloop_generator *counter = aloop_generator_new(acounter, &settings->delay, NULL);
    int64_t rc = 0;
    for (int i = 0; rc >= 0 && (settings->how_many == 0 || i < settings->how_many); i++) {
        void *c = NULL;
        rc = aloop_await(aloop_generator_next(counter), &c);
        if (rc >= 0) printf("%d\n", (int)(intptr_t)c);
    }
    aloop_unref(counter); /* what is left of it the loop closes */
    return rc;
}

int main(int argc, char **argv) {
    struct settings settings = {argc > 1 ? atof(argv[1]) : 1, argc > 2 ? atoi(argv[2]) : 0};
    const int64_t rc = aloop_run(run, &settings, NULL);
    return rc == -EINTR ? 130 : rc < 0;
}
