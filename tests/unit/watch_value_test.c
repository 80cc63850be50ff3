/*
 * channel.h: watches: the latest value, and who has seen it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

typedef aloop_watch_sender sender;
typedef aloop_watch_receiver receiver;

static sender *watch(int64_t first) {
    sender *s = NULL;
    assert_code(aloop_watch_new(&s, item(first), free_item), 0);
    return s;
}

static receiver *join(sender *s) {
    receiver *r = NULL;
    assert_code(aloop_watch_sender_subscribe(s, &r), 0);
    return r;
}

static int64_t change(sender *s, int64_t number, bool anyway) {
    void *it = item(number);
    const int64_t status =
        anyway ? aloop_watch_sender_replace(s, it) : aloop_watch_sender_send(s, it);
    if (status < 0) free_item(it);
    return status;
}

static int64_t number_in(int64_t status, aloop_message *m) {
    if (status < 0) return status;
    const int64_t number = *(int64_t *)aloop_message_value(m);
    aloop_unref(m);
    return number;
}

static int64_t get(receiver *r) {
    aloop_message *m = NULL;
    const int64_t status = aloop_watch_receiver_get(r, &m);
    return number_in(status, m);
}

static int64_t update(receiver *r) {
    aloop_message *m = NULL;
    const int64_t status = aloop_watch_receiver_get_and_update(r, &m);
    return number_in(status, m);
}

static int64_t changed(receiver *r) { return aloop_await(aloop_watch_receiver_changed(r), NULL); }

static int64_t has(receiver *r) { return aloop_watch_receiver_has_changed(r); }

struct watcher {
    const char *name;
    receiver *end;
    int64_t n;
};

static int64_t look(void *arg, void **value) {
    (void)value;
    struct watcher *w = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < w->n && status >= 0; i++) {
        status = changed(w->end);
        note_end(w->name, status < 0 ? status : get(w->end));
    }
    return status;
}

static aloop_task *start(struct watcher *w) { return aloop_create_task(look, w); }

static int64_t sees_the_latest(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = watch(1);
    receiver *a = join(s), *b = join(s);
    assert_code(has(a), 0); /* the value of when it joined counts as seen */
    assert_code(get(a), 1);
    assert_code(change(s, 2, false), 0);
    assert_code(change(s, 3, false), 0);
    assert_code(has(a), 1);
    assert_code(get(a), 3); /* looked at, not seen */
    assert_code(has(a), 1);
    assert_code(changed(a), 0);
    assert_code(has(a), 0); /* once for both changes */
    assert_code(has(b), 1);
    assert_code(update(b), 3);
    assert_code(has(b), 0);
    aloop_message *m = NULL;
    assert_code(aloop_watch_sender_get(s, &m), 0);
    assert_code(number_in(0, m), 3);
    aloop_unref(a);
    aloop_unref(b);
    assert_code(change(s, 4, false), ALOOP_EPIPE);
    assert_code(change(s, 5, true), 0); /* replaces without anyone there */
    a = join(s);
    assert_code(get(a), 5);
    assert_code(has(a), 0);
    aloop_unref(a);
    aloop_unref(s);
    return 0;
}

static int64_t waiting(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = watch(0);
    receiver *shared = join(s), *own = join(s);
    struct watcher a = {"a", shared, 1}, b = {"b", shared, 1}, c = {"c", own, 2};
    begin_trace();
    aloop_task *tasks[] = {start(&a), start(&b), start(&c)};
    let_run(1);
    assert_code(aloop_watch_sender_statistic(s, ALOOP_WATCH_STAT_WAITING), 3);
    assert_code(change(s, 1, false), 0);
    assert_code(change(s, 2, false), 0);
    let_run(1);
    assert_trace("a:2@2 c:2@2 "); /* b shares a's end, which has seen it */
    assert_code(change(s, 3, false), 0);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:2@2 c:2@2 b:3@3 c:3@3 ");
    aloop_unref(shared);
    aloop_unref(own);
    aloop_unref(s);
    return 0;
}

