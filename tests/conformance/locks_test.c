/*
 * Locks, events, conditions, semaphores and barriers: the statements of 1.8.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#include "../unit/actors.h"

/* Lock ---------------------------------------------------------------------------------- */

/* 1.8 Lock: acquire() gives True, at once where nobody is before it; FIFO. */
TEST(lock_first_come_first_served) {
    struct line l;
    line_up(&l);
    assert_code(aloop_lock_release(l.lock), 0);
    let_run(2);
    assert_trace("a:0@1 b:0@2 ");
    assert_code(acquire(l.lock), 0);
    note("end");
    assert_trace("a:0@1 b:0@2 end@2 ");
    assert_code(aloop_lock_release(l.lock), 0);
    return line_ends(&l, 0, 0);
}

/* 1.8 Lock: release() wakes the head of the line alone, and that one only if it is
 * pending: not twice, and nobody behind it. */
TEST(lock_wakes_the_head_alone) {
    struct line l;
    line_up(&l);
    assert_code(aloop_lock_release(l.lock), 0);
    assert_code(aloop_lock_statistic(l.lock, ALOOP_LOCK_STAT_WAITING), 1);
    cancel(l.second); /* runs no user of the lock */
    assert_code(acquire(l.lock), 0); /* behind a, which took it and gave it back */
    assert_code(aloop_lock_release(l.lock), 0);
    assert_trace("a:0@1 b:ECANCELED@1 ");
    return line_ends(&l, 0, ALOOP_ECANCELED);
}

/* 1.8 Lock: releasing what is not held: `Lock is not acquired.` */
static int64_t release_it(void *lock, void **value UNUSED) { return aloop_lock_release(lock); }

TEST(lock_not_acquired) {
    aloop_lock *lock = new_lock();
    assert_code(outcome(aloop_create_task(release_it, lock)), ALOOP_ENOTOWNER);
    assert_last_message("Lock is not acquired.");
    aloop_unref(lock);
    return 0;
}

