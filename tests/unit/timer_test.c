/*
 * Timers: never early, equal deadlines in the order of arming, against a model.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>

/* Against a sorted model -------------------------------------------------------------- */

enum { timers = 100000 };

struct timer {
    aloop_handle handle;
    double when;
    int order; /* of arming */
    bool cancelled;
    bool fired;
};

static struct timer all[timers];
static struct timer *expected[timers];
static int fired_so_far;
static aloop_loop *current;

static uint64_t random_state;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

/* Doubles of far times round to some nanoseconds. */
static bool is_early(double now, double when) { return now < when - when * 4e-16; }

static int64_t fire(void *data) {
    struct timer *t = data;
    assert_ptr_equal(t, expected[fired_so_far]);
    fired_so_far++;
    assert_false(t->fired || t->cancelled);
    t->fired = true;
    assert_false(is_early(aloop_loop_time(current), t->when));
    return 0;
}

static int by_deadline(const void *a, const void *b) {
    const struct timer *x = *(struct timer *const *)a;
    const struct timer *y = *(struct timer *const *)b;
    if (x->when != y->when) return x->when < y->when ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Some of each: many equal, within a millisecond, within minutes, within years. */
static double draw_deadline(void) {
    switch (draw(4)) {
    case 0:
        return draw(50);
    case 1:
        return draw(1000000) / 1e9;
    case 2:
        return draw(1000000000) / 1e6;
    default:
        return draw(1000000000);
    }
}

static void test_many_random_timers_fire_in_order(void **state) {
    (void)state;
    random_state = 42;
    fired_so_far = 0;
    current = virtual_loop();
    for (int i = 0; i < timers; i++) {
        struct timer *t = &all[i];
        *t = (struct timer){.when = draw_deadline(), .order = i};
        const int64_t id = aloop_loop_call_at(current, t->when, fire, t, NULL);
        assert_true(id > 0);
        t->handle = (aloop_handle)id;
    }
    int left = 0;
    for (int i = 0; i < timers; i++) {
        if (draw(3) != 0) continue;
        all[i].cancelled = true;
        assert_code(aloop_loop_cancel_handle(current, all[i].handle), 0);
    }
    for (int i = 0; i < timers; i++) {
        if (!all[i].cancelled) expected[left++] = &all[i];
    }
    qsort(expected, (size_t)left, sizeof expected[0], by_deadline);
    while (fired_so_far < left) assert_true(aloop_loop_run_once(current, -1) > 0);
    for (int i = 0; i < left; i++) {
        assert_code(aloop_loop_cancel_handle(current, expected[i]->handle), ALOOP_ENOENT);
    }
    close_loop(current);
}

/* Timers that arm and cancel others while time passes: what is armed is kept in
 * a plain array, and the earliest of it must be the next to fire. */
enum { alive = 500, rounds = 20000 };

static struct timer pool[alive];
static int next_order;
static int fired_count;

static int64_t rearm(void *data);

static void arm(struct timer *t) {
    const double now = aloop_loop_time(current);
    t->when = now + draw_deadline() * (draw(8) == 0 ? 0 : 1);
    t->order = next_order++;
    const int64_t id = aloop_loop_call_at(current, t->when, rearm, t, NULL);
    assert_true(id > 0);
    t->handle = (aloop_handle)id;
}

static int64_t rearm(void *data) {
    struct timer *t = data;
    const double now = aloop_loop_time(current);
    assert_false(is_early(now, t->when));
    for (int i = 0; i < alive; i++) {
        /* Nobody who should have come before is still waiting, except those that
         * were armed in this very iteration. */
        if (pool[i].when < t->when) assert_false(is_early(pool[i].when, now));
    }
    if (++fired_count >= rounds) return aloop_loop_stop(current);
    struct timer *other = &pool[draw(alive)];
    if (other != t && aloop_loop_cancel_handle(current, other->handle) == 0) arm(other);
    arm(t);
    return 0;
}

static void test_timers_armed_while_time_passes(void **state) {
    (void)state;
    random_state = 7;
    fired_count = next_order = 0;
    current = virtual_loop();
    for (int i = 0; i < alive; i++) arm(&pool[i]);
    assert_code(aloop_loop_run_forever(current), 0);
    assert_true(fired_count >= rounds);
    close_loop(current);
}

/* Edges ----------------------------------------------------------------------------------- */

static void test_bad_and_extreme_times(void **state) {
    (void)state;
    int ran = 0;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_call_later(loop, NAN, count_call, &ran, count_free), ALOOP_EINVAL);
    assert_code(aloop_loop_call_at(loop, NAN, count_call, &ran, count_free), ALOOP_EINVAL);
    const double past[] = {0, -0.0, -1, -1e300, -INFINITY};
    for (int i = 0; i < 5; i++) {
        assert_true(aloop_loop_call_later(loop, past[i], count_call, &ran, NULL) > 0);
        assert_true(aloop_loop_call_at(loop, past[i], count_call, &ran, NULL) > 0);
    }
    assert_int_equal(aloop_loop_run_once(loop, 0), 10);
    const double far[] = {1e300, INFINITY, 1e18};
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_loop_call_later(loop, far[i], count_call, &ran, NULL) > 0);
        assert_true(aloop_loop_call_at(loop, far[i], count_call, &ran, NULL) > 0);
    }
    assert_int_equal(aloop_loop_run_once(loop, 100), 0);
    assert_close(aloop_loop_time(loop), 100);
    assert_int_equal(ran, 10);
    close_loop(loop);
}

static void test_run_once_waits_no_longer_than_told(void **state) {
    (void)state;
    int ran = 0;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_later(loop, 5, count_call, &ran, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 2), 0);
    assert_close(aloop_loop_time(loop), 2);
    assert_int_equal(aloop_loop_run_once(loop, 0), 0);
    assert_close(aloop_loop_time(loop), 2);
    assert_close(aloop_loop_backend_timeout(loop), 3);
    assert_int_equal(aloop_loop_run_once(loop, -1), 1);
    assert_close(aloop_loop_time(loop), 5);
    assert_true(aloop_loop_backend_timeout(loop) < 0);
    assert_true(aloop_loop_call_soon(loop, count_call, &ran, NULL) > 0);
    assert_true(aloop_loop_backend_timeout(loop) == 0);
    assert_int_equal(aloop_loop_run_once(loop, 10), 1);
    assert_close(aloop_loop_time(loop), 5);
    close_loop(loop);
}

static double latest;

static int64_t note_time(void *when) {
    const double now = aloop_loop_time(current);
    assert_true(now >= *(double *)when);
    if (now - *(double *)when > latest) latest = now - *(double *)when;
    return 0;
}

static void test_the_real_clock_is_never_early(void **state) {
    (void)state;
    enum { n = 60 };
    static double when[n];
    latest = 0;
    current = real_loop();
    for (int i = 0; i < n; i++) {
        when[i] = aloop_loop_time(current) + (i % 20) * 0.00037;
        assert_true(aloop_loop_call_at(current, when[i], note_time, &when[i], NULL) > 0);
    }
    int64_t ran = 0;
    while (ran < n) {
        const int64_t k = aloop_loop_run_once(current, -1);
        assert_true(k >= 0);
        ran += k;
    }
    print_message("latest: %.0f us\n", latest * 1e6);
    assert_true(latest < 1);
    close_loop(current);
}

SUITE(CASE(test_many_random_timers_fire_in_order), CASE(test_timers_armed_while_time_passes),
      CASE(test_bad_and_extreme_times), CASE(test_run_once_waits_no_longer_than_told),
      CASE(test_the_real_clock_is_never_early))
