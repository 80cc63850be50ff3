/*
 * future.h: outcomes, their owners, callbacks, cancellation, other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <pthread.h>
#include <string.h>

static aloop_loop *loop;
static int freed;

static void begin(void) {
    loop = virtual_loop();
    freed = 0;
}

static void run_ready(void) {
    while (aloop_loop_run_once(loop, 0) > 0) continue;
}

/* Outcomes ------------------------------------------------------------------------ */

static void test_a_future_is_finished_once(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    void *value = &freed;
    assert_code(aloop_future_done(f), 0);
    assert_code(aloop_future_cancelled(f), 0);
    assert_code(aloop_future_result(f, &value), ALOOP_EINVALIDSTATE);
    assert_code(aloop_future_take(f, &value), ALOOP_EINVALIDSTATE);
    assert_ptr_equal(value, &freed); /* untouched */
    assert_null(aloop_future_error(f));
    assert_ptr_equal(aloop_future_loop(f), loop);
    assert_code(aloop_future_set_result(f, -1, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_future_set_error(f, NULL), ALOOP_EINVAL);
    assert_code(aloop_future_set_error_code(f, 0), ALOOP_EINVAL);
    assert_code(aloop_future_set_result(f, 5, NULL, NULL), 0);
    assert_code(aloop_future_done(f), 1);
    assert_code(aloop_future_cancelled(f), 0);
    assert_code(aloop_future_result(f, &value), 5);
    assert_null(value);
    assert_code(aloop_future_set_result(f, 6, &freed, count_free), ALOOP_EINVALIDSTATE);
    assert_code(aloop_future_set_error_code(f, -5), ALOOP_EINVALIDSTATE);
    assert_code(aloop_future_cancel(f, NULL), 0);
    assert_code(aloop_future_result(f, NULL), 5);
    assert_int_equal(freed, 0);
    aloop_unref(f);
    close_loop(loop);
}

static void test_an_error_keeps_its_detail(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    aloop_error *error = aloop_error_new(ALOOP_EUSER - 3, "detail", NULL);
    assert_code(aloop_future_set_error(f, error), 0);
    aloop_error_unref(error);
    void *value = &freed;
    assert_code(aloop_future_result(f, &value), ALOOP_EUSER - 3);
    assert_code(aloop_future_take(f, &value), ALOOP_EUSER - 3);
    assert_ptr_equal(value, &freed);
    assert_string_equal(aloop_error_message(aloop_future_error(f)), "detail");
    aloop_unref(f);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(f, -5), 0);
    assert_code(aloop_error_code(aloop_future_error(f)), -5);
    assert_ptr_equal(aloop_future_error(f), aloop_future_error(f));
    aloop_unref(f);
    close_loop(loop);
}

static void test_cancelling_is_immediate_and_keeps_the_message(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_cancel(f, "enough"), 1);
    assert_code(aloop_future_cancel(f, "again"), 0);
    assert_code(aloop_future_done(f), 1);
    assert_code(aloop_future_cancelled(f), 1);
    assert_code(aloop_future_result(f, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_future_error(f)), "enough");
    aloop_unref(f);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_cancel(f, NULL), 1);
    assert_string_equal(aloop_error_message(aloop_future_error(f)),
                        aloop_strerror(ALOOP_ECANCELED));
    aloop_unref(f);
    close_loop(loop);
}

/* Values ---------------------------------------------------------------------------- */

static void test_a_value_has_one_owner(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    void *value = NULL;
    assert_code(aloop_future_set_result(f, 1, &freed, count_free), 0);
    assert_code(aloop_future_result(f, &value), 1);
    assert_ptr_equal(value, &freed);
    value = NULL;
    assert_code(aloop_future_take(f, &value), 1);
    assert_ptr_equal(value, &freed);
    assert_code(aloop_future_take(f, &value), ALOOP_EVALUETAKEN);
    assert_code(aloop_future_result(f, &value), ALOOP_EVALUETAKEN);
    assert_code(aloop_future_result(f, NULL), 1); /* the status stays */
    aloop_unref(f);
    assert_int_equal(freed, 0);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_result(f, 1, &freed, count_free), 0);
    assert_code(aloop_future_take(f, NULL), 1); /* takes nothing */
    aloop_unref(f);
    assert_int_equal(freed, 1);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_result(f, 1, &freed, NULL), 0);
    assert_code(aloop_future_take(f, &value), 1);
    assert_code(aloop_future_take(f, &value), 1); /* plain data: any number of readers */
    assert_ptr_equal(value, &freed);
    aloop_unref(f);
    assert_int_equal(freed, 1);
    close_loop(loop);
}

