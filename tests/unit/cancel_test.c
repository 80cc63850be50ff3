/*
 * The cancellation machine, case by case as asyncio has it: what a cancel()
 * does to a task in each of its states, and what uncancel() takes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <string.h>

static aloop_future *future_of(void) { return aloop_loop_create_future(aloop_get_running_loop()); }

static int begun;

static int64_t note_begin(void *unused, void **value) {
    begun++;
    return sleep_for_ever(unused, value);
}

static int64_t await_future(void *future, void **value) {
    (void)value;
    return aloop_await(aloop_ref(future), NULL);
}

static void assert_message(const char *expected) {
    assert_string_equal(aloop_error_message(aloop_last_error()), expected);
}

static int64_t before_the_first_step(void *unused, void **value) {
    (void)unused;
    (void)value;
    begun = 0;
    aloop_task *task = aloop_create_task(note_begin, NULL);
    assert_code(aloop_task_cancel(task, "too soon"), 1);
    assert_code(aloop_task_cancelling(task), 1);
    assert_code(aloop_future_done(task), 0);
    assert_code(aloop_await(aloop_ref(task), NULL), ALOOP_ECANCELED);
    assert_message("too soon");
    assert_int_equal(begun, 0);
    assert_code(aloop_future_cancelled(task), 1);
    assert_code(aloop_task_cancel(task, NULL), 0); /* done */
    assert_code(aloop_task_cancelling(aloop_current_task(NULL)), 0);
    aloop_unref(task);
    return 0;
}

static int64_t while_waiting(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *future = future_of();
    aloop_task *task = aloop_create_task(await_future, future);
    let_run(1);
    assert_code(aloop_task_cancel(task, "first"), 1);
    assert_code(aloop_future_cancelled(future), 1); /* now */
    assert_code(aloop_future_done(task), 0);        /* one iteration later */
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_task_cancelling(task), 2);
    assert_code(aloop_await(aloop_ref(task), NULL), ALOOP_ECANCELED);
    aloop_unref(task);
    aloop_unref(future);
    return 0;
}

/* C5: the result is there, the task has not seen it yet. */
static int64_t between_result_and_wake_up(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *future = future_of();
    aloop_task *task = aloop_create_task(await_future, future);
    let_run(1);
    assert_code(aloop_future_set_result(future, 7, NULL, NULL), 0);
    assert_code(aloop_task_cancel(task, "tie"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_message("tie");
    assert_code(aloop_future_result(future, NULL), 7);
    aloop_unref(future);
    return 0;
}

static int64_t cancel_oneself(void *wait, void **value) {
    (void)value;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_task_cancel(self, "by myself"), 1);
    if (wait == NULL) return 5; /* C6: the value is lost */
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t take_it_back(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_task_cancel(self, NULL), 1);
    assert_code(aloop_task_cancel(self, NULL), 1);
    assert_code(aloop_task_uncancel(self), 1);
    assert_code(aloop_task_uncancel(self), 0);
    assert_code(aloop_task_uncancel(self), 0);         /* not below */
    assert_code(aloop_await(aloop_sleep(1), NULL), 0); /* C7 */
    return 6;
}

static int64_t swallow(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0); /* C8: not delivered again */
    assert_code(aloop_task_cancelling(self), 1);
    assert_code(aloop_await(aloop_sleep(5), NULL), ALOOP_ECANCELED); /* but anew */
    assert_code(aloop_task_cancelling(self), 2);
    return 8;
}

static int64_t fail_in_cleanup(void *unused, void **value) {
    (void)unused;
    (void)value;
    if (aloop_await(aloop_sleep(5), NULL) == ALOOP_ECANCELED) return aloop_raise(-5, "cleanup");
    return 0;
}

static int64_t from_inside(void *unused, void **value) {
    (void)unused;
    (void)value;
    int wait = 1;
    assert_code(aloop_await(aloop_create_task(cancel_oneself, NULL), NULL), ALOOP_ECANCELED);
    assert_message("by myself");
    assert_code(aloop_await(aloop_create_task(cancel_oneself, &wait), NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_create_task(take_it_back, NULL), NULL), 6);
    aloop_task *task = aloop_create_task(swallow, NULL);
    let_run(1);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_await(task, NULL), 8);
    task = aloop_create_task(fail_in_cleanup, NULL);
    let_run(1);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_await(task, NULL), -5); /* C9 */
    assert_message("cleanup");
    return 0;
}

