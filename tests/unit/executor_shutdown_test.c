/* executor.h: the end of executors, whatever their jobs do.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
        for (int k = 0; k < 4; k++) {
            all[k] = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
        }
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

/* Jobs that end their thread --------------------------------------------------------------- */

static int64_t end_thread(void *unused, void **value) {
    (void)unused;
    (void)value;
    (void)aloop_raise(ALOOP_EUSER - 1, "left behind");
    pthread_exit(NULL);
}

/* Heard when the job has returned, and not by what the pool does after that. */
static int64_t cancel_thread(void *unused, void **value) {
    (void)unused;
    (void)value;
    pthread_cancel(pthread_self());
    return 7;
}

static int64_t threads_end(void *job, void **value) {
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    int freed = 0;
    for (int i = 0; i < 3; i++) {
        aloop_executor *pool = aloop_executor_new_threads(1);
        aloop_future *lost =
            aloop_run_in_executor(loop, pool, *(aloop_job_fn *)job, &freed, count_free);
        aloop_future *next =
            i > 0 ? aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL) : NULL;
        if (i == 2) assert_code(aloop_await(aloop_executor_shutdown(pool, k_hang), NULL), 0);
        assert_code(aloop_await(lost, NULL), ALOOP_EBROKENPOOL);
        assert_string_equal(aloop_error_message(aloop_last_error()),
                            "the job ended the thread that ran it");
        if (next != NULL) assert_code(aloop_await(next, NULL), 7);
        if (i < 2) {
            aloop_future *f = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
            assert_code(aloop_await(f, NULL), 7);
        }
        if (i == 1) assert_code(aloop_await(aloop_executor_shutdown(pool, 0), NULL), 0);
        aloop_unref(pool);
    }
    assert_int_equal(freed, 3);
    return 0;
}

static void a_job_that_ends_its_thread(void **state) {
    (void)state;
    aloop_job_fn jobs[] = {end_thread, cancel_thread};
    for (int i = 0; i < 2; i++) assert_code(run_virtual(threads_end, &jobs[i], NULL), 0);
}

static int64_t no_thread(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_await(aloop_to_thread(do_nothing, NULL, NULL), NULL), -EAGAIN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "the executor has no thread for it, and none can be started");
    return 0;
}

static void a_thread_that_cannot_be_started(void **state) {
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        const struct rlimit none = {0, 0};
        if (setresuid(65534, 65534, 65534) != 0 && geteuid() == 0) _exit(1);
        setrlimit(RLIMIT_NPROC, &none);
        _exit(aloop_run(no_thread, NULL, NULL) != 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Programs that end ------------------------------------------------------------------------- */

static int is_ending;

/* LeakSanitizer asks. A program that ends inside of a job leaves what the loop has. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_ending; }

static void nap_at_exit(void) {
    const struct timespec while_others_run = {0, 200000000};
    nanosleep(&while_others_run, NULL);
}

static int64_t exit_in_job(void *unused, void **value) {
    (void)unused;
    (void)value;
    atexit(nap_at_exit);
    exit(42);
}

static int64_t await_exit(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_await(aloop_to_thread(exit_in_job, NULL, NULL), NULL);
    _exit(1); /* beside the exit that is under way */
}

static int64_t blocked_for_ever(void *unused, void **value) {
    (void)unused;
    (void)value;
    sem_post(&started);
    while (pause() < 0) {
    }
    return 0;
}

static int64_t leave_blocked(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_unref(aloop_run_in_executor(loop, NULL, blocked_for_ever, NULL, NULL));
    sem_wait(&started);
    const int64_t status = aloop_await(aloop_loop_shutdown_default_executor(loop, 0.05), NULL);
    return status == ALOOP_ETIMEDOUT && reports.count == 1 ? 43 : 1;
}

static void assert_program_ends(aloop_coro_fn fn, int wanted) {
    const pid_t pid = fork();
    if (pid == 0) {
        is_ending = 1;
        alarm(k_hang);
        exit((int)aloop_run(fn, NULL, NULL));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
}

static void a_job_that_ends_the_program(void **state) {
    (void)state;
    assert_program_ends(await_exit, 42);
}

static void a_program_ends_beside_a_blocked_job(void **state) {
    (void)state;
    assert_program_ends(leave_blocked, 43);
}

/* Executors of the program's own, which answer as they please ----------------------------- */

enum answer { k_run, k_run_and_refuse, k_run_twice, k_drop, k_drop_and_refuse, k_refuse, k_keep };

struct counter_clerk {
    enum answer how;
    aloop_job *kept;
};

static int64_t answer_at_once(void *data, aloop_job *job) {
    struct counter_clerk *c = data;
    switch (c->how) {
    case k_run: return aloop_job_run(job);
    case k_run_and_refuse: assert_code(aloop_job_run(job), 0); return ALOOP_EUSER - 1;
    case k_run_twice:
        assert_code(aloop_job_run(job), 0);
        assert_code(aloop_job_run(job), ALOOP_EINVALIDSTATE);
        assert_code(aloop_job_drop(job), ALOOP_EINVALIDSTATE);
        return 0;
    case k_drop: return aloop_job_drop(job);
    case k_drop_and_refuse: assert_code(aloop_job_drop(job), 0); return ALOOP_EUSER - 1;
    case k_refuse: return ALOOP_EUSER - 1;
    default: c->kept = job; return 0;
    }
}

static int64_t drop_in_withdraw(void *data, aloop_job *job) {
    struct counter_clerk *c = data;
    assert_ptr_equal(c->kept, job);
    assert_code(aloop_job_drop(job), 0);
    return 1;
}

static int64_t answered_in_submit(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const aloop_executor_vtable table = {answer_at_once, drop_in_withdraw, NULL};
    struct counter_clerk clerk = {k_run, NULL};
    aloop_executor *e = aloop_executor_new_custom(&table, &clerk, NULL);
    const int64_t outcomes[] = {7, 7, 7, ALOOP_ECANCELED, ALOOP_ECANCELED, ALOOP_EUSER - 1};
    int freed = 0;
    for (int i = 0; i < 6; i++) {
        clerk.how = (enum answer)i;
        aloop_future *f = aloop_run_in_executor(loop, e, do_nothing, &freed, count_free);
        assert_code(aloop_await(f, NULL), outcomes[i]);
        let_run(2);
        assert_int_equal(freed, i + 1);
    }
    clerk.how = k_keep;
    aloop_future *f = aloop_run_in_executor(loop, e, do_nothing, &freed, count_free);
    assert_code(aloop_future_cancel(f, NULL), 1);
    assert_code(aloop_await(f, NULL), ALOOP_ECANCELED);
    let_run(4);
    assert_int_equal(freed, 7);
    aloop_unref(e);
    return 0;
}

static void a_job_is_answered_once(void **state) {
    (void)state;
    in_task(answered_in_submit);
}

/* A thread for each job. */
static void *run_in_thread(void *job) {
    sem_wait(&go_on);
    assert_code(aloop_job_run(job), 0);
    return NULL;
}

static int64_t start_thread(void *unused, aloop_job *job) {
    (void)unused;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, job), 0);
    return pthread_detach(thread);
}

