/*
 * sync.h: conditions.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

/* Condition: 1.8, third statement ---------------------------------------------------------- */

static int64_t condition_notifies_in_order(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    struct actor a = {"a", cond, 1}, b = {"b", cond, 1}, c = {"c", cond, 1}, d = {"d", cond, 1};
    aloop_task *tasks[] = {go(condition_waiter, &a), go(condition_waiter, &b),
                           go(condition_waiter, &c), go(condition_waiter, &d)};
    let_run(1);
    begin_trace();
    hold(cond);
    assert_code(aloop_condition_notify(cond, 0), 0);
    assert_code(aloop_condition_notify(cond, 2), 2);
    let_run(3); /* woken, they wait for the lock */
    assert_trace("");
    assert_code(aloop_condition_release(cond), 0);
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 0);
    hold(cond);
    assert_code(aloop_condition_notify_all(cond), 2);
    assert_code(aloop_condition_notify_all(cond), 0);
    assert_code(aloop_condition_release(cond), 0);
    assert_code(ended(tasks[2]), 0);
    assert_code(ended(tasks[3]), 0);
    assert_trace("a:0@4 b:0@5 c:0@6 d:0@6 ");
    aloop_unref(cond);
    return 0;
}

static int64_t condition_needs_the_lock(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    assert_code(aloop_condition_notify(cond, 1), ALOOP_ENOTOWNER);
    assert_code(aloop_condition_notify_all(cond), ALOOP_ENOTOWNER);
    assert_code(aloop_condition_release(cond), ALOOP_ENOTOWNER);
    assert_code(aloop_await(aloop_condition_wait(cond), NULL), ALOOP_ENOTOWNER);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "cannot wait on un-acquired lock");
    hold(cond);
    assert_code(aloop_condition_notify(cond, -1), ALOOP_EINVAL);
    assert_code(aloop_condition_release(cond), 0);
    aloop_unref(cond);
    return 0;
}

static int64_t answer_of(void *number) { return *(int64_t *)number; }

static int64_t predicate_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = aloop_await(aloop_condition_acquire(a->on), NULL);
    if (status < 0) return status;
    status = aloop_await(aloop_condition_wait_for(a->on, answer_of, &a->n), NULL);
    note_end(a->name, status);
    const int64_t released = aloop_condition_release(a->on);
    return status < 0 ? status : released;
}

static int64_t condition_wait_for(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    int64_t yes = 7, no = 0, wrong = ALOOP_EUSER - 5, waits = ALOOP_PENDING;
    /* True at once: needs no lock, answers with what the predicate said. */
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &yes), NULL), 7);
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &wrong), NULL), wrong);
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &no), NULL),
                ALOOP_ENOTOWNER);
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &waits), NULL),
                ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()), "a predicate cannot wait");
    struct actor a = {"a", cond, 0};
    aloop_task *task = go(predicate_waiter, &a);
    let_run(1);
    begin_trace();
    for (int i = 0; i < 2; i++) {
        notify(cond, 1, 1);
        let_run(2); /* woken for nothing, it waits again */
    }
    a.n = 3;
    notify(cond, 1, 1);
    assert_code(ended(task), 0);
    assert_trace("a:3@5 ");
    aloop_unref(cond);
    return 0;
}

/* Cancelled while it waits, with the lock in other hands: it ends only when it
 * has the lock; a second cancellation there is the one that is reported. */
static int64_t condition_cancelled_while_relocking(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    struct actor a = {"a", cond, 1};
    aloop_task *task = go(condition_waiter, &a);
    let_run(1);
    hold(cond);
    begin_trace();
    assert_code(aloop_task_cancel(task, "first"), 1);
    let_run(2);
    assert_code(aloop_task_state(task), ALOOP_TASK_WAITING);
    assert_code(aloop_task_cancel(task, "second"), 1);
    let_run(2);
    assert_trace("");
    assert_code(aloop_condition_release(cond), 0);
    assert_code(aloop_task_cancel(task, "third"), 1); /* after the lock woke it */
    let_run(1);
    assert_code(aloop_condition_locked(cond), 0);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "third");
    assert_trace("a:ECANCELED@5 ");
    aloop_unref(cond);
    return 0;
}

/* asyncio's test_wait_cancel, ..._contested and ..._after_notify, on a wait that is a
 * task of its own. */
static aloop_task *waits_for_me(aloop_condition *cond) {
    hold(cond);
    aloop_task *task = aloop_ensure_future(aloop_condition_wait(cond));
    let_run(1);
    assert_code(aloop_condition_locked(cond), 0);
    assert_code(aloop_condition_statistic(cond, ALOOP_CONDITION_STAT_WAITING), 1);
    return task;
}

