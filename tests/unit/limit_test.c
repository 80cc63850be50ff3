/*
 * limit.h: capacity limiters and rate limiters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"
#include "own_clock.h"

#include <math.h>

/* Capacity limiter ------------------------------------------------------------------------- */

static aloop_limiter *limiter(int64_t total) {
    aloop_limiter *l = NULL;
    assert_code(aloop_limiter_new(&l, total), 0);
    return l;
}

/* Borrowed, total, available and waiting, as digits. */
static int64_t figures(aloop_limiter *l) {
    int64_t seen = 0;
    for (int32_t i = 0; i < 4; i++) seen = seen * 10 + aloop_limiter_statistic(l, i);
    return seen;
}

/* Takes a token, keeps it for n rounds. */
static int64_t borrower(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = keep(a, aloop_limiter_acquire(a->on));
    return status < 0 ? status : aloop_limiter_release(a->on);
}

static int64_t takes_turns(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_limiter *l = limiter(2);
    struct actor actors[] = {{"a", l, 1}, {"b", l, 3}, {"c", l, 1}, {"d", l, 1}};
    begin_trace();
    aloop_task *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = go(borrower, &actors[i]);
    let_run(1);
    assert_code(figures(l), 2202);
    assert_code(aloop_limiter_has(l, tasks[0]), 1);
    assert_code(aloop_limiter_has(l, tasks[2]), 0); /* waits */
    for (int i = 0; i < 4; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@1 b:0@1 c:0@3 d:0@5 ");
    assert_code(figures(l), 220);
    aloop_unref(l);
    return 0;
}

static int64_t one_token_each(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_limiter *l = limiter(2);
    assert_code(aloop_limiter_release(l), ALOOP_ENOTOWNER);
    assert_code(aloop_limiter_acquire_nowait(l), 0);
    assert_code(aloop_limiter_acquire_nowait(l), ALOOP_EEXIST);
    assert_code(aloop_await(aloop_limiter_acquire(l), NULL), ALOOP_EEXIST);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "this borrower has a token of the limiter, or waits for one");
    assert_code(aloop_limiter_has(l, aloop_current_task(NULL)), 1);
    /* It is the task that calls, wherever the operation is awaited. */
    assert_code(aloop_limiter_release(l), 0);
    assert_code(aloop_await(aloop_ensure_future(aloop_limiter_acquire(l)), NULL), 0);
    assert_code(aloop_limiter_release_on_behalf_of(l, aloop_current_task(NULL)), 0);

    int first, second, third;
    assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l, &first), 0);
    assert_code(aloop_await(aloop_limiter_acquire_on_behalf_of(l, &second), NULL), 0);
    assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l, &third), ALOOP_EAGAIN);
    assert_code(aloop_limiter_acquire_nowait(l), ALOOP_EAGAIN);
    assert_code(aloop_await(aloop_limiter_acquire_on_behalf_of(l, &first), NULL), ALOOP_EEXIST);
    aloop_future *waits = aloop_ensure_future(aloop_limiter_acquire_on_behalf_of(l, &third));
    let_run(1);
    assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l, &third), ALOOP_EEXIST);
    assert_code(aloop_limiter_release_on_behalf_of(l, &third), ALOOP_ENOTOWNER);
    assert_code(aloop_limiter_release_on_behalf_of(l, &first), 0);
    assert_code(aloop_limiter_has(l, &third), 1); /* handed over at once */
    assert_code(aloop_limiter_acquire_nowait(l), ALOOP_EAGAIN);
    assert_code(aloop_await(waits, NULL), 0);
    assert_code(aloop_limiter_release_on_behalf_of(l, &second), 0);
    assert_code(aloop_limiter_release_on_behalf_of(l, &third), 0);
    aloop_unref(l);
    return 0;
}

