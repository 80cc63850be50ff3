/*
 * queue.h and channel.h: who owns an item, and where its destructor runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

#include <string.h>

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

static int64_t live(const char *kind) {
    int32_t which = 0;
    while (strcmp(aloop_debug_stats_name(which), kind) != 0) which++;
    return aloop_debug_stats(which);
}

/* asyncio's test_cancelled_getters_not_being_held_in_self_getters and
 * test_cancelled_puts_...: whoever stands in line holds the queue, so that it would
 * outlive its last reference. */
static int64_t cancelled_are_not_held(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(1);
    assert_code(aloop_await(aloop_wait_for(aloop_queue_get(q), 0.1), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_GETTERS), 0);
    aloop_unref(q);
    assert_code(live("queues"), 0);

    q = fifo(1);
    put_now(q, 1);
    struct actor a = {"a", q, 1, 2};
    aloop_task *task = go(putter, &a);
    let_run(1);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_PUTTERS), 1);
    cancel(task);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_PUTTERS), 0);
    assert_int_equal(get_now(q), 1);
    aloop_unref(q);
    assert_code(live("queues"), 0);
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

static aloop_queue *queue_of_stack_items(void) {
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_item_free(options, free_looking_at_the_stack), 0);
    aloop_queue *q = NULL;
    assert_code(aloop_queue_new(&q, options), 0);
    aloop_unref(options);
    return q;
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

/* A put and a send that fail at the call -------------------------------------------------- */

struct refusing {
    aloop_queue *queue;
    aloop_sender *in;
    aloop_receiver *out;
};

static int64_t makes_them(void *arg, void **value) {
    (void)value;
    struct refusing *r = arg;
    r->queue = queue_of_stack_items();
    assert_code(aloop_channel_new(&r->in, &r->out, 1, free_looking_at_the_stack), 0);
    /* A get that waits binds the queue. */
    return aloop_await(aloop_wait_for(aloop_queue_get(r->queue), 1), NULL);
}

static int64_t nothing(void *arg, void **value) {
    (void)arg, (void)value;
    return 0;
}

static int64_t gives_at_once(void *arg) {
    struct refusing *r = arg;
    aloop_future *put = aloop_queue_put(r->queue, stack_item());
    aloop_future *send = aloop_sender_send(r->in, stack_item());
    assert_true((put == NULL) == (send == NULL));
    if (put != NULL) assert_failed(put, ALOOP_EWRONGLOOP);
    if (send != NULL) assert_failed(send, ALOOP_EWRONGLOOP);
    return put != NULL;
}

/* In a task, on its fiber: freed when that is left. */
static int64_t gives_on_a_fiber(void *arg, void **value) {
    (void)value;
    struct refusing *r = arg;
    assert_failed(aloop_sender_send(r->in, stack_item()), ALOOP_EWRONGLOOP);
    assert_int_equal(freed, 0);
    let_run(1);
    assert_int_equal(freed, 1);
    assert_true(on_main_stack);
    return 0;
}

static int64_t gives_on_a_threads_fiber(void *arg, void **value) {
    (void)value;
    return gives_at_once(arg);
}

static int64_t gives_on_a_threads_loop(void *arg) {
    return run_virtual(gives_on_a_threads_fiber, arg, NULL);
}

static void test_refused_at_the_call(void **state) {
    (void)state;
    int here;
    main_stack = (uintptr_t)&here;
    made = freed = 0;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct refusing r;
    assert_code(run_on(one, makes_them, &r), ALOOP_ETIMEDOUT);
    assert_code(run_on(two, gives_on_a_fiber, &r), 0);
    /* From other threads, with and without a loop there: freed on the loop of the queue. */
    assert_code(on_foreign_thread(gives_at_once, &r), 0);
    assert_code(on_foreign_thread(gives_on_a_threads_loop, &r), 1);
    assert_int_equal(freed, 1);
    assert_code(run_on(one, nothing, NULL), 0);
    assert_int_equal(freed, 5);
    assert_true(on_main_stack);
    assert_code(on_foreign_thread(gives_at_once, &r), 0);
    close_loop(one); /* with two under way */
    assert_int_equal(freed, 7);
    assert_code(on_foreign_thread(gives_at_once, &r), 0);
    assert_int_equal(freed, 9); /* there is nobody else left to do it */
    close_loop(two);
    aloop_unref(r.queue);
    aloop_unref(r.in);
    aloop_unref(r.out);
    assert_int_equal(made, freed);
}

