/*
 * queue.h: queues of all three kinds.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

/* Order and size ------------------------------------------------------------------------- */

static int64_t order_of_each_kind(void *arg, void **value) {
    (void)arg, (void)value;
    static const int64_t in[] = {31, 12, 23, 14, 35, 16};
    static const int64_t out[3][6] = {{31, 12, 23, 14, 35, 16},
                                      {16, 35, 14, 23, 12, 31},
                                      {12, 14, 16, 23, 31, 35}};
    for (int32_t kind = ALOOP_QUEUE_FIFO; kind <= ALOOP_QUEUE_PRIORITY; kind++) {
        aloop_queue *q = new_queue(0, kind);
        for (int i = 0; i < 6; i++) put_now(q, in[i]);
        for (int i = 0; i < 6; i++) assert_int_equal(get_now(q), out[kind][i]);
        assert_code(aloop_queue_empty(q), 1);
        aloop_unref(q);
    }
    return 0;
}

/* Many, growing and wrapping around, against a plain model of each kind. */
static int64_t order_of_many(void *arg, void **value) {
    (void)arg, (void)value;
    for (int32_t kind = ALOOP_QUEUE_FIFO; kind <= ALOOP_QUEUE_PRIORITY; kind++) {
        aloop_queue *q = new_queue(0, kind);
        int64_t model[300];
        int64_t n = 0;
        uint64_t random = 12345;
        for (int64_t turn = 0; turn < 3000; turn++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const bool grow = turn < 1500;
            if (n < 300 && (n == 0 || (random >> 60) < (grow ? 11u : 5u))) {
                model[n] = (int64_t)((random >> 40) % 8) * 10000000 + turn;
                put_now(q, model[n++]);
                continue;
            }
            int64_t at = kind == ALOOP_QUEUE_LIFO ? n - 1 : 0;
            for (int64_t i = 0; kind == ALOOP_QUEUE_PRIORITY && i < n; i++) {
                if (model[i] / 10 < model[at] / 10) at = i;
            }
            assert_int_equal(get_now(q), model[at]);
            for (int64_t i = at; i + 1 < n; i++) model[i] = model[i + 1];
            n--;
            assert_code(aloop_queue_qsize(q), n);
        }
        aloop_unref(q); /* frees what is left */
    }
    return 0;
}

static int64_t size_and_limits(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(2);
    void *got = NULL;
    assert_code(aloop_queue_maxsize(q), 2);
    assert_code(aloop_queue_empty(q), 1);
    assert_code(aloop_queue_get_nowait(q, &got), ALOOP_EQUEUEEMPTY);
    put_now(q, 1);
    assert_code(aloop_queue_full(q), 0);
    put_now(q, 2);
    assert_code(aloop_queue_full(q), 1);
    assert_code(aloop_queue_empty(q), 0);
    assert_code(aloop_queue_qsize(q), 2);
    void *third = item(3);
    assert_code(aloop_queue_put_nowait(q, third), ALOOP_EQUEUEFULL);
    assert_int_equal(number_of(third), 3); /* it stayed the caller's */
    assert_int_equal(get_now(q), 1);
    aloop_unref(q);

    aloop_queue *endless = fifo(-5);
    assert_code(aloop_queue_maxsize(endless), 0);
    for (int i = 0; i < 100; i++) put_now(endless, i);
    assert_code(aloop_queue_full(endless), 0);
    aloop_unref(endless);
    return 0;
}

static int64_t null_is_an_item(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = NULL;
    assert_code(aloop_queue_new(&q, NULL), 0);
    int x = 0;
    assert_code(aloop_queue_put_nowait(q, NULL), 0);
    assert_code(aloop_queue_put_nowait(q, &x), 0);
    void *got = &x;
    assert_code(aloop_await(aloop_queue_get(q), &got), 0);
    assert_null(got);
    assert_code(aloop_queue_get_nowait(q, &got), 0);
    assert_ptr_equal(got, &x);
    assert_code(aloop_queue_put_nowait(q, NULL), 0);
    aloop_unref(q);
    aloop_queue *freeing = fifo(0);
    assert_code(aloop_queue_put_nowait(freeing, NULL), 0);
    aloop_unref(freeing);
    return 0;
}

