/*
 * [item async for item in generator()]: everything that a generator gives, as
 * a list; and the same with a condition, as a loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

static int64_t generate(void *arg) {
    (void)arg;
    for (intptr_t i = 0; i < 10; i++) {
        int64_t rc = aloop_await(aloop_sleep(1), NULL);
        if (rc >= 0) rc = aloop_yield((void *)i);
        if (rc < 0) return rc;
    }
    return 0;
}

static int64_t print_all(void) {
    aloop_generator *items = aloop_generator_new(generate, NULL, NULL);
    aloop_results *list = NULL;
    int64_t rc = aloop_await(aloop_generator_collect(items), (void **)&list);
    aloop_unref(items);
    if (rc < 0) return rc;
    printf("[");
    for (int64_t i = 0; i < aloop_results_count(list); i++) {
        printf("%s%d", i > 0 ? ", " : "", (int)(intptr_t)aloop_results_value(list, i));
    }
    puts("]");
    aloop_results_unref(list);
    return 0;
}

static int64_t print_even(void) {
    aloop_generator *items = aloop_generator_new(generate, NULL, NULL);
    void *item = NULL;
    int64_t rc;
    const char *separator = "[";
    while ((rc = aloop_await(aloop_generator_next(items), &item)) >= 0) {
        if ((intptr_t)item % 2 != 0) continue;
        printf("%s%d", separator, (int)(intptr_t)item);
        separator = ", ";
    }
    puts("]");
    aloop_unref(items);
    return rc == ALOOP_ESTOPITERATION ? 0 : rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = print_all();
    return rc < 0 ? rc : print_even();
}

int main(void) { return aloop_main(run, NULL); }
