/*
 * sync.h: semaphores.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

#include <stdlib.h>

/* Semaphores: 1.8, fourth and fifth statement ---------------------------------------------- */

static int64_t semaphore_counts(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_semaphore *s = new_semaphore(2);
    assert_code(aloop_semaphore_value(s), 2);
    begin_trace();
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    assert_code(aloop_semaphore_locked(s), 0);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    note("both");
    assert_code(aloop_semaphore_locked(s), 1);
    struct actor a = {"a", s, 0}, b = {"b", s, -1}, c = {"c", s, 0};
    aloop_task *tasks[] = {go(semaphore_user, &a), go(semaphore_user, &b), go(semaphore_user, &c)};
    let_run(1);
    assert_code(aloop_semaphore_statistic(s, ALOOP_SEMAPHORE_STAT_VALUE), 0);
    assert_code(aloop_semaphore_statistic(s, ALOOP_SEMAPHORE_STAT_WAITING), 3);
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_statistic(s, ALOOP_SEMAPHORE_STAT_WAITING), 2);
    assert_code(aloop_semaphore_value(s), 0); /* handed over at once */
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 0);
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_locked(s), 1); /* c is first */
    assert_code(ended(tasks[2]), 0);
    assert_trace("both@0 a:0@2 b:0@3 c:0@4 ");
    assert_code(aloop_semaphore_value(s), 1);
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_release(s), 0); /* no bound */
    assert_code(aloop_semaphore_value(s), 3);
    assert_code(aloop_semaphore_statistic(s, ALOOP_SEMAPHORE_STAT_VALUE), 3);
    assert_code(aloop_semaphore_statistic(s, ALOOP_SEMAPHORE_STAT_WAITING), 0);
    assert_code(aloop_semaphore_statistic(s, -1), ALOOP_EINVAL);
    assert_code(aloop_semaphore_statistic(s, 2), ALOOP_EINVAL);
    assert_code(aloop_semaphore_statistic(NULL, 0), ALOOP_EINVAL);
    aloop_unref(s);
    return 0;
}

static int64_t semaphore_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int woken = 0; woken < 2; woken++) {
        aloop_semaphore *s = new_semaphore(0);
        struct actor a = {"a", s, -1}, b = {"b", s, -1};
        aloop_task *first = go(semaphore_user, &a), *second = go(semaphore_user, &b);
        let_run(1);
        begin_trace();
        if (woken) assert_code(aloop_semaphore_release(s), 0);
        cancel(first);
        if (!woken) assert_code(aloop_semaphore_release(s), 0);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_code(ended(second), 0);
        assert_trace(woken ? "a:ECANCELED@1 b:0@2 " : "a:ECANCELED@1 b:0@1 ");
        assert_code(aloop_semaphore_value(s), 0);
        aloop_unref(s);
    }
    return 0;
}

/* No newcomer gets in before a waiter, and one that waits while permits come
 * back in the same iteration is woken: asyncio's test_acquire_fifo_order_*. */
static int64_t semaphore_is_fifo(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_semaphore *s = new_semaphore(1);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    struct actor a = {"a", s, 0}, b = {"b", s, 0}, c = {"c", s, 0};
    aloop_task *first = go(semaphore_user, &a), *second = go(semaphore_user, &b);
    let_run(1);
    begin_trace();
    cancel(first);
    assert_code(aloop_semaphore_release(s), 0); /* to b: a is cancelled */
    aloop_task *third = go(semaphore_user, &c);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0); /* behind b, before c */
    note("main");
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(ended(third), 0);
    assert_code(ended(second), 0);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_trace("a:ECANCELED@1 b:0@1 main@2 c:0@3 ");
    assert_code(aloop_semaphore_value(s), 1);
    aloop_unref(s);
    return 0;
}

static int64_t semaphore_bound(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_semaphore *s = NULL;
    assert_code(aloop_bounded_semaphore_new(&s, 1), 0);
    assert_code(aloop_semaphore_release(s), ALOOP_EINVAL);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_release(s), ALOOP_EINVAL);
    assert_code(aloop_semaphore_value(s), 1);
    aloop_unref(s);
    return 0;
}

/* asyncio's test_acquire_cancel_before_awoken and test_acquire_fifo_order_3: the
 * cancelled are passed over, in whatever iteration that happens. */
static int64_t semaphore_passes_over_the_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    for (int settled = 0; settled < 2; settled++) {
        aloop_semaphore *s = new_semaphore(0);
        struct actor actors[] = {{"a", s, -1}, {"b", s, -1}, {"c", s, -1}, {"d", s, -1}};
        aloop_task *tasks[4];
        for (int i = 0; i < 4; i++) tasks[i] = go(semaphore_user, &actors[i]);
        let_run(1);
        cancel(tasks[0]);
        cancel(tasks[1]);
        let_run(settled);
        assert_code(aloop_semaphore_release(s), 0);
        let_run(2);
        assert_code(aloop_future_done(tasks[2]), 1);
        assert_code(aloop_future_done(tasks[3]), 0);
        assert_code(aloop_semaphore_release(s), 0);
        for (int i = 0; i < 4; i++) assert_code(ended(tasks[i]), i < 2 ? ALOOP_ECANCELED : 0);
        assert_code(aloop_semaphore_locked(s), 1);
        aloop_unref(s);
    }
    return 0;
}

