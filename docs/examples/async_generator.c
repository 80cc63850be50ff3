/*
 * Async generators: a function that yields, and awaits in between. Its values
 * are taken one by one, or in a loop until ALOOP_ESTOPITERATION.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

/* delay: a double, the seconds before each value */
static int64_t generate(void *delay) {
    for (intptr_t i = 0; i < 10; i++) {
        int64_t rc = aloop_await(aloop_sleep(*(double *)delay), NULL);
        if (rc >= 0) rc = aloop_yield((void *)i);
        if (rc < 0) return rc; /* cancelled, or closed */
    }
    return 0;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    double none = 0, second = 1;
    void *item = NULL;

    aloop_generator *numbers = aloop_generator_new(generate, &none, NULL);
    for (int i = 0; i < 2; i++) {
        int64_t rc = aloop_await(aloop_generator_next(numbers), &item);
        if (rc >= 0) printf("%d\n", (int)(intptr_t)item);
    }
    int64_t rc = aloop_await(aloop_generator_aclose(numbers), NULL);
    aloop_unref(numbers);
    if (rc < 0) return rc;

    numbers = aloop_generator_new(generate, &second, NULL);
    while ((rc = aloop_await(aloop_generator_next(numbers), &item)) >= 0) {
        printf("%d\n", (int)(intptr_t)item);
    }
    aloop_unref(numbers);
    return rc == ALOOP_ESTOPITERATION ? 0 : rc;
}

int main(void) { return aloop_main(run, NULL); }
