/*
 * items.h: tasks and items of the tests of queues: every item that is made is
 * counted, and is gone when its program has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_ITEMS_H
#define TESTS_UNIT_ITEMS_H

#include "trace.h"

#include <stdlib.h>

/* Items are numbers: counted when made and when freed. */
static int64_t made, freed;

static inline void *item(int64_t number) {
    int64_t *n = malloc(sizeof *n);
    *n = number;
    made++;
    return n;
}

static inline void free_item(void *n) {
    freed++;
    free(n);
}

static inline int64_t number_of(void *n) {
    const int64_t number = *(int64_t *)n;
    free_item(n);
    return number;
}

static inline int64_t by_number(const void *a, const void *b, void *data) {
    (void)data;
    const int64_t x = *(const int64_t *)a / 10, y = *(const int64_t *)b / 10;
    return x < y ? -1 : x > y; /* the last digit tells equal ones apart */
}

static inline aloop_queue *new_queue(int64_t maxsize, int32_t kind) {
    aloop_queue_options *options = aloop_queue_options_new();
    assert_non_null(options);
    assert_code(aloop_queue_options_set_maxsize(options, maxsize), 0);
    assert_code(aloop_queue_options_set_kind(options, kind), 0);
    assert_code(aloop_queue_options_set_item_free(options, free_item), 0);
    assert_code(aloop_queue_options_set_compare(options, by_number, NULL, NULL), 0);
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    return queue;
}

static inline aloop_queue *fifo(int64_t maxsize) { return new_queue(maxsize, ALOOP_QUEUE_FIFO); }

static inline void put_now(aloop_queue *q, int64_t number) {
    assert_code(aloop_queue_put_nowait(q, item(number)), 0);
}

static inline int64_t get_now(aloop_queue *q) {
    void *got = NULL;
    assert_code(aloop_queue_get_nowait(q, &got), 0);
    return number_of(got);
}

static inline int64_t get_item(aloop_queue *q) {
    void *got = NULL;
    const int64_t status = aloop_await(aloop_queue_get(q), &got);
    return status < 0 ? status : number_of(got);
}

/* Runs fn as a program of its own; afterwards every item is gone. */
static inline void in_program(aloop_coro_fn fn) {
    made = freed = 0;
    in_task(fn);
    assert_int_equal(made, freed);
}

struct actor {
    const char *name;
    aloop_queue *queue;
    int64_t n;     /* how many */
    int64_t first; /* the first number to put */
};

static inline aloop_task *go(aloop_coro_fn fn, struct actor *a) { return aloop_create_task(fn, a); }

static inline int64_t ended(aloop_task *task) { return aloop_await(task, NULL); }

/* The text of what the last await failed with. */
static inline void assert_message(const char *text) {
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
}

static inline void cancel(aloop_task *task) { assert_code(aloop_task_cancel(task, NULL), 1); }

static inline int64_t getter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n && status >= 0; i++) {
        status = get_item(a->queue);
        note_end(a->name, status);
    }
    return status;
}

static inline int64_t putter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n && status >= 0; i++) {
        status = aloop_await(aloop_queue_put(a->queue, item(a->first + i)), NULL);
        note_end(a->name, status < 0 ? status : a->first + i);
    }
    return status;
}

static inline int64_t joiner(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_queue_join(a->queue), NULL);
    note_end(a->name, status);
    return status;
}

#endif
