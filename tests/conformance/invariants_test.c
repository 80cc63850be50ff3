/*
 * The loop's invariants (1.0) and its scheduling and errors (1.13), with the
 * iteration of each event. 1.0-3 stands in timer_test.c of the unit tests
 * (run_once_waits_no_longer_than_told), 1.0-9 in cancellation_test.c (c10).
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

#include <unistd.h>

static int64_t note_and_schedule(void *name) {
    note(name);
    soon("later");
    return 0;
}

/* 1.0-1: an iteration runs what was ready when it began, in order. */
TEST(i1_one_fifo_and_a_fixed_batch) {
    assert_true(aloop_loop_call_soon(here(), note_and_schedule, "a", NULL) > 0);
    soon("b");
    let_run(3);
    assert_trace("a@1 b@1 later@2 ");
    return 0;
}

static void after(double delay, const char *name) {
    assert_true(aloop_loop_call_later(here(), delay, note_call, (void *)name, NULL) > 0);
}

static int64_t note_readable(void *name) {
    note(name);
    return 0;
}

/* 1.0-2: ready callbacks, then descriptors, then due timers; all in one pass. */
TEST(i2_ready_then_descriptors_then_timers) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_code(aloop_loop_add_reader(here(), ends[0], note_readable, "read", NULL), 0);
    after(0, "timer");
    soon("ready");
    let_run(2);
    assert_code(aloop_loop_remove_reader(here(), ends[0]), 1);
    assert_trace("ready@1 read@1 timer@1 ");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* 1.0-4: equal deadlines in the order of arming; else by deadline. */
TEST(i4_equal_deadlines_in_order_of_arming) {
    const char *names[] = {"a", "b", "c", "d", "e"};
    for (int i = 0; i < 5; i++) after(1, names[i]);
    after(0.5, "early");
    assert_code(nap(2), 0);
    assert_trace("early@1 a@2 b@2 c@2 d@2 e@2 ");
    return 0;
}

/* 1.0-5: cancelled timers never run and leave nothing behind. */
TEST(i5_cancelled_timers) {
    int calls = 0;
    aloop_handle handles[300];
    for (int i = 0; i < 300; i++) {
        handles[i] = aloop_loop_call_later(here(), 1 + i, count_call, &calls, NULL);
    }
    for (int i = 0; i < 300; i += 3) {
        assert_code(aloop_loop_cancel_handle(here(), handles[i]), 0);
        assert_code(aloop_loop_cancel_handle(here(), handles[i]), ALOOP_ENOENT);
    }
    assert_code(nap(500), 0);
    assert_int_equal(calls, 200);
    return 0;
}

/* 1.0-6: no delay, or a past time: behind what is ready, in the same pass. */
TEST(i6_no_delay_goes_behind_what_is_ready) {
    after(0, "zero");
    after(-5, "negative");
    assert_true(aloop_loop_call_at(here(), -1, note_call, "past", NULL) > 0);
    soon("ready");
    let_run(2);
    assert_int_equal(strncmp(trace, "ready@1 ", 8), 0);
    assert_non_null(strstr(trace, "zero@1 "));
    assert_non_null(strstr(trace, "negative@1 "));
    assert_non_null(strstr(trace, "past@1 "));
    return 0;
}

/* 1.0-7: done-callbacks run through the loop, in order; on a done future at once
 * scheduled. */
TEST(i7_done_callbacks_never_run_inline) {
    aloop_future *f = pending();
    aloop_future_add_done_callback(f, note_done, "first", NULL);
    aloop_future_add_done_callback(f, note_done, "second", NULL);
    finish(f, 0);
    note("set");
    aloop_future_add_done_callback(f, note_done, "third", NULL);
    note("added");
    let_run(1);
    assert_trace("set@0 added@0 first@1 second@1 third@1 ");
    aloop_unref(f);
    return 0;
}

static int64_t just_return(void *unused UNUSED, void **value UNUSED) {
    note("body");
    return 1;
}

/* 1.0-8: a task begins in the next iteration; what is done costs none, a bare
 * yield exactly one. */
TEST(i8_what_an_await_costs) {
    assert_code(outcome(finished(1)), 1);
    note("done");
    assert_code(nap(0), 0);
    note("yielded");
    assert_code(outcome(aloop_create_task(just_return, NULL)), 1);
    note("task");
    assert_trace("done@0 yielded@1 body@2 task@3 ");
    return 0;
}

static int64_t stop_it(void *loop) { return aloop_loop_stop(loop); }

/* 1.0-10: stop ends after the iteration: the rest of it runs, what it schedules
 * does not; before the start it means one iteration. */
static void i10_stop(void **state) {
    (void)state;
    int before = 0, next = 0;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, stop_it, loop, NULL) > 0);
    assert_true(aloop_loop_call_soon(loop, count_call, &before, NULL) > 0);
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_int_equal(before, 1);
    assert_int_equal(aloop_loop_iteration(loop), 1);
    assert_true(aloop_loop_call_later(loop, 5, count_call, &next, NULL) > 0);
    assert_code(aloop_loop_stop(loop), 0);
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_int_equal(aloop_loop_iteration(loop), 2);
    assert_int_equal(next, 0);
    assert_true(aloop_loop_time(loop) == 0); /* a poll that does not wait */
    close_loop(loop);
}

static int64_t break_down(void *text) { return aloop_raise(-5, "%s", (const char *)text); }

