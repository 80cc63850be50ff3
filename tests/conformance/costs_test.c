/*
 * What each construct costs, in iterations (1.22), how a cancellation travels (1.0-9),
 * how long the loop waits (1.0-3), and the exceptions of asyncio as codes (1.12).
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

static int64_t at_once(void *unused UNUSED, void **value UNUSED) { return 0; }

static int64_t sleep_two(void *unused UNUSED, void **value UNUSED) { return nap(2); }

static int64_t await_one_below(void *unused UNUSED, void **value UNUSED) {
    return outcome(aloop_create_task(at_once, NULL));
}

/* The iterations that a statement takes. */
#define assert_cost(n, statement)                               \
    do {                                                        \
        const int64_t cost_began = aloop_loop_iteration(here()); \
        statement;                                              \
        assert_int_equal(aloop_loop_iteration(here()) - cost_began, n); \
    } while (0)
#define await_ok(future) assert_true(outcome(future) >= 0)

static aloop_future *immediate(void) { return aloop_create_task(at_once, NULL); }

/* 1.22: sleep(0) 1, sleep(t) 2, a done future 0, a task 2, a chain of 3 tasks 4. */
TEST(costs_of_awaits) {
    assert_cost(1, await_ok(aloop_sleep(0)));
    assert_cost(2, await_ok(aloop_sleep(1)));
    assert_cost(0, await_ok(finished(1)));
    assert_cost(2, await_ok(immediate()));
    assert_cost(4, await_ok(aloop_create_task(await_one_below, NULL)));
    return 0;
}

/* 1.22: gather 3, wait 3, wait_for of an operation 0 and of a task 2, shield 3,
 * as_completed 3. */
TEST(costs_of_combinators) {
    aloop_future *three[] = {immediate(), immediate(), immediate()};
    assert_cost(3, await_ok(aloop_gather(three, 3, 0)));
    aloop_future *one[] = {immediate()};
    assert_cost(3, await_ok(aloop_wait(one, 1, -1, ALOOP_ALL_COMPLETED)));
    assert_cost(0, await_ok(aloop_wait_for(finished(1), 5)));
    assert_cost(1, await_ok(aloop_wait_for(aloop_sleep(0), 5))); /* that of the sleep */
    assert_cost(2, await_ok(aloop_wait_for(immediate(), 5)));
    assert_cost(3, await_ok(aloop_shield(immediate())));
    aloop_completions *c = NULL;
    one[0] = immediate();
    assert_code(aloop_as_completed(&c, one, 1, -1), 0);
    assert_cost(3, await_ok(aloop_as_completed_next_result(c)));
    aloop_unref(c);
    return 0;
}

/* 1.22: a group without tasks 0, with one 3; a timeout that is not needed 0. */
TEST(costs_of_blocks) {
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    assert_cost(0, assert_code(aloop_task_group_exit(g, 0), 0));
    assert_code(aloop_task_group_enter(&g), 0);
    assert_code(aloop_task_group_spawn(g, at_once, NULL), 0);
    assert_cost(3, assert_code(aloop_task_group_exit(g, 0), 0));
    aloop_timeout *t = NULL;
    assert_cost(0, assert_code(aloop_timeout_enter(&t, 5), 0);
                assert_code(aloop_timeout_exit(t, 0), 0));
    aloop_unref(t);
    return 0;
}

static int64_t put_one(void *queue, void **value UNUSED) {
    return outcome(aloop_queue_put(queue, NULL));
}

/* 1.22: queue.get 0 where there is an item, 2 behind a putter's task; lock.acquire 0. */
TEST(costs_of_queues_and_locks) {
    void *item = NULL;
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, NULL), 0);
    assert_code(aloop_queue_put_nowait(queue, NULL), 0);
    assert_cost(0, assert_code(aloop_await(aloop_queue_get(queue), &item), 0));
    aloop_task *putter = aloop_create_task(put_one, queue);
    assert_cost(2, assert_code(aloop_await(aloop_queue_get(queue), &item), 0));
    await_ok(putter);
    aloop_unref(queue);
    aloop_lock *lock = NULL;
    assert_code(aloop_lock_new(&lock), 0);
    assert_cost(0, await_ok(aloop_lock_acquire(lock)));
    assert_code(aloop_lock_release(lock), 0);
    aloop_unref(lock);
    return 0;
}

/* 1.22: the cancellation of a sleeping task reaches its awaiter in 2. */
TEST(costs_of_a_cancellation) {
    aloop_task *task = running(sleep_two, NULL);
    assert_cost(2, assert_code(aloop_task_cancel(task, NULL), 1);
                assert_code(outcome(task), ALOOP_ECANCELED));
    return 0;
}

