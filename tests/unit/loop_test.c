/*
 * loop.h: life, running, callbacks. Its other parts have files of their own:
 * report_test.c, completion_test.c, timer_test.c, watch_test.c, thread_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <math.h>
#include <string.h>

#include <asyncloop/libevent.h>

static int64_t stop_it(void *loop) { return aloop_loop_stop(loop); }

/* Options and life ------------------------------------------------------------------- */

static void test_options_refuse_what_is_out_of_range(void **state) {
    (void)state;
    aloop_loop_options *o = aloop_loop_options_new();
    aloop_task_options *other = aloop_task_options_new();
    aloop_loop_options *wrong[] = {NULL, (aloop_loop_options *)other};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_loop_options_set_debug(wrong[i], 1), ALOOP_EINVAL);
        assert_code(aloop_loop_options_set_clock(wrong[i], 0), ALOOP_EINVAL);
        assert_code(aloop_loop_options_set_seed(wrong[i], 1), ALOOP_EINVAL);
        assert_code(aloop_loop_options_set_stack_size(wrong[i], 65536), ALOOP_EINVAL);
        assert_code(aloop_loop_options_set_eager_tasks(wrong[i], 1), ALOOP_EINVAL);
    }
    assert_code(aloop_loop_options_set_clock(o, 2), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_clock(o, -1), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_stack_size(o, 16383), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_stack_size(o, ((size_t)1 << 30) + 1), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_stack_size(o, 16384), 0);
    assert_code(aloop_loop_options_set_debug(o, 1), 0);
    assert_code(aloop_loop_options_set_eager_tasks(o, 1), 0);
    aloop_loop *loop = NULL;
    assert_code(aloop_loop_new(NULL, o), ALOOP_EINVAL);
    assert_code(aloop_loop_new(&loop, wrong[1]), ALOOP_EINVAL);
    assert_null(loop);
    assert_code(aloop_loop_new(&loop, o), 0);
    aloop_unref(o);
    aloop_unref(other);
    assert_code(aloop_loop_get_debug(loop), 1);
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    assert_code(aloop_loop_get_debug(loop), 0);
    close_loop(loop);
}

static void test_a_new_loop_is_open_and_idle(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_is_closed(loop), 0);
    assert_code(aloop_loop_is_running(loop), 0);
    assert_true(aloop_loop_time(loop) == 0);
    assert_int_equal(aloop_loop_iteration(loop), 0);
    assert_ptr_equal(aloop_loop_ref(loop), loop);
    aloop_loop_unref(loop);
    assert_code(aloop_loop_close(loop), 0);
    assert_code(aloop_loop_close(loop), 0);
    assert_code(aloop_loop_is_closed(loop), 1);
    aloop_loop_unref(loop);
}

static void test_dropping_the_last_reference_closes(void **state) {
    (void)state;
    int freed = 0;
    int ran = 0;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, count_call, &ran, NULL) > 0);
    assert_true(aloop_loop_call_later(loop, 1, count_call, &freed, count_free) > 0);
    aloop_loop_unref(loop);
    assert_int_equal(freed, 1);
    assert_int_equal(ran, 0);
}

struct answers {
    aloop_loop *loop;
    int64_t code;
};

static void assert_refused(aloop_loop *loop, int64_t code) {
    int unused = 0;
    assert_code(aloop_loop_call_soon(loop, count_call, &unused, count_free), code);
    assert_code(aloop_loop_call_later(loop, 1, count_call, &unused, count_free), code);
    assert_code(aloop_loop_call_at(loop, 1, count_call, &unused, count_free), code);
    assert_code(aloop_loop_cancel_handle(loop, 1), code);
    assert_true(isnan(aloop_loop_handle_when(loop, 1)));
    assert_true(aloop_loop_time(loop) == (double)code);
    assert_code(aloop_loop_iteration(loop), code);
    assert_null(aloop_loop_create_future(loop));
    assert_null(aloop_loop_create_task(loop, sleep_for_ever, NULL));
    assert_code(aloop_loop_set_task_factory(loop, NULL, NULL, NULL), code);
    assert_null(aloop_loop_get_task_factory(loop));
    assert_code(aloop_set_eager_task_factory(loop, 1), code);
    assert_code(aloop_loop_add_reader(loop, 0, count_call, &unused, count_free), code);
    assert_code(aloop_loop_remove_reader(loop, 0), code);
    assert_code(aloop_loop_add_writer(loop, 0, count_call, &unused, count_free), code);
    assert_code(aloop_loop_remove_writer(loop, 0), code);
    assert_code(aloop_loop_set_exception_handler(loop, NULL, NULL, NULL), code);
    assert_null(aloop_loop_get_exception_handler(loop));
    assert_code(aloop_loop_call_exception_handler(loop, "text", NULL), code);
    assert_code(aloop_loop_set_debug(loop, 1), code);
    assert_code(aloop_loop_get_debug(loop), code);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1), code);
    assert_code(aloop_loop_backend_fd(loop), code);
    assert_true(aloop_loop_backend_timeout(loop) == (double)code);
    assert_null(aloop_loop_event_base(loop));
    assert_int_equal(unused, 0);
}

