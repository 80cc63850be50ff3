/*
 * sync.h, limit.h, once.h, queue.h, server.h, combine.h: an operation that its task left
 * behind in a line, and that is then dropped. What it was handed, or what it was in the way
 * of, goes to the next in line, as after a cancellation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <unistd.h>

#include "serving.h"

static int64_t suspend_and_end(aloop_task *task, void *op, void **value) {
    (void)value;
    assert_code(aloop_suspend(task, aloop_ref(op)), ALOOP_PENDING);
    return 7;
}

/* A task begins op, or goes on with it, and ends without it: op as it stands there. */
static aloop_future *left(aloop_future *op) {
    assert_code(aloop_await(aloop_create_stackless_task(suspend_and_end, op, NULL), NULL), 7);
    assert_int_equal(aloop_future_done(op), 0);
    return op;
}

/* A task that stands behind everybody, on op (consumed). */
static aloop_task *stands(aloop_future *op) {
    aloop_task *task = aloop_ensure_future(op);
    let_run(1);
    assert_int_equal(aloop_future_done(task), 0);
    return task;
}

static int64_t has_its_turn(aloop_task *next) {
    return aloop_await(aloop_wait_for(next, 10), NULL);
}

static int64_t take(aloop_future *op) { return aloop_await(op, NULL); }

