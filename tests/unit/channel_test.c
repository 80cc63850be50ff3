/*
 * channel.h: channels and their counted ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

#include <pthread.h>

struct pair {
    aloop_sender *in;
    aloop_receiver *out;
};

static struct pair channel(int64_t capacity) {
    struct pair p = {NULL, NULL};
    assert_code(aloop_channel_new(&p.in, &p.out, capacity, free_item), 0);
    return p;
}

static void drop(struct pair p) {
    aloop_unref(p.in);
    aloop_unref(p.out);
}

static int64_t receive(aloop_receiver *out) {
    void *got = NULL;
    const int64_t status = aloop_await(aloop_receiver_receive(out), &got);
    return status < 0 ? status : number_of(got);
}

static int64_t try_receive(aloop_receiver *out) {
    void *got = NULL;
    const int64_t status = aloop_receiver_try_receive(out, &got);
    return status < 0 ? status : number_of(got);
}

static int64_t send(aloop_sender *in, int64_t number) {
    return aloop_await(aloop_sender_send(in, item(number)), NULL);
}

static int64_t try_send(aloop_sender *in, int64_t number) {
    void *it = item(number);
    const int64_t status = aloop_sender_try_send(in, it);
    if (status < 0) free_item(it); /* it stayed the caller's */
    return status;
}

/* Items, capacity, sending, receiving, and both ends, as digits. */
static void assert_statistics(struct pair p, int64_t expected) {
    int64_t seen = 0;
    for (int32_t i = 0; i < 6; i++) seen = seen * 10 + aloop_sender_statistic(p.in, i);
    assert_int_equal(seen, expected);
    seen = 0;
    for (int32_t i = 0; i < 6; i++) seen = seen * 10 + aloop_receiver_statistic(p.out, i);
    assert_int_equal(seen, expected);
}

struct end_user {
    const char *name;
    void *end;
    int64_t n;
};

static int64_t sender(void *arg, void **value) {
    (void)value;
    struct end_user *u = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < u->n && status >= 0; i++) {
        status = send(u->end, i + 1);
        note_end(u->name, status);
    }
    return status;
}

static int64_t receiver(void *arg, void **value) {
    (void)value;
    struct end_user *u = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < u->n && status >= 0; i++) {
        status = receive(u->end);
        note_end(u->name, status);
    }
    return status;
}

static aloop_task *use(aloop_coro_fn fn, struct end_user *u) { return aloop_create_task(fn, u); }

/* Sending and receiving -------------------------------------------------------------------- */

static int64_t at_once(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(2);
    assert_statistics(p, 20011);
    assert_code(try_receive(p.out), ALOOP_EQUEUEEMPTY);
    assert_code(try_send(p.in, 1), 0);
    assert_code(send(p.in, 2), 0);
    assert_code(try_send(p.in, 3), ALOOP_EQUEUEFULL);
    assert_statistics(p, 220011);
    assert_code(try_receive(p.out), 1);
    assert_code(receive(p.out), 2);
    assert_code(aloop_sender_try_send(p.in, NULL), 0);
    void *got = p.in;
    assert_code(aloop_receiver_try_receive(p.out, &got), 0);
    assert_null(got);
    assert_code(try_send(p.in, 4), 0); /* freed with the channel */
    drop(p);

    p = channel(-1);
    for (int64_t i = 0; i < 100; i++) assert_code(try_send(p.in, i), 0);
    for (int64_t i = 0; i < 100; i++) assert_code(receive(p.out), i);
    drop(p);
    return 0;
}

static int64_t back_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    struct end_user s = {"s", p.in, 3}, r = {"r", p.out, 3};
    begin_trace();
    aloop_task *tasks[] = {use(sender, &s), use(receiver, &r)};
    let_run(1);
    assert_statistics(p, 10111); /* the woken sender has not run since */
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 3);
    assert_trace("s:0@1 r:1@1 s:0@2 r:2@3 s:0@4 r:3@5 ");
    drop(p);
    return 0;
}

