/* executor.h: the end of executors, whatever their jobs do.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <semaphore.h>

static struct reports reports;
static sem_t started;
static sem_t go_on;

static int64_t do_nothing(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 7;
}

static int64_t wait_for_test(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_job_set_name("the blocked one"), 0);
    sem_post(&started);
    sem_wait(&go_on);
    return 8;
}

static int64_t seven(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    return 7;
}

/* Without time ----------------------------------------------------------------------- */

/* Threads without a job are no work that still runs. */
static int64_t idle_pools(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    for (int i = 0; i < 20; i++) {
        aloop_executor *pool = aloop_executor_new_threads(4);
        aloop_future *all[4];
        for (int k = 0; k < 4; k++) all[k] = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
        assert_code(aloop_await(aloop_gather(all, 4, 0), NULL), 4);
        assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
        assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
        aloop_unref(pool);
    }
    aloop_executor *pool = aloop_executor_new_processes(1);
    assert_code(aloop_await(aloop_run_in_process(loop, pool, seven, "", 0), NULL), 7);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
    aloop_unref(pool);
    assert_code(aloop_await(aloop_to_thread(do_nothing, NULL, NULL), NULL), 7);
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, 0), NULL), 0);
    assert_int_equal(reports.count, 0);
    return 0;
}

static void idle_threads_are_no_work(void **state) {
    (void)state;
    in_task(idle_pools);
}

static int64_t busy_pool(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = aloop_executor_new_threads(1);
    aloop_future *all[3];
    all[0] = aloop_run_in_executor(loop, pool, wait_for_test, NULL, NULL);
    for (int i = 1; i < 3; i++) all[i] = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
    sem_wait(&started);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), ALOOP_ETIMEDOUT);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "The executor did not finish joining its threads within 0 seconds. "
                        "Still running: the blocked one in aloop_0; 2 more had not begun");
    for (int i = 1; i < 3; i++) assert_code(aloop_await(all[i], NULL), ALOOP_ECANCELED);
    sem_post(&go_on);
    assert_code(aloop_await(all[0], NULL), 8);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
    assert_int_equal(reports.count, 1);
    aloop_unref(pool);
    return 0;
}

static void the_report_counts_what_had_not_begun(void **state) {
    (void)state;
    in_task(busy_pool);
}

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(idle_threads_are_no_work),
        CASE(the_report_counts_what_had_not_begun),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
