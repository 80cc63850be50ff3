/*
 * sync.h: locks, events, conditions, semaphores, barriers.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <math.h>

/* A task of a test: what it works on, and what it is called in the trace. */
struct actor {
    const char *name;
    void *on;
    int64_t n; /* what the case makes of it */
};

static aloop_task *go(aloop_coro_fn fn, struct actor *a) { return aloop_create_task(fn, a); }

/* Awaits task (consumed), however it ends. */
static int64_t ended(aloop_task *task) { return aloop_await(task, NULL); }

static void cancel(aloop_task *task) { assert_code(aloop_task_cancel(task, NULL), 1); }

/* Lock: 1.8, first statement ------------------------------------------------------------- */

/* Takes the lock, keeps it for n iterations. */
static int64_t lock_user(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_lock_acquire(a->on), NULL);
    note_end(a->name, status);
    if (status < 0) return status;
    let_run((int)a->n);
    return aloop_lock_release(a->on);
}

static int64_t lock_is_fair(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_lock_locked(lock), 0);
    begin_trace();
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    note("main"); /* the fast path costs no iteration */
    assert_code(aloop_lock_locked(lock), 1);
    struct actor a = {"a", lock, 0}, b = {"b", lock, 2}, c = {"c", lock, 0};
    aloop_task *tasks[] = {go(lock_user, &a), go(lock_user, &b), go(lock_user, &c)};
    let_run(1);
    assert_code(aloop_lock_release(lock), 0);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    note("end");
    assert_trace("main@0 a:0@2 b:0@3 c:0@6 end@6 ");
    assert_code(aloop_lock_locked(lock), 0);
    aloop_unref(lock);
    return 0;
}

static int64_t lock_has_no_barging(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    struct actor a = {"a", lock, 0};
    aloop_task *task = go(lock_user, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_lock_release(lock), 0);
    assert_code(aloop_lock_locked(lock), 0); /* unlocked, and yet nobody gets in before a */
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    note("main");
    assert_trace("a:0@1 main@2 ");
    assert_code(aloop_lock_release(lock), 0);
    assert_code(ended(task), 0);
    aloop_unref(lock);
    return 0;
}

static int64_t lock_release_by_another_task(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_lock_release(lock), ALOOP_ENOTOWNER);
    struct actor a = {"a", lock, 0};
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_lock_release(lock), 0); /* not reentrant, see above */
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    aloop_task *task = go(lock_user, &a);
    let_run(1);
    assert_code(aloop_lock_release(lock), 0); /* main's; then a's, from main */
    let_run(2);
    assert_code(ended(task), 0);
    assert_code(aloop_lock_release(lock), ALOOP_ENOTOWNER);
    aloop_unref(lock);
    return 0;
}

static int64_t returns_release_error(void *lock, void **value) {
    (void)value;
    return aloop_lock_release(lock);
}

static int64_t lock_error_has_asyncios_text(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_create_task(returns_release_error, lock), NULL),
                ALOOP_ENOTOWNER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Lock is not acquired.");
    aloop_unref(lock);
    return 0;
}

/* Cancelled while it waits: the others keep their places. */
static int64_t lock_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    struct actor a = {"a", lock, 0}, b = {"b", lock, 0};
    aloop_task *first = go(lock_user, &a), *second = go(lock_user, &b);
    let_run(1);
    begin_trace();
    assert_code(aloop_task_cancel(first, "enough"), 1);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
    assert_code(aloop_lock_release(lock), 0);
    assert_code(ended(second), 0);
    assert_trace("a:ECANCELED@1 b:0@3 ");
    aloop_unref(lock);
    return 0;
}