static int64_t acquires_twice(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_await(aloop_semaphore_acquire(a->on), NULL), 0);
        note(a->name);
        if (a->n > 0) assert_code(aloop_await(aloop_sleep((double)a->n * 0.01), NULL), 0);
        assert_code(aloop_semaphore_release(a->on), 0);
    }
    return 0;
}

/* asyncio's test_acquire_fifo_order: they take turns. */
static int64_t semaphore_takes_turns(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_semaphore *s = new_semaphore(1);
    struct actor a = {"a", s, 1}, b = {"b", s, 1}, c = {"c", s, 1};
    begin_trace();
    aloop_task *tasks[] = {go(acquires_twice, &a), go(acquires_twice, &b), go(acquires_twice, &c)};
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    char order[16] = "";
    const char *at = trace;
    for (int i = 0; i < 6; i++) {
        order[i] = *at;
        at = strchr(at, ' ') + 1;
    }
    assert_string_equal(order, "abcabc");
    aloop_unref(s);
    return 0;
}

static aloop_semaphore *shared;

static int64_t releases_three(void *arg, void **value) {
    (void)value;
    for (int i = 0; i < 3; i++) assert_code(aloop_semaphore_release(shared), 0);
    assert_code(aloop_semaphore_value(shared), 2);
    assert_code(aloop_semaphore_locked(shared), 1); /* the first has not run yet */
    return semaphore_user(arg, NULL);
}

/* asyncio's test_acquire_fifo_order_4: one that gets in wakes all who may. */
static int64_t semaphore_wakes_all_it_can(void *arg, void **value) {
    (void)arg, (void)value;
    shared = new_semaphore(0);
    struct actor a = {"a", shared, -1}, b = {"b", shared, -1}, c = {"c", shared, -1};
    begin_trace();
    aloop_task *tasks[] = {go(semaphore_user, &a), go(releases_three, &b), go(semaphore_user, &c)};
    let_run(1);
    assert_code(aloop_semaphore_value(shared), 2);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@2 b:0@3 c:0@3 ");
    assert_code(aloop_semaphore_value(shared), 0);
    aloop_unref(shared);
    return 0;
}

static aloop_task *victim;

static int64_t holds_then_cancels(void *semaphore, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_semaphore_acquire(semaphore), NULL), 0);
    let_run(1);
    assert_code(aloop_semaphore_release(semaphore), 0); /* wakes the victim */
    return aloop_task_cancel(victim, NULL);
}

/* asyncio's test_acquire_no_hang: a permit handed to the cancelled comes back. */
static int64_t semaphore_permit_comes_back(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_semaphore *s = new_semaphore(1);
    struct actor a = {"a", s, 0};
    aloop_task *holder = aloop_create_task(holds_then_cancels, s);
    victim = go(semaphore_user, &a);
    assert_code(ended(holder), 1);
    assert_code(ended(victim), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_wait_for(aloop_semaphore_acquire(s), 1), NULL), 0);
    aloop_unref(s);
    return 0;
}

struct acquirer {
    ALOOP_CO_FRAME;
    aloop_semaphore *of;
    int64_t status;
    int64_t *got;
};

static int64_t acquire_one(aloop_task *task, void *frame, void **value) {
    struct acquirer *a = frame;
    (void)value;
    ALOOP_CO_BEGIN(a);
    ALOOP_CO_AWAIT(task, a, aloop_semaphore_acquire(a->of), a->status, NULL);
    if (a->status == 0) ++*a->got;
    ALOOP_CO_END(a);
    return 0;
}

/* A minute and more where each release passes over all who were woken before. Of those
 * who wait the first, the last and one in the middle of the woken ones are cancelled. */
static int64_t semaphore_wakes_very_many(void *arg, void **value) {
    (void)arg, (void)value;
    enum { many = 150000 };
    aloop_semaphore *s = new_semaphore(0);
    aloop_task **tasks = calloc(many, sizeof *tasks);
    int64_t got = 0;
    for (int i = 0; i < many; i++) {
        struct acquirer *a = calloc(1, sizeof *a);
        a->of = s;
        a->got = &got;
        tasks[i] = aloop_create_stackless_task(acquire_one, a, free);
    }
    let_run(2);
    assert_code(aloop_task_cancel(tasks[0], NULL), 1);
    for (int i = 0; i < many / 2; i++) assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_task_cancel(tasks[many / 4], NULL), 1);
    assert_code(aloop_task_cancel(tasks[many - 1], NULL), 1);
    let_run(1);
    for (int i = 0; i < many / 2; i++) assert_code(aloop_semaphore_release(s), 0);
    let_run(2);
    assert_int_equal(got, many - 3);
    assert_code(aloop_semaphore_value(s), 3);
    for (int i = 0; i < many; i++) aloop_unref(tasks[i]);
    free(tasks);
    aloop_unref(s);
    return 0;
}

static void test_semaphore(void **state) {
    (void)state;
    in_task(semaphore_counts);
    in_task(semaphore_waiter_cancelled);
    in_task(semaphore_is_fifo);
    in_task(semaphore_bound);
    in_task(semaphore_passes_over_the_cancelled);
    in_task(semaphore_takes_turns);
    in_task(semaphore_wakes_all_it_can);
    in_task(semaphore_permit_comes_back);
    in_task(semaphore_wakes_very_many);
}

SUITE(CASE(test_semaphore))
