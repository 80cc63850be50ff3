/*
 * sync.h: what each lock says about itself while tasks use it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

typedef int64_t (*statistic_fn)(void *object, int32_t which);

/* The first n figures as digits. */
static int64_t figures(statistic_fn statistic, void *object, int32_t n) {
    int64_t seen = 0;
    for (int32_t i = 0; i < n; i++) seen = seen * 10 + statistic(object, i);
    return seen;
}

#define FIGURES(name, n)                                                       \
    static int64_t name##_at(void *object, int32_t which) {                    \
        return aloop_##name##_statistic(object, which);                        \
    }                                                                          \
    static int64_t name##_figures(aloop_##name *object) {                      \
        assert_code(aloop_##name##_statistic(object, -1), ALOOP_EINVAL);       \
        assert_code(aloop_##name##_statistic(object, n), ALOOP_EINVAL);        \
        assert_code(aloop_##name##_statistic(NULL, 0), ALOOP_EINVAL);          \
        assert_code(aloop_##name##_statistic((void *)wrong, 0), ALOOP_EINVAL); \
        return figures(name##_at, object, n);                                  \
    }

static aloop_future *wrong; /* of another type than any */

FIGURES(lock, 2)
FIGURES(event, 2)
FIGURES(condition, 3)
FIGURES(semaphore, 2)
FIGURES(barrier, 4)

/* Two operations under way on the same thing. */
struct pair {
    aloop_future *one, *two;
};

static struct pair begin(aloop_future *one, aloop_future *two) {
    struct pair p = {aloop_ensure_future(one), aloop_ensure_future(two)};
    let_run(1);
    return p;
}

static void end(struct pair p) {
    aloop_await(p.one, NULL);
    aloop_await(p.two, NULL);
}

static void a_lock(void) {
    aloop_lock *l = NULL;
    assert_code(aloop_lock_new(&l), 0);
    assert_code(lock_figures(l), 0);
    assert_code(aloop_await(aloop_lock_acquire(l), NULL), 0);
    struct pair p = begin(aloop_lock_acquire(l), aloop_lock_acquire(l));
    assert_code(lock_figures(l), 12);
    assert_code(aloop_lock_release(l), 0);
    assert_code(lock_figures(l), 1); /* woken is not waiting */
    let_run(1);
    assert_code(aloop_lock_release(l), 0);
    end(p);
    assert_code(lock_figures(l), 10);
    aloop_unref(l);
}

static void an_event(void) {
    aloop_event *e = NULL;
    assert_code(aloop_event_new(&e), 0);
    struct pair p = begin(aloop_event_wait(e), aloop_event_wait(e));
    assert_code(event_figures(e), 2);
    assert_code(aloop_event_set(e), 0);
    assert_code(event_figures(e), 10);
    end(p);
    aloop_unref(e);
}

static void a_condition(void) {
    aloop_condition *c = new_condition();
    struct actor a = {"a", c, 1}, b = {"b", c, 1};
    aloop_task *tasks[] = {go(condition_waiter, &a), go(condition_waiter, &b)};
    let_run(2);
    assert_code(condition_figures(c), 200);
    assert_code(aloop_await(aloop_condition_acquire(c), NULL), 0);
    assert_code(aloop_condition_notify_all(c), 2);
    assert_code(condition_figures(c), 10);
    let_run(1);
    assert_code(condition_figures(c), 12);
    assert_code(aloop_condition_release(c), 0);
    for (int i = 0; i < 2; i++) assert_code(ended(tasks[i]), 0);
    assert_code(condition_figures(c), 0);
    aloop_unref(c);
}

static void a_semaphore(void) {
    aloop_semaphore *s = new_semaphore(1);
    assert_code(semaphore_figures(s), 10);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    struct pair p = begin(aloop_semaphore_acquire(s), aloop_semaphore_acquire(s));
    assert_code(semaphore_figures(s), 2);
    for (int i = 0; i < 3; i++) assert_code(aloop_semaphore_release(s), 0);
    assert_code(semaphore_figures(s), 10);
    end(p);
    aloop_unref(s);
}

static void a_barrier(void) {
    aloop_barrier *b = new_barrier(3);
    struct pair p = begin(aloop_barrier_wait(b), aloop_barrier_wait(b));
    assert_code(barrier_figures(b), 3200);
    struct pair more = begin(aloop_barrier_wait(b), aloop_barrier_wait(b));
    /* The third of the first three let them go; the fourth waits outside. */
    assert_code(barrier_figures(b), 3001);
    aloop_future *last[] = {aloop_ensure_future(aloop_barrier_wait(b)),
                            aloop_ensure_future(aloop_barrier_wait(b))};
    end(p);
    end(more);
    for (int i = 0; i < 2; i++) aloop_await(last[i], NULL);
    assert_code(aloop_await(aloop_barrier_abort(b), NULL), 0);
    assert_code(barrier_figures(b), 3010);
    aloop_unref(b);
}

static int64_t all(void *arg, void **value) {
    (void)arg, (void)value;
    wrong = aloop_loop_create_future(aloop_get_running_loop());
    a_lock();
    an_event();
    a_condition();
    a_semaphore();
    a_barrier();
    aloop_unref(wrong);
    return 0;
}

static void test_statistics(void **state) {
    (void)state;
    in_task(all);
}

SUITE(CASE(test_statistics))