static void test_sending(void **state) {
    (void)state;
    in_program(at_once);
    in_program(back_pressure);
}

/* The ends --------------------------------------------------------------------------------- */

/* The last holder of the sending end closes it; what is left is received. */
static int64_t last_sender_goes(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(0);
    aloop_ref(p.in);
    assert_code(try_send(p.in, 1), 0);
    aloop_unref(p.in);
    assert_code(aloop_receiver_statistic(p.out, ALOOP_CHANNEL_STAT_SENDER_OPEN), 1);
    aloop_unref(p.in);
    assert_code(aloop_receiver_statistic(p.out, ALOOP_CHANNEL_STAT_SENDER_OPEN), 0);
    assert_code(receive(p.out), 1);
    assert_code(receive(p.out), ALOOP_ESTOPITERATION);
    assert_code(try_receive(p.out), ALOOP_ESTOPITERATION);
    aloop_unref(p.out);

    p = channel(0); /* with receivers that wait */
    struct end_user a = {"a", p.out, 2}, b = {"b", p.out, 2};
    aloop_task *tasks[] = {use(receiver, &a), use(receiver, &b)};
    let_run(1);
    assert_statistics(p, 211);
    begin_trace();
    assert_code(try_send(p.in, 7), 0);
    aloop_unref(p.in);
    for (int i = 0; i < 2; i++) assert_code(ended(tasks[i]), ALOOP_ESTOPITERATION);
    assert_trace("a:7@1 a:ESTOPITERATION@1 b:ESTOPITERATION@1 ");
    aloop_unref(p.out);
    return 0;
}

/* A send under way holds its end: it still delivers. */
static int64_t sends_under_way_deliver(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    struct end_user s = {"s", p.in, 2};
    aloop_task *task = use(sender, &s);
    let_run(1);
    aloop_unref(p.in);
    assert_code(aloop_receiver_statistic(p.out, ALOOP_CHANNEL_STAT_SENDER_OPEN), 1);
    assert_code(receive(p.out), 1);
    assert_code(receive(p.out), 2);
    assert_code(receive(p.out), ALOOP_ESTOPITERATION);
    assert_code(ended(task), 0);
    aloop_unref(p.out);
    return 0;
}

static int64_t last_receiver_goes(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    struct end_user s = {"s", p.in, 2};
    aloop_task *task = use(sender, &s);
    let_run(1);
    aloop_unref(p.out); /* frees the item inside */
    assert_code(ended(task), ALOOP_EPIPE);
    assert_code(send(p.in, 5), ALOOP_EPIPE);
    assert_code(try_send(p.in, 6), ALOOP_EPIPE);
    assert_code(aloop_sender_statistic(p.in, ALOOP_CHANNEL_STAT_RECEIVER_OPEN), 0);
    let_run(1);
    assert_int_equal(made, freed);
    aloop_unref(p.in);
    return 0;
}

static int64_t closed_by_hand(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    struct end_user s = {"s", p.in, 2}, r = {"r", p.out, 1};
    aloop_task *task = use(sender, &s);
    let_run(1);
    assert_statistics(p, 111011);
    for (int i = 0; i < 2; i++) assert_code(aloop_sender_close(p.in), 0);
    assert_code(ended(task), ALOOP_ESTALE);
    assert_message("This end of the channel is closed");
    assert_code(send(p.in, 3), ALOOP_ESTALE);
    assert_message("This end of the channel is closed");
    assert_code(try_send(p.in, 4), ALOOP_ESTALE);
    assert_code(receive(p.out), 1);
    assert_code(receive(p.out), ALOOP_ESTOPITERATION);
    drop(p);

    p = channel(1);
    r.end = p.out;
    task = use(receiver, &r);
    let_run(1);
    for (int i = 0; i < 2; i++) assert_code(aloop_receiver_close(p.out), 0);
    assert_code(ended(task), ALOOP_ESTALE);
    assert_code(receive(p.out), ALOOP_ESTALE);
    assert_message("This end of the channel is closed");
    assert_code(try_receive(p.out), ALOOP_ESTALE);
    assert_code(send(p.in, 1), ALOOP_EPIPE);
    drop(p);
    return 0;
}

