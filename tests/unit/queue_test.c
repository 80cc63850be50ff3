/*
 * queue.h: queues of all three kinds.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <stdlib.h>

/* Items are numbers: counted when made and when freed. */
static int64_t made, freed;

static void *item(int64_t number) {
    int64_t *n = malloc(sizeof *n);
    *n = number;
    made++;
    return n;
}

static void free_item(void *n) {
    freed++;
    free(n);
}

static int64_t number_of(void *n) {
    const int64_t number = *(int64_t *)n;
    free_item(n);
    return number;
}

static int64_t by_number(const void *a, const void *b, void *data) {
    (void)data;
    const int64_t x = *(const int64_t *)a / 10, y = *(const int64_t *)b / 10;
    return x < y ? -1 : x > y; /* the last digit tells equal ones apart */
}

static aloop_queue *new_queue(int64_t maxsize, int32_t kind) {
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

static aloop_queue *fifo(int64_t maxsize) { return new_queue(maxsize, ALOOP_QUEUE_FIFO); }

static void put_now(aloop_queue *q, int64_t number) {
    assert_code(aloop_queue_put_nowait(q, item(number)), 0);
}

static int64_t get_now(aloop_queue *q) {
    void *got = NULL;
    assert_code(aloop_queue_get_nowait(q, &got), 0);
    return number_of(got);
}

static int64_t get_item(aloop_queue *q) {
    void *got = NULL;
    const int64_t status = aloop_await(aloop_queue_get(q), &got);
    return status < 0 ? status : number_of(got);
}

/* Runs fn as a program of its own; afterwards every item is gone. */
static void in_program(aloop_coro_fn fn) {
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

static aloop_task *go(aloop_coro_fn fn, struct actor *a) { return aloop_create_task(fn, a); }

static int64_t ended(aloop_task *task) { return aloop_await(task, NULL); }

static void cancel(aloop_task *task) { assert_code(aloop_task_cancel(task, NULL), 1); }

static int64_t getter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n && status >= 0; i++) {
        status = get_item(a->queue);
        note_end(a->name, status);
    }
    return status;
}

static int64_t putter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n && status >= 0; i++) {
        status = aloop_await(aloop_queue_put(a->queue, item(a->first + i)), NULL);
        note_end(a->name, status < 0 ? status : a->first + i);
    }
    return status;
}

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

static void test_waiting(void **state) {
    (void)state;
    in_program(one_at_a_time);
    in_program(wake_is_a_hint);
    in_program(getter_cancelled);
    in_program(putter_cancelled);
    in_program(get_timed_out);
    in_program(combined);
}

/* Joining ---------------------------------------------------------------------------------- */

static int64_t joiner(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_queue_join(a->queue), NULL);
    note_end(a->name, status);
    return status;
}

static int64_t join(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
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
    assert_int_equal(get_now(q), 1);
    assert_code(aloop_queue_task_done(q), 0);
    let_run(2);
    assert_int_equal(get_now(q), 2);
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
    in_program(join);
}

/* Shutting down ------------------------------------------------------------------------------ */

static int64_t shutdown_lets_gets_drain(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
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
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
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
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    put_now(q, 1);
    put_now(q, 2);
    struct actor a = {"a", q, 0, 0};
    aloop_task *task = go(joiner, &a);
    let_run(1);
    begin_trace();
    assert_int_equal(get_now(q), 1);
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
    in_program(shutdown_lets_gets_drain);
    in_program(shutdown_wakes_getters);
    in_program(shutdown_immediate);
}

/* Ownership ---------------------------------------------------------------------------------- */

static int64_t ownership(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    aloop_future *unstarted = aloop_queue_put(q, item(1));
    assert_code(aloop_queue_empty(q), 1); /* lazy */
    aloop_unref(unstarted);
    let_run(1);
    assert_int_equal(freed, 1);
    aloop_future *put = aloop_queue_put(q, item(2));
    assert_code(aloop_future_cancel(put, NULL), 1);
    aloop_unref(put);
    let_run(1);
    assert_int_equal(freed, 2);
    put_now(q, 3);
    assert_code(aloop_await(aloop_wait_for(aloop_queue_put(q, item(4)), 0.25), NULL),
                ALOOP_ETIMEDOUT);
    assert_int_equal(freed, 3);
    aloop_unref(q); /* 3 is inside */
    let_run(1);
    assert_int_equal(freed, 4);
    return 0;
}

static bool on_main_stack;

static void free_looking_at_the_stack(void *n) {
    int here;
    const uintptr_t a = (uintptr_t)&here, b = (uintptr_t)n;
    (void)b;
    on_main_stack = (a > *(uintptr_t *)n ? a - *(uintptr_t *)n : *(uintptr_t *)n - a) < 1 << 20;
    freed++;
    free(n);
}