static void test_a_closed_loop_refuses_everything(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_future *future = aloop_loop_create_future(loop);
    assert_code(aloop_loop_close(loop), 0);
    assert_refused(loop, ALOOP_ESTALE);
    int unused = 0;
    assert_code(aloop_loop_call_soon_threadsafe(loop, count_call, &unused, count_free),
                ALOOP_ESTALE);
    assert_int_equal(unused, 0);
    assert_code(aloop_loop_run_forever(loop), ALOOP_ESTALE);
    assert_code(aloop_loop_run_once(loop, 0), ALOOP_ESTALE);
    assert_code(aloop_loop_stop(loop), ALOOP_ESTALE);
    assert_code(aloop_loop_after_fork(loop), ALOOP_ESTALE);
    aloop_completion record;
    assert_code(aloop_loop_poll(loop, &record, 1, 0), ALOOP_ESTALE);
    assert_code(aloop_loop_start(loop, aloop_ref(future), 1), ALOOP_ESTALE);
    assert_code(aloop_loop_run_until_complete(loop, future, NULL), ALOOP_ESTALE);
    aloop_loop_unref(loop);
}

static void test_null_and_other_objects_are_refused(void **state) {
    (void)state;
    aloop_bytes *bytes = aloop_bytes_new("x", 1);
    aloop_loop *wrong[] = {NULL, (aloop_loop *)bytes};
    int unused = 0;
    aloop_completion record;
    aloop_loop *mine = virtual_loop();
    for (int i = 0; i < 2; i++) {
        assert_refused(wrong[i], ALOOP_EINVAL);
        assert_code(aloop_loop_call_soon_threadsafe(wrong[i], count_call, &unused, count_free),
                    ALOOP_EINVAL);
        assert_code(aloop_loop_close(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_is_closed(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_is_running(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_run_forever(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_run_once(wrong[i], 0), ALOOP_EINVAL);
        assert_code(aloop_loop_stop(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_after_fork(wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_loop_poll(wrong[i], &record, 1, 0), ALOOP_EINVAL);
        assert_code(aloop_loop_run_until_complete(wrong[i], aloop_loop_create_future(mine), NULL),
                    ALOOP_EINVAL);
        assert_code(aloop_loop_start(wrong[i], aloop_loop_create_future(mine), 1), ALOOP_EINVAL);
        assert_code(aloop_loop_start(mine, (aloop_future *)wrong[i], 1), ALOOP_EINVAL);
    }
    assert_code(aloop_loop_run_until_complete(mine, NULL, NULL), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_set_event_loop(wrong[1]), ALOOP_EINVAL);
    assert_code(aloop_loop_call_soon(mine, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_call_soon_threadsafe(mine, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_call_later(mine, 1, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_call_at(mine, 1, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_run_once(mine, NAN), ALOOP_EINVAL);
    assert_code(aloop_loop_poll(mine, NULL, 1, 0), ALOOP_EINVAL);
    assert_code(aloop_loop_poll(mine, &record, 0, 0), ALOOP_EINVAL);
    assert_code(aloop_loop_poll(mine, &record, -1, 0), ALOOP_EINVAL);
    assert_code(aloop_loop_poll(mine, &record, 1, NAN), ALOOP_EINVAL);
    assert_code(aloop_loop_set_slow_callback_duration(mine, NAN), ALOOP_EINVAL);
    assert_code(aloop_loop_set_slow_callback_duration(mine, -1), ALOOP_EINVAL);
    assert_code(aloop_loop_call_exception_handler(mine, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_call_exception_handler(mine, "text", (aloop_error *)bytes),
                ALOOP_EINVAL);
    assert_code(aloop_loop_default_exception_handler(mine, NULL), ALOOP_EINVAL);
    aloop_loop_unref(NULL);
    assert_null(aloop_loop_ref(NULL));
    close_loop(mine);
    aloop_bytes_unref(bytes);
    assert_int_equal(unused, 0);
}

/* Threads ------------------------------------------------------------------------------ */

static int64_t refused_here(void *loop) {
    assert_refused(loop, ALOOP_EWRONGTHREAD);
    assert_code(aloop_loop_is_running(loop), 0);
    assert_code(aloop_loop_is_closed(loop), 0);
    return 0;
}

static void test_another_thread_is_refused(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    on_foreign_thread(refused_here, loop);
    close_loop(loop);
}

static int64_t run_here(void *loop) {
    aloop_future *future = aloop_ref(aloop_loop_create_future(loop));
    assert_null(future); /* not this thread's yet */
    const int64_t code = aloop_loop_run_once(loop, 0);
    assert_true(code >= 0);
    future = aloop_loop_create_future(loop);
    assert_non_null(future);
    aloop_unref(future);
    return 0;
}

static void test_the_thread_that_runs_a_loop_owns_it(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    on_foreign_thread(run_here, loop);
    assert_refused(loop, ALOOP_EWRONGTHREAD);
    assert_code(aloop_loop_run_once(loop, 0), 0);
    assert_true(aloop_loop_iteration(loop) == 2);
    close_loop(loop);
}

struct handover {
    aloop_loop *loop;
    aloop_future *main;
};

static int64_t complete_here(void *data) {
    struct handover *h = data;
    return aloop_loop_run_until_complete(h->loop, h->main, NULL);
}

static void test_run_until_complete_takes_a_loop_over(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    int64_t answer = 42;
    struct handover h = {loop, aloop_loop_create_task(loop, return_status, &answer)};
    assert_code(on_foreign_thread(complete_here, &h), 42);
    close_loop(loop);
}

static int64_t close_and_run_elsewhere(void *loop) {
    assert_code(aloop_loop_close(loop), ALOOP_EWRONGTHREAD);
    assert_code(aloop_loop_run_forever(loop), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_run_once(loop, 0), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_is_running(loop), 1);
    return 0;
}

static int64_t nested(void *loop) {
    assert_ptr_equal(aloop_get_running_loop(), loop);
    assert_ptr_equal(aloop_get_event_loop(), loop);
    assert_code(aloop_loop_is_running(loop), 1);
    assert_code(aloop_loop_run_forever(loop), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_run_once(loop, 0), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_run_until_complete(loop, aloop_loop_create_future(loop), NULL),
                ALOOP_ELOOPRUNNING);
    aloop_completion record;
    assert_code(aloop_loop_poll(loop, &record, 1, 0), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_close(loop), ALOOP_ELOOPRUNNING);
    assert_code(aloop_run(sleep_for_ever, NULL, NULL), ALOOP_ELOOPRUNNING);
    aloop_loop *other = virtual_loop();
    assert_code(aloop_loop_run_forever(other), ALOOP_ELOOPRUNNING);
    assert_code(aloop_loop_run_once(other, 0), ALOOP_ELOOPRUNNING);
    close_loop(other);
    on_foreign_thread(close_and_run_elsewhere, loop);
    return aloop_loop_stop(loop);
}

static void test_a_loop_runs_once_at_a_time(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, nested, loop, NULL) > 0);
    assert_code(aloop_loop_run_forever(loop), 0);
    assert_null(aloop_get_running_loop());
    assert_code(aloop_loop_is_running(loop), 0);
    close_loop(loop);
}

static void test_the_current_loop_is_the_threads(void **state) {
    (void)state;
    assert_null(aloop_get_event_loop());
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_set_event_loop(loop), 0);
    assert_ptr_equal(aloop_get_event_loop(), loop);
    assert_null(aloop_get_running_loop());
    assert_code(aloop_set_event_loop(NULL), 0);
    assert_null(aloop_get_event_loop());
    assert_code(aloop_set_event_loop(loop), 0);
    assert_code(aloop_loop_close(loop), 0);
    aloop_loop_unref(loop);
    assert_code(aloop_loop_is_closed(aloop_get_event_loop()), 1);
    assert_code(aloop_set_event_loop(NULL), 0);
}

/* Callbacks --------------------------------------------------------------------------------- */

static char written[64];
static aloop_loop *current;

static int64_t write_letter(void *letter) {
    strncat(written, letter, 1);
    return 0;
}

static int64_t write_and_schedule(void *letter) {
    write_letter(letter);
    assert_true(aloop_loop_call_soon(current, write_letter, "n", NULL) > 0);
    return 0;
}

static void test_an_iteration_runs_what_was_ready_in_order(void **state) {
    (void)state;
    written[0] = '\0';
    current = virtual_loop();
    assert_true(aloop_loop_call_soon(current, write_and_schedule, "a", NULL) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(current, write_letter, "t", NULL) > 0);
    assert_true(aloop_loop_call_soon(current, write_letter, "b", NULL) > 0);
    assert_int_equal(aloop_loop_run_once(current, 0), 3);
    assert_string_equal(written, "abt");
    assert_int_equal(aloop_loop_run_once(current, 0), 1);
    assert_string_equal(written, "abtn");
    assert_int_equal(aloop_loop_run_once(current, 0), 0);
    assert_int_equal(aloop_loop_iteration(current), 3);
    close_loop(current);
}

static void test_stop_ends_after_the_iteration(void **state) {
    (void)state;
    written[0] = '\0';
    current = virtual_loop();
    assert_true(aloop_loop_call_soon(current, stop_it, current, NULL) > 0);
    assert_true(aloop_loop_call_soon(current, write_and_schedule, "a", NULL) > 0);
    assert_code(aloop_loop_run_forever(current), 0);
    assert_string_equal(written, "a");
    /* Stopped before it runs, a loop runs one iteration. */
    assert_code(aloop_loop_stop(current), 0);
    assert_code(aloop_loop_run_forever(current), 0);
    assert_string_equal(written, "an");
    close_loop(current);
}

static void test_a_cancelled_callback_does_not_run(void **state) {
    (void)state;
    int ran = 0;
    int freed = 0;
    aloop_loop *loop = virtual_loop();
    const int64_t soon = aloop_loop_call_soon(loop, count_call, &ran, count_free);
    const int64_t posted = aloop_loop_call_soon_threadsafe(loop, count_call, &ran, count_free);
    const int64_t later = aloop_loop_call_later(loop, 1, count_call, &ran, count_free);
    assert_true(soon > 0 && posted > 0 && later > 0);
    assert_close(aloop_loop_handle_when(loop, (aloop_handle)later), 1);
    assert_true(isnan(aloop_loop_handle_when(loop, (aloop_handle)soon)));
    assert_true(isnan(aloop_loop_handle_when(loop, (aloop_handle)posted)));
    assert_true(isnan(aloop_loop_handle_when(loop, 0)));
    const int64_t all[] = {soon, posted, later};
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)all[i]), 0);
        assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)all[i]), ALOOP_ENOENT);
    }
    assert_true(isnan(aloop_loop_handle_when(loop, (aloop_handle)later)));
    assert_true(aloop_loop_run_once(loop, 0) >= 0);
    assert_int_equal(ran, 3); /* the destructors */
    ran = 0;
    const int64_t done = aloop_loop_call_soon(loop, count_call, &ran, NULL);
    const int64_t called = aloop_loop_call_soon_threadsafe(loop, count_call, &ran, NULL);
    assert_int_equal(aloop_loop_run_once(loop, 0), 2);
    assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)done), ALOOP_ENOENT);
    assert_code(aloop_loop_cancel_handle(loop, (aloop_handle)called), ALOOP_ENOENT);
    assert_code(aloop_loop_cancel_handle(loop, 0), ALOOP_ENOENT);
    assert_code(aloop_loop_cancel_handle(loop, UINT64_MAX), ALOOP_ENOENT);
    assert_int_equal(ran, 2);
    assert_int_equal(freed, 0);
    close_loop(loop);
}