static int64_t unref_it(void *end) {
    aloop_unref(end);
    return 0;
}

/* The loop's thread closes what another one dropped. */
static int64_t dropped_by_a_thread(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    assert_code(on_foreign_thread(unref_it, p.in), 0);
    assert_code(receive(p.out), ALOOP_ESTOPITERATION);
    aloop_unref(p.out);
    return 0;
}

static int64_t oneshot(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p;
    for (int waits = 0; waits < 2; waits++) {
        assert_code(aloop_oneshot_new(&p.in, &p.out, free_item), 0);
        struct end_user r = {"r", p.out, 2};
        aloop_task *task = waits ? use(receiver, &r) : NULL;
        let_run(1);
        assert_code(waits ? send(p.in, 9) : try_send(p.in, 9), 0);
        assert_code(send(p.in, 8), ALOOP_ESTALE);
        assert_code(try_send(p.in, 8), ALOOP_ESTALE);
        if (waits) {
            assert_code(ended(task), ALOOP_ESTOPITERATION);
        } else {
            assert_code(receive(p.out), 9);
            assert_code(receive(p.out), ALOOP_ESTOPITERATION);
        }
        drop(p);
    }
    assert_code(aloop_oneshot_new(&p.in, &p.out, free_item), 0);
    aloop_unref(p.in); /* without having sent */
    assert_code(receive(p.out), ALOOP_ESTOPITERATION);
    aloop_unref(p.out);
    return 0;
}

/* The destructor of an item uses the channel whose end frees it. */
static struct pair used_by_items;
static int items_gone;

static void free_using_the_channel(void *it) {
    assert_code(aloop_receiver_close(used_by_items.out), 0);
    if (items_gone++ == 0) {
        assert_code(aloop_sender_try_send(used_by_items.in, it), ALOOP_EPIPE);
        assert_code(aloop_sender_close(used_by_items.in), 0);
    }
    assert_code(aloop_sender_try_send(used_by_items.in, it), ALOOP_ESTALE);
    assert_code(aloop_sender_statistic(used_by_items.in, ALOOP_CHANNEL_STAT_SENDER_OPEN), 0);
    free_item(it);
}

static int64_t used_while_freed(void *arg, void **value) {
    (void)arg, (void)value;
    items_gone = 0;
    assert_code(aloop_channel_new(&used_by_items.in, &used_by_items.out, 0,
                                  free_using_the_channel), 0);
    for (int i = 1; i <= 3; i++) {
        assert_code(aloop_sender_try_send(used_by_items.in, item(i)), 0);
    }
    assert_code(aloop_receiver_close(used_by_items.out), 0);
    let_run(1);
    assert_int_equal(items_gone, 3);
    drop(used_by_items);
    return 0;
}

static void test_ends(void **state) {
    (void)state;
    in_program(last_sender_goes);
    in_program(sends_under_way_deliver);
    in_program(last_receiver_goes);
    in_program(closed_by_hand);
    in_program(used_while_freed);
    in_program(dropped_by_a_thread);
    in_program(oneshot);
}

/* Cancellation ----------------------------------------------------------------------------- */

static int64_t receiver_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        struct pair p = channel(1);
        struct end_user a = {"a", p.out, 1}, b = {"b", p.out, 1};
        aloop_task *first = use(receiver, &a), *second = use(receiver, &b);
        let_run(1);
        if (woken) assert_code(try_send(p.in, 1), 0);
        assert_code(aloop_task_cancel(first, "enough"), 1);
        if (!woken) assert_code(try_send(p.in, 1), 0);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
        assert_code(ended(second), 1); /* not lost */
        drop(p);
    }
    return 0;
}

