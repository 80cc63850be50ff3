/*
 * task.h, combine.h: ends and cancellations that meet: steps that end while they
 * wait, loops that close while much is pending, two requests for one task.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Steps that break their word ------------------------------------------------------- */

struct steps {
    aloop_future *first;
    int64_t answer; /* to give after suspending */
    int calls;
    int64_t second;
};

static int64_t suspend_twice(aloop_task *task, void *frame, void **value) {
    (void)value;
    struct steps *s = frame;
    if (s->calls++ > 0) return aloop_awaited(task, NULL);
    const int64_t rc = aloop_suspend(task, aloop_ref(s->first));
    s->second = aloop_suspend(task, aloop_sleep(1));
    return s->answer != 0 ? s->answer : rc;
}

static int64_t break_words(void *unused, void **value) {
    (void)unused;
    (void)value;
    /* The first of two counts. */
    struct steps s = {aloop_loop_create_future(aloop_get_running_loop()), 0, 0, 0};
    aloop_task *task = aloop_create_stackless_task(suspend_twice, &s, NULL);
    let_run(2);
    assert_code(s.second, ALOOP_EBUSY);
    assert_code(aloop_future_set_result(s.first, 7, NULL, NULL), 0);
    assert_code(aloop_await(task, NULL), 7);
    aloop_unref(s.first);
    /* An end counts more than what was to be waited for. */
    s = (struct steps){aloop_loop_create_future(aloop_get_running_loop()), 5, 0, 0};
    assert_code(aloop_await(aloop_create_stackless_task(suspend_twice, &s, NULL), NULL), 5);
    assert_code(aloop_future_set_result(s.first, 7, NULL, NULL), 0);
    aloop_unref(s.first);
    s = (struct steps){aloop_sleep(0), 5, 0, 0};
    assert_code(aloop_await(aloop_create_stackless_task(suspend_twice, &s, NULL), NULL), 5);
    aloop_unref(s.first);
    let_run(2);
    return 0;
}

static void test_a_step_that_suspends_and_ends(void **state) {
    (void)state;
    in_task(break_words);
}

/* Ends while much is pending ------------------------------------------------------------ */

static int64_t wait_in_group(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_group *group = NULL;
    assert_code(aloop_task_group_enter(&group), 0);
    assert_code(aloop_task_group_spawn(group, sleep_for_ever, NULL), 0);
    assert_code(aloop_task_group_spawn(group, sleep_for_ever, NULL), 0);
    return aloop_task_group_exit(group, 0);
}

static int64_t end_quietly(aloop_future *future, void *data) {
    (void)future;
    (void)data;
    return 0;
}

static void test_closing_frees_what_tasks_hold_of_themselves(void **state) {
    (void)state;
    struct reports seen;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &seen);
    aloop_unref(aloop_loop_create_task(loop, wait_in_group, NULL));
    aloop_task *task = aloop_loop_create_task(loop, sleep_for_ever, NULL);
    /* The callback's data is the reference: a cycle that only the close can open. */
    assert_code(aloop_future_add_done_callback(task, end_quietly, task, aloop_unref), 0);
    for (int i = 0; i < 4; i++) assert_true(aloop_loop_run_once(loop, 0) >= 0);
    close_loop(loop);
    assert_int_equal(seen.count, 4);
}

static void test_cancelling_an_unstarted_sleep_frees_its_value(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_set_event_loop(loop), 0);
    int freed = 0;
    aloop_future *sleep = aloop_sleep_result(1, 0, &freed, count_free);
    assert_code(aloop_future_cancel(sleep, NULL), 1);
    assert_int_equal(freed, 1);
    aloop_unref(sleep);
    assert_code(aloop_set_event_loop(NULL), 0);
    close_loop(loop);
    assert_int_equal(freed, 1);
}

/* Cancellations that cross ----------------------------------------------------------------- */

static int64_t await_and_tell(void *text, void **value) {
    (void)value;
    const int64_t rc = aloop_await(aloop_sleep(9), NULL);
    snprintf(text, 32, "%s", aloop_error_message(aloop_last_error()));
    return rc;
}

static int64_t cancel_twice(void *unused, void **value) {
    (void)unused;
    (void)value;
    char text[32] = "";
    aloop_task *task = aloop_create_task(await_and_tell, text);
    let_run(1);
    assert_code(aloop_task_cancel(task, "first"), 1);
    assert_code(aloop_task_cancel(task, "second"), 1);
    assert_int_equal(aloop_task_cancelling(task), 2);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_string_equal(text, "first");
    return 0;
}

static void test_the_first_of_two_forwarded_messages_counts(void **state) {
    (void)state;
    in_task(cancel_twice);
}

static int64_t stubborn(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_await(aloop_sleep(9), NULL);
    return aloop_await(aloop_sleep(9), NULL);
}

