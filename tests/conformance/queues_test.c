/*
 * Queues: the statements of 1.9.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#include "../unit/items.h"

static int64_t put(aloop_queue *q, int64_t number) {
    return aloop_await(aloop_queue_put(q, item(number)), NULL);
}

static int64_t put_nowait(aloop_queue *q, int64_t number) {
    void *it = item(number);
    const int64_t status = aloop_queue_put_nowait(q, it);
    if (status < 0) free_item(it);
    return status;
}

static int64_t get_nowait(aloop_queue *q) {
    void *got = NULL;
    const int64_t status = aloop_queue_get_nowait(q, &got);
    return status < 0 ? status : number_of(got);
}

/* 1.9 Queue: maxsize <= 0 is unbounded; qsize, empty, full, maxsize; full() never
 * true if unbounded. */
TEST(sizes) {
    for (int64_t maxsize = -1; maxsize <= 2; maxsize++) {
        aloop_queue *q = fifo(maxsize);
        assert_code(aloop_queue_maxsize(q), maxsize > 0 ? maxsize : 0);
        assert_code(aloop_queue_empty(q), 1);
        assert_code(aloop_queue_full(q), 0);
        for (int64_t n = 1; n <= 2; n++) {
            if (maxsize != 1 || n == 1) put_now(q, n);
            assert_code(aloop_queue_full(q), maxsize == n || maxsize == 1);
        }
        assert_code(aloop_queue_qsize(q), maxsize == 1 ? 1 : 2);
        assert_code(aloop_queue_empty(q), 0);
        aloop_unref(q);
    }
    return 0;
}

/* 1.9 LifoQueue, PriorityQueue: last first, lowest first. */
TEST(orders) {
    static const int64_t out[3][3] = {{20, 30, 10}, {10, 30, 20}, {10, 20, 30}};
    for (int32_t kind = ALOOP_QUEUE_FIFO; kind <= ALOOP_QUEUE_PRIORITY; kind++) {
        aloop_queue *q = new_queue(0, kind);
        put_now(q, 20);
        put_now(q, 30);
        put_now(q, 10);
        for (int i = 0; i < 3; i++) assert_code(get_now(q), out[kind][i]);
        aloop_unref(q);
    }
    return 0;
}

/* 1.9 put: waits while it is full, woken FIFO; put_nowait: QueueFull. */
TEST(put_waits_for_room) {
    aloop_queue *q = fifo(1);
    struct actor a = {"a", q, 1, 2}, b = {"b", q, 1, 3};
    assert_code(put(q, 1), 0);
    note("at once");
    assert_code(put_nowait(q, 9), ALOOP_EQUEUEFULL);
    aloop_task *first = go(putter, &a), *second = go(putter, &b);
    let_run(2);
    for (int64_t n = 1; n < 4; n++) {
        assert_code(get_now(q), n);
        let_run(2);
    }
    assert_code(ended(first), 0);
    assert_code(ended(second), 0);
    assert_trace("at once@0 a:2@3 b:3@5 ");
    aloop_unref(q);
    return 0;
}

/* 1.9 get: waits while it is empty, woken FIFO; get_nowait: QueueEmpty. */
TEST(get_waits_for_an_item) {
    aloop_queue *q = fifo(0);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
    assert_code(get_nowait(q), ALOOP_EQUEUEEMPTY);
    aloop_task *first = go(getter, &a), *second = go(getter, &b);
    let_run(1);
    begin_trace();
    put_now(q, 1);
    put_now(q, 2);
    assert_code(ended(first), 1);
    assert_code(ended(second), 2);
    assert_trace("a:1@1 b:2@1 ");
    put_now(q, 3);
    assert_code(get_item(q), 3);
    note("at once");
    assert_trace("a:1@1 b:2@1 at once@2 ");
    aloop_unref(q);
    return 0;
}

/* 1.9 get: the wake is a hint: a faster get_nowait steals the item, and the woken
 * getter waits again, at the tail. */
TEST(item_is_stolen) {
    aloop_queue *q = fifo(0);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
    aloop_task *first = go(getter, &a), *second = go(getter, &b);
    let_run(1);
    put_now(q, 1);
    assert_code(aloop_queue_qsize(q), 1); /* until the getter runs */
    assert_code(get_now(q), 1);
    let_run(2);
    put_now(q, 2);
    put_now(q, 3);
    assert_code(ended(first), 3);
    assert_code(ended(second), 2);
    aloop_unref(q);
    return 0;
}

/* 1.9 Cancellation: a getter cancelled after it was woken wakes the next one. */
TEST(getter_is_cancelled) {
    aloop_queue *q = fifo(0);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
    aloop_task *first = go(getter, &a), *second = go(getter, &b);
    let_run(1);
    begin_trace();
    put_now(q, 1);
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 1);
    assert_trace("a:ECANCELED@1 b:1@2 ");
    aloop_unref(q);
    return 0;
}

/* 1.9 Cancellation: a putter cancelled after it was woken wakes the next one. */
TEST(putter_is_cancelled) {
    aloop_queue *q = fifo(1);
    put_now(q, 1);
    struct actor a = {"a", q, 1, 2}, b = {"b", q, 1, 3};
    aloop_task *first = go(putter, &a), *second = go(putter, &b);
    let_run(1);
    begin_trace();
    assert_code(get_now(q), 1);
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    assert_trace("a:ECANCELED@1 b:3@2 ");
    assert_code(get_now(q), 3);
    aloop_unref(q);
    return 0;
}