static void test_order_and_size(void **state) {
    (void)state;
    in_program(order_of_each_kind);
    in_program(order_of_many);
    in_program(size_and_limits);
    in_program(null_is_an_item);
}

/* Waiting ---------------------------------------------------------------------------------- */

static int64_t one_at_a_time(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    begin_trace();
    struct actor g = {"g", q, 3, 0}, p = {"p", q, 3, 1};
    aloop_task *tasks[] = {go(getter, &g), go(putter, &p)};
    assert_code(ended(tasks[0]), 3);
    assert_code(ended(tasks[1]), 0);
    assert_trace("p:1@1 g:1@2 p:2@3 g:2@4 p:3@5 g:3@6 ");
    aloop_unref(q);
    return 0;
}

/* A wake is a hint: what is put can be taken before the woken getter runs, and
 * that one waits again, at the end of the line. */
static int64_t wake_is_a_hint(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
    aloop_task *tasks[] = {go(getter, &a), go(getter, &b)};
    let_run(1);
    begin_trace();
    put_now(q, 1);
    note_end("steal", get_now(q));
    put_now(q, 2);
    let_run(2);
    put_now(q, 3);
    assert_code(ended(tasks[0]), 2);
    assert_code(ended(tasks[1]), 3);
    assert_trace("steal:1@0 a:2@1 b:3@3 ");
    aloop_unref(q);
    return 0;
}

static int64_t getter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        aloop_queue *q = fifo(0);
        struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
        aloop_task *first = go(getter, &a), *second = go(getter, &b);
        let_run(1);
        assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_GETTERS), 2);
        begin_trace();
        if (woken) put_now(q, 1);
        assert_code(aloop_task_cancel(first, "enough"), 1);
        assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_GETTERS), 1);
        if (!woken) put_now(q, 1);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
        assert_code(ended(second), 1); /* not lost */
        assert_trace(woken ? "a:ECANCELED@1 b:1@2 " : "a:ECANCELED@1 b:1@1 ");
        aloop_unref(q);
    }
    return 0;
}

static int64_t putter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        aloop_queue *q = fifo(1);
        put_now(q, 0);
        struct actor a = {"a", q, 1, 1}, b = {"b", q, 1, 2};
        aloop_task *first = go(putter, &a), *second = go(putter, &b);
        let_run(1);
        assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_PUTTERS), 2);
        begin_trace();
        if (woken) assert_int_equal(get_now(q), 0);
        cancel(first);
        if (!woken) assert_int_equal(get_now(q), 0);
        const int64_t before = freed;
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_int_equal(freed, before + 1); /* its item */
        assert_code(ended(second), 0);
        assert_trace(woken ? "a:ECANCELED@1 b:2@2 " : "a:ECANCELED@1 b:2@1 ");
        assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_PUTTERS), 0);
        assert_int_equal(get_now(q), 2);
        aloop_unref(q);
    }
    return 0;
}

/* Timeouts lose no item: the get's, and one that comes in the same iteration. */
static int64_t get_timed_out(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    void *got = NULL;
    assert_code(aloop_await(aloop_wait_for(aloop_queue_get(q), 0.5), &got), ALOOP_ETIMEDOUT);
    put_now(q, 1);
    assert_code(aloop_await(aloop_wait_for(aloop_queue_get(q), 0.5), &got), 0);
    assert_int_equal(number_of(got), 1);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_GETTERS), 0);
    struct actor p = {"p", q, 1, 5};
    aloop_timeout *limit = NULL;
    assert_code(aloop_timeout_enter(&limit, 1), 0);
    aloop_future *get = aloop_queue_get(q);
    aloop_loop *loop = aloop_get_running_loop();
    assert_true(aloop_loop_call_later(loop, 1, count_call, &p.n, NULL) > 0);
    int64_t status = aloop_await(get, &got);
    status = aloop_timeout_exit(limit, status);
    aloop_unref(limit);
    assert_code(status, ALOOP_ETIMEDOUT);
    assert_code(aloop_queue_empty(q), 1);
    aloop_unref(q);
    return 0;
}

