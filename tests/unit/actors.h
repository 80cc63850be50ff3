/*
 * actors.h: tasks of the tests of locks: what each works on and what it is
 * called in the trace.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_ACTORS_H
#define TESTS_UNIT_ACTORS_H

#include "trace.h"

struct actor {
    const char *name;
    void *on;
    int64_t n; /* what the case makes of it */
};

static inline aloop_task *go(aloop_coro_fn fn, struct actor *a) { return aloop_create_task(fn, a); }

/* Awaits task (consumed), however it ends. */
static inline int64_t ended(aloop_task *task) { return aloop_await(task, NULL); }

static inline void cancel(aloop_task *task) { assert_code(aloop_task_cancel(task, NULL), 1); }

static inline aloop_lock *new_lock(void) {
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    return lock;
}

static inline int64_t acquire(aloop_lock *lock) {
    return aloop_await(aloop_lock_acquire(lock), NULL);
}

/* Waits for what it acquires (consumed) and keeps it for n iterations, if n is not
 * negative. */
static inline int64_t keep(struct actor *a, aloop_future *acquiring) {
    const int64_t status = aloop_await(acquiring, NULL);
    note_end(a->name, status);
    if (status >= 0) let_run((int)a->n);
    return status;
}

static inline int64_t lock_user(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = keep(a, aloop_lock_acquire(a->on));
    return status < 0 ? status : aloop_lock_release(a->on);
}

/* A lock that the caller holds, and two who stand in line for it. */
struct line {
    aloop_lock *lock;
    struct actor a, b;
    aloop_task *first, *second;
};

static inline void line_up(struct line *l) {
    l->lock = new_lock();
    l->a = (struct actor){"a", l->lock, 0};
    l->b = (struct actor){"b", l->lock, 0};
    assert_code(acquire(l->lock), 0);
    l->first = go(lock_user, &l->a);
    l->second = go(lock_user, &l->b);
    let_run(1);
    begin_trace();
}

/* Lets both have their turns, which end so, and drops the lock, which nobody holds. */
static inline int64_t line_ends(struct line *l, int64_t first, int64_t second) {
    assert_code(ended(l->first), first);
    assert_code(ended(l->second), second);
    assert_code(aloop_lock_locked(l->lock), 0);
    aloop_unref(l->lock);
    return 0;
}

static inline aloop_event *new_event(void) {
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    return event;
}

static inline int64_t event_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_event_wait(a->on), NULL);
    note_end(a->name, status);
    return status;
}

static inline void hold(aloop_condition *c) {
    assert_code(aloop_await(aloop_condition_acquire(c), NULL), 0);
}

/* Notifies, under the lock, as many as n; woken: so many there were. */
static inline void notify(aloop_condition *c, int64_t n, int64_t woken) {
    hold(c);
    assert_code(aloop_condition_notify(c, n), woken);
    assert_code(aloop_condition_release(c), 0);
}

/* Waits n times for a notification, under the lock. */
static inline int64_t condition_waiter(void *arg, void **value) {
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

static inline aloop_condition *new_condition(void) {
    aloop_condition *condition = NULL;
    assert_code(aloop_condition_new(&condition, NULL), 0);
    return condition;
}

static inline int64_t barrier_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    for (int64_t i = 0; i < a->n; i++) {
        status = aloop_await(aloop_barrier_wait(a->on), NULL);
        note_end(a->name, status);
    }
    return status;
}

static inline aloop_barrier *new_barrier(int64_t parties) {
    aloop_barrier *barrier = NULL;
    assert_code(aloop_barrier_new(&barrier, parties), 0);
    return barrier;
}

static inline int64_t semaphore_user(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = keep(a, aloop_semaphore_acquire(a->on));
    if (status < 0 || a->n < 0) return status; /* n < 0: keeps the permit for good */
    return aloop_semaphore_release(a->on);
}

static inline aloop_semaphore *new_semaphore(int64_t permits) {
    aloop_semaphore *semaphore = NULL;
    assert_code(aloop_semaphore_new(&semaphore, permits), 0);
    return semaphore;
}

#endif