/* Cancelled after it was woken: it passes the wake on, and nobody is lost. */
static int64_t lock_woken_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    struct actor a = {"a", lock, 0}, b = {"b", lock, 0};
    aloop_task *first = go(lock_user, &a), *second = go(lock_user, &b);
    let_run(1);
    begin_trace();
    assert_code(aloop_lock_release(lock), 0); /* wakes a */
    assert_code(aloop_task_cancel(first, "late"), 1);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "late");
    assert_code(ended(second), 0);
    assert_trace("a:ECANCELED@1 b:0@2 ");
    assert_code(aloop_lock_locked(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* All waiters cancelled, none has run yet: an acquire jumps the queue. */
static int64_t lock_jumps_cancelled_waiters(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    struct actor a = {"a", lock, 0}, b = {"b", lock, 0};
    aloop_task *first = go(lock_user, &a), *second = go(lock_user, &b);
    let_run(1);
    begin_trace();
    cancel(first);
    cancel(second);
    assert_code(aloop_lock_release(lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    note("main");
    assert_code(aloop_lock_locked(lock), 1);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), ALOOP_ECANCELED);
    assert_code(aloop_lock_locked(lock), 1);
    assert_trace("main@0 a:ECANCELED@1 b:ECANCELED@1 ");
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* The finished first waiter is cancelled while the lock was released and taken
 * again: asyncio's test_finished_waiter_cancelled. */
static int64_t lock_finished_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    struct actor a = {"a", lock, 0}, b = {"b", lock, 0};
    aloop_task *first = go(lock_user, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_lock_release(lock), 0);
    cancel(first);
    aloop_task *second = go(lock_user, &b); /* arrives while a is first in line */
    let_run(1);
    assert_code(aloop_lock_locked(lock), 0);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    assert_trace("a:ECANCELED@1 b:0@1 ");
    aloop_unref(lock);
    return 0;
}

static void test_lock(void **state) {
    (void)state;
    in_task(lock_is_fair);
    in_task(lock_has_no_barging);
    in_task(lock_release_by_another_task);
    in_task(lock_error_has_asyncios_text);
    in_task(lock_waiter_cancelled);
    in_task(lock_woken_waiter_cancelled);
    in_task(lock_jumps_cancelled_waiters);
    in_task(lock_finished_waiter_cancelled);
}

/* Event: 1.8, second statement ------------------------------------------------------------- */

static int64_t event_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_event_wait(a->on), NULL);
    note_end(a->name, status);
    return status;
}

static int64_t event_wakes_everybody(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    assert_code(aloop_event_is_set(event), 0);
    struct actor a = {"a", event, 0}, b = {"b", event, 0}, c = {"c", event, 0};
    aloop_task *tasks[] = {go(event_waiter, &a), go(event_waiter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_event_set(event), 0);
    assert_code(aloop_event_set(event), 0); /* again: nothing */
    assert_code(aloop_event_is_set(event), 1);
    assert_code(aloop_event_clear(event), 0); /* those who waited go on all the same */
    assert_code(aloop_event_is_set(event), 0);
    aloop_task *late = go(event_waiter, &c);
    for (int i = 0; i < 2; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@1 b:0@1 ");
    let_run(2);
    assert_code(aloop_event_set(event), 0);
    assert_code(ended(late), 0);
    begin_trace();
    assert_code(aloop_await(aloop_event_wait(event), NULL), 0);
    note("set"); /* waiting for a set event costs no iteration */
    assert_trace("set@0 ");
    aloop_unref(event);
    return 0;
}

static int64_t event_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    struct actor a = {"a", event, 0}, b = {"b", event, 0}, c = {"c", event, 0};
    aloop_task *first = go(event_waiter, &a), *second = go(event_waiter, &b);
    aloop_task *third = go(event_waiter, &c);
    let_run(1);
    begin_trace();
    cancel(first); /* while it waits */
    assert_code(aloop_event_set(event), 0);
    cancel(second); /* after it was woken */
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), ALOOP_ECANCELED);
    assert_code(ended(third), 0);
    assert_trace("a:ECANCELED@1 b:ECANCELED@1 c:0@1 ");
    aloop_unref(event);
    return 0;
}

static void test_event(void **state) {
    (void)state;
    in_task(event_wakes_everybody);
    in_task(event_waiter_cancelled);
}

/* Condition: 1.8, third statement ---------------------------------------------------------- */

/* Waits n times for a notification, under the lock. */
static int64_t condition_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = aloop_await(aloop_condition_acquire(a->on), NULL);
    if (status < 0) return status;
    for (int64_t i = 0; i < a->n && status >= 0; i++) {
        status = aloop_await(aloop_condition_wait(a->on), NULL);
        note_end(a->name, status);
        assert_code(aloop_condition_locked(a->on), 1); /* however it ended */
    }
    const int64_t released = aloop_condition_release(a->on);
    return status < 0 ? status : released;
}