static int64_t condition_wait_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    aloop_task *task = waits_for_me(cond);
    cancel(task);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_code(aloop_condition_statistic(cond, ALOOP_CONDITION_STAT_WAITING), 0);
    assert_code(aloop_condition_locked(cond), 1);
    assert_code(aloop_condition_release(cond), 0);
    aloop_unref(cond);
    return 0;
}

static int64_t condition_wait_cancelled_contested(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    aloop_task *task = waits_for_me(cond);
    hold(cond); /* before the notified one can */
    assert_code(aloop_condition_notify(cond, 1), 1);
    let_run(1);
    cancel(task);
    assert_code(aloop_condition_release(cond), 0); /* in the same iteration */
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_code(aloop_condition_locked(cond), 1);
    assert_code(aloop_condition_release(cond), 0);
    aloop_unref(cond);
    return 0;
}

static int64_t condition_wait_cancelled_after_notify(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    aloop_task *task = waits_for_me(cond);
    hold(cond);
    assert_code(aloop_condition_notify(cond, 1), 1);
    let_run(1); /* it gets to the lock */
    cancel(task);
    let_run(1); /* and is cancelled there */
    assert_code(aloop_future_done(task), 0);
    assert_code(aloop_condition_release(cond), 0);
    let_run(1);
    assert_code(aloop_future_cancelled(task), 1);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_code(aloop_condition_locked(cond), 1);
    assert_code(aloop_condition_release(cond), 0);
    aloop_unref(cond);
    return 0;
}

/* Notified and then cancelled: the notification goes to the next waiter. */
static int64_t condition_cancelled_after_notify(void *arg, void **value) {
    (void)arg, (void)value;
    for (int relocking = 0; relocking < 2; relocking++) {
        aloop_condition *cond = new_condition();
        struct actor a = {"a", cond, 1}, b = {"b", cond, 1};
        aloop_task *first = go(condition_waiter, &a), *second = go(condition_waiter, &b);
        let_run(1);
        hold(cond);
        begin_trace();
        assert_code(aloop_condition_notify(cond, 1), 1);
        let_run(relocking); /* so that a waits for the lock already */
        assert_code(aloop_task_cancel(first, "tie"), 1);
        assert_code(aloop_condition_release(cond), 0);
        assert_code(ended(first), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "tie");
        assert_code(ended(second), 0);
        assert_trace(relocking ? "a:ECANCELED@2 b:0@3 " : "a:ECANCELED@1 b:0@2 ");
        aloop_unref(cond);
    }
    return 0;
}

/* Of six, two are notified, and one of these and the next two are cancelled; a third
 * notification passes over them, and what the cancelled may have had goes to the rest. */
static int64_t condition_cancelled_among_the_notified(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t ends[] = {0, ALOOP_ECANCELED, ALOOP_ECANCELED, ALOOP_ECANCELED, 0, 0};
    aloop_condition *cond = new_condition();
    struct actor actor = {"", cond, 1};
    aloop_task *tasks[6];
    for (int i = 0; i < 6; i++) tasks[i] = go(condition_waiter, &actor);
    let_run(1);
    hold(cond);
    assert_code(aloop_condition_notify(cond, 2), 2);
    for (int i = 1; i < 4; i++) cancel(tasks[i]);
    assert_code(aloop_condition_notify(cond, 1), 1);
    assert_code(aloop_condition_statistic(cond, ALOOP_CONDITION_STAT_WAITING), 1);
    assert_code(aloop_condition_release(cond), 0);
    for (int i = 0; i < 6; i++) assert_code(ended(tasks[i]), ends[i]);
    aloop_task *late = go(condition_waiter, &actor);
    let_run(1);
    notify(cond, 1, 1);
    assert_code(ended(late), 0);
    aloop_unref(cond);
    return 0;
}

static int64_t condition_with_a_lock_of_its_own_choice(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    aloop_condition *one = NULL, *two = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_condition_new(&one, lock), 0);
    assert_code(aloop_condition_new(&two, lock), 0);
    hold(one);
    assert_code(aloop_lock_locked(lock), 1);
    assert_code(aloop_condition_locked(two), 1);
    assert_code(aloop_condition_notify_all(two), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_condition_wait(one), 0.5), NULL),
                ALOOP_ETIMEDOUT); /* and holds the lock after that */
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    aloop_unref(one);
    aloop_unref(two);
    return 0;
}

/* asyncio's test_cancelled_error_wakeup and ..._re_aquire: the message of the
 * cancellation arrives, wherever it struck. */