static int64_t wait_without_time(void *task, void **value) {
    (void)value;
    return aloop_await(aloop_wait_for(task, 0), NULL);
}

static int64_t cancel_an_expired_wait(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *inner = aloop_create_task(stubborn, NULL);
    let_run(1);
    aloop_task *outer = aloop_create_task(wait_without_time, aloop_ref(inner));
    let_run(3);
    assert_code(aloop_task_cancel(outer, NULL), 1);
    assert_code(aloop_await(outer, NULL), ALOOP_ECANCELED);
    assert_code(aloop_future_done(inner), 0); /* was not cancelled a second time */
    assert_code(aloop_task_cancelling(inner), 1);
    assert_code(aloop_await(inner, NULL), 0);
    return 0;
}

static void test_cancelling_an_expired_wait_for_is_not_lost(void **state) {
    (void)state;
    in_task(cancel_an_expired_wait);
}

static int64_t give_up_often(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *one = aloop_create_task(sleep_for_ever, NULL);
    aloop_completions *all = NULL;
    assert_code(aloop_as_completed(&all, &one, 1, -1), 0);
    for (int i = 0; i < 9; i++) {
        assert_code(aloop_await(aloop_wait_for(aloop_as_completed_next(all), 1), NULL),
                    ALOOP_ETIMEDOUT);
    }
    aloop_unref(all);
    return 0;
}

static void test_as_completed_outlives_consumers_that_give_up(void **state) {
    (void)state;
    in_task(give_up_often);
}

static int64_t cancel_both_ways(void *group, void **value) {
    (void)value;
    assert_code(aloop_task_group_spawn(group, stubborn, NULL), 0);
    assert_code(aloop_task_group_cancel(group), 0);
    return 0;
}

static int64_t leave_cancelled_group(void *where, void **value) {
    (void)value;
    aloop_task_group *group = NULL;
    assert_code(aloop_task_group_enter(&group), 0);
    *(aloop_task_group **)where = group;
    assert_code(aloop_task_group_spawn(group, stubborn, NULL), 0);
    return aloop_task_group_exit(group, 0);
}

static int64_t cancel_group_and_task(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_group *group = NULL;
    aloop_task *task = aloop_create_task(leave_cancelled_group, &group);
    let_run(2);
    assert_code(cancel_both_ways(group, NULL), 0);
    let_run(2);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    return 0;
}

static void test_a_cancellation_beside_the_groups_own_goes_on(void **state) {
    (void)state;
    in_task(cancel_group_and_task);
}

/* Failures that nobody hears of ---------------------------------------------------------- */

static int64_t fail_soon(void *unused, void **value) {
    (void)unused;
    (void)value;
    return ALOOP_EUSER;
}

/* Once the loop has heard that nobody listens. */
static int64_t fail_later(void *unused, void **value) {
    (void)unused;
    (void)value;
    let_run(2);
    return ALOOP_EUSER;
}

static int64_t forget_failures(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *both = ALOOP_GATHER(0, aloop_create_task(fail_soon, NULL), aloop_sleep(0));
    let_run(4);
    aloop_unref(both);
    aloop_future *shield = aloop_shield(aloop_create_task(fail_soon, NULL));
    let_run(4);
    aloop_unref(shield);
    /* Two shields given up, one report. */
    aloop_task *task = aloop_create_task(fail_later, NULL);
    aloop_future *first = aloop_shield(aloop_ref(task));
    aloop_future *second = aloop_shield(task);
    assert_code(aloop_future_cancel(first, NULL), 1);
    assert_code(aloop_future_cancel(second, NULL), 1);
    let_run(4);
    aloop_unref(first);
    aloop_unref(second);
    return 0;
}

static void test_dropped_combinations_report_their_failure_once(void **state) {
    (void)state;
    struct reports seen;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &seen);
    assert_code(run_on(loop, forget_failures, NULL), 0);
    assert_true(aloop_loop_run_once(loop, 3) >= 0);
    close_loop(loop);
    assert_string_equal(seen.list[0].message, "Future exception was never retrieved");
    assert_string_equal(seen.list[1].message, "Future exception was never retrieved");
    assert_non_null(strstr(seen.list[2].message, "exception in shielded future"));
    for (int64_t i = 3; i < seen.count; i++) {
        assert_null(strstr(seen.list[i].message, "exception"));
    }
}

/* Circles and second uses ---------------------------------------------------------------- */

static aloop_task *other_of_circle[2];

static int64_t await_other(void *arg, void **value) {
    (void)value;
    let_run(1);
    return aloop_await(aloop_ref(other_of_circle[*(int *)arg]), NULL);
}

