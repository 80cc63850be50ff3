/*
 * What gather makes of failures: the first one ends it, and the others go on;
 * with ALOOP_RETURN_EXCEPTIONS failures are results; and cancelling the gather
 * cancels all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

#define OUT_OF_ORDER (ALOOP_EUSER - 1)

static int64_t good(void *arg, void **value) {
    int64_t rc = aloop_await(aloop_sleep(2), NULL);
    if (rc < 0) {
        printf("%s: %s\n", (char *)arg, aloop_strerror(rc));
        return rc;
    }
    printf("%s: finished\n", (char *)arg);
    *value = arg;
    return 0;
}

static int64_t bad(void *arg, void **value) {
    (void)value;
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc < 0) return rc;
    return aloop_raise(OUT_OF_ORDER, "%s is out of order", (char *)arg);
}

static int64_t first_error(void) {
    aloop_future *both = ALOOP_GATHER(0, aloop_create_task(good, "A"), aloop_create_task(bad, "B"));
    int64_t rc = aloop_await(both, NULL);
    if (rc != OUT_OF_ORDER) return rc;
    printf("gather failed: %s\n", aloop_error_message(aloop_last_error()));
    return aloop_await(aloop_sleep(2), NULL); /* A is still at work */
}

static int64_t errors_as_results(void) {
    aloop_results *results = NULL;
    aloop_future *both = ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, aloop_create_task(good, "C"),
                                      aloop_create_task(bad, "D"));
    int64_t rc = aloop_await(both, (void **)&results);
    if (rc < 0) return rc;
    for (int i = 0; i < aloop_results_count(results); i++) {
        const aloop_error *error = aloop_results_error(results, i);
        printf("%d: %s\n", i,
               error != NULL ? aloop_error_message(error)
                             : (const char *)aloop_results_value(results, i));
    }
    aloop_results_unref(results);
    return 0;
}

static int64_t cancelled_gather(void) {
    aloop_future *both =
        ALOOP_GATHER(0, aloop_create_task(good, "E"), aloop_create_task(good, "F"));
    int64_t rc = aloop_await(aloop_sleep(1), NULL);
    if (rc >= 0) {
        printf("cancelling: %d\n", (int)aloop_future_cancel(both, NULL));
        rc = aloop_await(aloop_ref(both), NULL);
        printf("gather: %s\n", aloop_errname(rc));
    }
    aloop_unref(both);
    return rc == ALOOP_ECANCELED ? 0 : rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = first_error();
    if (rc >= 0) rc = errors_as_results();
    if (rc >= 0) rc = cancelled_gather();
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