static int64_t in_line_for_a_lock(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(take(aloop_lock_acquire(lock)), 0);
    aloop_future *op = left(aloop_lock_acquire(lock));
    aloop_task *next = stands(aloop_lock_acquire(lock));
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(op);
    assert_code(has_its_turn(next), 0);
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

static int64_t in_line_for_a_permit(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_semaphore *semaphore = NULL;
    assert_code(aloop_semaphore_new(&semaphore, 0), 0);
    aloop_future *op = left(aloop_semaphore_acquire(semaphore));
    aloop_task *next = stands(aloop_semaphore_acquire(semaphore));
    assert_code(aloop_semaphore_release(semaphore), 0);
    aloop_unref(op);
    assert_code(has_its_turn(next), 0);
    assert_code(aloop_semaphore_value(semaphore), 0);
    aloop_unref(semaphore);
    return 0;
}

static int64_t waits_once(void *condition, void **value) {
    (void)value;
    assert_code(take(aloop_condition_acquire(condition)), 0);
    const int64_t status = take(aloop_condition_wait(condition));
    assert_code(aloop_condition_release(condition), 0);
    return status;
}

/* Notified and not run since; or on its way to the lock again, which it was just given. */
static int64_t in_line_at_a_condition(void *unused, void **value) {
    (void)unused, (void)value;
    for (int relocking = 0; relocking < 2; relocking++) {
        aloop_condition *condition = NULL;
        assert_code(aloop_condition_new(&condition, NULL), 0);
        assert_code(take(aloop_condition_acquire(condition)), 0);
        aloop_future *op = left(aloop_condition_wait(condition));
        aloop_task *next = aloop_create_task(waits_once, condition);
        let_run(1);
        assert_code(take(aloop_condition_acquire(condition)), 0);
        assert_code(aloop_condition_notify(condition, 1), 1);
        if (relocking) left(op);
        aloop_task *other = stands(aloop_condition_acquire(condition));
        assert_code(aloop_condition_release(condition), 0);
        aloop_unref(op);
        assert_code(has_its_turn(other), 0);
        assert_code(aloop_condition_release(condition), 0);
        assert_code(has_its_turn(next), 0);
        aloop_unref(condition);
    }
    return 0;
}

static aloop_future *given(void *future) { return aloop_ref(future); }

/* It makes the value; or it was woken to do so, and has not run since. */
static int64_t in_line_at_a_cell(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    for (int woken = 0; woken < 2; woken++) {
        aloop_once *cell = NULL;
        assert_code(aloop_once_new(&cell), 0);
        aloop_future *late = aloop_loop_create_future(loop);
        aloop_future *ready = aloop_loop_create_future(loop);
        assert_code(aloop_future_set_result(ready, 5, NULL, NULL), 0);
        aloop_task *first = woken ? stands(aloop_once_get_or_init(cell, given, late)) : NULL;
        aloop_future *op = left(aloop_once_get_or_init(cell, given, late));
        aloop_task *next = stands(aloop_once_get_or_init(cell, given, ready));
        if (woken) {
            assert_code(aloop_future_set_error_code(late, ALOOP_EUSER), 0);
            assert_code(take(first), ALOOP_EUSER);
        }
        aloop_unref(op);
        assert_code(has_its_turn(next), 5);
        aloop_unref(late);
        aloop_unref(ready);
        aloop_unref(cell);
    }
    return 0;
}

/* A writer in the way of a reader; and one whose turn had come. */
static int64_t in_line_to_write(void *unused, void **value) {
    (void)unused, (void)value;
    for (int had_its_turn = 0; had_its_turn < 2; had_its_turn++) {
        aloop_rwlock *lock = NULL;
        assert_code(aloop_rwlock_new(&lock), 0);
        assert_code(take(aloop_rwlock_acquire_read(lock)), 0);
        aloop_future *op = left(aloop_rwlock_acquire_write(lock));
        aloop_task *next = stands(aloop_rwlock_acquire_read(lock));
        if (had_its_turn) assert_code(aloop_rwlock_release_read(lock), 0);
        aloop_unref(op);
        assert_code(has_its_turn(next), 0);
        if (!had_its_turn) assert_code(aloop_rwlock_release_read(lock), 0);
        assert_code(aloop_rwlock_release_read(lock), 0);
        aloop_unref(lock);
    }
    return 0;
}

static int64_t in_line_for_a_token(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_limiter *limiter = NULL;
    int borrowers[3];
    assert_code(aloop_limiter_new(&limiter, 1), 0);
    assert_code(take(aloop_limiter_acquire_on_behalf_of(limiter, &borrowers[0])), 0);
    aloop_future *op = left(aloop_limiter_acquire_on_behalf_of(limiter, &borrowers[1]));
    aloop_task *next = stands(aloop_limiter_acquire_on_behalf_of(limiter, &borrowers[2]));
    assert_code(aloop_limiter_release_on_behalf_of(limiter, &borrowers[0]), 0);
    aloop_unref(op);
    assert_code(has_its_turn(next), 0);
    assert_code(aloop_limiter_release_on_behalf_of(limiter, &borrowers[2]), 0);
    aloop_unref(limiter);
    return 0;
}

/* The first in line, which nobody but its own timer holds any more; and when somebody else
 * looks whether it is its turn. */
static int64_t in_line_for_a_share(void *unused, void **value) {
    (void)unused, (void)value;
    for (int looks = 0; looks < 2; looks++) {
        aloop_rate_limiter *rate = NULL;
        assert_code(aloop_rate_limiter_new(&rate, 1, 1), 0);
        assert_code(take(aloop_rate_limiter_acquire(rate, 1)), 0);
        aloop_future *op = left(aloop_rate_limiter_acquire(rate, 1));
        aloop_task *next = stands(aloop_rate_limiter_acquire(rate, 1));
        aloop_unref(op);
        if (looks) assert_code(aloop_rate_limiter_acquire_nowait(rate, 1), ALOOP_EAGAIN);
        assert_code(has_its_turn(next), 0);
        assert_code(aloop_rate_limiter_statistic(rate, ALOOP_RATE_LIMITER_STAT_WAITING), 0);
        aloop_unref(rate);
    }
    return 0;
}

static aloop_queue *queue_of_one(void) {
    aloop_queue *queue = NULL;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_maxsize(options, 1), 0);
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    return queue;
}

