/*
 * sync.h: the read-write lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors.h"

static aloop_rwlock *new_rwlock(void) {
    aloop_rwlock *lock = NULL;
    assert_code(aloop_rwlock_new(&lock), 0);
    return lock;
}

static int64_t reader(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = keep(a, aloop_rwlock_acquire_read(a->on));
    return status < 0 ? status : aloop_rwlock_release_read(a->on);
}

static int64_t writer(void *arg, void **value) {
    (void)value;
    struct actor *a = arg;
    const int64_t status = keep(a, aloop_rwlock_acquire_write(a->on));
    return status < 0 ? status : aloop_rwlock_release_write(a->on);
}

static void assert_held(aloop_rwlock *lock, int64_t readers, int64_t writers, int64_t want_read,
                        int64_t want_write) {
    assert_code(aloop_rwlock_statistic(lock, ALOOP_RWLOCK_STAT_READERS), readers);
    assert_code(aloop_rwlock_statistic(lock, ALOOP_RWLOCK_STAT_WRITERS), writers);
    assert_code(aloop_rwlock_statistic(lock, ALOOP_RWLOCK_STAT_WAITING_READERS), want_read);
    assert_code(aloop_rwlock_statistic(lock, ALOOP_RWLOCK_STAT_WAITING_WRITERS), want_write);
}

/* Readers share; a writer waits for them, and later readers wait for it. */
static int64_t first_come_first_served(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rwlock *lock = new_rwlock();
    begin_trace();
    struct actor a = {"a", lock, 1}, b = {"b", lock, 2}, w = {"w", lock, 1}, c = {"c", lock, 0},
                 d = {"d", lock, 0};
    aloop_task *tasks[] = {go(reader, &a), go(reader, &b), go(writer, &w), go(reader, &c),
                           go(reader, &d)};
    let_run(1);
    assert_held(lock, 2, 0, 2, 1);
    for (int i = 0; i < 5; i++) assert_code(ended(tasks[i]), 0);
    assert_trace("a:0@1 b:0@1 w:0@4 c:0@6 d:0@6 ");
    assert_held(lock, 0, 0, 0, 0);
    assert_code(aloop_await(aloop_rwlock_acquire_write(lock), NULL), 0);
    assert_code(aloop_rwlock_release_read(lock), ALOOP_ENOTOWNER);
    assert_code(aloop_rwlock_release_write(lock), 0);
    assert_code(aloop_rwlock_release_write(lock), ALOOP_ENOTOWNER);
    assert_code(aloop_rwlock_release_read(lock), ALOOP_ENOTOWNER);
    aloop_unref(lock);
    return 0;
}

/* A writer that is cancelled lets those behind it in: before its turn, and when
 * its turn had come already. */
static int64_t cancelled_writer(void *arg, void **value) {
    (void)arg, (void)value;
    for (int had_its_turn = 0; had_its_turn < 2; had_its_turn++) {
        aloop_rwlock *lock = new_rwlock();
        assert_code(aloop_await(aloop_rwlock_acquire_read(lock), NULL), 0);
        struct actor w = {"w", lock, 0}, r = {"r", lock, 0};
        aloop_task *tasks[] = {go(writer, &w), go(reader, &r)};
        let_run(1);
        assert_held(lock, 1, 0, 1, 1);
        begin_trace();
        if (had_its_turn) {
            assert_code(aloop_rwlock_release_read(lock), 0);
            assert_held(lock, 0, 1, 1, 0);
        }
        cancel(tasks[0]);
        assert_code(ended(tasks[0]), ALOOP_ECANCELED);
        assert_code(ended(tasks[1]), 0);
        assert_trace("w:ECANCELED@1 r:0@2 ");
        if (!had_its_turn) assert_code(aloop_rwlock_release_read(lock), 0);
        assert_held(lock, 0, 0, 0, 0);
        aloop_unref(lock);
    }
    return 0;
}

/* A newcomer passes those who were cancelled and have not run since. */
static int64_t cancelled_are_not_in_the_way(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_rwlock *lock = new_rwlock();
    assert_code(aloop_await(aloop_rwlock_acquire_read(lock), NULL), 0);
    struct actor w = {"w", lock, 0};
    aloop_task *task = go(writer, &w);
    let_run(1);
    begin_trace();
    cancel(task);
    assert_code(aloop_await(aloop_rwlock_acquire_read(lock), NULL), 0);
    note("main");
    assert_held(lock, 2, 0, 0, 0);
    assert_code(ended(task), ALOOP_ECANCELED);
    assert_trace("main@0 w:ECANCELED@1 ");
    assert_code(aloop_rwlock_release_read(lock), 0);
    assert_code(aloop_rwlock_release_read(lock), 0);
    aloop_unref(lock);
    return 0;
}

static void test_rwlock(void **state) {
    (void)state;
    in_task(first_come_first_served);
    in_task(cancelled_writer);
    in_task(cancelled_are_not_in_the_way);
}

static int64_t leaves_a_writer(void *lock, void **value) {
    (void)value;
    static struct actor w;
    w = (struct actor){"w", lock, 0};
    assert_code(aloop_await(aloop_rwlock_acquire_read(lock), NULL), 0);
    aloop_unref(go(writer, &w));
    let_run(1);
    return 0;
}

static int64_t reads(void *lock, void **value) {
    (void)value;
    return aloop_await(aloop_rwlock_acquire_read(lock), NULL);
}

static int64_t releases(void *lock) { return aloop_rwlock_release_read(lock); }

static void test_loops(void **state) {
    (void)state;
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    aloop_rwlock *lock = new_rwlock();
    struct reports reports;
    capture_reports(one, &reports);
    assert_code(run_on(one, leaves_a_writer, lock), 0);
    assert_code(run_on(two, reads, lock), ALOOP_EWRONGLOOP);
    assert_code(on_foreign_thread(releases, lock), ALOOP_EWRONGTHREAD);
    assert_code(aloop_rwlock_release_read(lock), 0); /* the writer's turn, which never runs */
    assert_held(lock, 0, 1, 0, 0);
    close_loop(one);
    assert_int_equal(reports.count, 1);
    assert_held(lock, 0, 0, 0, 0); /* it came back */
    assert_code(run_on(two, reads, lock), 0);
    close_loop(two);
    aloop_unref(lock);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    void *const wrong[] = {NULL, event};
    for (int i = 0; i < 2; i++) {
        assert_failed(aloop_rwlock_acquire_read(wrong[i]), ALOOP_EINVAL);
        assert_failed(aloop_rwlock_acquire_write(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_rwlock_release_read(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_rwlock_release_write(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_rwlock_statistic(wrong[i], 0), ALOOP_EINVAL);
    }
    aloop_unref(event);
    aloop_rwlock *lock = new_rwlock();
    assert_code(aloop_rwlock_statistic(lock, -1), ALOOP_EINVAL);
    assert_code(aloop_rwlock_statistic(lock, 4), ALOOP_EINVAL);
    assert_code(aloop_rwlock_new(NULL), ALOOP_EINVAL);
    aloop_unref(lock);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_task(bad_input);
}

SUITE(CASE(test_rwlock), CASE(test_loops), CASE(test_bad_input))
