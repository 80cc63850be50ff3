/*
 * sync_model.c: locks never let two in, no permit and no wake-up is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <stddef.h>

static void *object;
static int32_t inside;
static int32_t room;

/* Lock and semaphore: at most `room` inside ------------------------------------------- */

static int64_t acquire(void **value) {
    return room > 0 ? await_somehow(aloop_semaphore_acquire(object), value)
                    : await_somehow(aloop_lock_acquire(object), value);
}

static void release(void) {
    const int64_t status = room > 0 ? aloop_semaphore_release(object) : aloop_lock_release(object);
    claim(status == 0, "a release failed");
}

static int64_t visitor(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = acquire(NULL);
        if (status >= 0) {
            inside++;
            claim(inside <= (room > 0 ? room : 1), "too many inside");
            status = dawdle();
            inside--;
            release();
        }
        if (status < 0 && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

static void visit(void) {
    inside = 0;
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(visitor, 1 + (int32_t)any(6));
    }
    wreak_havoc(4 + (int32_t)any(12));
    expect_all_ended();
}

void lock_model(void) {
    aloop_lock *lock = NULL;
    aloop_lock_new(&lock);
    object = lock;
    room = 0;
    visit();
    claim(aloop_lock_locked(lock) == 0, "the lock stayed locked");
    drop_actors();
    aloop_unref(lock);
}

void semaphore_model(void) {
    aloop_semaphore *semaphore = NULL;
    room = 1 + (int32_t)any(3);
    aloop_bounded_semaphore_new(&semaphore, room);
    object = semaphore;
    visit();
    claim(aloop_semaphore_value(semaphore) == room, "a permit was lost or made");
    claim(aloop_semaphore_locked(semaphore) == 0, "a waiter was left in line");
    drop_actors();
    aloop_unref(semaphore);
}

/* Read-write lock: one writer or any number of readers ----------------------------- */

static int32_t readers, writers;

static int64_t reader_or_writer(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        const bool write = any(3) == 0;
        status = await_somehow(write ? aloop_rwlock_acquire_write(object)
                                     : aloop_rwlock_acquire_read(object), NULL);
        if (status >= 0) {
            *(write ? &writers : &readers) += 1;
            claim(writers == 0 || (writers == 1 && readers == 0), "a writer is not alone");
            status = dawdle();
            *(write ? &writers : &readers) -= 1;
            claim((write ? aloop_rwlock_release_write(object)
                         : aloop_rwlock_release_read(object)) == 0, "a release failed");
        }
        if (status < 0 && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void rwlock_model(void) {
    aloop_rwlock *lock = NULL;
    aloop_rwlock_new(&lock);
    object = lock;
    readers = writers = 0;
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(reader_or_writer, 1 + (int32_t)any(6));
    }
    wreak_havoc(4 + (int32_t)any(12));
    expect_all_ended();
    for (int32_t which = 0; which < 4; which++) {
        claim(aloop_rwlock_statistic(lock, which) == 0, "a turn was lost");
    }
    drop_actors();
    aloop_unref(lock);
}

/* Event: who waits is waiting for an event that is not set ---------------------------- */

static int64_t event_waiter(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = await_somehow(aloop_event_wait(object), NULL);
        if (status < 0 && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void event_model(void) {
    aloop_event *event = NULL;
    aloop_event_new(&event);
    object = event;
    for (uint32_t n = 2 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(event_waiter, 1 + (int32_t)any(4));
    }
    for (uint32_t turns = 2 + any(6); turns > 0; turns--) {
        wreak_havoc(1 + (int32_t)any(3));
        aloop_event_set(event);
        if (any(2) == 0) dawdle();
        aloop_event_clear(event);
    }
    aloop_event_set(event);
    expect_all_ended();
    drop_actors();
    aloop_unref(event);
}

/* Condition: tokens under a lock, one notification each ------------------------------- */

static int64_t tokens;

static int64_t have_tokens(void *unused) {
    (void)unused;
    return tokens > 0;
}

static int64_t enter(void) {
    const int64_t status = await_somehow(aloop_condition_acquire(object), NULL);
    if (status >= 0) claim(++inside == 1, "two hold the condition's lock");
    return status;
}

static void leave(void) {
    inside--;
    claim(aloop_condition_release(object) == 0, "the condition's lock was not held");
}

static int64_t token_taker(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = enter();
        if (status >= 0) {
            inside--; /* waiting gives the lock back */
            status = await_somehow(aloop_condition_wait_for(object, have_tokens, NULL), NULL);
            claim(++inside == 1, "a wait ended without the lock, or in company");
            if (status >= 0) {
                claim(tokens > 0, "a wait ended without what it waited for");
                tokens--;
            }
            if (status >= 0 && any(2) == 0) status = dawdle();
            leave();
        }
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

static int64_t token_maker(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        status = enter();
        if (status >= 0) {
            tokens++;
            claim(aloop_condition_notify(object, 1) >= 0, "a notification failed");
            if (any(2) == 0) status = dawdle();
            leave();
        }
        if (status < 0 && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void condition_model(void) {
    aloop_condition *condition = NULL;
    aloop_condition_new(&condition, NULL);
    object = condition;
    tokens = inside = 0;
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(token_taker, 1 + (int32_t)any(3));
    const int32_t takers = world.count;
    for (uint32_t n = 1 + any(3); n > 0; n--) add_actor(token_maker, 1 + (int32_t)any(4));
    wreak_havoc(4 + (int32_t)any(12));
    settle();
    bool one_waits = false;
    for (int32_t i = 0; i < world.count; i++) {
        one_waits = one_waits || (i < takers && !has_ended(i));
        claim(i < takers || has_ended(i), "a maker is stuck");
    }
    claim(tokens == 0 || !one_waits, "a notification was lost");
    claim(aloop_condition_locked(condition) == 0, "the condition's lock stayed locked");
    drop_actors();
    aloop_unref(condition);
}

/* Barrier: whoever waits is one of too few -------------------------------------------- */

static int32_t parties;
static int32_t arrived;

static int64_t runner(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    int64_t status = 0;
    while (a->steps-- > 0) {
        arrived++;
        status = await_somehow(aloop_barrier_wait(object), NULL);
        arrived--;
        claim(status < parties, "an index out of range");
        claim(status >= 0 || status == ALOOP_ECANCELED || status == ALOOP_ETIMEDOUT ||
                  status == ALOOP_EBROKENBARRIER,
              "a wait failed");
        if (status < 0 && !goes_on()) break;
        status = dawdle();
        if (status < 0 && !goes_on()) break;
    }
    return status;
}

void barrier_model(void) {
    aloop_barrier *barrier = NULL;
    parties = 1 + (int32_t)any(4);
    arrived = 0;
    aloop_barrier_new(&barrier, parties);
    object = barrier;
    for (uint32_t n = 1 + any(MODEL_ACTORS - 1); n > 0; n--) {
        add_actor(runner, 1 + (int32_t)any(5));
    }
    wreak_havoc(2 + (int32_t)any(8));
    if (any(2) == 0) {
        const bool abort = any(2) == 0;
        aloop_await(abort ? aloop_barrier_abort(barrier) : aloop_barrier_reset(barrier), NULL);
        wreak_havoc(1 + (int32_t)any(4));
        if (any(2) == 0) aloop_await(aloop_barrier_reset(barrier), NULL);
    }
    settle();
    claim(aloop_barrier_n_waiting(barrier) == arrived, "the barrier miscounts who waits");
    claim(arrived < parties, "enough arrived, and yet they wait");
    claim(arrived == 0 || aloop_barrier_broken(barrier) == 0, "somebody waits at a broken barrier");
    drop_actors();
    aloop_unref(barrier);
}