/* After the sender: the last value can be seen, and be looked at for ever. */
static int64_t sender_goes(void *arg, void **value) {
    (void)arg, (void)value;
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        sender *s = watch(1);
        receiver *late = join(s), *idle = join(s);
        assert_code(change(s, 2, false), 0);
        assert_code(changed(idle), 0);
        struct watcher w = {"w", idle, 1};
        aloop_task *task = start(&w);
        let_run(1);
        if (by_hand) {
            for (int i = 0; i < 2; i++) assert_code(aloop_watch_sender_close(s), 0);
            receiver *more = NULL;
            aloop_message *m = NULL;
            assert_code(change(s, 3, true), ALOOP_ESTALE);
            assert_code(aloop_watch_sender_subscribe(s, &more), ALOOP_ESTALE);
            assert_code(aloop_watch_sender_get(s, &m), ALOOP_ESTALE);
            assert_code(aloop_await(aloop_watch_sender_closed(s), NULL), ALOOP_ESTALE);
            assert_message("This end of the channel is closed");
        }
        if (!by_hand) aloop_unref(s);
        assert_code(ended(task), ALOOP_ESTOPITERATION);
        assert_code(aloop_watch_receiver_statistic(late, ALOOP_WATCH_STAT_SENDER_OPEN), 0);
        assert_code(has(late), 1);
        assert_code(changed(late), 0);
        assert_code(changed(late), ALOOP_ESTOPITERATION);
        assert_code(has(late), ALOOP_ESTOPITERATION);
        assert_code(get(late), 2);
        aloop_unref(late);
        aloop_unref(idle);
        if (by_hand) aloop_unref(s);
    }
    return 0;
}

static int64_t await_closed(void *s, void **value) {
    (void)value;
    const int64_t status = aloop_await(aloop_watch_sender_closed(s), NULL);
    note_end("closed", status);
    return status;
}

static int64_t receivers_go(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = watch(1);
    assert_code(aloop_await(aloop_watch_sender_closed(s), NULL), 0);
    receiver *a = join(s), *b = join(s);
    aloop_task *task = aloop_create_task(await_closed, s);
    aloop_task *second = aloop_create_task(await_closed, s);
    begin_trace();
    let_run(1);
    assert_code(aloop_watch_sender_statistic(s, ALOOP_WATCH_STAT_WAITING_CLOSED), 2);
    aloop_unref(a);
    let_run(2);
    assert_trace("");
    cancel(second);
    struct watcher w = {"w", b, 1};
    aloop_task *looking = start(&w);
    let_run(1);
    for (int i = 0; i < 2; i++) assert_code(aloop_watch_receiver_close(b), 0);
    assert_code(ended(looking), ALOOP_ESTALE);
    assert_message("This end of the channel is closed");
    assert_code(ended(task), 0);
    assert_code(ended(second), ALOOP_ECANCELED);
    assert_trace("closed:ECANCELED@4 closed:0@5 w:ESTALE@5 ");
    assert_code(get(b), ALOOP_ESTALE);
    assert_code(has(b), ALOOP_ESTALE);
    aloop_unref(b);
    aloop_unref(s);
    return 0;
}

static void test_values(void **state) {
    (void)state;
    in_program(sees_the_latest);
    in_program(waiting);
}

static void test_ends(void **state) {
    (void)state;
    in_program(sender_goes);
    in_program(receivers_go);
}

static int64_t watcher_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        sender *s = watch(1);
        receiver *shared = join(s);
        struct watcher a = {"a", shared, 1}, b = {"b", shared, 1};
        aloop_task *first = start(&a), *second = start(&b);
        let_run(1);
        if (woken) assert_code(change(s, 2, false), 0);
        cancel(first);
        if (!woken) assert_code(change(s, 2, false), 0);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_code(ended(second), 0); /* the change is not lost */
        assert_code(aloop_await(aloop_wait_for(aloop_watch_receiver_changed(shared), 1), NULL),
                    ALOOP_ETIMEDOUT);
        aloop_unref(aloop_watch_receiver_changed(shared));
        aloop_unref(shared);
        aloop_unref(s);
    }
    return 0;
}

