/*
 * channel.h: broadcasts: every receiver sees every value since it joined, and a
 * slow one is told what it missed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

typedef aloop_broadcast_sender sender;
typedef aloop_broadcast_receiver receiver;

static sender *broadcast(int64_t capacity) {
    sender *s = NULL;
    assert_code(aloop_broadcast_new(&s, capacity, free_item), 0);
    return s;
}

static receiver *join(sender *s) {
    receiver *r = NULL;
    assert_code(aloop_broadcast_sender_subscribe(s, &r), 0);
    return r;
}

/* To how many; the item is gone in any case. */
static int64_t send(sender *s, int64_t number) {
    void *it = item(number);
    const int64_t status = aloop_broadcast_sender_send(s, it);
    if (status < 0) free_item(it);
    return status;
}

static int64_t number_in(aloop_message *m) {
    const int64_t number = *(int64_t *)aloop_message_value(m);
    aloop_unref(m);
    return number;
}

static int64_t receive(receiver *r) {
    void *got = NULL;
    const int64_t status = aloop_await(aloop_broadcast_receiver_receive(r), &got);
    return status < 0 ? status : number_in(got);
}

static int64_t try_receive(receiver *r) {
    aloop_message *got = NULL;
    const int64_t status = aloop_broadcast_receiver_try_receive(r, &got);
    return status < 0 ? status : number_in(got);
}

/* Destructors run on the loop's own stack, so that it must get its turn. */
static void assert_left(int64_t n) {
    let_run(1);
    assert_int_equal(made - freed, n);
}

static int64_t stat(receiver *r, int32_t which) {
    return aloop_broadcast_receiver_statistic(r, which);
}

struct listener {
    const char *name;
    receiver *end;
    int64_t n;
};

static int64_t listen(void *arg, void **value) {
    (void)value;
    struct listener *l = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < l->n && status >= 0; i++) {
        status = receive(l->end);
        note_end(l->name, status);
    }
    return status;
}

static aloop_task *start(struct listener *l) { return aloop_create_task(listen, l); }

/* What arrives ----------------------------------------------------------------------------- */

static int64_t everybody_sees_everything(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(4);
    assert_code(send(s, 1), ALOOP_EPIPE); /* nobody there yet */
    receiver *a = join(s), *b = NULL;
    assert_code(try_receive(a), ALOOP_EQUEUEEMPTY);
    assert_code(send(s, 2), 1);
    b = join(s); /* sees what comes after it joined */
    assert_code(send(s, 3), 2);
    assert_code(stat(a, ALOOP_BROADCAST_STAT_UNSEEN), 2);
    assert_code(stat(b, ALOOP_BROADCAST_STAT_UNSEEN), 1);
    assert_code(receive(a), 2);
    assert_code(try_receive(a), 3);
    assert_code(try_receive(a), ALOOP_EQUEUEEMPTY);
    assert_code(try_receive(b), 3);
    assert_code(try_receive(b), ALOOP_EQUEUEEMPTY);
    assert_left(0); /* seen by all: gone */
    aloop_unref(a);
    aloop_unref(b);
    assert_code(send(s, 4), ALOOP_EPIPE);
    aloop_unref(s);
    return 0;
}

static int64_t waiting(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(4);
    receiver *shared = join(s), *own = join(s);
    struct listener a = {"a", shared, 1}, b = {"b", shared, 1}, c = {"c", own, 2};
    begin_trace();
    aloop_task *tasks[] = {start(&a), start(&b), start(&c)};
    let_run(1);
    assert_code(aloop_broadcast_sender_statistic(s, ALOOP_BROADCAST_STAT_WAITING), 3);
    assert_code(send(s, 1), 2);
    let_run(1); /* b shares a's end: nothing there for it yet */
    assert_trace("a:1@2 c:1@2 ");
    assert_code(send(s, 2), 2);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), (i == 0 ? 1 : 2));
    assert_trace("a:1@2 c:1@2 b:2@3 c:2@3 ");
    aloop_unref(shared);
    aloop_unref(own);
    aloop_unref(s);
    return 0;
}