/* Bad input --------------------------------------------------------------------------- */

static int64_t note_done(aloop_future *future, void *data) {
    assert_code(aloop_future_done(future), 1);
    ++*(int *)data;
    return 0;
}

static void test_wrong_objects_are_refused(void **state) {
    (void)state;
    begin();
    aloop_bytes *bytes = aloop_bytes_new("x", 1);
    aloop_error *error = aloop_error_new(-5, NULL, NULL);
    aloop_future *wrong[] = {NULL, (aloop_future *)bytes};
    for (int i = 0; i < 2; i++) {
        aloop_future *f = wrong[i];
        assert_code(aloop_future_set_result(f, 0, &freed, count_free), ALOOP_EINVAL);
        assert_code(aloop_future_set_error(f, error), ALOOP_EINVAL);
        assert_code(aloop_future_set_error_code(f, -5), ALOOP_EINVAL);
        assert_code(aloop_future_result(f, NULL), ALOOP_EINVAL);
        assert_code(aloop_future_take(f, NULL), ALOOP_EINVAL);
        assert_null(aloop_future_error(f));
        assert_code(aloop_future_done(f), ALOOP_EINVAL);
        assert_code(aloop_future_cancelled(f), ALOOP_EINVAL);
        assert_code(aloop_future_cancel(f, NULL), ALOOP_EINVAL);
        assert_code(aloop_future_add_done_callback(f, note_done, &freed, count_free), ALOOP_EINVAL);
        assert_code(aloop_future_remove_done_callback(f, note_done, &freed), ALOOP_EINVAL);
        assert_null(aloop_future_loop(f));
        assert_code(aloop_future_set_result_threadsafe(f, 0, &freed, count_free), ALOOP_EINVAL);
        assert_code(aloop_future_set_error_threadsafe(f, error), ALOOP_EINVAL);
        assert_code(aloop_future_cancel_threadsafe(f, "text"), ALOOP_EINVAL);
    }
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error(f, (aloop_error *)bytes), ALOOP_EINVAL);
    assert_code(aloop_future_set_error_threadsafe(f, (aloop_error *)bytes), ALOOP_EINVAL);
    assert_code(aloop_future_set_error_threadsafe(f, NULL), ALOOP_EINVAL);
    assert_code(aloop_future_set_result_threadsafe(f, -1, &freed, count_free), ALOOP_EINVAL);
    assert_code(aloop_future_add_done_callback(f, NULL, NULL, NULL), ALOOP_EINVAL);
    aloop_unref(f);
    int64_t answer = 3;
    f = aloop_loop_create_task(loop, return_status, &answer);
    assert_code(aloop_future_set_result(f, 0, &freed, count_free), ALOOP_EWRONGTYPE);
    assert_code(aloop_future_set_error_code(f, -5), ALOOP_EWRONGTYPE);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 3);
    aloop_error_unref(error);
    aloop_bytes_unref(bytes);
    assert_int_equal(freed, 0);
    close_loop(loop);
}

static int64_t refused_here(void *future) {
    assert_code(aloop_future_set_result(future, 0, NULL, NULL), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_set_error_code(future, -5), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_result(future, NULL), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_take(future, NULL), ALOOP_EWRONGTHREAD);
    assert_null(aloop_future_error(future));
    assert_code(aloop_future_done(future), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_cancelled(future), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_cancel(future, NULL), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_add_done_callback(future, note_done, NULL, NULL), ALOOP_EWRONGTHREAD);
    assert_code(aloop_future_remove_done_callback(future, note_done, NULL), ALOOP_EWRONGTHREAD);
    assert_ptr_equal(aloop_future_loop(future), loop);
    return 0;
}

static void test_another_thread_is_refused(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    on_foreign_thread(refused_here, f);
    aloop_unref(f);
    close_loop(loop);
}