/* The last reference goes on another thread ------------------------------------------------- */

static int64_t binds_and_fills(void *queue, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_wait_for(aloop_queue_get(queue), 1), NULL), ALOOP_ETIMEDOUT);
    for (int i = 0; i < 2; i++) assert_code(aloop_queue_put_nowait(queue, stack_item()), 0);
    return 0;
}

static int64_t drops(void *object) {
    aloop_unref(object);
    return freed;
}

static void test_dropped_elsewhere(void **state) {
    (void)state;
    int here;
    main_stack = (uintptr_t)&here;
    made = freed = 0;
    aloop_loop *loop = virtual_loop();
    aloop_queue *late[2];
    for (int i = 0; i < 4; i++) {
        aloop_queue *q = queue_of_stack_items();
        assert_code(run_on(loop, binds_and_fills, q), 0);
        if (i < 2) assert_code(on_foreign_thread(drops, q), 2 * i); /* those before it */
        if (i >= 2) late[i - 2] = q;
    }
    assert_code(run_on(loop, nothing, NULL), 0);
    assert_int_equal(freed, 4); /* where the loop runs */
    assert_true(on_main_stack);
    assert_code(on_foreign_thread(drops, late[0]), 4);
    close_loop(loop);
    assert_int_equal(freed, 6); /* at the latest here */
    assert_code(on_foreign_thread(drops, late[1]), 8);
    aloop_queue *q = queue_of_stack_items(); /* nobody's */
    assert_code(aloop_queue_put_nowait(q, stack_item()), 0);
    assert_code(on_foreign_thread(drops, q), 9);
    assert_int_equal(made, freed);
    loop = virtual_loop();
    q = queue_of_stack_items();
    assert_code(run_on(loop, binds_and_fills, q), 0);
    aloop_loop_unref(loop); /* never closed, and held by the queue alone */
    assert_code(on_foreign_thread(drops, q), 11);
    assert_int_equal(made, freed);
}

static aloop_queue *reentered;
static int64_t from_destructor, from_compare;

/* Of a queue that was shut down: it answers as it does from now on. */
static void free_calling_back(void *n) {
    void *got = NULL;
    from_destructor = aloop_queue_get_nowait(reentered, &got);
    assert_code(aloop_queue_put_nowait(reentered, NULL), ALOOP_EQUEUESHUTDOWN);
    assert_code(aloop_queue_shutdown(reentered, 1), 0);
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
    let_run(1);
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
    assert_code(from_destructor, ALOOP_EQUEUESHUTDOWN);
    assert_int_equal(gone, 0);
    aloop_unref(reentered);
    assert_int_equal(gone, 0);
    let_run(1);
    assert_int_equal(gone, 1); /* with the last queue, on the loop's own stack */
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

/* The compare function drops the last reference to its own queue. */
static aloop_queue *dropped;

static int64_t compare_dropping(const void *a, const void *b, void *data) {
    aloop_unref(dropped);
    dropped = NULL;
    return by_number(a, b, data);
}

static int64_t drop_in_compare(void *arg, void **value) {
    (void)value;
    const bool by_putting = *(bool *)arg;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_kind(options, ALOOP_QUEUE_PRIORITY), 0);
    assert_code(aloop_queue_options_set_compare(options, compare_dropping, NULL, NULL), 0);
    assert_code(aloop_queue_options_set_item_free(options, free_item), 0);
    aloop_queue *q = NULL;
    assert_code(aloop_queue_new(&q, options), 0);
    aloop_unref(options);
    for (int64_t n = 1; n <= 3; n++) put_now(q, n);
    dropped = q;
    if (by_putting) put_now(q, 4);
    if (!by_putting) assert_int_equal(get_now(q), 1);
    assert_null(dropped);
    let_run(1);
    assert_int_equal(made, freed);
    assert_code(live("queues"), 0);
    return 0;
}

static void test_dropped_by_compare(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool by_putting = i == 1;
        made = freed = 0;
        assert_code(run_virtual(drop_in_compare, &by_putting, NULL), 0);
    }
}

static void test_ownership(void **state) {
    (void)state;
    in_program(ownership);
    in_program(cancelled_are_not_held);
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

SUITE(CASE(test_ownership), CASE(test_refused_at_the_call), CASE(test_dropped_elsewhere),
      CASE(test_dropped_by_compare))