/* In a gather a get is a task of its own; what it got for nobody is freed. */
static int64_t combined(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    put_now(q, 1);
    void *list = NULL;
    assert_code(aloop_await(ALOOP_GATHER(0, aloop_queue_get(q), aloop_queue_put(q, item(2)),
                                         aloop_queue_get(q)), &list), 3);
    assert_int_equal(number_of(aloop_results_take(list, 0)), 1);
    assert_int_equal(*(int64_t *)aloop_results_value(list, 2), 2);
    aloop_results_unref(list);
    put_now(q, 3);
    assert_code(aloop_await(aloop_queue_get(q), NULL), 0); /* no place for it */
    let_run(1);
    assert_int_equal(made, freed);
    aloop_unref(q);
    return 0;
}

/* asyncio's test_maxsize. */
static int64_t putter_stops_when_full(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(2);
    struct actor p = {"p", q, 3, 0};
    begin_trace();
    aloop_task *task = go(putter, &p);
    let_run(2);
    assert_trace("p:0@1 p:1@1 ");
    assert_int_equal(get_item(q), 0);
    let_run(1);
    assert_trace("p:0@1 p:1@1 p:2@3 ");
    assert_int_equal(get_item(q), 1);
    assert_int_equal(get_item(q), 2);
    assert_code(ended(task), 0);
    aloop_unref(q);
    return 0;
}

static int64_t takes_all_there_is(void *queue, void **value) {
    (void)value;
    let_run(1);
    for (int64_t n = aloop_queue_qsize(queue); n > 0; n--) get_now(queue);
    return 0;
}

/* asyncio's test_why_are_putters_waiting: each get wakes one. */
static int64_t every_get_wakes_a_putter(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(2);
    struct actor actors[4];
    aloop_task *tasks[5] = {aloop_create_task(takes_all_there_is, q)};
    for (int i = 0; i < 4; i++) {
        actors[i] = (struct actor){"p", q, 1, i};
        tasks[i + 1] = go(putter, &actors[i]);
    }
    for (int i = 0; i < 5; i++) assert_code(ended(tasks[i]), 0);
    assert_int_equal(get_now(q), 2);
    assert_int_equal(get_now(q), 3);
    aloop_unref(q);
    return 0;
}

/* asyncio's test_put_cancelled_race, and a second put after a cancelled one. */
static int64_t cancelled_put_leaves_no_trace(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    struct actor a = {"a", q, 1, 1}, b = {"b", q, 1, 2}, c = {"c", q, 1, 3};
    aloop_task *tasks[] = {go(putter, &a), go(putter, &b), go(putter, &c)};
    let_run(1);
    assert_code(aloop_future_done(tasks[0]), 1);
    assert_code(aloop_future_done(tasks[1]), 0);
    cancel(tasks[2]);
    let_run(1);
    assert_code(aloop_future_done(tasks[2]), 1);
    assert_int_equal(get_now(q), 1);
    let_run(1);
    assert_int_equal(get_now(q), 2);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), i < 2 ? 0 : ALOOP_ECANCELED);

    put_now(q, 4);
    aloop_task *late = go(putter, &a);
    let_run(1);
    assert_int_equal(get_now(q), 4); /* wakes it */
    cancel(late);
    assert_code(ended(late), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_queue_put(q, item(5)), NULL), 0);
    assert_int_equal(get_now(q), 5);
    assert_code(aloop_queue_empty(q), 1);
    aloop_unref(q);
    return 0;
}

/* asyncio's test_get_cancel_drop_one_pending_reader, ..._many_...: nothing that
 * was put before a cancellation is lost by it. */