/* 1.0-9: cancel does nothing but mark and forward; a chain of four tasks ends from the
 * inside, one an iteration. */
TEST(i9_a_cancellation_travels_one_task_an_iteration) {
    aloop_future *f = pending();
    struct waiter w[4] = {{"a", NULL, ""}, {"b", NULL, ""}, {"c", NULL, ""}, {"d", f, ""}};
    aloop_task *tasks[4];
    for (int i = 4; i-- > 0;) {
        tasks[i] = running(await_on, &w[i]);
        if (i > 0) w[i - 1].on = tasks[i];
    }
    begin_trace();
    assert_code(aloop_task_cancel(tasks[0], "stop"), 1);
    assert_trace("");
    for (int i = 0; i < 4; i++) {
        assert_code(aloop_task_cancelling(tasks[i]), 1);
        assert_code(aloop_future_done(tasks[i]), 0);
    }
    assert_code(outcome(aloop_ref(tasks[0])), ALOOP_ECANCELED);
    note("main");
    assert_trace("d:ECANCELED@1 c:ECANCELED@2 b:ECANCELED@3 a:ECANCELED@4 main@5 ");
    for (int i = 0; i < 4; i++) {
        assert_string_equal(w[i].message, "stop");
        aloop_unref(tasks[i]);
    }
    aloop_unref(f);
    return 0;
}

/* 1.0-3: nothing to wait for where something is ready or the loop shall stop; until the
 * first timer; without limit. */
static void i3_how_long_the_loop_waits(void **state UNUSED) {
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_backend_timeout(loop) < 0);
    const int64_t late = aloop_loop_call_later(loop, 9, note_call, "late", NULL);
    assert_close(aloop_loop_backend_timeout(loop), 9);
    const int64_t early = aloop_loop_call_later(loop, 4, note_call, "early", NULL);
    assert_close(aloop_loop_backend_timeout(loop), 4);
    assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)early), 0);
    assert_close(aloop_loop_backend_timeout(loop), 9);
    const int64_t next = aloop_loop_call_soon(loop, note_call, "next", NULL);
    assert_true(aloop_loop_backend_timeout(loop) == 0);
    assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)next), 0);
    assert_true(aloop_loop_backend_timeout(loop) == 0); /* its entry is still there */
    aloop_loop_run_once(loop, 0);
    assert_code(aloop_loop_stop(loop), 0);
    assert_true(aloop_loop_backend_timeout(loop) == 0);
    aloop_loop_run_once(loop, 0);
    assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)late), 0);
    assert_true(aloop_loop_backend_timeout(loop) < 0);
    close_loop(loop);
}

/* 1.12: each exception of asyncio is a code with a name, and none is another's. */
static void exceptions_are_codes(void **state UNUSED) {
    static const struct {
        int64_t code;
        const char *name;
    } all[] = {
        {ALOOP_ECANCELED, "ALOOP_ECANCELED"},           /* CancelledError */
        {ALOOP_EINVALIDSTATE, "ALOOP_EINVALIDSTATE"},   /* InvalidStateError */
        {ALOOP_ETIMEDOUT, "ALOOP_ETIMEDOUT"},           /* TimeoutError */
        {ALOOP_EINCOMPLETEREAD, "ALOOP_EINCOMPLETEREAD"},
        {ALOOP_ELIMITOVERRUN, "ALOOP_ELIMITOVERRUN"},
        {ALOOP_EBROKENBARRIER, "ALOOP_EBROKENBARRIER"},
        {ALOOP_EQUEUEEMPTY, "ALOOP_EQUEUEEMPTY"},
        {ALOOP_EQUEUEFULL, "ALOOP_EQUEUEFULL"},
        {ALOOP_EQUEUESHUTDOWN, "ALOOP_EQUEUESHUTDOWN"},
        {ALOOP_EGROUP, "ALOOP_EGROUP"},                 /* BaseExceptionGroup */
        {ALOOP_ESTOPITERATION, "ALOOP_ESTOPITERATION"}, /* StopAsyncIteration */
    };
    enum { n = sizeof all / sizeof all[0] };
    for (int i = 0; i < n; i++) {
        assert_true(all[i].code < 0);
        assert_string_equal(aloop_errname(all[i].code), all[i].name);
        assert_true(strlen(aloop_strerror(all[i].code)) > 0);
        for (int k = 0; k < i; k++) assert_true(all[i].code != all[k].code);
    }
}

SUITE(CASE(costs_of_awaits), CASE(costs_of_combinators), CASE(costs_of_blocks),
      CASE(costs_of_queues_and_locks), CASE(costs_of_a_cancellation),
      CASE(i9_a_cancellation_travels_one_task_an_iteration), CASE(i3_how_long_the_loop_waits),
      CASE(exceptions_are_codes))