static int64_t condition_keeps_the_message(void *arg, void **value) {
    (void)arg, (void)value;
    for (int relocking = 0; relocking < 2; relocking++) {
        aloop_condition *cond = new_condition();
        struct actor a = {"a", cond, 0};
        aloop_task *task = go(predicate_waiter, &a);
        let_run(1);
        if (relocking) {
            hold(cond);
            a.n = 1;
            assert_code(aloop_condition_notify(cond, 1), 1);
            let_run(1);
        }
        assert_code(aloop_task_cancel(task, "foo"), 1);
        if (relocking) assert_code(aloop_condition_release(cond), 0);
        assert_code(ended(task), ALOOP_ECANCELED);
        assert_string_equal(aloop_error_message(aloop_last_error()), "foo");
        assert_code(aloop_condition_locked(cond), 0);
        aloop_unref(cond);
    }
    return 0;
}

static int64_t waits_in_its_own_loop(void *condition, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_condition_acquire(condition), NULL), 0);
    const int64_t status =
        aloop_await(aloop_wait_for(aloop_condition_wait(condition), 0.5), NULL);
    assert_code(aloop_condition_locked(condition), 1);
    assert_code(aloop_condition_release(condition), 0);
    return status;
}

static int64_t waits_unasked(void *condition, void **value) {
    (void)value;
    return aloop_await(aloop_condition_wait(condition), NULL);
}

static int64_t acquires(void *condition, void **value) {
    (void)value;
    return aloop_await(aloop_condition_acquire(condition), NULL);
}

/* Every function refuses, on a thread that has a loop of its own. */
static int64_t tries_on_a_thread(void *condition) {
    assert_code(aloop_condition_locked(condition), ALOOP_EWRONGTHREAD);
    assert_code(aloop_condition_notify(condition, 1), ALOOP_EWRONGTHREAD);
    assert_code(aloop_condition_notify_all(condition), ALOOP_EWRONGTHREAD);
    assert_code(aloop_condition_statistic(condition, 0), ALOOP_EWRONGTHREAD);
    assert_code(run_virtual(acquires, condition, NULL), ALOOP_EWRONGLOOP);
    assert_code(run_virtual(waits_unasked, condition, NULL), ALOOP_EWRONGLOOP);
    return aloop_condition_release(condition);
}

static int64_t leaves_a_waiter(void *waiter, void **value) {
    (void)value;
    aloop_unref(go(condition_waiter, waiter));
    let_run(1);
    return aloop_condition_statistic(((struct actor *)waiter)->on, ALOOP_CONDITION_STAT_WAITING);
}

/* asyncio's test_ambiguous_loops. */
static void test_belongs_to_one_loop(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct reports reports;
    capture_reports(one, &reports);
    aloop_condition *cond = new_condition();
    assert_code(run_on(one, waits_in_its_own_loop, cond), ALOOP_ETIMEDOUT);
    assert_code(run_on(two, waits_in_its_own_loop, cond), ALOOP_EWRONGLOOP);
    struct actor a = {"left behind", cond, 1};
    assert_code(run_on(one, leaves_a_waiter, &a), 1);
    assert_code(on_foreign_thread(tries_on_a_thread, cond), ALOOP_EWRONGTHREAD);
    assert_code(aloop_condition_locked(cond), 0);
    assert_code(aloop_condition_statistic(cond, ALOOP_CONDITION_STAT_WAITING), 1);
    close_loop(one);
    close_loop(two);
    aloop_unref(cond);
}

/* A condition belongs to the loop of its lock, or it could not get that back. */
static void test_belongs_to_the_loop_of_its_lock(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    aloop_lock *lock = new_lock();
    aloop_condition *cond = NULL, *other = NULL;
    assert_code(aloop_condition_new(&cond, lock), 0);
    assert_code(aloop_condition_new(&other, lock), 0);
    assert_code(run_on(one, waits_in_its_own_loop, cond), ALOOP_ETIMEDOUT);
    assert_code(on_foreign_thread(tries_on_a_thread, other), ALOOP_EWRONGTHREAD);
    assert_code(run_on(two, waits_in_its_own_loop, other), ALOOP_EWRONGLOOP);
    assert_code(run_on(one, waits_in_its_own_loop, other), ALOOP_ETIMEDOUT);
    close_loop(one);
    close_loop(two);
    aloop_unref(cond);
    aloop_unref(other);
    aloop_unref(lock);
}

static void test_condition(void **state) {
    (void)state;
    in_task(condition_notifies_in_order);
    in_task(condition_needs_the_lock);
    in_task(condition_wait_for);
    in_task(condition_cancelled_while_relocking);
    in_task(condition_wait_cancelled);
    in_task(condition_wait_cancelled_contested);
    in_task(condition_wait_cancelled_after_notify);
    in_task(condition_cancelled_after_notify);
    in_task(condition_cancelled_among_the_notified);
    in_task(condition_with_a_lock_of_its_own_choice);
    in_task(condition_keeps_the_message);
}

SUITE(CASE(test_condition), CASE(test_belongs_to_one_loop),
      CASE(test_belongs_to_the_loop_of_its_lock))
