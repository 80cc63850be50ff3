/*
 * An async iterator of one's own: a state, and a next that awaits and then
 * gives the next value, or ALOOP_ESTOPITERATION.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct iterator {
    int counter;
};

static int64_t next(struct iterator *self) {
    if (self->counter >= 10) return ALOOP_ESTOPITERATION;
    self->counter++;
    int64_t rc = aloop_await(aloop_sleep(1), NULL); /* the work */
    return rc < 0 ? rc : self->counter;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    struct iterator items = {0};
    int64_t item;
    while ((item = next(&items)) >= 0) printf("%d\n", (int)item);
    return item == ALOOP_ESTOPITERATION ? 0 : item;
}

int main(void) { return aloop_main(run, NULL); }
