/*
 * loop.h: a loop that looks for work for a while before it sleeps.
 *
 * The clock is the test's own: each reading of it takes a microsecond, and a loop
 * that sleeps until a timer finds the time of that timer. So how often the loop looks
 * and how often it sleeps is the same on any machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

enum { k_us = 1000 };

static _Atomic int64_t now = 1000000000;
static int64_t looks, sleeps, wake_ups;
static void (*at_look)(void); /* called once, by the next look */

int clock_gettime(clockid_t id, struct timespec *to) {
    (void)id;
    const int64_t time = atomic_fetch_add(&now, k_us) + k_us;
    to->tv_sec = time / 1000000000;
    to->tv_nsec = time % 1000000000;
    return 0;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old) {
    const struct itimerspec at_once = {.it_value = {0, 1}};
    const int64_t deadline = to->it_value.tv_sec * 1000000000 + to->it_value.tv_nsec;
    (void)flags;
    if (now < deadline) now = deadline;
    return (int)syscall(SYS_timerfd_settime, fd, 0, &at_once, old);
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout) {
    *(timeout == 0 ? &looks : &sleeps) += 1;
    if (timeout == 0 && at_look != NULL) {
        void (*call)(void) = at_look;
        at_look = NULL;
        call();
    }
    return (int)syscall(SYS_epoll_wait, fd, events, n, timeout);
}

ssize_t write(int fd, const void *data, size_t n) {
    wake_ups++;
    return syscall(SYS_write, fd, data, n);
}

static aloop_loop *loop;

static void make_loop(double busy_poll) {
    aloop_loop_options *options = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_clock(options, ALOOP_CLOCK_MONOTONIC), 0);
    assert_code(aloop_loop_options_set_busy_poll(options, busy_poll), 0);
    assert_code(aloop_loop_new(&loop, options), 0);
    aloop_unref(options);
    looks = sleeps = wake_ups = 0;
}

struct waits {
    int left;
    double delay;
    int64_t due;
};

static int64_t wait_again(void *data) {
    struct waits *w = data;
    assert_true(now >= w->due); /* never early */
    if (w->left-- == 0) return aloop_loop_stop(loop);
    w->due = now + (int64_t)(w->delay * 1e9);
    assert_true(aloop_loop_call_later(loop, w->delay, wait_again, w, NULL) > 0);
    return 0;
}

static void wait_times(int times, double delay) {
    struct waits w = {.left = times, .delay = delay};
    assert_true(aloop_loop_call_soon(loop, wait_again, &w, NULL) > 0);
    assert_code(aloop_loop_run_forever(loop), 0);
}

static void test_options(void **state) {
    (void)state;
    aloop_loop_options *o = aloop_loop_options_new();
    const double wrong[] = {-1e-9, 1.001, INFINITY, NAN};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_code(aloop_loop_options_set_busy_poll(o, wrong[i]), ALOOP_EINVAL);
    }
    assert_code(aloop_loop_options_set_busy_poll(NULL, 0.001), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_busy_poll((aloop_loop_options *)(void *)loop, 0),
                ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_busy_poll(o, 1), 0);
    assert_code(aloop_loop_options_set_busy_poll(o, 0), 0);
    aloop_unref(o);
}

static void test_without_it_each_wait_sleeps(void **state) {
    (void)state;
    make_loop(0);
    wait_times(50, 0.00005);
    assert_int_equal(sleeps, 50);
    assert_true(looks <= 2);
    close_loop(loop);
}

static void test_short_waits_never_sleep(void **state) {
    (void)state;
    make_loop(0.0001);
    wait_times(50, 0.00005);
    assert_int_equal(sleeps, 0);
    assert_true(looks > 50);
    close_loop(loop);
}

/* The time before a sleep goes down to a sixteenth, and comes back with short waits. */
static void test_long_waits_sleep_soon(void **state) {
    (void)state;
    make_loop(0.00016);
    wait_times(10, 0.01);
    assert_int_equal(sleeps, 10);
    const int64_t before = looks;
    wait_times(10, 0.01);
    assert_int_equal(sleeps, 20);
    assert_in_range(looks - before, 10, 110); /* 10 us each, of 2 or 1 us a look */

    wait_times(4, 0.0001); /* 10, 20, 40, 80 us do not suffice */
    assert_in_range(sleeps, 23, 24);
    const int64_t slept = sleeps;
    wait_times(50, 0.0001);
    assert_int_equal(sleeps, slept);
    close_loop(loop);
}

static int64_t stop_it(void *unused) {
    (void)unused;
    return aloop_loop_stop(loop);
}

static int64_t post_stop(void *unused) {
    return aloop_loop_call_soon_threadsafe(loop, stop_it, unused, NULL) > 0 ? 0 : -1;
}

static void post_from_thread(void) { assert_code(on_foreign_thread(post_stop, NULL), 0); }

static void stop_from_thread(void) { assert_code(on_foreign_thread(stop_it, NULL), 0); }

/* What comes while the loop looks on is found without a system call of the sender. */
static void test_posts_wake_nobody(void **state) {
    (void)state;
    make_loop(0.1);
    at_look = post_from_thread;
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_int_equal(wake_ups, 0);
    assert_int_equal(sleeps, 0);
    at_look = stop_from_thread;
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_int_equal(sleeps, 0);
    close_loop(loop);
}

static int64_t never(void *unused) {
    (void)unused;
    return -1;
}

/* An iteration that may not wait looks once. */
static void test_no_wait(void **state) {
    (void)state;
    make_loop(0.1);
    const int64_t timer = aloop_loop_call_later(loop, 3600, never, NULL, NULL);
    assert_true(timer > 0);
    looks = 0;
    assert_code(aloop_loop_run_once(loop, 0), 0);
    assert_int_equal(looks, 1);
    assert_int_equal(sleeps, 0);
    assert_code(aloop_loop_run_once(loop, 0.000020), 0);
    assert_in_range(looks, 5, 30);
    assert_int_equal(sleeps, 0);
    close_loop(loop);
}

/* The virtual clock jumps as ever. */
static void test_virtual_clock(void **state) {
    (void)state;
    aloop_loop_options *options = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL), 0);
    assert_code(aloop_loop_options_set_busy_poll(options, 1), 0);
    assert_code(aloop_loop_new(&loop, options), 0);
    aloop_unref(options);
    looks = 0;
    assert_true(aloop_loop_call_later(loop, 0.5, stop_it, NULL, NULL) > 0);
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_close(aloop_loop_time(loop), 0.5);
    assert_int_equal(looks, 0);
    close_loop(loop);
}

SUITE(CASE(test_options), CASE(test_without_it_each_wait_sleeps),
      CASE(test_short_waits_never_sleep), CASE(test_long_waits_sleep_soon),
      CASE(test_posts_wake_nobody), CASE(test_no_wait), CASE(test_virtual_clock))
