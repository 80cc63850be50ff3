/*
 * loop.h: how a loop polls: beside a forked child that renews it, for a host that
 * embeds it, among callbacks that keep it busy, and for timers that were cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Forks ------------------------------------------------------------------------ */

static int exit_of(pid_t child) {
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_a_renewed_child_leaves_the_parents_epoll_alone(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_true(aloop_loop_backend_fd(loop) >= 0);
    const pid_t child = fork();
    if (child == 0) _exit(aloop_loop_after_fork(loop) == 0 ? 0 : 1);
    assert_int_equal(exit_of(child), 0);
    int calls = 0;
    assert_true(aloop_loop_call_later(loop, 0.001, count_call, &calls, NULL) > 0);
    alarm(k_hang); /* without its timerfd the loop sleeps for ever */
    while (calls == 0) aloop_loop_run_once(loop, 5);
    alarm(0);
    close_loop(loop);
}

static void test_a_child_may_drop_the_parents_loop(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    const pid_t child = fork();
    if (child == 0) {
        aloop_loop_unref(loop);
        _exit(0);
    }
    assert_int_equal(exit_of(child), 0);
    close_loop(loop);
}

/* The poll's cadence --------------------------------------------------------------- */

static int64_t post_one(void *data) {
    static int calls;
    return aloop_loop_call_soon_threadsafe(data, count_call, &calls, NULL) > 0 ? 0 : -1;
}

static void test_a_post_wakes_the_host_of_an_embedded_loop(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    struct pollfd fd = {(int)aloop_loop_backend_fd(loop), POLLIN, 0};
    assert_true(aloop_loop_backend_timeout(loop) < 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_int_equal(on_foreign_thread(post_one, loop), 0);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    close_loop(loop);
}

struct busy {
    aloop_loop *loop;
    int rounds;
    int64_t iteration;
};

static int64_t slow_round(void *data) {
    struct busy *b = data;
    const struct timespec one = {0, 1000000};
    nanosleep(&one, NULL);
    b->rounds++;
    return aloop_loop_call_soon(b->loop, slow_round, b, NULL) > 0 ? 0 : -1;
}

static int64_t stop_it(void *loop) { return aloop_loop_stop(loop); }

static void test_slow_callbacks_delay_a_timer_by_one_of_them(void **state) {
    (void)state;
    struct busy b = {real_loop(), 0, 0};
    assert_true(aloop_loop_call_soon(b.loop, slow_round, &b, NULL) > 0);
    assert_true(aloop_loop_call_later(b.loop, 0.0095, stop_it, b.loop, NULL) > 0);
    assert_int_equal(aloop_loop_run_forever(b.loop), 0);
    assert_in_range(b.rounds, 1, 12);
    close_loop(b.loop);
}

static int64_t note_iteration(void *data) {
    struct busy *b = data;
    b->iteration = aloop_loop_iteration(b->loop);
    return aloop_loop_stop(b->loop);
}

static int64_t spin(void *data) {
    struct busy *b = data;
    if (b->rounds++ == 3) {
        aloop_loop_time(b->loop); /* moves the cached time on */
        b->iteration = -aloop_loop_iteration(b->loop);
        assert_true(aloop_loop_call_later(b->loop, 0, note_iteration, b, NULL) > 0);
    }
    if (b->rounds == 5) assert_true(b->iteration < 0); /* behind what was ready */
    return aloop_loop_call_soon(b->loop, spin, b, NULL) > 0 ? 0 : -1;
}

static void test_no_delay_is_one_iteration_among_busy_callbacks(void **state) {
    (void)state;
    struct busy b = {real_loop(), 0, 0};
    assert_true(aloop_loop_call_soon(b.loop, spin, &b, NULL) > 0);
    assert_int_equal(aloop_loop_run_forever(b.loop), 0);
    assert_int_equal(b.rounds, 5);
    close_loop(b.loop);
}

/* Timers ----------------------------------------------------------------------------- */

static void test_the_time_of_a_cancelled_timer_wakes_the_loop_once(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    int cancelled = 0, calls = 0, turns = 0;
    const int64_t first = aloop_loop_call_later(loop, 0.002, count_call, &cancelled, NULL);
    assert_true(first > 0);
    assert_true(aloop_loop_call_later(loop, 0.01, count_call, &calls, NULL) > 0);
    assert_true(aloop_loop_backend_timeout(loop) <= 0.002);
    assert_int_equal(aloop_loop_cancel_handle(loop, (aloop_handle)first), 0);
    alarm(k_hang);
    for (; calls == 0; turns++) assert_true(aloop_loop_run_once(loop, -1) >= 0);
    alarm(0);
    assert_int_equal(cancelled, 0);
    assert_true(turns <= 3);
    assert_true(aloop_loop_backend_timeout(loop) < 0);
    close_loop(loop);
}

SUITE(CASE(test_a_renewed_child_leaves_the_parents_epoll_alone),
      CASE(test_a_child_may_drop_the_parents_loop),
      CASE(test_a_post_wakes_the_host_of_an_embedded_loop),
      CASE(test_slow_callbacks_delay_a_timer_by_one_of_them),
      CASE(test_no_delay_is_one_iteration_among_busy_callbacks),
      CASE(test_the_time_of_a_cancelled_timer_wakes_the_loop_once))