static aloop_condition *new_condition(void) {
    aloop_condition *condition = NULL;
    assert_code(aloop_condition_new(&condition, NULL), 0);
    return condition;
}

static void lock_condition(aloop_condition *c) {
    assert_code(aloop_await(aloop_condition_acquire(c), NULL), 0);
}

static int64_t condition_notifies_in_order(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_condition *cond = new_condition();
    struct actor a = {"a", cond, 1}, b = {"b", cond, 1}, c = {"c", cond, 1}, d = {"d", cond, 1};
    aloop_task *tasks[] = {go(condition_waiter, &a), go(condition_waiter, &b),
                           go(condition_waiter, &c), go(condition_waiter, &d)};
    let_run(1);
    begin_trace();
    lock_condition(cond);
    assert_code(aloop_condition_notify(cond, 0), 0);
    assert_code(aloop_condition_notify(cond, 2), 2);
    let_run(3); /* woken, they wait for the lock */
    assert_trace("");
    assert_code(aloop_condition_release(cond), 0);
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 0);
    lock_condition(cond);
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
    lock_condition(cond);
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
    int64_t yes = 7, no = 0, wrong = ALOOP_EUSER - 5;
    /* True at once: needs no lock, answers with what the predicate said. */
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &yes), NULL), 7);
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &wrong), NULL), wrong);
    assert_code(aloop_await(aloop_condition_wait_for(cond, answer_of, &no), NULL),
                ALOOP_ENOTOWNER);
    struct actor a = {"a", cond, 0};
    aloop_task *task = go(predicate_waiter, &a);
    let_run(1);
    begin_trace();
    for (int i = 0; i < 2; i++) {
        lock_condition(cond);
        assert_code(aloop_condition_notify_all(cond), 1);
        assert_code(aloop_condition_release(cond), 0);
        let_run(2); /* woken for nothing, it waits again */
    }
    lock_condition(cond);
    a.n = 3;
    assert_code(aloop_condition_notify(cond, 1), 1);
    assert_code(aloop_condition_release(cond), 0);
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
    lock_condition(cond);
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

/* Notified and then cancelled: the notification goes to the next waiter. */
static int64_t condition_cancelled_after_notify(void *arg, void **value) {
    (void)arg, (void)value;
    for (int relocking = 0; relocking < 2; relocking++) {
        aloop_condition *cond = new_condition();
        struct actor a = {"a", cond, 1}, b = {"b", cond, 1};
        aloop_task *first = go(condition_waiter, &a), *second = go(condition_waiter, &b);
        let_run(1);
        lock_condition(cond);
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

static int64_t condition_with_a_lock_of_its_own_choice(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    aloop_condition *one = NULL, *two = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_condition_new(&one, lock), 0);
    assert_code(aloop_condition_new(&two, lock), 0);
    lock_condition(one);
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

static void test_condition(void **state) {
    (void)state;
    in_task(condition_notifies_in_order);
    in_task(condition_needs_the_lock);
    in_task(condition_wait_for);
    in_task(condition_cancelled_while_relocking);
    in_task(condition_cancelled_after_notify);
    in_task(condition_with_a_lock_of_its_own_choice);
}

/* Semaphores: 1.8, fourth and fifth statement ---------------------------------------------- */

static int64_t semaphore_user(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_semaphore_acquire(a->on), NULL);
    note_end(a->name, status);
    if (status < 0 || a->n < 0) return status; /* n < 0: keeps the permit */
    let_run((int)a->n);
    return aloop_semaphore_release(a->on);
}

static aloop_semaphore *new_semaphore(int64_t permits) {
    aloop_semaphore *semaphore = NULL;
    assert_code(aloop_semaphore_new(&semaphore, permits), 0);
    return semaphore;
}

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
    assert_code(aloop_semaphore_release(s), 0);
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

static void test_semaphore(void **state) {
    (void)state;
    in_task(semaphore_counts);
    in_task(semaphore_waiter_cancelled);
    in_task(semaphore_is_fifo);
    in_task(semaphore_bound);
}

/* Barrier: 1.8, sixth statement -------------------------------------------------------------- */

static int64_t barrier_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n; i++) {
        status = aloop_await(aloop_barrier_wait(a->on), NULL);
        note_end(a->name, status);
    }
    return status;
}

