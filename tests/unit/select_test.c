/*
 * combine.h: select, and what becomes of those that lose.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

static int64_t first_wins(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_future *both[] = {aloop_sleep(2), aloop_sleep_result(1, 7, NULL, NULL)};
    void *list = NULL;
    assert_code(aloop_await(aloop_select(both, 2), &list), 1);
    assert_int_equal(aloop_results_count(list), 2);
    assert_code(aloop_results_status(list, 1), 7);
    assert_code(aloop_await(aloop_ref(aloop_results_future(list, 1)), NULL), 7);
    assert_code(aloop_future_done(aloop_results_future(list, 0)), 0);
    assert_code(aloop_await(aloop_ref(aloop_results_future(list, 0)), NULL), 0);
    aloop_results_unref(list);
    return 0;
}

/* The lowest of several; a failure is an outcome like any other. */
static int64_t done_already(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *all[3];
    for (int i = 0; i < 3; i++) all[i] = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(all[1], ALOOP_EUSER), 0);
    assert_code(aloop_future_set_result(all[2], 5, NULL, NULL), 0);
    void *list = NULL;
    assert_code(aloop_await(aloop_select(all, 3), &list), 1);
    assert_code(aloop_results_status(list, 1), ALOOP_EUSER);
    assert_code(aloop_await(aloop_ref(all[1]), NULL), ALOOP_EUSER);
    aloop_results_unref(list);
    return 0;
}

/* A get that loses goes on, and gets its item when there is one. */
static int64_t loser_keeps_its_place(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0), *other = fifo(0);
    put_now(other, 1);
    aloop_future *both[] = {aloop_queue_get(q), aloop_queue_get(other)};
    void *list = NULL, *got = NULL;
    assert_code(aloop_await(aloop_select(both, 2), &list), 1);
    assert_code(aloop_queue_statistic(q, ALOOP_QUEUE_STAT_GETTERS), 1);
    assert_code(aloop_await(aloop_ref(aloop_results_future(list, 1)), &got), 0);
    assert_int_equal(number_of(got), 1);
    put_now(q, 2);
    assert_code(aloop_await(aloop_ref(aloop_results_future(list, 0)), &got), 0);
    assert_int_equal(number_of(got), 2);
    aloop_results_unref(list);
    aloop_unref(q);
    aloop_unref(other);
    return 0;
}

/* One that is cancelled after it lost leaves the item in the queue. */
static int64_t cancelled_loser(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    aloop_future *both[] = {aloop_queue_get(q), aloop_sleep(1)};
    void *list = NULL;
    assert_code(aloop_await(aloop_select(both, 2), &list), 1);
    aloop_future *get = aloop_ref(aloop_results_future(list, 0));
    aloop_results_unref(list);
    assert_code(aloop_future_cancel(get, NULL), 1);
    put_now(q, 3);
    assert_code(aloop_await(get, NULL), ALOOP_ECANCELED);
    assert_int_equal(get_now(q), 3);
    aloop_unref(q);
    return 0;
}

/* One that nobody can reach any more gets its item all the same, and that is freed:
 * what combine.h warns of. */
static int64_t dropped_loser(void *arg, void **value) {
    (void)arg, (void)value;
    for (int by_cancelling = 0; by_cancelling < 2; by_cancelling++) {
        aloop_queue *q = fifo(0);
        aloop_future *both[] = {aloop_queue_get(q), aloop_sleep(by_cancelling ? 9 : 1)};
        void *list = NULL;
        assert_code(aloop_await(aloop_wait_for(aloop_select(both, 2), 2), &list),
                    by_cancelling ? ALOOP_ETIMEDOUT : 1);
        if (!by_cancelling) aloop_results_unref(list);
        const int64_t before = freed;
        put_now(q, 5);
        let_run(2);
        assert_code(aloop_queue_qsize(q), 0);
        assert_int_equal(freed, before + 1);
        aloop_unref(q);
    }
    return 0;
}

/* Cancelling the select cancels nothing else. */
static int64_t cancelled_select(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_queue *q = fifo(0);
    aloop_future *get = aloop_queue_get(q);
    aloop_future *one[] = {aloop_ref(get)};
    assert_code(aloop_await(aloop_wait_for(aloop_select(one, 1), 1), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_future_done(get), 0);
    put_now(q, 4);
    void *got = NULL;
    assert_code(aloop_await(get, &got), 0);
    assert_int_equal(number_of(got), 4);
    aloop_unref(q);
    return 0;
}

static void test_select(void **state) {
    (void)state;
    in_program(first_wins);
    in_program(done_already);
    in_program(loser_keeps_its_place);
    in_program(cancelled_loser);
    in_program(dropped_loser);
    in_program(cancelled_select);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    aloop_future *with_null[] = {aloop_sleep(1), NULL};
    assert_failed(aloop_select(with_null, 2), ALOOP_EINVAL);
    aloop_future *other[] = {(aloop_future *)event};
    assert_failed(aloop_select(other, 1), ALOOP_EINVAL);
    assert_failed(aloop_select(NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_select(NULL, 0), ALOOP_EINVAL);
    assert_failed(aloop_select(other, -1), ALOOP_EINVAL);
    aloop_unref(event);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    assert_null(aloop_select(NULL, 0));
}

SUITE(CASE(test_select), CASE(test_bad_input))
