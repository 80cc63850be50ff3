/*
 * sync.h: locks, events, and what all have in common; see also condition_test.c,
 * semaphore_test.c and barrier_test.c.
 *
 * Traces name the iteration of each event; those of CPython 3.13's asyncio for
 * the same programs are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

/* Lock: 1.8, first statement ------------------------------------------------------------- */

static int64_t lock_is_fair(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = new_lock();
    assert_code(aloop_lock_locked(lock), 0);
    begin_trace();
    assert_code(acquire(lock), 0);
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
    aloop_lock *lock = new_lock();
    assert_code(acquire(lock), 0);
    struct actor a = {"a", lock, 0};
    aloop_task *task = go(lock_user, &a);
    let_run(1);
    begin_trace();
    assert_code(aloop_lock_release(lock), 0);
    assert_code(aloop_lock_locked(lock), 0); /* unlocked, and yet nobody gets in before a */
    assert_code(acquire(lock), 0);
    note("main");
    assert_trace("a:0@1 main@2 ");
    assert_code(aloop_lock_release(lock), 0);
    assert_code(ended(task), 0);
    aloop_unref(lock);
    return 0;
}

static int64_t lock_release_by_another_task(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = new_lock();
    assert_code(aloop_lock_release(lock), ALOOP_ENOTOWNER);
    struct actor a = {"a", lock, 0};
    assert_code(acquire(lock), 0);
    assert_code(aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_lock_release(lock), 0); /* not reentrant, see above */
    assert_code(acquire(lock), 0);
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
    aloop_lock *lock = new_lock();
    assert_code(aloop_await(aloop_create_task(returns_release_error, lock), NULL),
                ALOOP_ENOTOWNER);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Lock is not acquired.");
    aloop_unref(lock);
    return 0;
}

/* Cancelled while it waits: the others keep their places. */
static int64_t lock_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    struct line l;
    line_up(&l);
    assert_code(aloop_task_cancel(l.first, "enough"), 1);
    assert_code(ended(l.first), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
    assert_code(aloop_lock_release(l.lock), 0);
    assert_code(ended(l.second), 0);
    assert_trace("a:ECANCELED@1 b:0@3 ");
    aloop_unref(l.lock);
    return 0;
}

/* Cancelled after it was woken: it passes the wake on, and nobody is lost. */
static int64_t lock_woken_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    struct line l;
    line_up(&l);
    assert_code(aloop_lock_release(l.lock), 0); /* wakes a */
    assert_code(aloop_task_cancel(l.first, "late"), 1);
    assert_code(ended(l.first), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "late");
    assert_code(ended(l.second), 0);
    assert_trace("a:ECANCELED@1 b:0@2 ");
    assert_code(aloop_lock_locked(l.lock), 0);
    aloop_unref(l.lock);
    return 0;
}

/* All waiters cancelled, none has run yet: an acquire jumps the queue. */
static int64_t lock_jumps_cancelled_waiters(void *arg, void **value) {
    (void)arg, (void)value;
    struct line l;
    line_up(&l);
    cancel(l.first);
    cancel(l.second);
    assert_code(aloop_lock_release(l.lock), 0);
    assert_code(aloop_await(aloop_lock_acquire(l.lock), NULL), 0);
    note("main");
    assert_code(aloop_lock_locked(l.lock), 1);
    assert_code(ended(l.first), ALOOP_ECANCELED);
    assert_code(ended(l.second), ALOOP_ECANCELED);
    assert_code(aloop_lock_locked(l.lock), 1);
    assert_trace("main@0 a:ECANCELED@1 b:ECANCELED@1 ");
    assert_code(aloop_lock_release(l.lock), 0);
    aloop_unref(l.lock);
    return 0;
}

/* The finished first waiter is cancelled while the lock was released and taken
 * again: asyncio's test_finished_waiter_cancelled. */
static int64_t lock_finished_waiter_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = new_lock();
    assert_code(acquire(lock), 0);
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

static int64_t only_acquires(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = aloop_await(aloop_lock_acquire(a->on), NULL);
    a->n = status;
    return status;
}

struct trigger {
    aloop_task *task;
    aloop_lock *lock;
};

static int64_t cancel_and_release(void *data) {
    struct trigger *t = data;
    cancel(t->task);
    return aloop_lock_release(t->lock);
}

/* asyncio's test_cancel_release_race: two may not get in when the first waiter
 * is cancelled in the iteration of the release. */