struct own_handle {
    aloop_loop *loop;
    aloop_handle handle;
    int freed;
};

static int64_t cancel_oneself(void *data) {
    struct own_handle *own = data;
    assert_int_equal(own->freed, 0);
    assert_code(aloop_loop_cancel_handle(own->loop, own->handle), ALOOP_ENOENT);
    return 0;
}

static void free_own(void *data) { ((struct own_handle *)data)->freed++; }

static void test_a_running_callback_cannot_be_cancelled(void **state) {
    (void)state;
    struct own_handle own = {virtual_loop(), 0, 0};
    own.handle = (aloop_handle)aloop_loop_call_soon(own.loop, cancel_oneself, &own, free_own);
    assert_int_equal(aloop_loop_run_once(own.loop, 0), 1);
    own.handle =
        (aloop_handle)aloop_loop_call_soon_threadsafe(own.loop, cancel_oneself, &own, free_own);
    own.freed = 0;
    assert_int_equal(aloop_loop_run_once(own.loop, 0), 1);
    assert_int_equal(own.freed, 1);
    close_loop(own.loop);
}

static void test_stale_handles_never_hit_another_callback(void **state) {
    (void)state;
    enum { rounds = 2000 };
    int ran = 0;
    static aloop_handle old[rounds];
    aloop_loop *loop = virtual_loop();
    for (int i = 0; i < rounds; i++) {
        old[i] = (aloop_handle)aloop_loop_call_soon(loop, count_call, &ran, NULL);
        assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    }
    assert_true(aloop_loop_call_soon(loop, count_call, &ran, NULL) > 0);
    for (int i = 0; i < rounds; i++) {
        assert_code(aloop_loop_cancel_handle(loop, old[i]), ALOOP_ENOENT);
    }
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(ran, rounds + 1);
    close_loop(loop);
}