static int64_t cancelled_gets_drop_nothing(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0}, c = {"c", q, 1, 0};
    aloop_task *tasks[] = {go(getter, &a), go(getter, &b), go(getter, &c)};
    let_run(1);
    put_now(q, 1);
    put_now(q, 2);
    cancel(tasks[0]);
    assert_code(ended(tasks[0]), ALOOP_ECANCELED);
    const int64_t third = ended(tasks[2]);
    assert_int_equal(third + ended(tasks[1]), 1 + 2);

    aloop_task *alone = go(getter, &a);
    let_run(1);
    put_now(q, 1);
    put_now(q, 2);
    cancel(alone);
    assert_code(ended(alone), ALOOP_ECANCELED);
    assert_int_equal(get_item(q), 1);
    assert_int_equal(get_item(q), 2);
    aloop_unref(q);
    return 0;
}

static void test_waiting(void **state) {
    (void)state;
    in_program(one_at_a_time);
    in_program(wake_is_a_hint);
    in_program(getter_cancelled);
    in_program(putter_cancelled);
    in_program(get_timed_out);
    in_program(combined);
    in_program(putter_stops_when_full);
    in_program(every_get_wakes_a_putter);
    in_program(cancelled_put_leaves_no_trace);
    in_program(cancelled_gets_drop_nothing);
}

/* Joining ---------------------------------------------------------------------------------- */

/* A program for each kind of queue, which is its argument. */
static void in_each_kind(aloop_coro_fn fn) {
    for (int32_t kind = ALOOP_QUEUE_FIFO; kind <= ALOOP_QUEUE_PRIORITY; kind++) {
        made = freed = 0;
        assert_code(run_virtual(fn, &kind, NULL), 0);
        assert_int_equal(made, freed);
    }
}

static int64_t worker(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    for (;;) {
        const int64_t number = get_item(a->queue);
        if (number < 0) return number;
        a->n += number;
        assert_code(aloop_queue_task_done(a->queue), 0);
    }
}

/* asyncio's test_task_done: two workers, a hundred items, join. */
static int64_t two_workers(void *arg, void **value) {
    (void)value;
    aloop_queue *q = new_queue(0, *(int32_t *)arg);
    for (int64_t i = 0; i < 100; i++) put_now(q, i);
    struct actor a = {"a", q, 0, 0}, b = {"b", q, 0, 0};
    aloop_task *tasks[] = {go(worker, &a), go(worker, &b)};
    assert_code(aloop_await(aloop_queue_join(q), NULL), 0);
    assert_int_equal(a.n + b.n, 99 * 100 / 2);
    for (int i = 0; i < 2; i++) {
        cancel(tasks[i]);
        assert_code(ended(tasks[i]), ALOOP_ECANCELED);
    }
    assert_code(aloop_await(aloop_queue_join(q), NULL), 0); /* twice, for insurance */
    aloop_unref(q);
    return 0;
}

static int64_t join(void *arg, void **value) {
    (void)value;
    aloop_queue *q = new_queue(0, *(int32_t *)arg);
    begin_trace();
    assert_code(aloop_await(aloop_queue_join(q), NULL), 0);
    note("empty");
    assert_trace("empty@0 ");
    assert_code(aloop_queue_task_done(q), ALOOP_EINVAL);
    put_now(q, 1);
    put_now(q, 2);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_UNFINISHED), 2);
    struct actor a = {"a", q, 0, 0}, b = {"b", q, 0, 0}, c = {"c", q, 0, 0};
    aloop_task *tasks[] = {go(joiner, &a), go(joiner, &b)};
    aloop_task *third = go(joiner, &c);
    let_run(1);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_JOINERS), 3);
    begin_trace();
    cancel(third);
    get_now(q);
    assert_code(aloop_queue_task_done(q), 0);
    let_run(2);
    get_now(q);
    assert_code(aloop_queue_task_done(q), 0);
    put_now(q, 3); /* too late to hold them */
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 0);
    assert_code(ended(third), ALOOP_ECANCELED);
    assert_trace("c:ECANCELED@1 a:0@3 b:0@3 ");
    aloop_unref(q);
    return 0;
}

