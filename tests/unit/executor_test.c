/* executor.h: jobs in threads, and what runs them.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void nap(double seconds) {
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

/* Jobs ------------------------------------------------------------------------- */

static pthread_t loop_thread;

static int64_t square(void *arg, void **value) {
    assert_false(pthread_equal(pthread_self(), loop_thread));
    *value = arg;
    return *(int *)arg * *(int *)arg;
}

static int64_t squares(void *unused, void **value) {
    (void)unused;
    (void)value;
    loop_thread = pthread_self();
    int n = 7;
    void *got = NULL;
    assert_code(aloop_await(aloop_to_thread(square, &n, NULL), &got), 49);
    assert_ptr_equal(got, &n);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_await(aloop_run_in_executor(loop, NULL, square, &n, NULL), &got), 49);
    return 0;
}

static void runs_in_a_thread(void **state) {
    (void)state;
    in_task(squares);
}

static int64_t fail_in_detail(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise(ALOOP_EUSER - 3, "no %s", "luck");
}

static int64_t fail_with_errno(void *unused, void **value) {
    (void)unused;
    (void)value;
    (void)aloop_raise(ALOOP_EUSER - 4, "not this one");
    return -EACCES;
}

static int64_t failures(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_await(aloop_to_thread(fail_in_detail, NULL, NULL), NULL), ALOOP_EUSER - 3);
    assert_string_equal(aloop_error_message(aloop_last_error()), "no luck");
    assert_code(aloop_await(aloop_to_thread(fail_with_errno, NULL, NULL), NULL), -EACCES);
    assert_int_equal(aloop_error_code(aloop_last_error()), -EACCES);
    return 0;
}

static void errors_come_back(void **state) {
    (void)state;
    in_task(failures);
}

static int64_t give_text(void *text, void **value) {
    (void)value;
    return aloop_job_return(3, strdup(text), free);
}

static int64_t values(void *unused, void **value) {
    (void)unused;
    (void)value;
    char *text = NULL;
    assert_code(aloop_await(aloop_to_thread(give_text, "abc", NULL), (void **)&text), 3);
    assert_string_equal(text, "abc");
    free(text);
    assert_code(aloop_await(aloop_to_thread(give_text, "dropped", NULL), NULL), 3);
    assert_code(aloop_job_return(1, strdup("x"), free), ALOOP_EINVALIDSTATE);
    assert_code(aloop_job_set_name("x"), ALOOP_EINVALIDSTATE);
    assert_code(aloop_job_cancelled(), 0);
    return 0;
}

static void values_belong_to_the_taker(void **state) {
    (void)state;
    in_task(values);
}

static pthread_t freed_by;

static void note_thread(void *counter) {
    freed_by = pthread_self();
    ++*(int *)counter;
}

static int64_t do_nothing(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 0;
}

/* The loop's own stack has no current task. */
static void free_off_fiber(void *counter) {
    aloop_loop *loop = aloop_get_running_loop();
    assert_true(loop == NULL || aloop_current_task(loop) == NULL);
    count_free(counter);
}

static int64_t destructors(void *unused, void **value) {
    (void)unused;
    (void)value;
    int freed = 0;
    assert_code(aloop_await(aloop_to_thread(do_nothing, &freed, note_thread), NULL), 0);
    assert_int_equal(freed, 1);
    assert_true(pthread_equal(freed_by, pthread_self()));
    aloop_unref(aloop_to_thread(do_nothing, &freed, free_off_fiber)); /* never started */
    assert_failed(aloop_to_thread(NULL, &freed, free_off_fiber), ALOOP_EINVAL);
    aloop_loop *loop = aloop_get_running_loop();
    assert_failed(aloop_run_in_executor(loop, NULL, NULL, &freed, free_off_fiber), ALOOP_EINVAL);
    assert_failed(aloop_run_in_executor(loop, (aloop_executor *)loop, do_nothing, &freed,
                                        free_off_fiber),
                  ALOOP_EINVAL);
    assert_int_equal(freed, 1); /* here is a fiber */
    let_run(2);
    assert_int_equal(freed, 5);
    assert_null(aloop_run_in_executor(NULL, NULL, do_nothing, &freed, count_free));
    assert_int_equal(freed, 6);
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, k_hang), NULL), 0);
    assert_code(aloop_await(aloop_to_thread(do_nothing, &freed, free_off_fiber), NULL),
                ALOOP_ESHUTDOWN);
    let_run(2);
    assert_int_equal(freed, 7);
    aloop_unref(aloop_to_thread(do_nothing, &freed, free_off_fiber)); /* the last step's */
    return 0;
}