/* 1.0-11: an error of a callback goes to the handler; the loop goes on. */
TEST(i11_errors_of_callbacks_are_reported) {
    struct reports seen;
    capture_reports(here(), &seen);
    assert_true(aloop_loop_call_soon(here(), break_down, "broken", NULL) > 0);
    soon("next");
    let_run(1);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.list[0].message, "Exception in callback");
    assert_string_equal(seen.list[0].text, "broken");
    assert_trace("next@1 ");
    return 0;
}

/* 1.0-12: each callback runs in a copy of the context it was scheduled in. */
static aloop_contextvar *var;
static int seen_value;

static int64_t read_var(void *unused UNUSED) {
    int *value = aloop_contextvar_get(var);
    seen_value = value != NULL ? *value : -1;
    return 0;
}

TEST(i12_callbacks_keep_their_context) {
    static int one = 1, two = 2;
    var = aloop_contextvar_new("v", NULL);
    assert_code(aloop_contextvar_set(var, &one, NULL, NULL), 0);
    assert_true(aloop_loop_call_soon(here(), read_var, NULL, NULL) > 0);
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    let_run(1);
    assert_int_equal(seen_value, 1);
    aloop_unref(var);
    return 0;
}

/* 1.0-13: one running loop a thread. */
static int64_t no_loop_here(void *unused UNUSED) { return aloop_get_running_loop() == NULL; }

TEST(i13_one_running_loop_per_thread) {
    assert_code(on_foreign_thread(no_loop_here, NULL), 1);
    aloop_loop *other = virtual_loop();
    assert_code(aloop_loop_run_forever(other), ALOOP_ELOOPRUNNING);
    close_loop(other);
    return 0;
}

/* 1.0-14: a future of another loop cannot be awaited. */
TEST(i14_futures_belong_to_one_loop) {
    aloop_loop *other = virtual_loop();
    assert_code(outcome(aloop_loop_create_future(other)), ALOOP_EWRONGLOOP);
    close_loop(other);
    return 0;
}

/* 1.0-15: where CPython has a set's order, here it is that of insertion. */
TEST(i15_insertion_order) {
    struct job jobs[] = {{"a", 9, 0, 0, 0}, {"b", 9, 0, 0, 0}, {"c", 9, 0, 0, 0}};
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    for (int i = 0; i < 3; i++) assert_code(aloop_task_group_spawn(g, work, &jobs[i]), 0);
    let_run(1);
    assert_code(aloop_task_group_cancel(g), 0);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_trace("a:ECANCELED@2 b:ECANCELED@2 c:ECANCELED@2 ");
    return 0;
}

/* 1.13: what run_until_complete says of a loop that is stopped too soon. */
static void run_until_complete_stopped(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_later(loop, 1, stop_it, loop, NULL) > 0);
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_loop_run_until_complete(loop, aloop_ref(f), NULL), ALOOP_ELOOPSTOPPED);
    assert_code(aloop_future_set_result(f, 4, NULL, NULL), 0);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 4);
    close_loop(loop);
}

static int64_t schedule_at_the_end(void *counter, void **value UNUSED) {
    assert_true(aloop_loop_call_soon(here(), count_call, counter, NULL) > 0);
    return 6;
}

/* 1.13: the end is a done-callback: what the last step scheduled before it runs. */
static void run_until_complete_ends_by_a_callback(void **state) {
    (void)state;
    int calls = 0;
    aloop_loop *loop = virtual_loop();
    assert_code(run_on(loop, schedule_at_the_end, &calls), 6);
    assert_int_equal(calls, 1);
    assert_int_equal(aloop_loop_iteration(loop), 2);
    close_loop(loop);
}

/* 1.13: time stands still within an iteration of the virtual clock and moves to
 * the timer; a handle knows its time. */
TEST(time_and_call_at) {
    const aloop_handle h = aloop_loop_call_at(here(), 2.5, note_call, "at", NULL);
    assert_close(aloop_loop_handle_when(here(), h), 2.5);
    assert_close(now(), 0);
    assert_code(nap(3), 0);
    assert_close(now(), 3);
    assert_trace("at@1 ");
    assert_true(isnan(aloop_loop_handle_when(here(), h)));
    return 0;
}

static int64_t post(void *loop) {
    static int calls;
    return aloop_loop_call_soon_threadsafe(loop, count_call, &calls, NULL) > 0 &&
           aloop_loop_call_soon(loop, count_call, &calls, NULL) == ALOOP_EWRONGTHREAD;
}

/* 1.13: from another thread: call_soon is refused, its threadsafe twin is not. */
TEST(scheduling_from_another_thread) {
    assert_code(on_foreign_thread(post, here()), 1);
    let_run(1);
    return 0;
}

SUITE(CASE(i1_one_fifo_and_a_fixed_batch), CASE(i2_ready_then_descriptors_then_timers),
      CASE(i4_equal_deadlines_in_order_of_arming), CASE(i5_cancelled_timers),
      CASE(i6_no_delay_goes_behind_what_is_ready), CASE(i7_done_callbacks_never_run_inline),
      CASE(i8_what_an_await_costs), CASE(i10_stop), CASE(i11_errors_of_callbacks_are_reported),
      CASE(i12_callbacks_keep_their_context), CASE(i13_one_running_loop_per_thread),
      CASE(i14_futures_belong_to_one_loop), CASE(i15_insertion_order),
      CASE(run_until_complete_stopped), CASE(run_until_complete_ends_by_a_callback),
      CASE(time_and_call_at), CASE(scheduling_from_another_thread))