static int64_t sender_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        struct pair p = channel(1);
        assert_code(try_send(p.in, 9), 0);
        struct end_user a = {"a", p.in, 1}, b = {"b", p.in, 1};
        aloop_task *first = use(sender, &a), *second = use(sender, &b);
        let_run(1);
        if (woken) assert_code(try_receive(p.out), 9);
        cancel(first);
        if (!woken) assert_code(try_receive(p.out), 9);
        const int64_t before = freed;
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_int_equal(freed, before + 1); /* its item */
        assert_code(ended(second), 0);
        assert_code(try_receive(p.out), 1);
        drop(p);
    }
    return 0;
}

/* Operations that nobody awaits keep nothing, and lose nothing. */
static int64_t never_awaited(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    aloop_unref(aloop_sender_send(p.in, item(1)));
    aloop_unref(aloop_receiver_receive(p.out));
    void *got = NULL;
    assert_code(aloop_await(aloop_wait_for(aloop_receiver_receive(p.out), 0.5), &got),
                ALOOP_ETIMEDOUT);
    assert_code(try_send(p.in, 2), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_sender_send(p.in, item(3)), 0.5), NULL),
                ALOOP_ETIMEDOUT);
    assert_code(aloop_await(aloop_receiver_receive(p.out), NULL), 0); /* no place for it */
    let_run(1);
    assert_int_equal(made, freed);
    drop(p);
    return 0;
}

/* In debug mode the program hears of each operation once. */
static int64_t forgotten(void *arg, void **value) {
    (void)value;
    const struct reports *heard = arg;
    struct pair p = channel(1);
    assert_code(aloop_debug_stats(18), 1);
    aloop_unref(aloop_sender_send(p.in, item(1)));
    aloop_unref(aloop_receiver_receive(p.out));
    let_run(1);
    assert_int_equal(heard->count, 2);
    drop(p);
    assert_code(aloop_debug_stats(18), 0);
    return 0;
}

static void test_never_awaited_is_reported(void **state) {
    (void)state;
    struct reports heard;
    made = freed = 0;
    assert_string_equal(aloop_debug_stats_name(18), "channels");
    aloop_loop *loop = virtual_loop();
    aloop_loop_set_debug(loop, 1);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* that is another report */
    capture_reports(loop, &heard);
    assert_code(run_on(loop, forgotten, &heard), 0);
    assert_string_equal(heard.list[0].message, "operation 'channel.send' was never awaited");
    assert_string_equal(heard.list[1].message, "operation 'channel.receive' was never awaited");
    close_loop(loop);
    assert_int_equal(made, freed);
}

static void test_cancellation(void **state) {
    (void)state;
    in_program(receiver_cancelled);
    in_program(sender_cancelled);
    in_program(never_awaited);
}

/* Other loops and bad input ---------------------------------------------------------------- */

static int64_t leaves_a_channel(void *arg, void **value) {
    (void)value;
    struct pair *p = arg;
    *p = channel(1);
    return send(p->in, 1);
}

static int64_t sends_elsewhere(void *arg, void **value) {
    (void)value;
    struct pair *p = arg;
    assert_code(receive(p->out), ALOOP_EWRONGLOOP);
    return send(p->in, 2);
}

static int64_t tries(void *arg) { return aloop_receiver_close(((struct pair *)arg)->out); }

static void test_loops(void **state) {
    (void)state;
    made = freed = 0;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct pair p;
    assert_code(run_on(one, leaves_a_channel, &p), 0);
    assert_code(run_on(two, sends_elsewhere, &p), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(tries, &p), ALOOP_EWRONGTHREAD);
    close_loop(one);
    assert_code(aloop_receiver_close(p.out), ALOOP_ESTALE);
    drop(p); /* the ends outlive their loop */
    close_loop(two);
    assert_int_equal(made, freed);
}