static void test_close_drops_what_is_scheduled(void **state) {
    (void)state;
    int freed = 0;
    int ran = 0;
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, count_call, &freed, count_free) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(loop, count_call, &freed, count_free) > 0);
    assert_true(aloop_loop_call_later(loop, 1, count_call, &freed, count_free) > 0);
    assert_true(aloop_loop_call_later(loop, -1, count_call, &freed, count_free) > 0);
    assert_true(aloop_loop_call_at(loop, 1e9, count_call, &freed, count_free) > 0);
    assert_code(aloop_loop_set_task_factory(loop, NULL, &ran, count_free), 0);
    close_loop(loop);
    assert_int_equal(freed, 5);
    assert_int_equal(ran, 0);
}

static void order_with_seed(uint64_t seed, char *order) {
    static const char letters[] = "abcdefgh";
    aloop_loop_options *o = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_seed(o, seed), 0);
    assert_code(aloop_loop_options_set_clock(o, ALOOP_CLOCK_VIRTUAL), 0);
    aloop_loop *loop = NULL;
    assert_code(aloop_loop_new(&loop, o), 0);
    aloop_unref(o);
    written[0] = '\0';
    for (int i = 0; i < 8; i++) {
        assert_true(aloop_loop_call_soon(loop, write_letter, (void *)&letters[i], NULL) > 0);
    }
    assert_int_equal(aloop_loop_run_once(loop, 0), 8);
    close_loop(loop);
    strcpy(order, written);
}

