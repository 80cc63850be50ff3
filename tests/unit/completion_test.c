/*
 * Completion records: the door without callbacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

static void test_records_carry_outcomes(void **state) {
    (void)state;
    int freed = 0;
    int64_t answer = -5;
    aloop_loop *loop = virtual_loop();
    aloop_future *future = aloop_loop_create_future(loop);
    aloop_completion r[4];
    assert_int_equal(aloop_loop_poll(loop, r, 4, 0), 0);
    assert_code(aloop_loop_start(loop, aloop_ref(future), 1), 0);
    assert_code(aloop_loop_start(loop, aloop_loop_create_task(loop, return_status, &answer), 2), 0);
    assert_code(aloop_future_set_result(future, 3, &freed, count_free), 0);
    assert_code(aloop_loop_start(loop, future, 3), 0);
    int64_t n = aloop_loop_poll(loop, r, 4, -1);
    while (n < 3) n += aloop_loop_poll(loop, r + n, 4 - n, -1);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        switch (r[i].token) {
        case 1:
        case 3:
            assert_null(r[i].error);
            if (r[i].status == 3) {
                assert_ptr_equal(r[i].value, &freed);
                assert_true(r[i].free_fn == count_free);
                r[i].free_fn(r[i].value);
            } else {
                assert_code(r[i].status, ALOOP_EVALUETAKEN);
            }
            break;
        default:
            assert_int_equal(r[i].token, 2);
            assert_code(r[i].status, -5);
            assert_code(aloop_error_code(r[i].error), -5);
        }
        aloop_error_unref(r[i].error);
    }
    assert_int_equal(freed, 1);
    close_loop(loop);
}

static void test_records_nobody_polls_are_dropped(void **state) {
    (void)state;
    int freed = 0;
    aloop_loop *loop = virtual_loop();
    aloop_future *done = aloop_loop_create_future(loop);
    aloop_future *scheduled = aloop_loop_create_future(loop);
    assert_code(aloop_future_set_result(done, 3, &freed, count_free), 0);
    assert_code(aloop_loop_start(loop, done, 1), 0);
    assert_code(aloop_loop_start(loop, aloop_ref(scheduled), 2), 0);
    assert_code(aloop_loop_start(loop, aloop_loop_create_future(loop), 3), 0);
    assert_code(aloop_future_set_result(scheduled, 3, &freed, count_free), 0);
    aloop_unref(scheduled);
    close_loop(loop);
    assert_int_equal(freed, 2);
}

SUITE(CASE(test_records_carry_outcomes), CASE(test_records_nobody_polls_are_dropped))