/* A channel takes memory for what it holds, not for what it may. */
static int64_t any_capacity(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(INT64_MAX);
    receiver *slow = join(s), *fast = join(s), *late = NULL;
    for (int64_t i = 0; i < 1000; i++) {
        assert_code(send(s, i), i < 500 ? 2 : 3);
        assert_code(try_receive(fast), i);
        if (i == 499) late = join(s);
        if (i % 3 == 0) assert_code(try_receive(slow), i / 3);
    }
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_CAPACITY), INT64_MAX);
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_UNSEEN), 666);
    assert_code(stat(late, ALOOP_BROADCAST_STAT_UNSEEN), 500);
    assert_code(aloop_broadcast_sender_statistic(s, ALOOP_BROADCAST_STAT_ITEMS), 666);
    assert_left(666);
    for (int64_t i = 334; i < 1000; i++) assert_code(try_receive(slow), i);
    for (int64_t i = 500; i < 1000; i++) assert_code(try_receive(late), i);
    assert_left(0);
    receiver *const all[] = {slow, fast, late};
    for (int i = 0; i < 3; i++) aloop_unref(all[i]);
    aloop_unref(s);
    return 0;
}

/* Grown to its capacity, it gives up the oldest. */
static int64_t grown_and_full(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(20);
    receiver *slow = join(s);
    for (int64_t i = 0; i < 33; i++) assert_code(send(s, i), 1);
    assert_left(20);
    assert_code(try_receive(slow), ALOOP_ELAGGED);
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_MISSED), 13);
    for (int64_t i = 13; i < 33; i++) assert_code(try_receive(slow), i);
    assert_left(0);
    aloop_unref(slow);
    aloop_unref(s);
    return 0;
}

static int64_t slow_receiver(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(3);
    receiver *slow = join(s), *fast = join(s);
    for (int64_t i = 0; i < 8; i++) {
        assert_code(send(s, i), 2);
        assert_code(try_receive(fast), i);
    }
    assert_left(3); /* kept for the slow one */
    assert_code(aloop_broadcast_sender_statistic(s, ALOOP_BROADCAST_STAT_ITEMS), 3);
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_UNSEEN), 3);
    assert_code(receive(slow), ALOOP_ELAGGED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "5 values were missed");
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_MISSED), 5);
    assert_code(stat(fast, ALOOP_BROADCAST_STAT_MISSED), 0);
    assert_code(send(s, 8), 2); /* and behind once more */
    assert_code(try_receive(slow), ALOOP_ELAGGED);
    assert_code(stat(slow, ALOOP_BROADCAST_STAT_MISSED), 1);
    for (int64_t i = 6; i < 9; i++) assert_code(receive(slow), i);
    assert_code(receive(fast), 8);
    assert_left(0);
    assert_code(send(s, 9), 2); /* left inside */
    aloop_unref(slow);
    aloop_unref(fast);
    assert_left(0);
    aloop_unref(s);
    return 0;
}

/* A message outlives its channel, and is freed once. */
static int64_t messages(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(1);
    receiver *a = join(s), *b = join(s);
    assert_code(send(s, 7), 2);
    aloop_message *one = NULL, *two = NULL;
    assert_code(aloop_broadcast_receiver_try_receive(a, &one), 0);
    assert_code(aloop_broadcast_receiver_try_receive(b, &two), 0);
    assert_ptr_equal(one, two);
    aloop_unref(a);
    aloop_unref(b);
    aloop_unref(s);
    aloop_unref(one);
    assert_int_equal(*(int64_t *)aloop_message_value(two), 7);
    assert_left(1);
    aloop_unref(two);
    assert_left(0);

    assert_code(aloop_broadcast_new(&s, 1, NULL), 0); /* plain data */
    a = join(s);
    int64_t plain = 5;
    assert_code(aloop_broadcast_sender_send(s, &plain), 1);
    assert_code(aloop_broadcast_sender_send(s, NULL), 1);
    assert_code(try_receive(a), ALOOP_ELAGGED);
    assert_code(aloop_broadcast_receiver_try_receive(a, &one), 0);
    assert_null(aloop_message_value(one));
    aloop_unref(one);
    aloop_unref(a);
    aloop_unref(s);
    return 0;
}

static void test_what_arrives(void **state) {
    (void)state;
    in_program(everybody_sees_everything);
    in_program(waiting);
    in_program(any_capacity);
    in_program(grown_and_full);
    in_program(slow_receiver);
    in_program(messages);
}

/* The ends --------------------------------------------------------------------------------- */