static void test_a_seed_shuffles_an_iteration(void **state) {
    (void)state;
    char one[16];
    char again[16];
    char other[16];
    order_with_seed(1, one);
    order_with_seed(1, again);
    order_with_seed(2, other);
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
    assert_string_not_equal(one, "abcdefgh");
    for (const char *c = "abcdefgh"; *c != '\0'; c++) assert_non_null(strchr(one, *c));
    order_with_seed(0, one);
    assert_string_equal(one, "abcdefgh");
}

/* run_until_complete ----------------------------------------------------------------------------
 */

static void test_run_until_complete_gives_the_outcome(void **state) {
    (void)state;
    int freed = 0;
    void *value = NULL;
    aloop_loop *loop = virtual_loop();
    aloop_loop *other = virtual_loop();
    aloop_future *future = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_result(future, 7, &freed, count_free), 0);
    assert_code(aloop_loop_run_until_complete(loop, future, &value), 7);
    assert_ptr_equal(value, &freed);
    assert_int_equal(freed, 0);
    future = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(future, -5), 0);
    assert_code(aloop_loop_run_until_complete(loop, future, NULL), -5);
    future = aloop_loop_create_future(loop);
    assert_code(aloop_future_cancel(future, NULL), 1);
    assert_code(aloop_loop_run_until_complete(loop, future, NULL), ALOOP_ECANCELED);
    assert_code(aloop_loop_run_until_complete(loop, aloop_loop_create_future(other), NULL),
                ALOOP_EWRONGLOOP);
    future = aloop_loop_create_future(loop);
    assert_true(aloop_loop_call_soon(loop, stop_it, loop, NULL) > 0);
    assert_code(aloop_loop_run_until_complete(loop, aloop_ref(future), NULL), ALOOP_ELOOPSTOPPED);
    assert_code(aloop_future_set_result(future, 3, NULL, NULL), 0);
    assert_code(aloop_loop_run_until_complete(loop, future, NULL), 3);
    close_loop(loop);
    close_loop(other);
}