static void the_argument_is_freed_once(void **state) {
    (void)state;
    in_task(destructors);
    int freed = 0;
    assert_null(aloop_to_thread(do_nothing, &freed, count_free));
    assert_int_equal(freed, 1);
}

static aloop_contextvar *var;

static int64_t read_var(void *unused, void **value) {
    (void)unused;
    *value = aloop_contextvar_get(var);
    aloop_contextvar_set(var, "changed", NULL, NULL);
    return 0;
}

static int64_t contexts(void *unused, void **value) {
    (void)unused;
    (void)value;
    void *seen = NULL;
    aloop_contextvar_set(var, "mine", NULL, NULL);
    assert_code(aloop_await(aloop_to_thread(read_var, NULL, NULL), &seen), 0);
    assert_string_equal(seen, "mine");
    assert_string_equal(aloop_contextvar_get(var), "mine");
    aloop_future *f = aloop_run_in_executor(aloop_get_running_loop(), NULL, read_var, NULL, NULL);
    assert_code(aloop_await(f, &seen), 0);
    assert_string_equal(seen, "none");
    return 0;
}

static void to_thread_copies_the_context(void **state) {
    (void)state;
    var = aloop_contextvar_new("var", "none");
    in_task(contexts);
    aloop_unref(var);
}

/* Cancelling --------------------------------------------------------------------- */

static sem_t started;