static int64_t total_changes(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_limiter *l = limiter(0);
    struct actor actors[] = {{"a", l, 1}, {"b", l, 1}, {"c", l, 1}};
    begin_trace();
    aloop_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = go(borrower, &actors[i]);
    let_run(1);
    assert_code(figures(l), 3);
    assert_code(aloop_limiter_set_total_tokens(l, 2), 0);
    assert_code(figures(l), 2201);
    assert_code(aloop_limiter_set_total_tokens(l, 1), 0); /* nobody loses his */
    assert_code(figures(l), 2101);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@2 b:0@2 c:0@4 ");
    assert_code(aloop_limiter_total_tokens(l), 1);
    assert_code(aloop_limiter_set_total_tokens(l, INT64_MAX), 0);
    /* Many borrowers, in a table that grows. */
    static char names[1000];
    for (int i = 0; i < 1000; i++) {
        assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l, &names[i]), 0);
    }
    assert_code(aloop_limiter_statistic(l, ALOOP_LIMITER_STAT_BORROWED), 1000);
    for (int i = 0; i < 1000; i += 2) {
        assert_code(aloop_limiter_release_on_behalf_of(l, &names[i]), 0);
    }
    for (int i = 0; i < 1000; i++) assert_code(aloop_limiter_has(l, &names[i]), i % 2);
    aloop_unref(l); /* with tokens out */
    return 0;
}

static int64_t borrower_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int handed = 0; handed < 2; handed++) {
        aloop_limiter *l = limiter(1);
        struct actor a = {"a", l, 0}, b = {"b", l, 0};
        assert_code(aloop_limiter_acquire_nowait(l), 0);
        aloop_task *first = go(borrower, &a), *second = go(borrower, &b);
        let_run(1);
        if (handed) assert_code(aloop_limiter_release(l), 0);
        assert_code(aloop_limiter_has(l, first), handed);
        assert_code(aloop_task_cancel(first, "enough"), 1);
        if (!handed) assert_code(aloop_limiter_release(l), 0);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
        assert_code(ended(second), 0);
        assert_code(figures(l), 110);
        assert_code(aloop_await(aloop_limiter_acquire(l), NULL), 0);
        int other;
        assert_code(aloop_await(
                        aloop_wait_for(aloop_limiter_acquire_on_behalf_of(l, &other), 1), NULL),
                    ALOOP_ETIMEDOUT);
        aloop_unref(aloop_limiter_acquire_on_behalf_of(l, &other));
        aloop_unref(l);
    }
    return 0;
}

static void test_capacity_limiter(void **state) {
    (void)state;
    in_task(takes_turns);
    in_task(one_token_each);
    in_task(total_changes);
    in_task(borrower_cancelled);
}

/* Rate limiter ----------------------------------------------------------------------------- */

static aloop_rate_limiter *rate(double per_second, int64_t burst) {
    aloop_rate_limiter *r = NULL;
    assert_code(aloop_rate_limiter_new(&r, per_second, burst), 0);
    return r;
}

static double now(void) { return aloop_loop_time(aloop_get_running_loop()); }

static int64_t take(aloop_rate_limiter *r, int64_t n) {
    return aloop_await(aloop_rate_limiter_acquire(r, n), NULL);
}

static int64_t available(aloop_rate_limiter *r) {
    return aloop_rate_limiter_statistic(r, ALOOP_RATE_LIMITER_STAT_AVAILABLE);
}

static int64_t steady_rate(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rate_limiter *r = rate(3, 5);
    const double began = now();
    assert_code(available(r), 5);
    for (int i = 0; i < 5; i++) assert_code(take(r, 1), 0); /* the burst */
    assert_true(now() == began);
    assert_code(aloop_rate_limiter_acquire_nowait(r, 1), ALOOP_EAGAIN);
    /* Thirds of a second do not add up to an error, however many there are. */
    for (int64_t i = 1; i <= 30000; i++) {
        assert_code(take(r, 1), 0);
        if (i % 3 == 0) assert_true(now() == began + (double)(i / 3));
    }
    assert_code(aloop_await(aloop_sleep(0.9999), NULL), 0);
    assert_code(available(r), 2);
    assert_code(aloop_await(aloop_sleep(100), NULL), 0);
    assert_code(available(r), 5); /* what a full bucket gets runs over */
    assert_code(aloop_rate_limiter_acquire_nowait(r, 5), 0);
    const double empty = now();
    assert_code(take(r, 4), 0);
    assert_close(now() - empty, 4.0 / 3 + 4e-10);
    aloop_unref(r);
    return 0;
}

struct wants {
    const char *name;
    aloop_rate_limiter *from;
    int64_t n;
    double got_at;
};