/* Callbacks ------------------------------------------------------------------------------ */

static char order[16];

static int64_t note_letter(aloop_future *future, void *letter) {
    (void)future;
    strncat(order, letter, 1);
    return 0;
}

static void test_callbacks_run_later_and_in_order(void **state) {
    (void)state;
    begin();
    order[0] = '\0';
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(f, note_letter, "a", NULL), 0);
    assert_code(aloop_future_add_done_callback(f, note_done, &freed, count_free), 0);
    assert_code(aloop_future_add_done_callback(f, note_letter, "b", NULL), 0);
    assert_code(aloop_future_set_result(f, 0, NULL, NULL), 0);
    assert_string_equal(order, "");
    assert_code(aloop_future_add_done_callback(f, note_letter, "c", NULL), 0);
    aloop_unref(f); /* the scheduled callbacks hold it */
    assert_string_equal(order, "");
    assert_int_equal(aloop_loop_run_once(loop, 0), 4);
    assert_string_equal(order, "abc");
    assert_int_equal(freed, 2); /* called and freed */
    close_loop(loop);
}

static void test_callbacks_are_removed_by_function_and_data(void **state) {
    (void)state;
    begin();
    int other = 0;
    aloop_future *f = aloop_loop_create_future(loop);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_future_add_done_callback(f, note_done, &freed, count_free), 0);
        assert_code(aloop_future_add_done_callback(f, note_done, &other, NULL), 0);
    }
    assert_code(aloop_future_remove_done_callback(f, note_done, &freed), 3);
    assert_int_equal(freed, 3);
    assert_code(aloop_future_remove_done_callback(f, note_done, &freed), 0);
    assert_code(aloop_future_remove_done_callback(f, note_letter, &other), 0);
    assert_code(aloop_future_cancel(f, NULL), 1);
    run_ready();
    assert_int_equal(other, 3);
    assert_code(aloop_future_remove_done_callback(f, note_done, &other), 0);
    aloop_unref(f);
    /* Those of a future that never finishes are freed with it. */
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(f, note_done, &freed, count_free), 0);
    aloop_unref(f);
    assert_int_equal(freed, 4);
    close_loop(loop);
}

static aloop_future *self_removing;

static void remove_others(void *data) {
    (void)data;
    freed++;
    aloop_future_remove_done_callback(self_removing, note_done, &freed);
}

static void test_a_destructor_may_remove_callbacks(void **state) {
    (void)state;
    begin();
    self_removing = aloop_loop_create_future(loop);
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_future_add_done_callback(self_removing, note_done, &freed, remove_others),
                    0);
    }
    assert_true(aloop_future_remove_done_callback(self_removing, note_done, &freed) >= 1);
    assert_int_equal(freed, 3);
    aloop_unref(self_removing);
    close_loop(loop);
}

static int64_t fail_here(aloop_future *future, void *data) {
    (void)future;
    (void)data;
    return aloop_raise(-5, "of the callback");
}

static void test_a_failing_callback_is_reported(void **state) {
    (void)state;
    begin();
    struct reports reports;
    capture_reports(loop, &reports);
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(f, fail_here, NULL, NULL), 0);
    assert_code(aloop_future_add_done_callback(f, note_done, &freed, NULL), 0);
    assert_code(aloop_future_set_result(f, 0, NULL, NULL), 0);
    run_ready();
    assert_int_equal(freed, 1);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].text, "of the callback");
    assert_true(reports.list[0].with_future);
    aloop_unref(f);
    close_loop(loop);
}

static void test_a_failure_nobody_retrieved_is_reported(void **state) {
    (void)state;
    begin();
    struct reports reports;
    capture_reports(loop, &reports);
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(f, -5), 0);
    aloop_unref(f);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "Future exception was never retrieved");
    assert_code(reports.list[0].code, -5);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_error_code(f, -5), 0);
    assert_code(aloop_future_result(f, NULL), -5);
    aloop_unref(f);
    f = aloop_loop_create_future(loop);
    assert_code(aloop_future_cancel(f, NULL), 1);
    aloop_unref(f);
    assert_int_equal(reports.count, 1);
    close_loop(loop);
}