static int64_t wait_for_cancel(void *ended, void **value) {
    (void)value;
    sem_post(&started);
    while (aloop_job_cancelled() == 0) nap(0.001);
    __atomic_add_fetch((int *)ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int64_t cancels(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_executor *one = aloop_executor_new_threads(1);
    int ended = 0;
    int freed = 0;
    aloop_future *running = aloop_run_in_executor(loop, one, wait_for_cancel, &ended, NULL);
    aloop_future *queued = aloop_run_in_executor(loop, one, do_nothing, &freed, count_free);
    sem_wait(&started);
    assert_code(aloop_future_cancel(queued, "no need"), 1);
    assert_code(aloop_await(queued, NULL), ALOOP_ECANCELED);
    let_run(1);
    assert_int_equal(freed, 1); /* it was taken out of the queue */
    assert_code(aloop_future_cancel(running, NULL), 1);
    assert_code(aloop_await(running, NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_executor_shutdown(one, k_hang), NULL), 0);
    assert_int_equal(ended, 1);
    aloop_unref(one);
    return 0;
}

static void a_cancelled_job_leaves_the_queue_or_is_told(void **state) {
    (void)state;
    in_task(cancels);
}

static int64_t limited(void *unused, void **value) {
    (void)unused;
    (void)value;
    int ended = 0;
    aloop_future *f = aloop_ensure_future(aloop_to_thread(wait_for_cancel, &ended, NULL));
    let_run(1);
    sem_wait(&started); /* one that has not begun would be taken out of the queue */
    assert_code(aloop_await(aloop_wait_for(f, 0.05), NULL), ALOOP_ETIMEDOUT);
    aloop_future *end = aloop_loop_shutdown_default_executor(aloop_get_running_loop(), k_hang);
    assert_code(aloop_await(end, NULL), 0);
    assert_int_equal(ended, 1);
    return 0;
}

static void a_timeout_tells_the_job(void **state) {
    (void)state;
    in_task(limited);
}

/* Executors -------------------------------------------------------------------------- */

enum { k_pool = 3 };
static int64_t concurrent;
static int64_t most_at_once;

/* Does not end before as many run as there may be, once. */
static int64_t count_at_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int64_t now = __atomic_add_fetch(&concurrent, 1, __ATOMIC_SEQ_CST);
    int64_t most = __atomic_load_n(&most_at_once, __ATOMIC_SEQ_CST);
    while (now > most && !__atomic_compare_exchange_n(&most_at_once, &most, now, 0,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    while (__atomic_load_n(&most_at_once, __ATOMIC_SEQ_CST) < k_pool) nap(0.0005);
    nap(0.0005);
    __atomic_sub_fetch(&concurrent, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int64_t many(void *unused, void **value) {
    (void)unused;
    (void)value;
    enum { n = 300 };
    aloop_executor *pool = aloop_executor_new_threads(k_pool);
    aloop_future *all[n];
    for (int i = 0; i < n; i++) {
        all[i] = aloop_run_in_executor(aloop_get_running_loop(), pool, count_at_once, NULL, NULL);
    }
    assert_code(aloop_await(aloop_gather(all, n, 0), NULL), n);
    assert_int_equal(most_at_once, k_pool);
    aloop_unref(pool);
    return 0;
}

static void no_more_threads_than_asked_for(void **state) {
    (void)state;
    in_task(many);
}

static int64_t thread_name(void *buffer, void **value) {
    (void)value;
    return -pthread_getname_np(pthread_self(), buffer, 16);
}

static int64_t names(void *unused, void **value) {
    (void)unused;
    (void)value;
    char name[16] = "";
    assert_code(aloop_await(aloop_to_thread(thread_name, name, NULL), NULL), 0);
    assert_string_equal(name, "asyncio_0");
    aloop_executor *pool = aloop_executor_new_threads(1);
    assert_code(aloop_executor_set_name(pool, "a very long name"), 0);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_await(aloop_run_in_executor(loop, pool, thread_name, name, NULL), NULL), 0);
    assert_string_equal(name, "a very long_0");
    aloop_unref(pool);
    return 0;
}

static void threads_have_names(void **state) {
    (void)state;
    in_task(names);
}

static sem_t go_on;

static int64_t wait_for_test(void *unused, void **value) {
    (void)unused;
    (void)value;
    sem_post(&started);
    sem_wait(&go_on);
    return 0;
}

static int64_t bounded(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_executor *pool = aloop_executor_new_threads(1);
    assert_code(aloop_executor_set_max_queue(pool, 1), 0);
    aloop_future *first = aloop_run_in_executor(loop, pool, wait_for_test, NULL, NULL);
    sem_wait(&started);
    aloop_future *second = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
    int freed = 0;
    assert_failed(aloop_run_in_executor(loop, pool, do_nothing, &freed, count_free),
                  ALOOP_EQUEUEFULL);
    let_run(2);
    assert_int_equal(freed, 1);
    sem_post(&go_on);
    assert_code(aloop_await(first, NULL), 0);
    assert_code(aloop_await(second, NULL), 0);
    aloop_unref(pool);
    return 0;
}

/* No job may wait: as many as there may be threads are taken, started or not. */
static int64_t no_queue(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_executor *pool = aloop_executor_new_threads(2);
    assert_code(aloop_executor_set_max_queue(pool, 0), 0);
    for (int i = 0; i < 20; i++) {
        aloop_future *first = aloop_run_in_executor(loop, pool, wait_for_test, NULL, NULL);
        aloop_future *second = aloop_run_in_executor(loop, pool, wait_for_test, NULL, NULL);
        assert_failed(aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL), ALOOP_EQUEUEFULL);
        sem_wait(&started);
        sem_post(&go_on);
        sem_wait(&started);
        sem_post(&go_on);
        assert_code(aloop_await(first, NULL), 0);
        assert_code(aloop_await(second, NULL), 0);
    }
    aloop_unref(pool);
    return 0;
}

static void the_queue_may_be_none(void **state) {
    (void)state;
    in_task(no_queue);
}

static void the_queue_is_bounded(void **state) {
    (void)state;
    in_task(bounded);
}

static int64_t shuts_down(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_executor *pool = aloop_executor_new_threads(2);
    int n = 3;
    loop_thread = pthread_self();
    aloop_future *f = aloop_run_in_executor(loop, pool, square, &n, NULL);
    assert_code(aloop_await(aloop_executor_shutdown(pool, -1), NULL), 0);
    assert_code(aloop_future_done(f), 1); /* what was accepted runs */
    assert_code(aloop_await(f, NULL), 9);
    assert_failed(aloop_run_in_executor(loop, pool, square, &n, NULL), ALOOP_ESHUTDOWN);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
    aloop_unref(pool);
    assert_failed(aloop_executor_shutdown(NULL, 0), ALOOP_EINVAL);

    assert_code(aloop_await(aloop_to_thread(do_nothing, NULL, NULL), NULL), 0);
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, -1), NULL), 0);
    assert_code(aloop_await(aloop_to_thread(do_nothing, NULL, NULL), NULL), ALOOP_ESHUTDOWN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "Executor shutdown has been called");
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, 1), NULL), 0);
    return 0;
}