static int64_t wanter(void *arg, void **value) {
    (void)value;
    struct wants *w = arg;
    const int64_t status = take(w->from, w->n);
    w->got_at = now();
    return status;
}

static int64_t fair_to_the_greedy(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rate_limiter *r = rate(10, 10);
    assert_code(take(r, 10), 0);
    const double began = now();
    struct wants all[] = {{"many", r, 8, 0}, {"few", r, 1, 0}, {"some", r, 3, 0}};
    aloop_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = aloop_create_task(wanter, &all[i]);
    assert_code(aloop_await(aloop_sleep(0.45), NULL), 0);
    assert_code(aloop_rate_limiter_statistic(r, ALOOP_RATE_LIMITER_STAT_WAITING), 3);
    assert_code(available(r), 4);
    assert_code(aloop_rate_limiter_acquire_nowait(r, 1), ALOOP_EAGAIN); /* others are first */
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    assert_close(all[0].got_at - began, 0.8);
    assert_close(all[1].got_at - began, 0.9);
    assert_close(all[2].got_at - began, 1.2);
    aloop_unref(r);
    return 0;
}

/* Cancelled before it was its turn, and between that and its running. */
static int64_t wanter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rate_limiter *r = rate(10, 10);
    assert_code(take(r, 10), 0);
    double began = now();
    struct wants a = {"a", r, 8, 0}, b = {"b", r, 1, 0};
    aloop_task *first = aloop_create_task(wanter, &a), *second = aloop_create_task(wanter, &b);
    assert_code(aloop_await(aloop_sleep(0.05), NULL), 0);
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    assert_close(b.got_at - began, 0.1); /* does not wait for what is cancelled */

    assert_code(aloop_await(aloop_sleep(10), NULL), 0);
    assert_code(take(r, 10), 0);
    began = now();
    struct wants c = {"c", r, 5, 0}, d = {"d", r, 6, 0};
    first = aloop_create_task(wanter, &c);
    second = aloop_create_task(wanter, &d);
    /* Due in the same iteration, and armed before it. */
    assert_code(aloop_await(aloop_sleep(0.5), NULL), 0);
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    assert_close(d.got_at - began, 0.6); /* with the five that came back */
    assert_code(aloop_await(aloop_wait_for(aloop_rate_limiter_acquire(r, 9), 0.25), NULL),
                ALOOP_ETIMEDOUT);
    assert_code(available(r), 2);
    aloop_unref(aloop_rate_limiter_acquire(r, 1));
    aloop_unref(r);
    return 0;
}

static int64_t extremes(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rate_limiter *fast = rate(1e9, 1000000000000000), *slow = rate(1e-9, 2);
    assert_code(take(fast, 1000000000000000), 0);
    double began = now();
    assert_code(take(fast, 1000000000), 0);
    assert_close(now() - began, 1.0);
    assert_code(take(slow, 2), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_rate_limiter_acquire(slow, 2), 1e8), NULL),
                ALOOP_ETIMEDOUT);
    assert_code(available(slow), 0);
    aloop_unref(fast);
    aloop_unref(slow);
    return 0;
}

/* Found by search: times at which the quotient of 64 bits is one too many, and one
 * too few. */
static int64_t rounded_quotients(void *arg, void **value) {
    (void)arg, (void)value;
    const struct {
        double rate, seconds, rest;
        int64_t came;
    } cases[] = {{57556827.329518013, 16159416, 0.039118163, 930084718709367},
                 {5707982.8760513719, 81428445, 0.161026945, 464792170602630}};
    for (int i = 0; i < 2; i++) {
        aloop_rate_limiter *r = rate(cases[i].rate, 1000000000000000);
        assert_code(take(r, 1000000000000000), 0);
        assert_code(aloop_await(aloop_sleep(cases[i].seconds), NULL), 0);
        assert_code(aloop_await(aloop_sleep(cases[i].rest), NULL), 0);
        assert_true(available(r) == cases[i].came);
        aloop_unref(r);
    }
    return 0;
}