static void test_join(void **state) {
    (void)state;
    in_each_kind(join);
    in_each_kind(two_workers);
}

/* Shutting down ------------------------------------------------------------------------------ */

static int64_t shutdown_lets_gets_drain(void *arg, void **value) {
    (void)value;
    aloop_queue *q = new_queue(1, *(int32_t *)arg);
    put_now(q, 0);
    struct actor a = {"a", q, 1, 1}, b = {"b", q, 1, 2};
    aloop_task *tasks[] = {go(putter, &a), go(putter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_queue_shutdown(q, 0), 0);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_SHUTDOWN), 1);
    assert_code(ended(tasks[0]), ALOOP_EQUEUESHUTDOWN);
    assert_code(ended(tasks[1]), ALOOP_EQUEUESHUTDOWN);
    assert_trace("a:EQUEUESHUTDOWN@1 b:EQUEUESHUTDOWN@1 ");
    void *late = item(9);
    assert_code(aloop_queue_put_nowait(q, late), ALOOP_EQUEUESHUTDOWN);
    assert_code(aloop_await(aloop_queue_put(q, late), NULL), ALOOP_EQUEUESHUTDOWN);
    let_run(1);
    assert_int_equal(freed, made - 1); /* all but the one inside */
    assert_int_equal(get_item(q), 0);
    void *none = NULL;
    assert_code(aloop_queue_get_nowait(q, &none), ALOOP_EQUEUESHUTDOWN);
    assert_code(aloop_await(aloop_queue_get(q), &none), ALOOP_EQUEUESHUTDOWN);
    assert_code(aloop_queue_shutdown(q, 0), 0);
    assert_code(aloop_queue_task_done(q), 0);
    assert_code(aloop_await(aloop_queue_join(q), NULL), 0);
    aloop_unref(q);
    return 0;
}