static int64_t sender_goes(void *arg, void **value) {
    (void)arg, (void)value;
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        sender *s = broadcast(2);
        receiver *busy = join(s), *idle = join(s);
        assert_code(send(s, 1), 2);
        assert_code(receive(idle), 1);
        struct listener l = {"l", idle, 1};
        aloop_task *task = start(&l);
        let_run(1);
        if (by_hand) {
            for (int i = 0; i < 2; i++) assert_code(aloop_broadcast_sender_close(s), 0);
            receiver *late = NULL;
            assert_code(send(s, 2), ALOOP_ESTALE);
            assert_code(aloop_broadcast_sender_subscribe(s, &late), ALOOP_ESTALE);
        } else {
            aloop_ref(s);
            aloop_unref(s);
            assert_code(stat(busy, ALOOP_BROADCAST_STAT_SENDER_OPEN), 1);
            aloop_unref(s);
        }
        assert_code(stat(busy, ALOOP_BROADCAST_STAT_SENDER_OPEN), 0);
        assert_code(ended(task), ALOOP_ESTOPITERATION);
        assert_code(receive(busy), 1); /* what was sent is still received */
        assert_code(receive(busy), ALOOP_ESTOPITERATION);
        assert_code(try_receive(busy), ALOOP_ESTOPITERATION);
        aloop_unref(busy);
        aloop_unref(idle);
        if (by_hand) aloop_unref(s);
    }
    return 0;
}

static int64_t receiver_closed(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(2);
    receiver *a = join(s), *b = join(s);
    assert_code(send(s, 1), 2);
    struct listener l = {"l", b, 2}, other = {"o", a, 2};
    aloop_task *tasks[] = {start(&l), start(&other)};
    let_run(1);
    for (int i = 0; i < 2; i++) assert_code(aloop_broadcast_receiver_close(b), 0);
    assert_code(ended(tasks[0]), ALOOP_ESTALE);
    assert_message("This end of the channel is closed");
    assert_code(try_receive(b), ALOOP_ESTALE);
    assert_code(send(s, 2), 1);
    assert_code(ended(tasks[1]), 2); /* was woken with the other, and waited on */
    assert_left(0);
    assert_code(stat(b, ALOOP_BROADCAST_STAT_UNSEEN), 0);
    aloop_unref(a);
    aloop_unref(b);
    aloop_unref(s);
    return 0;
}

static sender *sends_again;

/* A destructor that sends: what it frees is out of the way by then. */
static void free_and_send(void *n) {
    free_item(n);
    if (sends_again != NULL) {
        sender *s = sends_again;
        sends_again = NULL;
        send(s, 100);
    }
}

/* On the loop's own stack, where destructors run at once. */
static int64_t close_under_way(void *data) {
    (void)data;
    sender *s = NULL;
    assert_code(aloop_broadcast_new(&s, 2, free_and_send), 0);
    receiver *a = join(s), *b = join(s);
    assert_code(send(s, 1), 2);
    assert_code(send(s, 2), 2);
    assert_code(try_receive(b), 1);
    assert_code(try_receive(b), 2);
    sends_again = s;
    aloop_unref(a); /* frees 1, which sends 100 in its place */
    assert_code(try_receive(b), 100);
    assert_int_equal(made, freed);
    assert_code(send(s, 3), 1);
    assert_code(send(s, 4), 1);
    sends_again = s;
    assert_code(send(s, 5), 1); /* frees 3, which sends 100 */
    assert_code(try_receive(b), ALOOP_ELAGGED);
    assert_code(stat(b, ALOOP_BROADCAST_STAT_MISSED), 2);
    assert_code(try_receive(b), 5);
    assert_code(try_receive(b), 100);
    aloop_unref(b);
    aloop_unref(s);
    return 0;
}

static int64_t destructor_sends(void *arg, void **value) {
    (void)arg, (void)value;
    assert_true(aloop_loop_call_soon(aloop_get_running_loop(), close_under_way, NULL, NULL) > 0);
    let_run(1);
    return 0;
}

static void test_ends(void **state) {
    (void)state;
    in_program(sender_goes);
    in_program(receiver_closed);
    in_program(destructor_sends);
}

/* Cancellation, loops, bad input ------------------------------------------------------------ */

static int64_t listener_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        sender *s = broadcast(1);
        receiver *shared = join(s);
        struct listener a = {"a", shared, 1}, b = {"b", shared, 1};
        aloop_task *first = start(&a), *second = start(&b);
        let_run(1);
        if (woken) assert_code(send(s, 1), 1);
        assert_code(aloop_task_cancel(first, "enough"), 1);
        if (!woken) assert_code(send(s, 1), 1);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
        assert_code(ended(second), 1); /* not lost */
        assert_code(aloop_await(aloop_wait_for(aloop_broadcast_receiver_receive(shared), 0.5),
                                NULL),
                    ALOOP_ETIMEDOUT);
        aloop_unref(aloop_broadcast_receiver_receive(shared));
        aloop_unref(shared);
        aloop_unref(s);
    }
    return 0;
}