static int64_t let_two_go(void *unused) {
    (void)unused;
    for (int i = 0; i < 2; i++) sem_post(&go_on);
    return 0;
}

static int64_t named(void *answered, void **value) {
    (void)value;
    __atomic_add_fetch((int *)answered, 1, __ATOMIC_RELAXED); /* in several threads */
    return aloop_job_cancelled() ? 9 : 8;
}

/* The end waits for what the executor has taken, its time permitting. */
static int64_t end_of_threads(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    const aloop_executor_vtable table = {start_thread, NULL, NULL};
    for (int late = 0; late < 2; late++) {
        aloop_executor *e = aloop_executor_new_custom(&table, NULL, NULL);
        int count = 0;
        aloop_future *all[2];
        for (int i = 0; i < 2; i++) all[i] = aloop_run_in_executor(loop, e, named, &count, NULL);
        char names[64];
        assert_true(aloop_executor_running(e, names, sizeof names) > 0);
        if (late) {
            assert_code(aloop_await(aloop_executor_shutdown(e, 0.05), NULL), ALOOP_ETIMEDOUT);
            assert_int_equal(count, 0);
        }
        aloop_loop_call_later(loop, 0.02, let_two_go, NULL, NULL);
        assert_code(aloop_await(aloop_executor_shutdown(e, late ? -1 : k_hang), NULL), 0);
        assert_int_equal(count, 2);
        for (int i = 0; i < 2; i++) {
            assert_code(aloop_future_done(all[i]), 1);
            assert_code(aloop_await(all[i], NULL), 8 + late);
        }
        assert_code(aloop_executor_running(e, names, sizeof names), 0);
        assert_code(aloop_await(aloop_executor_shutdown(e, 0), NULL), 0);
        aloop_unref(e);
    }
    assert_int_equal(reports.count, 1);
    return 0;
}

static void an_executor_of_the_program_ends_with_its_jobs(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, end_of_threads, NULL), 0);
    close_loop(loop);
}

static int64_t as_the_default(void *count, void **value) {
    (void)value;
    const aloop_executor_vtable table = {start_thread, NULL, NULL};
    aloop_executor *e = aloop_executor_new_custom(&table, NULL, NULL);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_default_executor(loop, e), 0);
    aloop_unref(e);
    aloop_unref(aloop_run_in_executor(loop, NULL, named, count, NULL));
    sem_post(&go_on);
    return 0;
}

static void the_end_of_a_run_waits_for_it(void **state) {
    (void)state;
    int count = 0;
    assert_code(aloop_run(as_the_default, &count, NULL), 0);
    assert_int_equal(count, 1);
}

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(idle_threads_are_no_work),
        CASE(the_report_counts_what_had_not_begun),
        CASE(a_job_that_ends_its_thread),
        CASE(a_thread_that_cannot_be_started),
        CASE(a_job_that_ends_the_program),
        CASE(a_program_ends_beside_a_blocked_job),
        CASE(a_job_is_answered_once),
        CASE(an_executor_of_the_program_ends_with_its_jobs),
        CASE(the_end_of_a_run_waits_for_it),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