/* 1.8 Lock: any task may release it. */
TEST(lock_released_by_another) {
    aloop_lock *lock = new_lock();
    assert_code(acquire(lock), 0);
    assert_code(outcome(aloop_create_task(release_it, lock)), 0);
    assert_code(aloop_lock_locked(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* 1.8 Lock: not reentrant. */
TEST(lock_is_not_reentrant) {
    aloop_lock *lock = new_lock();
    assert_code(acquire(lock), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* 1.8 Lock: between release and the waiter's resume it reads unlocked, and a new
 * acquire() queues behind. */
TEST(lock_reads_unlocked_and_is_not_to_be_had) {
    struct line l;
    line_up(&l);
    assert_code(aloop_lock_release(l.lock), 0);
    assert_code(aloop_lock_locked(l.lock), 0);
    assert_code(acquire(l.lock), 0);
    note("main");
    assert_trace("a:0@1 b:0@2 main@3 ");
    assert_code(aloop_lock_release(l.lock), 0);
    return line_ends(&l, 0, 0);
}

/* 1.8 Lock: a waiter cancelled after it was woken passes the wake on. */
TEST(lock_wake_is_passed_on) {
    struct line l;
    line_up(&l);
    assert_code(aloop_lock_release(l.lock), 0);
    cancel(l.first);
    let_run(2);
    assert_trace("a:ECANCELED@1 b:0@2 ");
    return line_ends(&l, ALOOP_ECANCELED, 0);
}

/* 1.8 Lock: `async with`: here a scope that ends with the release. */
static int64_t release_held(void *lock) { return aloop_lock_release(lock); }

static int64_t with_a_lock(aloop_lock *lock) {
    ALOOP_SCOPE(scope);
    assert_code(acquire(lock), 0);
    assert_code(aloop_exit_stack_callback(scope, release_held, lock), 0);
    assert_code(aloop_lock_locked(lock), 1);
    return aloop_exit_stack_close(scope, 5);
}

TEST(lock_in_a_scope) {
    aloop_lock *lock = new_lock();
    assert_code(with_a_lock(lock), 5);
    assert_code(aloop_lock_locked(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* Event --------------------------------------------------------------------------------- */

/* 1.8 Event: set() wakes every current waiter, even if clear() follows at once. */
TEST(event_set_and_cleared) {
    aloop_event *event = new_event();
    struct actor a = {"a", event, 0}, b = {"b", event, 0}, late = {"late", event, 0};
    aloop_task *tasks[] = {go(event_waiter, &a), go(event_waiter, &b)};
    let_run(1);
    begin_trace();
    assert_code(aloop_event_set(event), 0);
    assert_code(aloop_event_clear(event), 0);
    aloop_task *third = go(event_waiter, &late);
    for (int i = 0; i < 2; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@1 b:0@1 ");
    let_run(3);
    assert_code(aloop_future_done(third), 0); /* it came after */
    cancel(third);
    assert_code(ended(third), ALOOP_ECANCELED);
    aloop_unref(event);
    return 0;
}

/* 1.8 Event: wait() gives True, at once where it is set; is_set, clear. */
TEST(event_that_is_set) {
    aloop_event *event = new_event();
    assert_code(aloop_event_is_set(event), 0);
    assert_code(aloop_event_set(event), 0);
    assert_code(aloop_event_is_set(event), 1);
    assert_code(aloop_await(aloop_event_wait(event), NULL), 0);
    note("at once");
    assert_trace("at once@0 ");
    assert_code(aloop_event_clear(event), 0);
    assert_code(aloop_event_is_set(event), 0);
    aloop_unref(event);
    return 0;
}

/* Condition ----------------------------------------------------------------------------- */

static int64_t wait_unlocked(void *c, void **value UNUSED) {
    return aloop_await(aloop_condition_wait(c), NULL);
}
static int64_t notify_unlocked(void *c, void **value UNUSED) {
    return aloop_condition_notify(c, 1);
}
static int64_t notify_all_unlocked(void *c, void **value UNUSED) {
    return aloop_condition_notify_all(c);
}

/* 1.8 Condition: wait(), notify(), notify_all() need the lock. */
TEST(condition_without_its_lock) {
    aloop_condition *c = new_condition();
    assert_code(outcome(aloop_create_task(wait_unlocked, c)), ALOOP_ENOTOWNER);
    assert_last_message("cannot wait on un-acquired lock");
    assert_code(outcome(aloop_create_task(notify_unlocked, c)), ALOOP_ENOTOWNER);
    assert_last_message("cannot notify on un-acquired lock");
    assert_code(outcome(aloop_create_task(notify_all_unlocked, c)), ALOOP_ENOTOWNER);
    assert_last_message("cannot notify on un-acquired lock");
    aloop_unref(c);
    return 0;
}

/* 1.8 Condition: wait() releases the lock and waits FIFO; notify(n), one unless
 * said otherwise, and notify_all wake those who wait. */
TEST(condition_notifies_in_turn) {
    aloop_condition *c = new_condition();
    struct actor actors[] = {{"a", c, 1}, {"b", c, 1}, {"c", c, 1}, {"d", c, 1}};
    aloop_task *tasks[4];
    for (int i = 0; i < 4; i++) tasks[i] = go(condition_waiter, &actors[i]);
    let_run(4);
    begin_trace();
    notify(c, 1, 1); /* the lock is free although they wait */
    let_run(3);
    notify(c, 2, 2);
    let_run(4);
    hold(c);
    assert_code(aloop_condition_notify_all(c), 1);
    assert_code(aloop_condition_release(c), 0);
    for (int i = 0; i < 4; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@1 b:0@4 c:0@4 d:0@8 ");
    aloop_unref(c);
    return 0;
}

/* 1.8 Condition: however the wait ends, the lock is held again; cancellations
 * while it is taken again are swallowed until it is, and the last is raised. */
TEST(condition_relocks_first) {
    aloop_condition *c = new_condition();
    struct actor a = {"a", c, 1}; /* asserts that it holds the lock */
    aloop_task *task = go(condition_waiter, &a);
    let_run(1);
    hold(c);
    begin_trace();
    assert_code(aloop_task_cancel(task, "first"), 1);
    let_run(2);
    assert_code(aloop_task_cancel(task, "second"), 1);
    let_run(2);
    assert_trace(""); /* still waits for the lock */
    assert_code(aloop_condition_release(c), 0);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_last_message("second");
    assert_trace("a:ECANCELED@5 ");
    aloop_unref(c);
    return 0;
}

/* 1.8 Condition: on an error after it was notified, it notifies another one. */
TEST(condition_notification_is_passed_on) {
    aloop_condition *c = new_condition();
    struct actor a = {"a", c, 1}, b = {"b", c, 1};
    aloop_task *first = go(condition_waiter, &a), *second = go(condition_waiter, &b);
    let_run(2);
    hold(c);
    assert_code(aloop_condition_notify(c, 1), 1);
    cancel(first);
    assert_code(aloop_condition_release(c), 0);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    aloop_unref(c);
    return 0;
}

static int64_t enough(void *count) { return *(int *)count >= 2; }

struct counted {
    aloop_condition *condition;
    int count;
};

static int64_t wait_for_two(void *arg, void **value UNUSED) {
    struct counted *s = arg;
    hold(s->condition);
    const int64_t status =
        aloop_await(aloop_condition_wait_for(s->condition, enough, &s->count), NULL);
    note_end("two", status);
    assert_code(aloop_condition_release(s->condition), 0);
    return status;
}

/* 1.8 Condition: wait_for(pred) gives the predicate's answer once it is true. */
TEST(condition_wait_for_a_predicate) {
    struct counted s = {new_condition(), 0};
    aloop_task *task = running(wait_for_two, &s);
    begin_trace();
    for (int i = 0; i < 2; i++) {
        s.count++;
        notify(s.condition, 1, 1);
        let_run(2);
    }
    assert_code(ended(task), 1);
    assert_trace("two:1@3 ");
    aloop_unref(s.condition);
    return 0;
}

/* 1.8 Condition: with a lock that others use, too; `async with`. */
static int64_t release_condition(void *c) { return aloop_condition_release(c); }

static int64_t with_a_condition(aloop_condition *c, aloop_lock *lock) {
    ALOOP_SCOPE(scope);
    hold(c);
    assert_code(aloop_exit_stack_callback(scope, release_condition, c), 0);
    assert_code(aloop_lock_locked(lock), 1);
    return aloop_exit_stack_close(scope, 0);
}

TEST(condition_in_a_scope) {
    aloop_lock *lock = new_lock();
    aloop_condition *c = NULL;
    assert_code(aloop_condition_new(&c, lock), 0);
    assert_code(with_a_condition(c, lock), 0);
    assert_code(aloop_lock_locked(lock), 0);
    aloop_unref(c);
    aloop_unref(lock);
    return 0;
}

/* Semaphores ---------------------------------------------------------------------------- */

/* 1.8 Semaphore: value < 0 is refused. */
TEST(semaphore_below_zero) {
    aloop_semaphore *s = NULL;
    assert_code(aloop_semaphore_new(&s, -1), ALOOP_EINVAL);
    assert_code(aloop_bounded_semaphore_new(&s, -1), ALOOP_EINVAL);
    return 0;
}

/* 1.8 Semaphore: locked() where there is no permit or somebody waits; release()
 * hands the permit to the first of them at once, FIFO. */
TEST(semaphore_hands_over) {
    aloop_semaphore *s = new_semaphore(1);
    assert_code(aloop_semaphore_locked(s), 0);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    assert_code(aloop_semaphore_locked(s), 1);
    struct actor a = {"a", s, 0}, b = {"b", s, 0};
    aloop_task *first = go(semaphore_user, &a), *second = go(semaphore_user, &b);
    let_run(1);
    begin_trace();
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_value(s), 0); /* a's already */
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_release(s), 0);
    assert_code(aloop_semaphore_value(s), 1);
    assert_code(aloop_semaphore_locked(s), 1); /* the two have not run */
    assert_code(ended(first), 0);
    assert_code(ended(second), 0);
    assert_trace("a:0@1 b:0@1 ");
    assert_code(aloop_semaphore_locked(s), 0);
    aloop_unref(s);
    return 0;
}

/* 1.8 Semaphore: cancelled after the handing over: the permit comes back, and
 * goes to another one. */
TEST(semaphore_permit_is_passed_on) {
    aloop_semaphore *s = new_semaphore(0);
    struct actor a = {"a", s, -1}, b = {"b", s, -1};
    aloop_task *first = go(semaphore_user, &a), *second = go(semaphore_user, &b);
    let_run(1);
    begin_trace();
    assert_code(aloop_semaphore_release(s), 0);
    cancel(first);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_code(ended(second), 0);
    assert_trace("a:ECANCELED@1 b:0@2 ");
    assert_code(aloop_semaphore_value(s), 0);
    aloop_unref(s);
    return 0;
}

static int64_t release_semaphore(void *s, void **value UNUSED) {
    return aloop_semaphore_release(s);
}

/* 1.8 BoundedSemaphore: not to be released above its first value. */
TEST(bounded_semaphore_released_too_often) {
    aloop_semaphore *s = NULL;
    assert_code(aloop_bounded_semaphore_new(&s, 1), 0);
    assert_code(aloop_await(aloop_semaphore_acquire(s), NULL), 0);
    assert_code(outcome(aloop_create_task(release_semaphore, s)), 0);
    assert_code(outcome(aloop_create_task(release_semaphore, s)), ALOOP_EINVAL);
    assert_last_message("BoundedSemaphore released too many times");
    assert_code(aloop_semaphore_value(s), 1);
    aloop_unref(s);
    return 0;
}

/* Barrier ------------------------------------------------------------------------------- */

/* 1.8 Barrier: parties < 1 is refused. */
TEST(barrier_for_nobody) {
    aloop_barrier *b = NULL;
    assert_code(aloop_barrier_new(&b, 0), ALOOP_EINVAL);
    return 0;
}

/* Three parties: two have arrived. */
struct meeting {
    aloop_barrier *barrier;
    struct actor actors[2];
    aloop_task *tasks[2];
};

static void meet(struct meeting *m) {
    m->barrier = new_barrier(3);
    for (int i = 0; i < 2; i++) {
        m->actors[i] = (struct actor){i == 0 ? "a" : "b", m->barrier, 1};
        m->tasks[i] = go(barrier_waiter, &m->actors[i]);
    }
    let_run(1);
    begin_trace();
}

static void part(struct meeting *m, int64_t first, int64_t second) {
    assert_code(ended(m->tasks[0]), first);
    assert_code(ended(m->tasks[1]), second);
}

/* 1.8 Barrier: unique indices in the order of arrival; the last one goes on first,
 * one iteration before the others; parties, n_waiting. */
TEST(barrier_last_one_goes_on_first) {
    struct meeting m;
    meet(&m);
    assert_code(aloop_barrier_parties(m.barrier), 3);
    assert_code(aloop_barrier_n_waiting(m.barrier), 2);
    note_end("last", aloop_await(aloop_barrier_wait(m.barrier), NULL));
    assert_code(aloop_barrier_n_waiting(m.barrier), 0); /* it is being left */
    part(&m, 0, 1);
    assert_trace("last:2@0 a:0@1 b:1@1 ");
    aloop_unref(m.barrier);
    return 0;
}

/* 1.8 Barrier: while those inside leave, newcomers block; then it fills again. */
TEST(barrier_fills_again) {
    struct meeting m;
    meet(&m);
    struct actor late = {"late", m.barrier, 1};
    aloop_task *task = go(barrier_waiter, &late); /* runs before those inside do */
    assert_code(aloop_await(aloop_barrier_wait(m.barrier), NULL), 2);
    let_run(1);
    assert_code(aloop_barrier_statistic(m.barrier, ALOOP_BARRIER_STAT_WAITING_OUTSIDE), 0);
    assert_trace("a:0@1 b:1@1 ");
    assert_code(aloop_barrier_n_waiting(m.barrier), 0); /* it is empty, and late not in yet */
    part(&m, 0, 1);
    let_run(1);
    assert_code(aloop_barrier_n_waiting(m.barrier), 1); /* late, of the next round */
    cancel(task);
    assert_code(ended(task), ALOOP_ECANCELED);
    aloop_unref(m.barrier);
    return 0;
}

/* 1.8 Barrier: reset() sends those who wait away, and it is as new. */
TEST(barrier_is_reset) {
    struct meeting m;
    meet(&m);
    assert_code(outcome(aloop_barrier_reset(m.barrier)), 0);
    assert_code(aloop_barrier_n_waiting(m.barrier), 0); /* until they have gone */
    part(&m, ALOOP_EBROKENBARRIER, ALOOP_EBROKENBARRIER);
    assert_code(aloop_barrier_broken(m.barrier), 0);
    aloop_unref(m.barrier);
    return 0;
}

/* 1.8 Barrier: abort(): everybody, now and from now on, until a reset. */
TEST(barrier_is_aborted) {
    struct meeting m;
    meet(&m);
    assert_code(outcome(aloop_barrier_abort(m.barrier)), 0);
    assert_code(aloop_barrier_broken(m.barrier), 1);
    part(&m, ALOOP_EBROKENBARRIER, ALOOP_EBROKENBARRIER);
    assert_code(outcome(aloop_barrier_wait(m.barrier)), ALOOP_EBROKENBARRIER);
    assert_code(outcome(aloop_barrier_reset(m.barrier)), 0);
    assert_code(aloop_barrier_broken(m.barrier), 0);
    aloop_unref(m.barrier);
    return 0;
}

/* 1.8 Barrier: cancelling one who waits only takes it away. */
TEST(barrier_waiter_is_cancelled) {
    struct meeting m;
    meet(&m);
    cancel(m.tasks[0]);
    assert_code(ended(m.tasks[0]), ALOOP_ECANCELED);
    assert_code(aloop_barrier_n_waiting(m.barrier), 1);
    assert_code(aloop_barrier_broken(m.barrier), 0);
    cancel(m.tasks[1]);
    assert_code(ended(m.tasks[1]), ALOOP_ECANCELED);
    aloop_unref(m.barrier);
    return 0;
}

/* 1.8 Barrier: `async with barrier as index`: here the index is the status. */
static int64_t with_a_barrier(void *arg, void **value UNUSED) {
    struct actor *a = arg;
    ALOOP_SCOPE(scope);
    a->n = outcome(aloop_barrier_wait(a->on));
    assert_true(a->n >= 0);
    return aloop_exit_stack_close(scope, 0);
}

TEST(barrier_in_a_scope) {
    aloop_barrier *b = new_barrier(3);
    struct actor actors[3];
    aloop_task *tasks[3];
    int64_t seen = 0;
    for (int i = 0; i < 3; i++) {
        actors[i] = (struct actor){"", b, -1};
        tasks[i] = go(with_a_barrier, &actors[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_code(ended(tasks[i]), 0);
        seen |= 1 << actors[i].n;
    }
    assert_int_equal(seen, 7);
    assert_code(aloop_barrier_n_waiting(b), 0);
    assert_code(aloop_barrier_broken(b), 0);
    aloop_unref(b);
    return 0;
}

SUITE(CASE(lock_first_come_first_served), CASE(lock_wakes_the_head_alone),
      CASE(lock_not_acquired), CASE(lock_released_by_another), CASE(lock_is_not_reentrant),
      CASE(lock_reads_unlocked_and_is_not_to_be_had), CASE(lock_wake_is_passed_on),
      CASE(lock_in_a_scope), CASE(event_set_and_cleared), CASE(event_that_is_set),
      CASE(condition_without_its_lock), CASE(condition_notifies_in_turn),
      CASE(condition_relocks_first), CASE(condition_notification_is_passed_on),
      CASE(condition_wait_for_a_predicate), CASE(condition_in_a_scope),
      CASE(semaphore_below_zero), CASE(semaphore_hands_over),
      CASE(semaphore_permit_is_passed_on), CASE(bounded_semaphore_released_too_often),
      CASE(barrier_for_nobody), CASE(barrier_last_one_goes_on_first),
      CASE(barrier_fills_again), CASE(barrier_is_reset), CASE(barrier_is_aborted),
      CASE(barrier_waiter_is_cancelled), CASE(barrier_in_a_scope))