/* C10: down the chain of tasks, and out again. */
static int64_t down_the_chain(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *future = future_of();
    aloop_task *inner = aloop_create_task(await_future, future);
    aloop_task *middle = aloop_create_task(await_future, inner);
    aloop_task *outer = aloop_create_task(await_future, middle);
    let_run(3);
    assert_code(aloop_task_cancel(outer, "chain"), 1);
    assert_code(aloop_future_cancelled(future), 1);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_task_cancelling(i == 0 ? outer : i == 1 ? middle : inner), 1);
    }
    assert_code(aloop_await(aloop_ref(outer), NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_cancelled(inner), 1);
    assert_code(aloop_future_cancelled(middle), 1);
    aloop_unref(outer);
    aloop_unref(middle);
    aloop_unref(inner);
    aloop_unref(future);
    /* A task that is cancelled by somebody else does not count here. */
    inner = aloop_create_task(sleep_for_ever, NULL);
    middle = aloop_create_task(await_future, inner);
    let_run(2);
    assert_code(aloop_task_cancel(inner, NULL), 1);
    assert_code(aloop_await(aloop_ref(middle), NULL), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(middle), 0);
    aloop_unref(middle);
    aloop_unref(inner);
    return 0;
}

static int64_t cancel_a_yield(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_await(aloop_sleep(0), NULL);
}

static int64_t step_sleep(aloop_task *task, void *frame, void **value) {
    int *phase = frame;
    (void)value;
    if ((*phase)++ == 0) return aloop_suspend(task, aloop_sleep(5));
    return aloop_awaited(task, NULL);
}

static int64_t other_waits(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *task = aloop_create_task(cancel_a_yield, NULL);
    let_run(1);
    assert_code(aloop_task_state(task), ALOOP_TASK_READY);
    assert_code(aloop_task_cancel(task, "yielding"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_message("yielding");
    int phase = 0;
    task = aloop_create_stackless_task(step_sleep, &phase, NULL);
    let_run(1);
    assert_code(aloop_task_cancel(task, "step"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_message("step");
    /* In an operation inside an operation. */
    aloop_future *future = future_of();
    task = aloop_ensure_future(aloop_wait_for(aloop_wait_for(aloop_ref(future), 10), 20));
    let_run(1);
    assert_code(aloop_task_cancel(task, "deep"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_message("deep");
    assert_code(aloop_future_cancelled(future), 1);
    aloop_unref(future);
    assert_close(aloop_loop_time(aloop_get_running_loop()), 0);
    return 0;
}

static int64_t cancel_from_afar(void *task) {
    assert_code(aloop_task_cancel(task, NULL), ALOOP_EWRONGTHREAD);
    return aloop_future_cancel_threadsafe(task, "afar");
}

static int64_t from_another_thread(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *task = aloop_create_task(sleep_for_ever, NULL);
    let_run(1);
    assert_code(on_foreign_thread(cancel_from_afar, task), 0);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_message("afar");
    return 0;
}

/* Tasks that wait for each other, and so for themselves ------------------------------- */

enum { k_ring = 50 }; /* deeper than a request goes down by itself */

static aloop_task *ring[k_ring];

static int64_t await_the_next(void *number, void **value) {
    (void)value;
    const int i = *(int *)number;
    aloop_future *next[] = {aloop_ref(ring[(i + 1) % k_ring]), aloop_sleep(1)};
    return aloop_await(aloop_gather(next, 2, 0), NULL);
}

static int64_t cancel_a_ring(void *unused, void **value) {
    (void)unused, (void)value;
    static int numbers[k_ring];
    for (int i = 0; i < k_ring; i++) {
        numbers[i] = i;
        ring[i] = aloop_create_task(await_the_next, &numbers[i]);
    }
    let_run(3);
    assert_code(aloop_task_cancel(ring[7], "open it"), 1);
    for (int i = 0; i < k_ring; i++) assert_code(aloop_await(ring[i], NULL), ALOOP_ECANCELED);
    return 0;
}

static int64_t gather_itself(void *before, void **value) {
    (void)value;
    aloop_task *self = aloop_current_task(NULL);
    if (before != NULL) {
        assert_code(aloop_task_cancel(self, "a message of some length, on a heap of its own"), 1);
    }
    aloop_future *all[] = {aloop_ref(self), aloop_sleep(1)};
    const int64_t status = aloop_await(aloop_gather(all, 2, 0), NULL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        before != NULL ? "a message of some length, on a heap of its own" : "now");
    return status;
}

static int64_t cancel_who_gathers_itself(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *task = aloop_create_task(gather_itself, NULL);
    let_run(2);
    assert_code(aloop_task_cancel(task, "now"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_create_task(gather_itself, &ring), NULL), ALOOP_ECANCELED);
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        in_task(name);                      \
    }
TASK_CASE(before_the_first_step)
TASK_CASE(while_waiting)
TASK_CASE(between_result_and_wake_up)
TASK_CASE(from_inside)
TASK_CASE(down_the_chain)
TASK_CASE(other_waits)
TASK_CASE(from_another_thread)
TASK_CASE(cancel_a_ring)
TASK_CASE(cancel_who_gathers_itself)

SUITE(CASE(test_before_the_first_step), CASE(test_while_waiting),
      CASE(test_between_result_and_wake_up), CASE(test_from_inside), CASE(test_down_the_chain),
      CASE(test_other_waits), CASE(test_from_another_thread),
      CASE(test_cancel_a_ring), CASE(test_cancel_who_gathers_itself))