static int64_t cancel_a_circle(void *unused, void **value) {
    (void)unused;
    (void)value;
    static int first = 0, second = 1;
    other_of_circle[1] = aloop_create_task(await_other, &first);
    other_of_circle[0] = aloop_create_task(await_other, &second);
    let_run(3);
    assert_code(aloop_task_cancel(other_of_circle[0], NULL), 1);
    assert_code(aloop_await(other_of_circle[0], NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(other_of_circle[1], NULL), ALOOP_ECANCELED);
    return 0;
}

static void test_tasks_in_a_circle_can_be_cancelled(void **state) {
    (void)state;
    in_task(cancel_a_circle);
}

static int64_t use_options_twice(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_options *options = aloop_task_options_new();
    aloop_task_options_set_coro(options, fail_soon, NULL, NULL);
    aloop_task_options_set_name(options, "twin");
    for (int i = 0; i < 2; i++) {
        aloop_task *task = aloop_create_task_ex(options);
        char name[8];
        assert_code(aloop_task_get_name(task, name, sizeof name), 4);
        assert_string_equal(name, "twin");
        assert_code(aloop_await(task, NULL), ALOOP_EUSER);
    }
    aloop_task_options_set_coro(options, fail_soon, malloc(1), free);
    assert_code(aloop_await(aloop_create_task_ex(options), NULL), ALOOP_EUSER);
    assert_code(aloop_await(aloop_create_task_ex(options), NULL), ALOOP_EINVAL);
    aloop_unref(options);
    return 0;
}

static void test_task_options_may_be_used_again(void **state) {
    (void)state;
    in_task(use_options_twice);
}

static int64_t refuse_results(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task *task = aloop_create_task(fail_soon, NULL);
    assert_code(aloop_future_set_result_threadsafe(task, 1, NULL, NULL), ALOOP_EWRONGTYPE);
    assert_code(aloop_await(task, NULL), ALOOP_EUSER);
    return 0;
}

static void test_a_task_takes_no_result_from_a_thread(void **state) {
    (void)state;
    in_task(refuse_results);
}

/* The last iteration ------------------------------------------------------------------------- */

static int64_t fail_plainly(void *unused, void **value) {
    (void)unused;
    (void)value;
    return -5;
}

/* A failure that had no iteration left in which somebody could have looked at it. */
static void test_a_failure_of_the_last_iteration_is_reported(void **state) {
    (void)state;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    int more = 0;
    aloop_unref(aloop_loop_create_task(loop, fail_plainly, NULL));
    assert_true(aloop_loop_call_soon(loop, count_call, &more, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 2);
    assert_true(aloop_loop_call_soon(loop, count_call, &more, NULL) > 0);
    close_loop(loop);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "Task exception was never retrieved");
    assert_code(reports.list[0].code, -5);
}

static int64_t cancelled_without_a_word(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *plain = aloop_loop_create_future(aloop_get_running_loop());
    assert_code(aloop_future_set_result(plain, 0, NULL, NULL), 0);
    assert_code(aloop_task_cancel(aloop_current_task(NULL), NULL), 1);
    assert_code(aloop_await(aloop_sleep(0), NULL), ALOOP_ECANCELED);
    assert_code(aloop_error_code(aloop_last_error()), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), aloop_strerror(ALOOP_ECANCELED));
    assert_code(aloop_task_uncancel(aloop_current_task(NULL)), 0);
    /* The message of a request that was taken back is not the next one's. */
    assert_code(aloop_task_cancel(aloop_current_task(NULL), "old"), 1);
    assert_code(aloop_task_uncancel(aloop_current_task(NULL)), 0);
    assert_code(aloop_await(plain, NULL), 0);
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    assert_code(aloop_task_cancel(aloop_current_task(NULL), NULL), 1);
    assert_code(aloop_await(aloop_sleep(0), NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), aloop_strerror(ALOOP_ECANCELED));
    aloop_task_uncancel(aloop_current_task(NULL));
    return 0;
}

static void test_cancelled_without_a_word(void **state) {
    (void)state;
    in_task(cancelled_without_a_word);
}

SUITE(CASE(test_tasks_in_a_circle_can_be_cancelled),
      CASE(test_task_options_may_be_used_again),
      CASE(test_a_task_takes_no_result_from_a_thread),
      CASE(test_a_step_that_suspends_and_ends),
      CASE(test_closing_frees_what_tasks_hold_of_themselves),
      CASE(test_cancelling_an_unstarted_sleep_frees_its_value),
      CASE(test_the_first_of_two_forwarded_messages_counts),
      CASE(test_cancelling_an_expired_wait_for_is_not_lost),
      CASE(test_as_completed_outlives_consumers_that_give_up),
      CASE(test_a_cancellation_beside_the_groups_own_goes_on),
      CASE(test_dropped_combinations_report_their_failure_once),
      CASE(test_a_failure_of_the_last_iteration_is_reported),
      CASE(test_cancelled_without_a_word))
