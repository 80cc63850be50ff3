/* Ctrl-C while a program runs: SIGINT and the main task.
 * SPDX-License-Identifier: MIT */
#include "handlers.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t interrupted(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    return aloop_await(aloop_sleep(3600), NULL);
}

static void ctrl_c_cancels_the_main_task(void **state) {
    (void)state;
    assert_code(run_virtual(interrupted, NULL, NULL), -EINTR);
    assert_true(handler_of(SIGINT) == SIG_DFL);
    assert_code(aloop_run(interrupted, NULL, NULL), -EINTR);
}

static int64_t swallows(void *unused, void **value) {
    assert_code(interrupted(unused, value), ALOOP_ECANCELED);
    return 42;
}

static void a_swallowed_one_gives_the_value(void **state) {
    (void)state;
    assert_code(run_virtual(swallows, NULL, NULL), 42);
}

static int64_t cancelled_twice(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    const int64_t status = aloop_await(aloop_sleep(3600), NULL);
    aloop_task_cancel(aloop_current_task(NULL), NULL);
    return status;
}

static void another_cancellation_wins(void **state) {
    (void)state;
    assert_code(run_virtual(cancelled_twice, NULL, NULL), ALOOP_ECANCELED);
}

static int64_t stubborn(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int i = 0; i < 2; i++) {
        raise(SIGINT);
        assert_code(aloop_await(aloop_sleep(3600), NULL), ALOOP_ECANCELED);
    }
    return 42;
}

static void the_second_ends_the_run_at_once(void **state) {
    (void)state;
    assert_code(run_virtual(stubborn, NULL, NULL), -EINTR);
    assert_true(handler_of(SIGINT) == SIG_DFL);
}

static int64_t fails_on_cancel(void *unused, void **value) {
    assert_code(interrupted(unused, value), ALOOP_ECANCELED);
    return ALOOP_EUSER - 7;
}

static void an_error_of_its_own_stays(void **state) {
    (void)state;
    assert_code(run_virtual(fails_on_cancel, NULL, NULL), ALOOP_EUSER - 7);
}

/* Signals come to the loop behind what is ready: when these are looked at, the main task
 * has ended. Each request counts all the same, as if it had come at once. */
static int64_t cancels_itself_first(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_cancel(aloop_current_task(NULL), "by myself");
    raise(SIGINT);
    return aloop_await(aloop_sleep(1), NULL);
}

static int64_t awaits_what_is_cancelled(void *raised_late, void **value) {
    (void)value;
    aloop_future *future = aloop_loop_create_future(aloop_get_running_loop());
    aloop_future_cancel(future, NULL);
    if (raised_late == NULL) raise(SIGINT);
    const int64_t status = aloop_await(future, NULL);
    if (raised_late != NULL) raise(SIGINT);
    return status;
}

static int64_t swallows_its_own(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_cancel(aloop_current_task(NULL), NULL);
    assert_code(aloop_await(aloop_sleep(1), NULL), ALOOP_ECANCELED);
    raise(SIGINT);
    return 42;
}

static int64_t fails_at_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    return ALOOP_EUSER - 7;
}

static int64_t gets_two_with_the_end(void *unused, void **value) {
    assert_code(interrupted(unused, value), ALOOP_ECANCELED);
    raise(SIGINT);
    return ALOOP_EUSER - 7;
}

static void one_that_comes_late_counts_as_one_more(void **state) {
    (void)state;
    int late = 1;
    assert_code(run_virtual(cancels_itself_first, NULL, NULL), ALOOP_ECANCELED);
    assert_code(run_virtual(awaits_what_is_cancelled, NULL, NULL), -EINTR);
    assert_code(run_virtual(awaits_what_is_cancelled, &late, NULL), -EINTR);
    assert_code(run_virtual(swallows_its_own, NULL, NULL), ALOOP_ECANCELED);
    assert_code(run_virtual(fails_at_once, NULL, NULL), ALOOP_EUSER - 7);
    assert_code(run_virtual(gets_two_with_the_end, NULL, NULL), -EINTR);
}

static int64_t raise_and_end(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    assert_code(aloop_await(aloop_sleep(1), NULL), 0);
    return 5;
}

static void a_handler_of_the_program_is_respected(void **state) {
    (void)state;
    earlier_calls = 0;
    signal(SIGINT, earlier);
    assert_code(run_virtual(raise_and_end, NULL, NULL), 5);
    assert_int_equal(earlier_calls, 1);
    assert_true(handler_of(SIGINT) == earlier);
    signal(SIGINT, SIG_DFL);
}

static int64_t listens_itself(void *calls, void **value) {
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_signal_handler(loop, SIGINT, count_call, calls, NULL), 0);
    return raise_and_end(NULL, value);
}

static void a_callback_of_the_program_comes_first(void **state) {
    (void)state;
    int calls = 0;
    assert_code(run_virtual(listens_itself, &calls, NULL), 5);
    assert_int_equal(calls, 1);
    assert_true(handler_of(SIGINT) == SIG_DFL);
}

static int64_t look_at_handler(void *unused, void **value) {
    (void)unused;
    (void)value;
    return handler_of(SIGINT) == SIG_DFL ? 0 : 1;
}

static int64_t run_elsewhere(void *unused) { return run_virtual(look_at_handler, unused, NULL); }

static void only_in_the_main_thread(void **state) {
    (void)state;
    assert_code(on_foreign_thread(run_elsewhere, NULL), 0);
    assert_code(run_virtual(look_at_handler, NULL, NULL), 1);
}

static int64_t raise_in_the_last_step(void *freed, void **value) {
    (void)value;
    raise(SIGINT);
    return aloop_return(5, freed, count_free);
}

/* It can no longer be cancelled, but as in asyncio its value is lost. */
static void one_that_comes_with_the_end(void **state) {
    (void)state;
    int freed = 0;
    void *value = &freed;
    assert_code(run_virtual(raise_in_the_last_step, &freed, &value), -EINTR);
    assert_int_equal(freed, 1);
    assert_ptr_equal(value, &freed);
    assert_code(run_virtual(raise_in_the_last_step, &freed, NULL), -EINTR);
    assert_int_equal(freed, 2);
    assert_code(run_virtual(look_at_handler, NULL, NULL), 1); /* the next run is undisturbed */
}

static int64_t stuck(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int i = 0; i < 3; i++) raise(SIGINT);
    return 0;
}

static void the_third_ends_a_stuck_program(void **state) {
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(run_virtual(stuck, NULL, NULL) == 0 ? 1 : 2);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

SUITE(CASE(ctrl_c_cancels_the_main_task), CASE(a_swallowed_one_gives_the_value),
      CASE(another_cancellation_wins), CASE(the_second_ends_the_run_at_once),
      CASE(an_error_of_its_own_stays), CASE(one_that_comes_with_the_end),
      CASE(one_that_comes_late_counts_as_one_more), CASE(a_handler_of_the_program_is_respected),
      CASE(a_callback_of_the_program_comes_first), CASE(only_in_the_main_thread),
      CASE(the_third_ends_a_stuck_program))