static int64_t shutdown_wakes_getters(void *arg, void **value) {
    (void)value;
    aloop_queue *q = new_queue(1, *(int32_t *)arg);
    struct actor a = {"a", q, 1, 0}, b = {"b", q, 1, 0};
    aloop_task *tasks[] = {go(getter, &a), go(getter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_queue_shutdown(q, 0), 0);
    assert_code(ended(tasks[0]), ALOOP_EQUEUESHUTDOWN);
    assert_code(ended(tasks[1]), ALOOP_EQUEUESHUTDOWN);
    assert_trace("a:EQUEUESHUTDOWN@1 b:EQUEUESHUTDOWN@1 ");
    aloop_unref(q);
    return 0;
}

/* immediate: the items are freed, and count as done with; join waits for those
 * that somebody took before. */
static int64_t shutdown_immediate(void *arg, void **value) {
    (void)value;
    aloop_queue *q = new_queue(0, *(int32_t *)arg);
    put_now(q, 1);
    put_now(q, 2);
    struct actor a = {"a", q, 0, 0};
    aloop_task *task = go(joiner, &a);
    let_run(1);
    begin_trace();
    get_now(q);
    assert_code(aloop_queue_shutdown(q, 1), 0);
    assert_code(aloop_queue_qsize(q), 0);
    let_run(2);
    note("main");
    assert_int_equal(made, freed);
    assert_code(aloop_queue_task_done(q), 0);
    assert_code(ended(task), 0);
    assert_trace("main@2 a:0@3 ");
    assert_code(aloop_queue_task_done(q), ALOOP_EINVAL);
    aloop_unref(q);

    aloop_queue *untouched = new_queue(0, ALOOP_QUEUE_PRIORITY);
    put_now(untouched, 10);
    put_now(untouched, 20);
    assert_code(aloop_queue_shutdown(untouched, 1), 0);
    assert_code(aloop_await(aloop_queue_join(untouched), NULL), 0);
    assert_code(aloop_queue_shutdown(untouched, 1), 0);
    aloop_unref(untouched); /* before they are freed on the loop's stack */
    return 0;
}

static void test_shutdown(void **state) {
    (void)state;
    in_each_kind(shutdown_lets_gets_drain);
    in_each_kind(shutdown_wakes_getters);
    in_each_kind(shutdown_immediate);
}

/* Bad input ---------------------------------------------------------------------------------- */

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue_options *options = aloop_queue_options_new();
    void *const wrong[] = {NULL, options};
    void *got = NULL;
    for (int i = 0; i < 2; i++) {
        aloop_queue *x = wrong[i];
        assert_failed(aloop_queue_put(x, &got), ALOOP_EINVAL);
        assert_code(aloop_queue_put_nowait(x, &got), ALOOP_EINVAL);
        assert_failed(aloop_queue_get(x), ALOOP_EINVAL);
        assert_code(aloop_queue_get_nowait(x, &got), ALOOP_EINVAL);
        assert_failed(aloop_queue_join(x), ALOOP_EINVAL);
        assert_code(aloop_queue_task_done(x), ALOOP_EINVAL);
        assert_code(aloop_queue_qsize(x), ALOOP_EINVAL);
        assert_code(aloop_queue_empty(x), ALOOP_EINVAL);
        assert_code(aloop_queue_full(x), ALOOP_EINVAL);
        assert_code(aloop_queue_maxsize(x), ALOOP_EINVAL);
        assert_code(aloop_queue_shutdown(x, 0), ALOOP_EINVAL);
        assert_code(aloop_queue_statistic(x, ALOOP_QUEUE_STAT_GETTERS), ALOOP_EINVAL);
    }
    assert_code(aloop_queue_new(NULL, NULL), ALOOP_EINVAL);
    aloop_queue *q = NULL;
    assert_code(aloop_queue_new(&q, NULL), 0);
    aloop_queue *other = NULL;
    assert_code(aloop_queue_new(&other, (aloop_queue_options *)q), ALOOP_EINVAL);
    assert_code(aloop_queue_get_nowait(q, NULL), ALOOP_EINVAL);
    assert_code(aloop_queue_statistic(q, -1), ALOOP_EINVAL);
    assert_code(aloop_queue_statistic(q, 99), ALOOP_EINVAL);
    aloop_queue_options *not_options = (aloop_queue_options *)q;
    assert_code(aloop_queue_options_set_maxsize(not_options, 1), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_maxsize(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_kind(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_kind(options, 3), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_kind(options, -1), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_compare(options, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_compare(NULL, by_number, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_item_free(NULL, free_item), ALOOP_EINVAL);
    assert_code(aloop_queue_options_set_maxsize(options, INT64_MAX), 0);
    assert_code(aloop_queue_new(&other, options), 0); /* only so much is reserved */
    assert_code(aloop_queue_maxsize(other), INT64_MAX);
    aloop_unref(other);
    aloop_unref(q);
    aloop_unref(options);
    return 0;
}

static int64_t blocks_on_get(void *queue, void **value) {
    (void)value;
    return aloop_await(aloop_wait_for(aloop_queue_get(queue), 0.5), NULL);
}

static int64_t puts_from_another_thread(void *queue) {
    return aloop_queue_put_nowait(queue, NULL);
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    made = freed = 0;
    aloop_queue *q = fifo(0);
    assert_null(aloop_queue_get(q)); /* no loop */
    assert_null(aloop_queue_put(q, item(1)));
    assert_int_equal(freed, 1); /* given away all the same */
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    assert_code(run_on(one, blocks_on_get, q), ALOOP_ETIMEDOUT);
    assert_code(run_on(two, blocks_on_get, q), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(puts_from_another_thread, q), ALOOP_EWRONGTHREAD);
    close_loop(one);
    close_loop(two);
    aloop_unref(q);
}

SUITE(CASE(test_order_and_size), CASE(test_waiting), CASE(test_join), CASE(test_shutdown),
      CASE(test_bad_input))