static int64_t finish_and_stop(void *future) {
    assert_code(aloop_future_set_result(future, 9, NULL, NULL), 0);
    return aloop_loop_stop(aloop_future_loop(future));
}

static void test_a_stop_in_the_iteration_of_the_result(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    aloop_future *future = aloop_loop_create_future(loop);
    assert_true(aloop_loop_call_soon(loop, finish_and_stop, future, NULL) > 0);
    assert_code(aloop_loop_run_until_complete(loop, aloop_ref(future), NULL), 9);
    /* What the first run left in the queue is harmless. */
    assert_true(aloop_loop_run_once(loop, 0) >= 0);
    assert_code(aloop_loop_run_until_complete(loop, future, NULL), 9);
    close_loop(loop);
}

struct closing {
    aloop_loop *loop;
    int64_t close, once, forever, made;
};

static void meddle(void *data) {
    struct closing *c = data;
    c->close = aloop_loop_close(c->loop);
    c->once = aloop_loop_run_once(c->loop, 0);
    c->forever = aloop_loop_run_forever(c->loop);
    c->made = aloop_loop_call_soon(c->loop, count_call, NULL, NULL);
    aloop_task *task = aloop_loop_create_task(c->loop, sleep_for_ever, NULL);
    aloop_unref(task);
}

static void ignore_reports(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)context;
    ++*(int *)data;
    assert_code(aloop_loop_close(loop), ALOOP_ELOOPRUNNING);
}

/* While it closes, a destructor or the exception handler neither closes nor runs it. */
static void test_destructors_during_the_close(void **state) {
    (void)state;
    for (int eager = 0; eager < 2; eager++) {
        int reports = 0;
        struct closing of_a_task = {.loop = virtual_loop()};
        struct closing of_a_callback = {.loop = of_a_task.loop};
        aloop_loop *loop = of_a_task.loop;
        assert_code(aloop_set_eager_task_factory(loop, eager), 0);
        assert_code(aloop_loop_set_exception_handler(loop, ignore_reports, &reports, NULL), 0);
        aloop_task_options *o = aloop_task_options_new();
        assert_code(aloop_task_options_set_coro(o, sleep_for_ever, &of_a_task, meddle), 0);
        aloop_unref(aloop_task_new(loop, o));
        aloop_unref(o);
        assert_true(aloop_loop_call_soon(loop, count_call, &of_a_callback, meddle) > 0);
        assert_code(aloop_loop_close(loop), 0);
        assert_code(of_a_task.close, ALOOP_ELOOPRUNNING);
        assert_code(of_a_task.once, ALOOP_ELOOPRUNNING);
        assert_code(of_a_task.forever, ALOOP_ELOOPRUNNING);
        assert_true(of_a_task.made > 0);
        assert_code(of_a_callback.close, 0);
        assert_code(of_a_callback.once, ALOOP_ESTALE);
        assert_code(of_a_callback.forever, ALOOP_ESTALE);
        assert_code(of_a_callback.made, ALOOP_ESTALE);
        assert_int_equal(reports, 2); /* of the two tasks */
        assert_code(aloop_loop_is_running(loop), 0);
        aloop_loop_unref(loop);
    }
}

SUITE(CASE(test_options_refuse_what_is_out_of_range), CASE(test_a_new_loop_is_open_and_idle),
      CASE(test_dropping_the_last_reference_closes), CASE(test_a_closed_loop_refuses_everything),
      CASE(test_null_and_other_objects_are_refused), CASE(test_another_thread_is_refused),
      CASE(test_the_thread_that_runs_a_loop_owns_it),
      CASE(test_run_until_complete_takes_a_loop_over), CASE(test_a_loop_runs_once_at_a_time),
      CASE(test_the_current_loop_is_the_threads),
      CASE(test_an_iteration_runs_what_was_ready_in_order),
      CASE(test_stop_ends_after_the_iteration), CASE(test_a_cancelled_callback_does_not_run),
      CASE(test_a_running_callback_cannot_be_cancelled),
      CASE(test_stale_handles_never_hit_another_callback), CASE(test_close_drops_what_is_scheduled),
      CASE(test_destructors_during_the_close),
      CASE(test_a_seed_shuffles_an_iteration), CASE(test_run_until_complete_gives_the_outcome),
      CASE(test_a_stop_in_the_iteration_of_the_result))