static int64_t lock_cancel_release_race(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = new_lock();
    assert_code(acquire(lock), 0);
    struct actor a = {"a", lock, 1}, b = {"b", lock, 1}, c = {"c", lock, 1};
    aloop_task *tasks[] = {go(only_acquires, &a), go(only_acquires, &b), go(only_acquires, &c)};
    let_run(1);
    struct trigger trigger = {tasks[0], lock};
    assert_true(aloop_loop_call_soon(aloop_get_running_loop(), cancel_and_release, &trigger,
                                     NULL) > 0);
    assert_code(ended(tasks[0]), ALOOP_ECANCELED);
    assert_code(a.n, ALOOP_ECANCELED);
    assert_code(b.n, 0);
    assert_code(c.n, 1); /* still waits */
    assert_code(ended(tasks[1]), 0);
    cancel(tasks[2]);
    assert_code(ended(tasks[2]), ALOOP_ECANCELED);
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* asyncio's test_lock: the lock itself cannot be awaited, and is not taken by that. */
static int64_t lock_is_no_awaitable(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_lock *lock = new_lock();
    assert_code(aloop_await((aloop_future *)lock, NULL), ALOOP_EINVAL);
    assert_code(aloop_lock_locked(lock), 0);
    assert_code(acquire(lock), 0);
    assert_code(aloop_await((aloop_future *)lock, NULL), ALOOP_EINVAL);
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

static void test_lock(void **state) {
    (void)state;
    in_task(lock_is_no_awaitable);
    in_task(lock_is_fair);
    in_task(lock_has_no_barging);
    in_task(lock_release_by_another_task);
    in_task(lock_error_has_asyncios_text);
    in_task(lock_waiter_cancelled);
    in_task(lock_woken_waiter_cancelled);
    in_task(lock_jumps_cancelled_waiters);
    in_task(lock_finished_waiter_cancelled);
    in_task(lock_cancel_release_race);
}

/* Event: 1.8, second statement ------------------------------------------------------------- */

static int64_t event_wakes_everybody(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = new_event();
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
    aloop_event *event = new_event();
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

static int64_t pulse(void *event, void **value) {
    (void)value;
    assert_code(aloop_event_set(event), 0);
    return aloop_event_clear(event);
}

/* Twice in one iteration, and who comes between the two is woken by the second. */
static int64_t event_pulsed_twice(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = new_event();
    struct actor a = {"a", event, 0}, b = {"b", event, 0}, c = {"c", event, 0};
    aloop_task *first = go(event_waiter, &a);
    let_run(1);
    begin_trace();
    aloop_task *tasks[] = {aloop_create_task(pulse, event), go(event_waiter, &b),
                           aloop_create_task(pulse, event), go(event_waiter, &c)};
    let_run(1);
    assert_code(aloop_event_statistic(event, ALOOP_EVENT_STAT_WAITING), 1);
    assert_code(ended(first), 0);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@2 b:0@2 ");
    assert_code(aloop_event_set(event), 0);
    assert_code(ended(tasks[3]), 0);
    aloop_unref(event);
    return 0;
}

static void test_event(void **state) {
    (void)state;
    in_task(event_wakes_everybody);
    in_task(event_waiter_cancelled);
    in_task(event_pulsed_twice);
}

/* Loops and threads -------------------------------------------------------------------------- */

static int64_t blocks_on_lock(void *lock, void **value) {
    (void)value;
    return aloop_await(aloop_wait_for(aloop_lock_acquire(lock), 1), NULL);
}

static int64_t takes_free_lock(void *lock, void **value) {
    (void)value;
    assert_code(acquire(lock), 0);
    return aloop_lock_release(lock);
}

static int64_t runs_a_loop(void *lock) { return run_virtual(blocks_on_lock, lock, NULL); }

static int64_t releases(void *lock) { return aloop_lock_release(lock); }

/* The first loop whose task blocks has it for good. */
static void test_binds_to_the_first_loop(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    aloop_lock *lock = new_lock();
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
    aloop_lock *lock = new_lock();
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

static int64_t answer_of(void *number) { return *(int64_t *)number; }

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

SUITE(CASE(test_lock), CASE(test_event), CASE(test_binds_to_the_first_loop),
      CASE(test_loop_closes_under_waiters), CASE(test_operations_are_lazy), CASE(test_bad_input))
