/*
 * Coroutines that call each other, one of them with several arguments (they
 * travel in a struct), and a result that leaves the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct numbers {
    int a, b, c;
};

static int64_t work(void *arg, void **value) {
    (void)arg;
    *value = "done";
    return 0;
}

/* A status of zero or more is a result as well. */
static int64_t add(void *arg, void **value) {
    (void)value;
    const struct numbers *n = arg;
    return n->a + n->b + n->c;
}

static int64_t run(void *arg, void **value) {
    void *result = NULL;
    int64_t rc = work(NULL, &result);
    if (rc < 0) return rc;
    puts(result);
    return add(arg, value);
}

int main(void) {
    struct numbers numbers = {1, 2, 3};
    const int64_t rc = aloop_run(run, &numbers, NULL);
    if (rc < 0) return 1;
    printf("%d\n", (int)rc);
    return 0;
}