static int64_t done_once_more(void *q, void **value UNUSED) { return aloop_queue_task_done(q); }

/* 1.9 task_done: `task_done() called too many times`. */
TEST(done_too_often) {
    aloop_queue *q = fifo(0);
    put_now(q, 1);
    assert_code(outcome(aloop_create_task(done_once_more, q)), 0);
    assert_code(outcome(aloop_create_task(done_once_more, q)), ALOOP_EINVAL);
    assert_last_message("task_done() called too many times");
    aloop_unref(q);
    return 0;
}

/* 1.9 join: at once if nothing is unfinished, else when the last one is done. */
TEST(join_waits_for_the_last) {
    aloop_queue *q = fifo(0);
    assert_code(aloop_await(aloop_queue_join(q), NULL), 0);
    note("at once");
    put_now(q, 1);
    put_now(q, 2);
    struct actor a = {"a", q, 0, 0};
    aloop_task *task = go(joiner, &a);
    let_run(1);
    get_now(q);
    get_now(q);
    assert_code(aloop_queue_task_done(q), 0);
    let_run(2);
    assert_code(aloop_queue_task_done(q), 0);
    assert_code(ended(task), 0);
    assert_trace("at once@0 a:0@4 ");
    aloop_unref(q);
    return 0;
}

/* 1.9 shutdown: put and put_nowait fail, those that wait are woken to fail; gets
 * take what is left and then fail, get_nowait too, instead of QueueEmpty. */
TEST(shutdown_ends_puts) {
    aloop_queue *q = fifo(1);
    put_now(q, 1);
    struct actor a = {"a", q, 1, 2};
    aloop_task *task = go(putter, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_queue_shutdown(q, 0), 0);
    assert_code(put_nowait(q, 3), ALOOP_EQUEUESHUTDOWN);
    assert_code(put(q, 3), ALOOP_EQUEUESHUTDOWN);
    assert_code(ended(task), ALOOP_EQUEUESHUTDOWN);
    assert_trace("a:EQUEUESHUTDOWN@1 ");
    assert_code(get_item(q), 1);
    assert_code(get_item(q), ALOOP_EQUEUESHUTDOWN);
    assert_code(get_nowait(q), ALOOP_EQUEUESHUTDOWN);
    aloop_unref(q);
    return 0;
}

/* 1.9 shutdown: getters that wait are woken. */
TEST(shutdown_ends_gets) {
    aloop_queue *q = fifo(1);
    struct actor a = {"a", q, 1, 0};
    aloop_task *task = go(getter, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_queue_shutdown(q, 0), 0);
    assert_code(ended(task), ALOOP_EQUEUESHUTDOWN);
    assert_trace("a:EQUEUESHUTDOWN@1 ");
    aloop_unref(q);
    return 0;
}

/* 1.9 shutdown(immediate): items go and count as done; join ends only if that
 * leaves nothing. */
TEST(shutdown_drops_items) {
    for (int64_t taken = 0; taken < 2; taken++) {
        aloop_queue *q = fifo(0);
        put_now(q, 1);
        put_now(q, 2);
        struct actor a = {"a", q, 0, 0};
        aloop_task *task = go(joiner, &a);
        let_run(1);
        for (int64_t i = 0; i < taken; i++) get_now(q);
        begin_trace();
        assert_code(aloop_queue_shutdown(q, 1), 0);
        assert_code(aloop_queue_qsize(q), 0);
        assert_code(get_nowait(q), ALOOP_EQUEUESHUTDOWN);
        let_run(2);
        for (int64_t i = 0; i < taken; i++) assert_code(aloop_queue_task_done(q), 0);
        assert_code(ended(task), 0);
        assert_trace(taken ? "a:0@3 " : "a:0@1 ");
        aloop_unref(q);
    }
    return 0;
}

/* 1.9 Hooks: what asyncio's subclasses override is here the order of a priority
 * queue: any that the program likes. */
static int64_t odd_first(const void *a, const void *b, void *data UNUSED) {
    return *(const int64_t *)b % 2 - *(const int64_t *)a % 2;
}

TEST(order_of_the_programs_own) {
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_kind(options, ALOOP_QUEUE_PRIORITY), 0);
    assert_code(aloop_queue_options_set_compare(options, odd_first, NULL, NULL), 0);
    assert_code(aloop_queue_options_set_item_free(options, free_item), 0);
    aloop_queue *q = NULL;
    assert_code(aloop_queue_new(&q, options), 0);
    aloop_unref(options);
    for (int64_t n = 1; n < 6; n++) put_now(q, n);
    static const int64_t out[] = {1, 3, 5, 2, 4};
    for (int i = 0; i < 5; i++) assert_code(get_now(q), out[i]);
    aloop_unref(q);
    return 0;
}

SUITE(CASE(sizes), CASE(orders), CASE(put_waits_for_room), CASE(get_waits_for_an_item),
      CASE(item_is_stolen), CASE(getter_is_cancelled), CASE(putter_is_cancelled),
      CASE(done_too_often), CASE(join_waits_for_the_last), CASE(shutdown_ends_puts),
      CASE(shutdown_ends_gets), CASE(shutdown_drops_items), CASE(order_of_the_programs_own))