static aloop_barrier *new_barrier(int64_t parties) {
    aloop_barrier *barrier = NULL;
    assert_code(aloop_barrier_new(&barrier, parties), 0);
    return barrier;
}

static int64_t barrier_numbers_by_arrival(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    assert_code(aloop_barrier_parties(barrier), 3);
    begin_trace();
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    let_run(1);
    assert_code(aloop_barrier_n_waiting(barrier), 2);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2); /* the last goes on first */
    note("main");
    assert_code(aloop_barrier_n_waiting(barrier), 0); /* draining */
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 1);
    assert_trace("main@1 a:0@2 b:1@2 ");
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_of_one(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(1);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 0);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 0);
    note("main");
    assert_trace("main@0 ");
    aloop_unref(barrier);
    return 0;
}

/* Newcomers wait while it drains; each round has its own indices. */
static int64_t barrier_blocks_while_draining(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(2);
    begin_trace();
    struct actor a = {"a", barrier, 2}, b = {"b", barrier, 2};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    assert_code(ended(tasks[0]), 0);
    assert_code(ended(tasks[1]), 1);
    assert_trace("b:1@1 a:0@2 b:1@3 a:0@4 ");
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_reset(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1}, c = {"c", barrier, 1};
    aloop_task *tasks[] = {go(barrier_waiter, &a), go(barrier_waiter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0);
    note("reset");
    assert_code(aloop_barrier_n_waiting(barrier), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_task *late = go(barrier_waiter, &c); /* waits for the reset to be over */
    assert_code(ended(tasks[0]), ALOOP_EBROKENBARRIER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Abort or reset of barrier");
    assert_code(ended(tasks[1]), ALOOP_EBROKENBARRIER);
    let_run(3);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    assert_trace("reset@0 a:EBROKENBARRIER@1 b:EBROKENBARRIER@1 ");
    struct actor d = {"d", barrier, 1};
    aloop_task *again = go(barrier_waiter, &d);
    let_run(1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2);
    assert_code(ended(late), 0);
    assert_code(ended(again), 1);
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0); /* with nobody inside */
    aloop_unref(barrier);
    return 0;
}

static int64_t barrier_abort(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1};
    aloop_task *task = go(barrier_waiter, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_await(aloop_barrier_abort(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), ALOOP_EBROKENBARRIER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Barrier aborted");
    note("main");
    assert_code(ended(task), ALOOP_EBROKENBARRIER);
    assert_trace("main@0 a:EBROKENBARRIER@1 ");
    assert_code(aloop_await(aloop_barrier_reset(barrier), NULL), 0);
    assert_code(aloop_barrier_broken(barrier), 0);
    a.n = 1;
    task = go(barrier_waiter, &a);
    assert_code(aloop_task_cancel(task, NULL), 1); /* before it began */
    assert_code(ended(task), ALOOP_ECANCELED);
    aloop_unref(barrier);
    return 0;
}

/* A cancelled waiter leaves, and the barrier is whole. */
static int64_t barrier_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_barrier *barrier = new_barrier(3);
    struct actor a = {"a", barrier, 1}, b = {"b", barrier, 1}, c = {"c", barrier, 1};
    aloop_task *first = go(barrier_waiter, &a), *second = go(barrier_waiter, &b);
    let_run(1);
    begin_trace();
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(aloop_barrier_n_waiting(barrier), 1);
    assert_code(aloop_barrier_broken(barrier), 0);
    aloop_task *third = go(barrier_waiter, &c);
    let_run(1);
    assert_code(aloop_await(aloop_barrier_wait(barrier), NULL), 2);
    /* b holds index 1 and c took 1 as well: what asyncio does, too. */
    assert_code(ended(second), 1);
    assert_code(ended(third), 1);
    assert_trace("a:ECANCELED@1 b:1@4 c:1@4 ");
    aloop_unref(barrier);
    return 0;
}

static void test_barrier(void **state) {
    (void)state;
    in_task(barrier_numbers_by_arrival);
    in_task(barrier_of_one);
    in_task(barrier_blocks_while_draining);
    in_task(barrier_reset);
    in_task(barrier_abort);
    in_task(barrier_waiter_cancelled);
}

/* Loops and threads -------------------------------------------------------------------------- */

static int64_t blocks_on_lock(void *lock, void **value) {
    (void)value;
    return aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL);
}

static int64_t takes_free_lock(void *lock, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_lock_acquire(lock), NULL), 0);
    return aloop_lock_release(lock);
}