struct pair {
    sender *in;
    receiver *out;
};

static int64_t leaves_a_broadcast(void *arg, void **value) {
    (void)value;
    struct pair *p = arg;
    p->in = broadcast(2);
    p->out = join(p->in);
    return send(p->in, 1);
}

static int64_t receives_elsewhere(void *arg, void **value) {
    (void)value;
    return receive(((struct pair *)arg)->out);
}

static int64_t drop_out(void *arg) {
    const int64_t code = aloop_broadcast_receiver_close(((struct pair *)arg)->out);
    aloop_unref(((struct pair *)arg)->out);
    return code;
}

static void test_loops(void **state) {
    (void)state;
    made = freed = 0;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct pair p;
    assert_code(run_on(one, leaves_a_broadcast, &p), 1);
    assert_code(run_on(two, receives_elsewhere, &p), ALOOP_EWRONGLOOP);
    aloop_ref(p.out);
    assert_code(on_foreign_thread(drop_out, &p), ALOOP_EWRONGTHREAD);
    close_loop(one);
    close_loop(two);
    assert_code(aloop_broadcast_sender_send(p.in, NULL), ALOOP_ESTALE);
    assert_code(on_foreign_thread(drop_out, &p), ALOOP_ESTALE);
    aloop_unref(p.in); /* the ends outlive their loop */
    assert_int_equal(made, freed);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = broadcast(1);
    receiver *r = join(s);
    aloop_watch_sender *w = NULL;
    assert_code(aloop_watch_new(&w, NULL, NULL), 0);
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    aloop_message *got = NULL;
    void *const wrong[][2] = {{NULL, NULL}, {event, event}, {r, s}, {w, w}};
    for (int i = 0; i < 4; i++) {
        void *in = wrong[i][0], *out = wrong[i][1];
        receiver *more = NULL;
        assert_code(aloop_broadcast_sender_subscribe(in, &more), ALOOP_EINVAL);
        assert_code(aloop_broadcast_sender_send(in, NULL), ALOOP_EINVAL);
        assert_code(aloop_broadcast_sender_close(in), ALOOP_EINVAL);
        assert_code(aloop_broadcast_sender_statistic(in, 0), ALOOP_EINVAL);
        assert_failed(aloop_broadcast_receiver_receive(out), ALOOP_EINVAL);
        assert_code(aloop_broadcast_receiver_try_receive(out, &got), ALOOP_EINVAL);
        assert_code(aloop_broadcast_receiver_close(out), ALOOP_EINVAL);
        assert_code(aloop_broadcast_receiver_statistic(out, 0), ALOOP_EINVAL);
    }
    assert_code(aloop_broadcast_sender_subscribe(s, NULL), ALOOP_EINVAL);
    assert_code(aloop_broadcast_receiver_try_receive(r, NULL), ALOOP_EINVAL);
    assert_code(aloop_broadcast_sender_statistic(s, -1), ALOOP_EINVAL);
    assert_code(aloop_broadcast_sender_statistic(s, ALOOP_BROADCAST_STAT_MISSED), ALOOP_EINVAL);
    assert_code(stat(r, 7), ALOOP_EINVAL);
    assert_code(stat(r, ALOOP_BROADCAST_STAT_CAPACITY), 1);
    assert_code(stat(r, ALOOP_BROADCAST_STAT_RECEIVERS), 1);
    assert_code(aloop_broadcast_new(NULL, 1, NULL), ALOOP_EINVAL);
    assert_code(aloop_broadcast_new(&s, 0, NULL), ALOOP_EINVAL);
    assert_null(aloop_message_value(NULL));
    assert_null(aloop_message_value((aloop_message *)event));
    aloop_unref(event);
    aloop_unref(w);
    aloop_unref(r);
    aloop_unref(s);
    return 0;
}

static void test_cancellation(void **state) {
    (void)state;
    in_program(listener_cancelled);
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    sender *s = NULL;
    assert_code(aloop_broadcast_new(&s, 1, NULL), ALOOP_ENORUNNINGLOOP);
    assert_null(aloop_broadcast_receiver_receive(NULL));
}

SUITE(CASE(test_what_arrives), CASE(test_ends), CASE(test_cancellation), CASE(test_loops),
      CASE(test_bad_input))