static void a_shutdown_takes_no_more(void **state) {
    (void)state;
    in_task(shuts_down);
}

/* The thread is gone before its end is asked for, and the loop has not seen its last job's
 * outcome yet: that comes first. */
static int64_t gone_already(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int before = thread_count();
    aloop_executor *pool = aloop_executor_new_threads(1);
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *f = aloop_run_in_executor(loop, pool, wait_for_test, NULL, NULL);
    sem_wait(&started);
    aloop_future *given_up = aloop_ensure_future(aloop_executor_shutdown(pool, -1));
    let_run(2);
    assert_code(aloop_future_cancel(given_up, NULL), 1);
    assert_code(aloop_await(given_up, NULL), ALOOP_ECANCELED);
    sem_post(&go_on);
    while (thread_count() > before) nap(0.001);
    assert_code(aloop_await(aloop_executor_shutdown(pool, -1), NULL), 0);
    assert_code(aloop_future_done(f), 1);
    assert_code(aloop_await(f, NULL), 0);
    aloop_unref(pool);
    return 0;
}

static void a_shutdown_comes_behind_the_last_outcome(void **state) {
    (void)state;
    in_task(gone_already);
}

static int64_t named_and_blocked(void *unused, void **value) {
    assert_code(aloop_job_set_name("the blocked one"), 0);
    return wait_for_test(unused, value);
}

static struct reports reports;

static int64_t gives_up(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_future *blocked = aloop_run_in_executor(loop, NULL, named_and_blocked, NULL, NULL);
    sem_wait(&started);
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, 0.05), NULL),
                ALOOP_ETIMEDOUT);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()),
                           "Still running: the blocked one in asyncio_0"));
    aloop_unref(blocked);
    return 0;
}

static void wait_until_gone(void) {
    for (bool left = true; left;) {
        nap(0.001);
        left = false;
        for (int32_t k = 0; aloop_debug_stats_name(k) != NULL; k++) {
            if (aloop_debug_stats(k) != 0) left = true;
        }
    }
}

static void a_blocked_job_does_not_hang_the_exit(void **state) {
    (void)state;
    in_task(gives_up); /* its runner closes the loop while the job is blocked */
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.list[0].text, "the blocked one in asyncio_0"));
    sem_post(&go_on); /* the thread ends by itself and frees what is left */
    wait_until_gone();
}