static int64_t runs_a_loop(void *lock) { return run_virtual(blocks_on_lock, lock, NULL); }

static int64_t releases(void *lock) { return aloop_lock_release(lock); }

/* The first loop whose task blocks has it for good. */
static void test_binds_to_the_first_loop(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(run_on(one, takes_free_lock, lock), 0); /* no blocking, no binding */
    assert_code(run_on(two, takes_free_lock, lock), 0);
    aloop_future *held = aloop_lock_acquire(lock);
    assert_null(held); /* no loop runs here */
    assert_code(run_on(one, takes_free_lock, lock), 0);
    assert_code(run_on(one, blocks_on_lock, lock), 0); /* takes it */
    assert_code(run_on(one, blocks_on_lock, lock), ALOOP_ETIMEDOUT);
    assert_code(run_on(two, blocks_on_lock, lock), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(releases, lock), ALOOP_EWRONGTHREAD);
    assert_code(on_foreign_thread(runs_a_loop, lock), ALOOP_EWRONGLOOP);
    assert_code(aloop_lock_release(lock), 0);
    assert_code(run_on(two, takes_free_lock, lock), 0); /* still does not block */
    close_loop(one);
    assert_code(run_on(two, blocks_on_lock, lock), 0);
    assert_code(run_on(two, blocks_on_lock, lock), ALOOP_EWRONGLOOP);
    assert_code(aloop_lock_release(lock), 0);
    close_loop(two);
    aloop_unref(lock);
}

static int64_t waits_in_every_way(void *arg, void **value) {
    (void)value;
    void **objects = arg;
    assert_code(aloop_spawn(blocks_on_lock, objects[0]), 0);
    static struct actor actors[5]; /* they outlive this task */
    actors[0] = (struct actor){"event", objects[1], 0};
    actors[1] = (struct actor){"condition", objects[2], 1};
    actors[2] = (struct actor){"semaphore", objects[3], 0};
    actors[3] = (struct actor){"barrier", objects[4], 1};
    actors[4] = (struct actor){"woken", objects[3], 0};
    assert_code(aloop_await(aloop_lock_acquire(objects[0]), NULL), 0);
    aloop_unref(go(event_waiter, &actors[0]));
    aloop_unref(go(condition_waiter, &actors[1]));
    aloop_unref(go(semaphore_user, &actors[2]));
    aloop_unref(go(barrier_waiter, &actors[3]));
    aloop_unref(go(semaphore_user, &actors[4]));
    let_run(1);
    /* The first gets the permit and hands it on to a task that never runs. */
    return aloop_semaphore_release(objects[3]);
}

/* What a loop's close cuts off leaves the objects whole. */
static void test_loop_closes_under_waiters(void **state) {
    (void)state;
    aloop_lock *lock = NULL;
    aloop_event *event = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_event_new(&event), 0);
    void *objects[] = {lock, event, new_condition(), new_semaphore(0), new_barrier(2)};
    aloop_loop *loop = virtual_loop();
    struct reports reports;
    capture_reports(loop, &reports);
    assert_code(run_on(loop, waits_in_every_way, objects), 0);
    close_loop(loop);
    assert_int_equal(reports.count, 5);
    assert_code(aloop_lock_locked(lock), 1);
    assert_code(aloop_lock_release(lock), 0);
    assert_code(aloop_event_set(event), 0);
    assert_code(aloop_semaphore_value(objects[3]), 1); /* came back */
    for (int i = 0; i < 5; i++) aloop_unref(objects[i]);
}

/* An operation that was never awaited did nothing; one keeps its object. */
static int64_t operations_are_lazy(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    aloop_unref(aloop_lock_acquire(lock));
    assert_code(aloop_lock_locked(lock), 0);
    aloop_future *acquire = aloop_lock_acquire(lock);
    aloop_lock *same = aloop_ref(lock);
    aloop_unref(lock);
    assert_code(aloop_await(acquire, NULL), 0);
    assert_code(aloop_lock_locked(same), 1);
    aloop_unref(same);
    return 0;
}