/* As in asyncio, where a coroutine that is closed there wakes the next one. */
static int64_t in_line_at_a_queue(void *unused, void **value) {
    (void)unused, (void)value;
    int item;
    void *got = NULL;
    aloop_queue *queue = queue_of_one();
    aloop_future *op = left(aloop_queue_get(queue));
    aloop_task *next = stands(aloop_queue_get(queue));
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    aloop_unref(op);
    assert_code(aloop_await(aloop_wait_for(next, 10), &got), 0);
    assert_ptr_equal(got, &item);

    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    op = left(aloop_queue_put(queue, NULL));
    next = stands(aloop_queue_put(queue, NULL));
    assert_code(aloop_queue_get_nowait(queue, &got), 0);
    aloop_unref(op);
    assert_code(has_its_turn(next), 0);
    assert_code(aloop_queue_qsize(queue), 1);
    aloop_unref(queue);
    return 0;
}

/* Woken, as a connection came, and not run since. */
static int64_t in_line_for_a_client(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_server *server = serve(NULL, NULL, NULL);
    aloop_future *op = left(aloop_server_accept(server));
    aloop_task *next = stands(aloop_server_accept(server));
    const int fd = plain_connection(port_of(server));
    int32_t listener = -1;
    assert_code(aloop_server_sockets(server, &listener, 1), 1);
    struct pollfd there = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&there, 1, k_hang * 1000), 1);
    let_run(3);
    aloop_unref(op);
    aloop_stream *client = NULL;
    assert_code(aloop_await(aloop_wait_for(next, k_hang), (void **)&client), 0);
    aloop_stream_abort(client);
    let_run(2);
    aloop_unref(client);
    close(fd);
    end(server);
    return 0;
}

/* It waits, or the outcome has come and it has not run since. */
static int64_t in_line_for_an_outcome(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    for (int woken = 0; woken < 2; woken++) {
        aloop_future *f[2] = {aloop_loop_create_future(loop), aloop_loop_create_future(loop)};
        aloop_future *given_away[2] = {aloop_ref(f[0]), aloop_ref(f[1])};
        aloop_completions *all = NULL;
        assert_code(aloop_as_completed(&all, given_away, 2, -1), 0);
        aloop_future *op = left(aloop_as_completed_next_result(all));
        aloop_task *next = stands(aloop_as_completed_next_result(all));
        if (!woken) aloop_unref(op);
        assert_code(aloop_future_set_result(f[0], 5, NULL, NULL), 0);
        if (woken) {
            let_run(1);
            aloop_unref(op);
        }
        assert_code(has_its_turn(next), 5);
        assert_code(aloop_future_set_result(f[1], 6, NULL, NULL), 0);
        assert_code(take(aloop_as_completed_next_result(all)), 6);
        assert_code(take(aloop_as_completed_next_result(all)), ALOOP_ESTOPITERATION);
        for (int i = 0; i < 2; i++) aloop_unref(f[i]);
        aloop_unref(all);
    }
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        in_task(name);                      \
    }

TASK_CASE(in_line_for_a_lock)
TASK_CASE(in_line_for_a_permit)
TASK_CASE(in_line_at_a_condition)
TASK_CASE(in_line_at_a_cell)
TASK_CASE(in_line_to_write)
TASK_CASE(in_line_for_a_token)
TASK_CASE(in_line_for_a_share)
TASK_CASE(in_line_at_a_queue)
TASK_CASE(in_line_for_a_client)
TASK_CASE(in_line_for_an_outcome)

SUITE(CASE(test_in_line_for_a_lock), CASE(test_in_line_for_a_permit),
      CASE(test_in_line_at_a_condition), CASE(test_in_line_at_a_cell),
      CASE(test_in_line_to_write), CASE(test_in_line_for_a_token),
      CASE(test_in_line_for_a_share), CASE(test_in_line_at_a_queue),
      CASE(test_in_line_for_a_client), CASE(test_in_line_for_an_outcome))
