/*
 * Three orders for a queue: first in first out, last in first out, and by
 * priority, lowest first. And what an empty and a full one say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

struct entry {
    int priority;
    const char *data;
};

static int64_t by_priority(const void *a, const void *b, void *data) {
    (void)data;
    return ((const struct entry *)a)->priority - ((const struct entry *)b)->priority;
}

static int64_t fill_and_drain(const char *label, int32_t kind) {
    static struct entry entries[] = {{3, "tea"}, {1, "fire"}, {2, "door"}};
    aloop_queue_options *options = aloop_queue_options_new();
    aloop_queue_options_set_kind(options, kind);
    aloop_queue_options_set_maxsize(options, 3);
    aloop_queue_options_set_compare(options, by_priority, NULL, NULL);
    aloop_queue *queue = NULL;
    int64_t rc = aloop_queue_new(&queue, options);
    aloop_unref(options);
    if (rc < 0) return rc;

    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = aloop_await(aloop_queue_put(queue, &entries[i]), NULL);
    printf("%s: %d items, one more: %s\n", label, (int)aloop_queue_qsize(queue),
           aloop_errname(aloop_queue_put_nowait(queue, &entries[0])));
    while (rc >= 0 && !aloop_queue_empty(queue)) {
        void *item = NULL;
        rc = aloop_await(aloop_queue_get(queue), &item);
        if (rc >= 0)
            printf("  %d %s\n", ((struct entry *)item)->priority, ((struct entry *)item)->data);
    }
    void *none = NULL;
    printf("  %s\n", aloop_errname(aloop_queue_get_nowait(queue, &none)));
    aloop_unref(queue);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    int64_t rc = fill_and_drain("FIFO", ALOOP_QUEUE_FIFO);
    if (rc >= 0) rc = fill_and_drain("LIFO", ALOOP_QUEUE_LIFO);
    if (rc >= 0) rc = fill_and_drain("priority", ALOOP_QUEUE_PRIORITY);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