/* Operations start late ------------------------------------------------------------------- */

static int64_t start_by_callback(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_future *dropped = aloop_sleep(5);
    aloop_unref(dropped);
    aloop_future *sleeping = aloop_sleep(1);
    assert_code(aloop_future_add_done_callback(sleeping, note_done, &freed, NULL), 0);
    assert_code(aloop_await(aloop_sleep(0.5), NULL), 0);
    assert_code(aloop_future_done(sleeping), 0);
    assert_code(aloop_future_set_result(sleeping, 0, NULL, NULL), ALOOP_EWRONGTYPE);
    assert_code(aloop_await(aloop_sleep(0.6), NULL), 0);
    assert_code(aloop_future_done(sleeping), 1);
    assert_int_equal(freed, 1);
    aloop_unref(sleeping);
    assert_close(aloop_loop_time(aloop_get_running_loop()), 1.1);
    return 0;
}

static void test_a_callback_starts_an_operation(void **state) {
    (void)state;
    freed = 0;
    in_task(start_by_callback);
}

/* Other threads ----------------------------------------------------------------------------- */

static int64_t set_result_here(void *future) {
    const int64_t code = aloop_future_set_result_threadsafe(future, 8, &freed, count_free);
    aloop_unref(future);
    return code;
}

static int64_t set_error_here(void *future) {
    aloop_error *error = aloop_error_new(-7, "from afar", NULL);
    const int64_t code = aloop_future_set_error_threadsafe(future, error);
    aloop_error_unref(error);
    return code;
}

static int64_t cancel_here(void *future) {
    return aloop_future_cancel_threadsafe(future, "from afar");
}

static void test_other_threads_finish_futures(void **state) {
    (void)state;
    begin();
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(on_foreign_thread(set_result_here, aloop_ref(f)), 0);
    assert_code(aloop_future_done(f), 0);
    assert_code(aloop_loop_run_until_complete(loop, aloop_ref(f), NULL), 8);
    /* Too late is no error: the value is freed. */
    assert_code(on_foreign_thread(set_result_here, aloop_ref(f)), 0);
    run_ready();
    assert_int_equal(freed, 1);
    aloop_unref(f);
    assert_int_equal(freed, 2);
    f = aloop_loop_create_future(loop);
    assert_code(on_foreign_thread(set_error_here, f), 0);
    run_ready();
    assert_code(aloop_future_result(f, NULL), -7);
    assert_string_equal(aloop_error_message(aloop_future_error(f)), "from afar");
    aloop_unref(f);
    f = aloop_loop_create_future(loop);
    assert_code(on_foreign_thread(cancel_here, f), 0);
    run_ready();
    assert_code(aloop_future_cancelled(f), 1);
    assert_string_equal(aloop_error_message(aloop_future_error(f)), "from afar");
    aloop_unref(f);
    f = aloop_loop_create_future(loop);
    assert_code(on_foreign_thread(set_result_here, aloop_ref(f)), 0);
    freed = 0;
    assert_code(aloop_loop_close(loop), 0); /* with the delivery under way */
    assert_int_equal(freed, 1);
    assert_code(on_foreign_thread(set_result_here, aloop_ref(f)), ALOOP_ESTALE);
    assert_code(on_foreign_thread(set_error_here, f), ALOOP_ESTALE);
    assert_code(on_foreign_thread(cancel_here, f), ALOOP_ESTALE);
    assert_int_equal(freed, 1);
    aloop_unref(f);
    aloop_loop_unref(loop);
}

SUITE(CASE(test_a_future_is_finished_once), CASE(test_an_error_keeps_its_detail),
      CASE(test_cancelling_is_immediate_and_keeps_the_message), CASE(test_a_value_has_one_owner),
      CASE(test_wrong_objects_are_refused), CASE(test_another_thread_is_refused),
      CASE(test_callbacks_run_later_and_in_order),
      CASE(test_callbacks_are_removed_by_function_and_data),
      CASE(test_a_destructor_may_remove_callbacks), CASE(test_a_failing_callback_is_reported),
      CASE(test_a_failure_nobody_retrieved_is_reported), CASE(test_a_callback_starts_an_operation),
      CASE(test_other_threads_finish_futures))