static int64_t cancelled_shutdown(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = aloop_executor_new_threads(1);
    aloop_future *f =
        aloop_run_in_executor(aloop_get_running_loop(), pool, wait_for_test, NULL, NULL);
    sem_wait(&started);
    aloop_future *end = aloop_ensure_future(aloop_executor_shutdown(pool, -1));
    let_run(2);
    assert_code(aloop_future_cancel(end, NULL), 1);
    assert_code(aloop_await(end, NULL), ALOOP_ECANCELED);
    char text[128];
    const int64_t length = aloop_executor_running(pool, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_int_equal(aloop_executor_running(pool, NULL, 0), length);
    assert_non_null(strstr(text, " in aloop_0"));
    sem_post(&go_on);
    assert_code(aloop_await(f, NULL), 0);
    aloop_unref(pool);
    return 0;
}

static void a_shutdown_may_be_cancelled(void **state) {
    (void)state;
    in_task(cancelled_shutdown);
}

static void closing_with_jobs_under_way(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_executor *pool = aloop_executor_new_threads(1);
    int freed = 0;
    aloop_unref(aloop_run_in_executor(loop, pool, wait_for_test, &freed, count_free));
    aloop_future *kept = aloop_run_in_executor(loop, pool, do_nothing, &freed, count_free);
    sem_wait(&started);
    close_loop(loop);
    assert_int_equal(freed, 1); /* what was queued went with the loop */
    aloop_unref(kept);
    aloop_unref(pool);
    sem_post(&go_on);
    wait_until_gone();
    assert_int_equal(freed, 2);
}

static void bad_executors(void **state) {
    (void)state;
    assert_null(aloop_executor_new_threads(-1));
    assert_code(aloop_executor_set_name(NULL, "x"), ALOOP_EINVAL);
    assert_code(aloop_executor_set_max_queue(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_executor_running(NULL, NULL, 0), ALOOP_EINVAL);
    assert_null(aloop_executor_shutdown(NULL, 1));
    assert_null(aloop_executor_new_custom(NULL, NULL, NULL));
    assert_code(aloop_job_run(NULL), ALOOP_EINVAL);
    assert_code(aloop_job_drop(NULL), ALOOP_EINVAL);
    assert_code(aloop_job_set_name(NULL), ALOOP_EINVAL);
    assert_null(aloop_loop_shutdown_default_executor(NULL, 1));
    aloop_executor *pool = aloop_executor_new_threads(0);
    assert_code(aloop_executor_set_max_queue(pool, -1), ALOOP_EINVAL);
    assert_code(aloop_executor_set_name(pool, NULL), ALOOP_EINVAL);
    assert_code(aloop_executor_running(pool, NULL, 1), ALOOP_EINVAL);
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_set_default_executor(loop, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_set_default_executor(NULL, pool), ALOOP_EINVAL);
    assert_failed(aloop_loop_shutdown_default_executor(loop, NAN), ALOOP_EINVAL);
    assert_code(aloop_loop_set_default_executor(loop, pool), 0);
    assert_code(aloop_loop_set_default_executor(loop, pool), 0);
    aloop_unref(pool);
    close_loop(loop);
}

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(runs_in_a_thread),
        CASE(errors_come_back),
        CASE(values_belong_to_the_taker),
        CASE(the_argument_is_freed_once),
        CASE(to_thread_copies_the_context),
        CASE(a_cancelled_job_leaves_the_queue_or_is_told),
        CASE(a_timeout_tells_the_job),
        CASE(no_more_threads_than_asked_for),
        CASE(threads_have_names),
        CASE(the_queue_is_bounded),
        CASE(the_queue_may_be_none),
        CASE(a_shutdown_takes_no_more),
        CASE(a_shutdown_comes_behind_the_last_outcome),
        CASE(a_blocked_job_does_not_hang_the_exit),
        CASE(a_shutdown_may_be_cancelled),
        CASE(closing_with_jobs_under_way),
        CASE(bad_executors),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