static void test_cancellation(void **state) {
    (void)state;
    in_program(watcher_cancelled);
}

struct pair {
    sender *in;
    receiver *out;
};

static int64_t leaves_a_watch(void *arg, void **value) {
    (void)value;
    struct pair *p = arg;
    p->in = watch(2);
    p->out = join(p->in);
    return change(p->in, 3, false);
}

static int64_t looks_elsewhere(void *arg, void **value) {
    (void)value;
    return changed(((struct pair *)arg)->out);
}

static int64_t tries(void *arg) { return has(((struct pair *)arg)->out); }

static void test_loops(void **state) {
    (void)state;
    made = freed = 0;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct pair p;
    assert_code(run_on(one, leaves_a_watch, &p), 0);
    assert_code(run_on(two, looks_elsewhere, &p), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(tries, &p), ALOOP_EWRONGTHREAD);
    close_loop(one);
    close_loop(two);
    assert_code(has(p.out), ALOOP_ESTALE);
    assert_code(change(p.in, 4, true), ALOOP_ESTALE);
    aloop_unref(p.in);
    aloop_unref(p.out);
    assert_int_equal(made, freed);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    sender *s = watch(1);
    receiver *r = join(s);
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    aloop_message *m = NULL;
    void *const wrong[][2] = {{NULL, NULL}, {event, event}, {r, s}};
    for (int i = 0; i < 3; i++) {
        void *in = wrong[i][0], *out = wrong[i][1];
        receiver *more = NULL;
        assert_code(aloop_watch_sender_subscribe(in, &more), ALOOP_EINVAL);
        assert_code(aloop_watch_sender_send(in, NULL), ALOOP_EINVAL);
        assert_code(aloop_watch_sender_replace(in, NULL), ALOOP_EINVAL);
        assert_code(aloop_watch_sender_get(in, &m), ALOOP_EINVAL);
        assert_failed(aloop_watch_sender_closed(in), ALOOP_EINVAL);
        assert_code(aloop_watch_sender_close(in), ALOOP_EINVAL);
        assert_code(aloop_watch_sender_statistic(in, 0), ALOOP_EINVAL);
        assert_failed(aloop_watch_receiver_changed(out), ALOOP_EINVAL);
        assert_code(aloop_watch_receiver_has_changed(out), ALOOP_EINVAL);
        assert_code(aloop_watch_receiver_get(out, &m), ALOOP_EINVAL);
        assert_code(aloop_watch_receiver_get_and_update(out, &m), ALOOP_EINVAL);
        assert_code(aloop_watch_receiver_close(out), ALOOP_EINVAL);
        assert_code(aloop_watch_receiver_statistic(out, 0), ALOOP_EINVAL);
    }
    assert_code(aloop_watch_sender_subscribe(s, NULL), ALOOP_EINVAL);
    assert_code(aloop_watch_receiver_get(r, NULL), ALOOP_EINVAL);
    assert_code(aloop_watch_sender_statistic(s, 4), ALOOP_EINVAL);
    assert_code(aloop_watch_sender_statistic(s, ALOOP_WATCH_STAT_RECEIVERS), 1);
    assert_code(aloop_watch_new(NULL, NULL, NULL), ALOOP_EINVAL);
    aloop_unref(event);
    aloop_unref(r);
    aloop_unref(s);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    sender *s = NULL;
    assert_code(aloop_watch_new(&s, NULL, NULL), ALOOP_ENORUNNINGLOOP);
    assert_null(aloop_watch_receiver_changed(NULL));
    assert_null(aloop_watch_sender_closed(NULL));
}

SUITE(CASE(test_values), CASE(test_ends), CASE(test_cancellation), CASE(test_loops),
      CASE(test_bad_input))