static void test_operations_are_lazy(void **state) {
    (void)state;
    in_task(operations_are_lazy);
}

/* Bad input ---------------------------------------------------------------------------------- */

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    void *const wrong[] = {NULL, event};
    for (int i = 0; i < 2; i++) {
        void *x = wrong[i];
        assert_failed(aloop_lock_acquire(x), ALOOP_EINVAL);
        assert_code(aloop_lock_release(x), ALOOP_EINVAL);
        assert_code(aloop_lock_locked(x), ALOOP_EINVAL);
        assert_failed(aloop_condition_acquire(x), ALOOP_EINVAL);
        assert_code(aloop_condition_release(x), ALOOP_EINVAL);
        assert_code(aloop_condition_locked(x), ALOOP_EINVAL);
        assert_failed(aloop_condition_wait(x), ALOOP_EINVAL);
        assert_failed(aloop_condition_wait_for(x, answer_of, NULL), ALOOP_EINVAL);
        assert_code(aloop_condition_notify(x, 1), ALOOP_EINVAL);
        assert_code(aloop_condition_notify_all(x), ALOOP_EINVAL);
        assert_failed(aloop_semaphore_acquire(x), ALOOP_EINVAL);
        assert_code(aloop_semaphore_release(x), ALOOP_EINVAL);
        assert_code(aloop_semaphore_locked(x), ALOOP_EINVAL);
        assert_code(aloop_semaphore_value(x), ALOOP_EINVAL);
        assert_failed(aloop_barrier_wait(x), ALOOP_EINVAL);
        assert_failed(aloop_barrier_reset(x), ALOOP_EINVAL);
        assert_failed(aloop_barrier_abort(x), ALOOP_EINVAL);
        assert_code(aloop_barrier_parties(x), ALOOP_EINVAL);
        assert_code(aloop_barrier_n_waiting(x), ALOOP_EINVAL);
        assert_code(aloop_barrier_broken(x), ALOOP_EINVAL);
    }
    assert_failed(aloop_event_wait(NULL), ALOOP_EINVAL);
    assert_code(aloop_event_set(NULL), ALOOP_EINVAL);
    assert_code(aloop_event_clear(NULL), ALOOP_EINVAL);
    assert_code(aloop_event_is_set(NULL), ALOOP_EINVAL);
    aloop_semaphore *semaphore = new_semaphore(0);
    assert_failed(aloop_event_wait((aloop_event *)semaphore), ALOOP_EINVAL);
    aloop_condition *condition = new_condition();
    assert_failed(aloop_condition_wait_for(condition, NULL, NULL), ALOOP_EINVAL);
    aloop_unref(condition);
    aloop_unref(semaphore);

    aloop_condition *made = NULL;
    aloop_barrier *barrier = NULL;
    assert_code(aloop_lock_new(NULL), ALOOP_EINVAL);
    assert_code(aloop_event_new(NULL), ALOOP_EINVAL);
    assert_code(aloop_condition_new(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_condition_new(&made, (aloop_lock *)event), ALOOP_EINVAL);
    assert_code(aloop_semaphore_new(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_semaphore_new(&semaphore, -1), ALOOP_EINVAL);
    assert_code(aloop_bounded_semaphore_new(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_bounded_semaphore_new(&semaphore, INT64_MIN), ALOOP_EINVAL);
    assert_code(aloop_barrier_new(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_barrier_new(&barrier, 0), ALOOP_EINVAL);
    assert_code(aloop_semaphore_new(&semaphore, INT64_MAX), 0);
    assert_code(aloop_semaphore_release(semaphore), ALOOP_EINVAL); /* no further */
    aloop_unref(semaphore);
    aloop_unref(event);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_task(bad_input);
    assert_null(aloop_lock_acquire(NULL)); /* no loop */
}

SUITE(CASE(test_lock), CASE(test_event), CASE(test_condition), CASE(test_semaphore),
      CASE(test_barrier), CASE(test_binds_to_the_first_loop), CASE(test_loop_closes_under_waiters),
      CASE(test_operations_are_lazy), CASE(test_bad_input))