/* What comes later than timers can say never comes, and costs nothing meanwhile. */
static int64_t beyond_all_time(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rate_limiter *slow[] = {rate(1e-9, 20), rate(1, 10000000000)};
    aloop_loop *loop = aloop_get_running_loop();
    for (int i = 0; i < 2; i++) {
        const int64_t burst = aloop_rate_limiter_statistic(slow[i], ALOOP_RATE_LIMITER_STAT_BURST);
        assert_code(take(slow[i], burst), 0);
        struct wants w = {"late", slow[i], burst, 0};
        aloop_task *task = aloop_create_task(wanter, &w);
        const int64_t began = aloop_loop_iteration(loop);
        assert_code(aloop_await(aloop_sleep(0.01), NULL), 0);
        assert_true(aloop_loop_iteration(loop) - began < 10);
        cancel(task);
        assert_code(ended(task), ALOOP_ECANCELED);
        aloop_unref(slow[i]);
    }
    return 0;
}

/* Served and then cancelled, while the loop was busy for so long that the bucket
 * half filled up again, or ran over: what is poured back is not more than there
 * would be without. */
static int64_t poured_back_late(void *arg, void **value) {
    (void)arg, (void)value;
    const double busy[] = {0.01, 0.025};
    for (int i = 0; i < 2; i++) {
        stop_clock();
        aloop_rate_limiter *r = rate(1000, 20);
        assert_code(aloop_rate_limiter_acquire_nowait(r, 20), 0);
        struct wants w = {"served", r, 20, 0};
        aloop_task *task = aloop_create_task(wanter, &w);
        let_run(1);
        pass_time(0.021);
        aloop_rate_limiter_acquire_nowait(r, 20); /* whoever is due is served */
        assert_code(aloop_rate_limiter_statistic(r, ALOOP_RATE_LIMITER_STAT_WAITING), 0);
        pass_time(busy[i]);
        const int64_t taken = available(r);
        assert_true(taken > 0);
        assert_code(aloop_rate_limiter_acquire_nowait(r, taken), 0);
        cancel(task);
        assert_code(ended(task), ALOOP_ECANCELED);
        const int64_t left = available(r);
        assert_true(taken + left <= 20);
        aloop_unref(r);
        let_clock_go();
    }
    return 0;
}

/* Two that were served are cancelled, in either order: all comes back. */
static int64_t poured_back_by_two(void *arg, void **value) {
    (void)arg, (void)value;
    for (int first = 0; first < 2; first++) {
        aloop_rate_limiter *r = rate(10, 10);
        assert_code(take(r, 10), 0);
        struct wants w[] = {{"a", r, 5, 0}, {"b", r, 3, 0}, {"first", r, 9, 0}};
        aloop_task *greedy = aloop_create_task(wanter, &w[2]), *tasks[2];
        for (int i = 0; i < 2; i++) tasks[i] = aloop_create_task(wanter, &w[i]);
        assert_code(aloop_await(aloop_sleep(0.8), NULL), 0);
        assert_code(available(r), 8);
        cancel(greedy);
        let_run(1); /* it leaves, and both are served at once */
        assert_code(available(r), 0);
        cancel(tasks[first]);
        cancel(tasks[!first]);
        assert_code(ended(greedy), ALOOP_ECANCELED);
        for (int i = 0; i < 2; i++) assert_code(ended(tasks[i]), ALOOP_ECANCELED);
        assert_code(available(r), 8);
        aloop_unref(r);
    }
    return 0;
}

static void test_rate_limiter(void **state) {
    (void)state;
    in_task(steady_rate);
    in_task(fair_to_the_greedy);
    in_task(wanter_cancelled);
    in_task(extremes);
    in_task(rounded_quotients);
    in_task(poured_back_by_two);
}

/* What a busy loop and far deadlines do, on the real clock. */
static void test_rate_limiter_in_real_time(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, beyond_all_time, NULL), 0);
    assert_code(run_on(loop, poured_back_late, NULL), 0);
    close_loop(loop);
}

/* Loops and bad input ---------------------------------------------------------------------- */

struct limits {
    aloop_limiter *capacity;
    aloop_rate_limiter *rate;
};

static int64_t leave_waiting(void *arg, void **value) {
    (void)value;
    struct limits *l = arg;
    static int others[2];
    assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l->capacity, l), 0);
    for (int i = 0; i < 2; i++) {
        aloop_unref(
            aloop_ensure_future(aloop_limiter_acquire_on_behalf_of(l->capacity, &others[i])));
    }
    assert_code(take(l->rate, 2), 0);
    for (int i = 0; i < 2; i++) {
        aloop_unref(aloop_ensure_future(aloop_rate_limiter_acquire(l->rate, 1)));
    }
    let_run(1);
    return 0;
}