static uintptr_t main_stack;

static void *stack_item(void) {
    uintptr_t *n = malloc(sizeof *n);
    *n = main_stack;
    made++;
    return n;
}

static int64_t destructors_run_on_the_loops_stack(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_item_free(options, free_looking_at_the_stack), 0);
    for (int way = 0; way < 4; way++) {
        aloop_queue *q = NULL;
        assert_code(aloop_queue_new(&q, options), 0);
        const int64_t before = freed;
        on_main_stack = false;
        if (way < 2) assert_code(aloop_queue_put_nowait(q, stack_item()), 0);
        if (way == 1) assert_code(aloop_queue_shutdown(q, 1), 0);
        if (way == 2) aloop_unref(aloop_queue_put(q, stack_item()));
        if (way == 3) {
            assert_code(aloop_queue_shutdown(q, 0), 0);
            assert_code(aloop_await(aloop_queue_put(q, stack_item()), NULL),
                        ALOOP_EQUEUESHUTDOWN);
        }
        aloop_unref(q);
        let_run(1);
        assert_int_equal(freed, before + 1);
        assert_true(on_main_stack);
    }
    aloop_unref(options);
    return 0;
}

static aloop_queue *reentered;
static int64_t from_destructor, from_compare;

static void free_calling_back(void *n) {
    void *got = NULL;
    from_destructor = aloop_queue_get_nowait(reentered, &got);
    free_item(n);
}

static int64_t compare_calling_back(const void *a, const void *b, void *data) {
    from_compare = aloop_queue_put_nowait(reentered, NULL);
    void *got = NULL;
    assert_code(aloop_queue_get_nowait(reentered, &got), ALOOP_EBUSY);
    assert_code(aloop_queue_shutdown(reentered, 1), ALOOP_EBUSY);
    return by_number(a, b, data);
}

static int64_t reentrance(void *arg, void **value) {
    (void)arg, (void)value;
    int gone = 0, first = 0;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_kind(options, ALOOP_QUEUE_PRIORITY), 0);
    assert_code(aloop_queue_new(&reentered, options), ALOOP_EINVAL); /* nothing to compare with */
    assert_code(aloop_queue_options_set_compare(options, by_number, &first, count_free), 0);
    assert_code(aloop_queue_options_set_compare(options, compare_calling_back, &gone, count_free),
                0);
    assert_int_equal(first, 1);
    assert_code(aloop_queue_options_set_item_free(options, free_calling_back), 0);
    assert_code(aloop_queue_new(&reentered, options), 0);
    assert_code(aloop_queue_options_set_compare(options, by_number, NULL, NULL), ALOOP_EBUSY);
    assert_code(aloop_queue_options_set_maxsize(options, 1), ALOOP_EBUSY);
    aloop_unref(options);
    put_now(reentered, 1);
    put_now(reentered, 2);
    assert_code(from_compare, ALOOP_EBUSY);
    assert_code(aloop_queue_shutdown(reentered, 1), 0);
    let_run(1);
    assert_code(from_destructor, ALOOP_EBUSY);
    assert_int_equal(gone, 0);
    aloop_unref(reentered);
    assert_int_equal(gone, 1); /* with the last queue */
    return 0;
}

static int64_t leaves_waiters(void *arg, void **value) {
    (void)value;
    static struct actor actors[3];
    aloop_queue *const *queues = arg;
    actors[0] = (struct actor){"put", queues[0], 2, 1};
    actors[1] = (struct actor){"get", queues[1], 1, 0};
    actors[2] = (struct actor){"join", queues[0], 0, 0};
    aloop_unref(go(putter, &actors[0]));
    aloop_unref(go(getter, &actors[1]));
    aloop_unref(go(joiner, &actors[2]));
    let_run(1);
    return 0;
}

static void test_ownership(void **state) {
    (void)state;
    in_program(ownership);
    int here;
    main_stack = (uintptr_t)&here;
    in_program(destructors_run_on_the_loops_stack);
    in_program(reentrance);

    /* The loop closes under a put, a get and a join. */
    made = freed = 0;
    aloop_queue *queues[] = {fifo(1), fifo(1)};
    aloop_loop *loop = virtual_loop();
    struct reports reports;
    capture_reports(loop, &reports);
    assert_code(run_on(loop, leaves_waiters, queues), 0);
    close_loop(loop);
    assert_int_equal(reports.count, 3);
    assert_int_equal(made, 2);
    assert_int_equal(freed, 1); /* that of the put that waited */
    assert_int_equal(get_now(queues[0]), 1);
    aloop_unref(queues[0]);
    aloop_unref(queues[1]);
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
      CASE(test_ownership), CASE(test_bad_input))