/* After the loop's close two threads may drop the two sides of all kinds at once. */
struct sides {
    void *ends[2][3];
};

static int64_t leaves_all_kinds(void *arg, void **value) {
    (void)value;
    void *(*ends)[3] = ((struct sides *)arg)->ends;
    assert_code(aloop_channel_new((aloop_sender **)&ends[0][0], (aloop_receiver **)&ends[1][0],
                                  2, free),
                0);
    assert_code(aloop_broadcast_new((aloop_broadcast_sender **)&ends[0][1], 2, free), 0);
    assert_code(aloop_broadcast_sender_subscribe(ends[0][1],
                                                 (aloop_broadcast_receiver **)&ends[1][1]),
                0);
    assert_code(aloop_watch_new((aloop_watch_sender **)&ends[0][2], malloc(1), free), 0);
    assert_code(aloop_watch_sender_subscribe(ends[0][2], (aloop_watch_receiver **)&ends[1][2]),
                0);
    assert_code(aloop_sender_try_send(ends[0][0], malloc(1)), 0);
    assert_code(aloop_broadcast_sender_send(ends[0][1], malloc(1)), 1);
    return aloop_watch_sender_send(ends[0][2], malloc(1));
}

static void *drop_side(void *side) {
    for (int i = 0; i < 3; i++) aloop_unref(((void **)side)[i]);
    return NULL;
}

static void test_two_threads_drop(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct sides all;
        aloop_loop *loop = virtual_loop();
        assert_code(run_on(loop, leaves_all_kinds, &all), 0);
        close_loop(loop);
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, drop_side, all.ends[i]), 0);
        }
        for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = channel(1);
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    void *got = NULL;
    void *const wrong[][2] = {{NULL, NULL}, {event, event}, {p.out, p.in}};
    for (int i = 0; i < 3; i++) {
        void *in = wrong[i][0], *out = wrong[i][1];
        assert_failed(aloop_sender_send(in, NULL), ALOOP_EINVAL);
        assert_code(aloop_sender_try_send(in, NULL), ALOOP_EINVAL);
        assert_code(aloop_sender_close(in), ALOOP_EINVAL);
        assert_code(aloop_sender_statistic(in, 0), ALOOP_EINVAL);
        assert_failed(aloop_receiver_receive(out), ALOOP_EINVAL);
        assert_code(aloop_receiver_try_receive(out, &got), ALOOP_EINVAL);
        assert_code(aloop_receiver_close(out), ALOOP_EINVAL);
        assert_code(aloop_receiver_statistic(out, 0), ALOOP_EINVAL);
    }
    aloop_unref(event);
    assert_code(aloop_receiver_try_receive(p.out, NULL), ALOOP_EINVAL);
    assert_code(aloop_sender_statistic(p.in, -1), ALOOP_EINVAL);
    assert_code(aloop_receiver_statistic(p.out, 6), ALOOP_EINVAL);
    assert_code(aloop_channel_new(NULL, &p.out, 1, NULL), ALOOP_EINVAL);
    assert_code(aloop_channel_new(&p.in, NULL, 1, NULL), ALOOP_EINVAL);
    assert_code(aloop_oneshot_new(NULL, NULL, NULL), ALOOP_EINVAL);
    drop(p);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    struct pair p;
    assert_code(aloop_channel_new(&p.in, &p.out, 1, NULL), ALOOP_ENORUNNINGLOOP);
    assert_null(aloop_sender_send(NULL, NULL));
    assert_null(aloop_receiver_receive(NULL));
}

SUITE(CASE(test_sending), CASE(test_ends), CASE(test_cancellation),
      CASE(test_never_awaited_is_reported), CASE(test_loops), CASE(test_two_threads_drop),
      CASE(test_bad_input))