static int64_t leave_one_waiting(void *arg, void **value) {
    (void)value;
    assert_code(take(arg, 20), 0);
    aloop_unref(aloop_ensure_future(aloop_rate_limiter_acquire(arg, 20)));
    let_run(1);
    return 0;
}

/* Served, and the loop closes before it runs: nobody has had its share. */
static void test_closes_under_a_served_one(void **state) {
    (void)state;
    stop_clock();
    aloop_loop *loop = real_loop();
    struct reports heard;
    capture_reports(loop, &heard);
    aloop_rate_limiter *r = rate(400, 20);
    assert_code(run_on(loop, leave_one_waiting, r), 0);
    pass_time(0.051);
    assert_code(aloop_set_event_loop(loop), 0);
    assert_code(aloop_rate_limiter_acquire_nowait(r, 20), ALOOP_EAGAIN);
    assert_code(aloop_rate_limiter_statistic(r, ALOOP_RATE_LIMITER_STAT_WAITING), 0);
    close_loop(loop);
    assert_code(aloop_set_event_loop(NULL), 0);
    assert_int_equal(heard.count, 1);
    assert_code(available(r), 20);
    aloop_unref(r);
    let_clock_go();
}

static int64_t try_elsewhere(void *arg, void **value) {
    (void)value;
    struct limits *l = arg;
    assert_code(aloop_await(aloop_rate_limiter_acquire(l->rate, 1), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_rate_limiter_acquire_nowait(l->rate, 1), ALOOP_EWRONGLOOP);
    /* Until it has to wait, a capacity limiter does not ask. */
    assert_code(aloop_limiter_acquire_nowait(l->capacity), 0);
    int other;
    return aloop_await(aloop_limiter_acquire_on_behalf_of(l->capacity, &other), NULL);
}

static int64_t try_from_a_thread(void *arg) {
    struct limits *l = arg;
    assert_code(aloop_rate_limiter_statistic(l->rate, 0), ALOOP_EWRONGTHREAD);
    return aloop_limiter_set_total_tokens(l->capacity, 3);
}

static void test_loops(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct reports heard;
    capture_reports(one, &heard);
    struct limits l = {limiter(1), rate(1, 2)};
    assert_code(run_on(one, leave_waiting, &l), 0);
    assert_code(on_foreign_thread(try_from_a_thread, &l), ALOOP_EWRONGTHREAD);
    assert_code(aloop_limiter_release_on_behalf_of(l.capacity, &l), 0);
    assert_code(aloop_limiter_statistic(l.capacity, ALOOP_LIMITER_STAT_BORROWED), 1);
    close_loop(one); /* what was handed to one that never ran comes back */
    assert_code(aloop_limiter_statistic(l.capacity, ALOOP_LIMITER_STAT_BORROWED), 0);
    assert_code(run_on(two, try_elsewhere, &l), ALOOP_EWRONGLOOP);
    close_loop(two);
    aloop_unref(l.capacity);
    aloop_unref(l.rate);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    void *const wrong[] = {NULL, event};
    for (int i = 0; i < 2; i++) {
        void *it = wrong[i];
        assert_failed(aloop_limiter_acquire(it), ALOOP_EINVAL);
        assert_code(aloop_limiter_acquire_nowait(it), ALOOP_EINVAL);
        assert_code(aloop_limiter_release(it), ALOOP_EINVAL);
        assert_failed(aloop_limiter_acquire_on_behalf_of(it, it), ALOOP_EINVAL);
        assert_code(aloop_limiter_acquire_on_behalf_of_nowait(it, it), ALOOP_EINVAL);
        assert_code(aloop_limiter_release_on_behalf_of(it, it), ALOOP_EINVAL);
        assert_code(aloop_limiter_has(it, it), ALOOP_EINVAL);
        assert_code(aloop_limiter_total_tokens(it), ALOOP_EINVAL);
        assert_code(aloop_limiter_set_total_tokens(it, 1), ALOOP_EINVAL);
        assert_code(aloop_limiter_statistic(it, 0), ALOOP_EINVAL);
        assert_failed(aloop_rate_limiter_acquire(it, 1), ALOOP_EINVAL);
        assert_code(aloop_rate_limiter_acquire_nowait(it, 1), ALOOP_EINVAL);
        assert_code(aloop_rate_limiter_statistic(it, 0), ALOOP_EINVAL);
    }
    aloop_unref(event);
    aloop_limiter *l = limiter(1);
    assert_code(aloop_limiter_new(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_limiter_new(&l, -1), ALOOP_EINVAL);
    assert_code(aloop_limiter_set_total_tokens(l, -1), ALOOP_EINVAL);
    assert_failed(aloop_limiter_acquire_on_behalf_of(l, NULL), ALOOP_EINVAL);
    assert_code(aloop_limiter_acquire_on_behalf_of_nowait(l, NULL), ALOOP_EINVAL);
    assert_code(aloop_limiter_release_on_behalf_of(l, NULL), ALOOP_EINVAL);
    assert_code(aloop_limiter_has(l, NULL), 0);
    assert_code(aloop_limiter_statistic(l, 4), ALOOP_EINVAL);
    aloop_unref(l);
    aloop_rate_limiter *r = rate(1, 2);
    const double rates[] = {0, -1, NAN, INFINITY, 1e10, 1e-10};
    for (int i = 0; i < 6; i++) {
        assert_code(aloop_rate_limiter_new(&r, rates[i], 1), ALOOP_EINVAL);
    }
    assert_code(aloop_rate_limiter_new(NULL, 1, 1), ALOOP_EINVAL);
    assert_code(aloop_rate_limiter_new(&r, 1, 0), ALOOP_EINVAL);
    assert_code(aloop_rate_limiter_new(&r, 1, INT64_MAX), ALOOP_EINVAL);
    const int64_t counts[] = {0, -1, 3};
    for (int i = 0; i < 3; i++) {
        assert_failed(aloop_rate_limiter_acquire(r, counts[i]), ALOOP_EINVAL);
        assert_code(aloop_rate_limiter_acquire_nowait(r, counts[i]), ALOOP_EINVAL);
    }
    assert_code(aloop_rate_limiter_statistic(r, 3), ALOOP_EINVAL);
    assert_code(aloop_rate_limiter_statistic(r, ALOOP_RATE_LIMITER_STAT_BURST), 2);
    aloop_unref(r);
    return 0;
}

static int64_t outside_a_task(void *limiter) {
    assert_code(aloop_limiter_acquire_nowait(limiter), ALOOP_ENOTASK);
    assert_code(aloop_limiter_release(limiter), ALOOP_ENOTASK);
    assert_failed(aloop_limiter_acquire(limiter), ALOOP_ENOTASK);
    return 0;
}

static int64_t calls_back(void *arg, void **value) {
    (void)value;
    assert_true(aloop_loop_call_soon(aloop_get_running_loop(), outside_a_task, arg, NULL) > 0);
    let_run(1);
    return 0;
}

static int64_t takes_one(void *r, void **value) {
    (void)value;
    return take(r, 1);
}

static void test_bad_input(void **state) {
    (void)state;
    in_task(bad_input);
    aloop_limiter *l = limiter(1);
    assert_code(run_virtual(calls_back, l, NULL), 0);
    assert_null(aloop_limiter_acquire(l));
    assert_code(aloop_limiter_acquire_nowait(l), ALOOP_ENOTASK);
    aloop_unref(l);
    aloop_rate_limiter *r = rate(1, 1);
    assert_code(aloop_rate_limiter_acquire_nowait(r, 1), ALOOP_ENORUNNINGLOOP);
    assert_code(available(r), 1);
    assert_null(aloop_rate_limiter_acquire(r, 1));
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_set_event_loop(loop), 0);
    close_loop(loop);
    assert_code(aloop_rate_limiter_acquire_nowait(r, 1), ALOOP_ESTALE); /* and not bound by it */
    assert_code(aloop_set_event_loop(NULL), 0);
    assert_code(run_virtual(takes_one, r, NULL), 0);
    aloop_unref(r);
}

SUITE(CASE(test_capacity_limiter), CASE(test_rate_limiter),
      CASE(test_rate_limiter_in_real_time), CASE(test_closes_under_a_served_one),
      CASE(test_loops), CASE(test_bad_input))
