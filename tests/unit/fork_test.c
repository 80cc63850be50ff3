/* loops and executors in a forked child.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(double seconds) {
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t do_nothing(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 0;
}

static int64_t do_nothing_soon(void *unused) {
    (void)unused;
    return 0;
}

static sem_t started;
static sem_t go_on;

static int64_t wait_for_test(void *unused, void **value) {
    (void)unused;
    (void)value;
    sem_post(&started);
    sem_wait(&go_on);
    return 0;
}

static int64_t stop_host(void *loop) { return aloop_loop_stop(loop); }

static void *post_a_little_later(void *loop) {
    nap(0.02);
    assert_true(aloop_loop_call_soon_threadsafe(loop, stop_host, loop, NULL) > 0);
    return NULL;
}

/* The child has the parent's epoll set before it makes its own. */
static void a_renewed_child_leaves_the_parent_alone(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_true(aloop_loop_backend_fd(loop) >= 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit(aloop_loop_after_fork(loop) != 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, post_a_little_later, loop);
    const double began = clock_now();
    assert_true(aloop_loop_run_once(loop, k_hang) >= 0);
    assert_true(clock_now() - began < k_hang); /* the post woke it */
    pthread_join(thread, NULL);
    close_loop(loop);
}

static void jobs_of_a_forked_parent(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_unref(aloop_run_in_executor(loop, NULL, wait_for_test, NULL, NULL));
    sem_wait(&started);
    let_threads_rest();
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        int wrong = aloop_loop_run_once(loop, 0) != ALOOP_ECHILD;
        wrong += aloop_loop_after_fork(loop) != 0;
        aloop_loop_run_once(loop, 0);
        aloop_future *f = aloop_run_in_executor(loop, NULL, do_nothing, NULL, NULL);
        wrong += aloop_loop_run_until_complete(loop, f, NULL) != 0;
        wrong += aloop_loop_close(loop) != 0;
        _exit(wrong);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sem_post(&go_on);
    aloop_future *f = aloop_loop_shutdown_default_executor(loop, k_hang);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    close_loop(loop);
}

/* Runs fn in a child and asserts that it gives 0. */
static void assert_in_child_of(int (*fn)(void *), void *arg, bool beside_busy_threads) {
    if (!beside_busy_threads) let_threads_rest();
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit(fn(arg));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void assert_in_child(int (*fn)(void *), void *arg) { assert_in_child_of(fn, arg, false); }

struct pool_case {
    aloop_loop *loop;
    aloop_executor *pool;
};

static int64_t end_pool(void *data, void **value) {
    (void)value;
    return aloop_await(aloop_executor_shutdown(data, -1), NULL);
}

/* Its threads are the parent's: nothing may wait for them. */
static int use_and_drop_pool(void *data) {
    struct pool_case *c = data;
    int wrong = aloop_executor_running(c->pool, NULL, 0) != ALOOP_ECHILD;
    wrong += aloop_executor_set_name(c->pool, "x") != ALOOP_ECHILD;
    wrong += aloop_executor_set_max_queue(c->pool, 1) != ALOOP_ECHILD;
    wrong += aloop_run(end_pool, c->pool, NULL) != ALOOP_ECHILD;
    wrong += aloop_loop_after_fork(c->loop) != 0;
    wrong += aloop_loop_set_default_executor(c->loop, c->pool) != ALOOP_ECHILD;
    aloop_future *f = aloop_run_in_executor(c->loop, c->pool, do_nothing, NULL, NULL);
    wrong += aloop_loop_run_until_complete(c->loop, f, NULL) != ALOOP_ECHILD;
    f = aloop_run_in_executor(c->loop, NULL, do_nothing, NULL, NULL);
    wrong += aloop_loop_run_until_complete(c->loop, f, NULL) != 0;
    aloop_unref(c->pool);
    wrong += aloop_loop_close(c->loop) != 0;
    return wrong;
}

static void idle_threads_of_a_forked_parent(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_executor *pool = aloop_executor_new_threads(2);
    aloop_future *f = aloop_run_in_executor(loop, NULL, do_nothing, NULL, NULL);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    f = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    struct pool_case c = {loop, pool};
    assert_in_child(use_and_drop_pool, &c);
    f = aloop_run_in_executor(loop, pool, do_nothing, NULL, NULL);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    aloop_unref(pool);
    close_loop(loop);
}

/* What a child has of a loop and a pool once it has given all of them up. */
static int given_up(struct pool_case *c) {
    aloop_unref(c->pool);
    int wrong = aloop_loop_close(c->loop) != 0;
    aloop_loop_unref(c->loop);
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) wrong += aloop_debug_stats(i) != 0;
    return wrong;
}

struct jobs_case {
    struct pool_case all;
    aloop_future *done, *runs;
    int freed;
};

static int drop_jobs(void *data) {
    struct jobs_case *c = data;
    int wrong = aloop_loop_after_fork(c->all.loop) != 0;
    aloop_unref(c->done);
    aloop_unref(c->runs);
    wrong += given_up(&c->all);
    return wrong + 100 * (c->freed != 2);
}

/* One stands in the inbox of the loop, the other is in the hands of a thread. */
static void a_job_on_its_way_home(void **state) {
    (void)state;
    struct jobs_case c = {{real_loop(), aloop_executor_new_threads(1)}, NULL, NULL, 0};
    c.done = aloop_run_in_executor(c.all.loop, c.all.pool, do_nothing, &c.freed, count_free);
    c.runs = aloop_run_in_executor(c.all.loop, c.all.pool, wait_for_test, &c.freed, count_free);
    sem_wait(&started);
    assert_in_child(drop_jobs, &c);
    sem_post(&go_on);
    assert_code(aloop_loop_run_until_complete(c.all.loop, c.runs, NULL), 0);
    assert_int_equal(aloop_future_done(c.done), 1);
    aloop_unref(c.done);
    aloop_unref(c.all.pool);
    close_loop(c.all.loop);
    assert_int_equal(c.freed, 2);
}

static int drop_shutdown(void *data) {
    struct jobs_case *c = data;
    int wrong = aloop_loop_after_fork(c->all.loop) != 0;
    aloop_unref(c->done);
    aloop_unref(c->runs);
    return wrong + given_up(&c->all);
}

/* A shutdown of the parent's waits for threads that the child does not have. */
static void a_shutdown_under_way(void **state) {
    (void)state;
    struct jobs_case c = {{real_loop(), aloop_executor_new_threads(1)}, NULL, NULL, 0};
    struct reports reports = {0};
    capture_reports(c.all.loop, &reports); /* the child loses its task */
    c.runs = aloop_run_in_executor(c.all.loop, c.all.pool, wait_for_test, NULL, NULL);
    sem_wait(&started);
    c.done = aloop_loop_create_task(c.all.loop, end_pool, c.all.pool);
    for (int i = 0; i < 3; i++) assert_true(aloop_loop_run_once(c.all.loop, 0) >= 0);
    assert_in_child(drop_shutdown, &c);
    sem_post(&go_on);
    assert_code(aloop_loop_run_until_complete(c.all.loop, c.done, NULL), 0);
    aloop_unref(c.runs);
    aloop_unref(c.all.pool);
    close_loop(c.all.loop);
    assert_int_equal(reports.count, 0);
}

static int64_t seven(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    return 7;
}

static int drop_processes(void *data) {
    struct pool_case *c = data;
    int wrong = aloop_loop_after_fork(c->loop) != 0;
    aloop_future *f = aloop_run_in_process(c->loop, c->pool, seven, "", 0);
    wrong += aloop_loop_run_until_complete(c->loop, f, NULL) != ALOOP_ECHILD;
    aloop_executor *own = aloop_executor_new_processes(1);
    f = aloop_run_in_process(c->loop, own, seven, "", 0);
    wrong += aloop_loop_run_until_complete(c->loop, f, NULL) != 7;
    aloop_unref(own);
    const int before = open_descriptors();
    aloop_unref(c->pool);
    wrong += open_descriptors() >= before; /* its copies of the parent's sockets */
    wrong += aloop_loop_close(c->loop) != 0;
    return wrong;
}

static void idle_processes_of_a_forked_parent(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    struct pool_case c = {loop, aloop_executor_new_processes(1)};
    aloop_future *f = aloop_run_in_process(loop, c.pool, seven, "", 0);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 7);
    assert_in_child(drop_processes, &c);
    f = aloop_run_in_process(loop, c.pool, seven, "", 0);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 7);
    aloop_unref(c.pool);
    close_loop(loop);
}

static pid_t forked_by_job;
static int is_child_of_a_job;

/* LeakSanitizer asks. Such a child ends without the threads whose memory it has a copy of. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_child_of_a_job; }

/* The child has this thread alone, and no pool that it belongs to. */
static int64_t fork_in_job(void *unused, void **value) {
    (void)unused;
    (void)value;
    let_threads_rest(); /* the loop's */
    forked_by_job = fork();
    if (forked_by_job == 0) {
        is_child_of_a_job = 1;
        alarm(k_hang);
    }
    return 3;
}

static void a_job_that_forks_and_returns(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_future *f = aloop_run_in_executor(loop, NULL, fork_in_job, NULL, NULL);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 3);
    int status = -1;
    assert_int_equal(waitpid(forked_by_job, &status, 0), forked_by_job);
    assert_int_equal(status, 0);
    close_loop(loop);
}

static void *wait_there(void *future) {
    assert_code(aloop_thread_future_wait(future, k_hang), 4);
    return NULL;
}

static int64_t four(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 4;
}

struct coroutine_case {
    aloop_loop *loop;
    aloop_thread_future *future;
};

static int drop_thread_future(void *data) {
    struct coroutine_case *c = data;
    int wrong = aloop_thread_future_wait(c->future, -1) != ALOOP_ECHILD;
    wrong += aloop_thread_future_cancel(c->future) != ALOOP_ECHILD;
    wrong += aloop_thread_future_done(c->future) != 0;
    wrong += aloop_loop_after_fork(c->loop) != 0;
    wrong += aloop_thread_future_wait(c->future, -1) != ALOOP_ECANCELED;
    aloop_unref(c->future);
    wrong += aloop_loop_close(c->loop) != 0;
    return wrong;
}

static void a_coroutine_that_a_thread_waits_for(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_thread_future *future = aloop_run_coroutine_threadsafe(loop, four, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_there, future);
    struct coroutine_case c = {loop, future};
    assert_in_child(drop_thread_future, &c);
    while (aloop_thread_future_done(future) == 0) aloop_loop_run_once(loop, 0.01);
    pthread_join(thread, NULL);
    aloop_unref(future);
    aloop_loop_run_once(loop, 0);
    close_loop(loop);
}

static aloop_loop *forking_loop;
static pid_t forked;

static int64_t must_not_run(void *unused) {
    (void)unused;
    _exit(99);
}

/* Forks on its fiber. Gives the wrong answers that the child got. */
static int64_t fork_inside(void *unused, void **value) {
    (void)unused;
    (void)value;
    forked = fork();
    if (forked != 0) return aloop_await(aloop_sleep(0), NULL);
    alarm(k_hang);
    int64_t wrong = aloop_get_running_loop() != NULL;
    wrong += aloop_loop_after_fork(forking_loop) != ALOOP_ELOOPRUNNING;
    wrong += aloop_await(aloop_sleep(0), NULL) >= 0;
    wrong += aloop_loop_call_soon(forking_loop, must_not_run, NULL, NULL) != ALOOP_ECHILD;
    return wrong == 0 ? 17 : 0;
}

static int64_t do_something(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_await(aloop_sleep(0.001), NULL) + 5;
}

static void child_of_a_task(aloop_task *task, int64_t ran) {
    int wrong = ran != ALOOP_ECHILD;
    wrong += 2 * (aloop_future_cancelled(task) >= 0);
    wrong += 4 * (aloop_loop_after_fork(forking_loop) != 0);
    aloop_task *new_task = aloop_loop_create_task(forking_loop, do_something, NULL);
    wrong += 8 * (aloop_loop_run_until_complete(forking_loop, new_task, NULL) != 5);
    wrong += 16 * (aloop_loop_close(forking_loop) != 0);
    _exit(wrong);
}

static void a_task_that_forks(void **state) {
    (void)state;
    forking_loop = real_loop();
    forked = -1;
    aloop_task *task = aloop_loop_create_task(forking_loop, fork_inside, NULL);
    const pid_t parent = getpid();
    assert_true(aloop_loop_call_soon(forking_loop, do_nothing_soon, NULL, NULL) > 0);
    const int64_t ran = aloop_loop_run_until_complete(forking_loop, aloop_ref(task), NULL);
    if (getpid() != parent) child_of_a_task(task, ran);
    assert_code(ran, 0);
    int status = 0;
    assert_int_equal(waitpid(forked, &status, 0), forked);
    assert_int_equal(status, 0);
    aloop_unref(task);
    close_loop(forking_loop);
}

/* Whatever another thread holds while this one forks, the child finds it free; but for the
 * sanitizers' own locks, which are not made for it: the child may hang in malloc. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool k_forks_beside_busy_threads = false;
#else
static const bool k_forks_beside_busy_threads = true;
#endif

static int churn_is_over;
static sem_t job_may_end;

static void *churn(void *pool) {
    char names[256];
    while (!__atomic_load_n(&churn_is_over, __ATOMIC_RELAXED)) {
        for (int i = 0; i < 1000; i++) aloop_debug_stats(1); /* sums over all loops */
        for (int i = 0; i < 100; i++) aloop_executor_running(pool, names, sizeof names);
        aloop_loop *loop = NULL;
        assert_code(aloop_loop_new(&loop, NULL), 0);
        assert_true(aloop_loop_add_signal_handler(loop, SIGUSR1, do_nothing_soon, NULL, NULL) >= 0);
        close_loop(loop);
    }
    return NULL;
}

static int64_t wait_to_end(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_job_set_name("waits");
    sem_post(&started);
    sem_wait(&job_may_end);
    return 0;
}

static int64_t name_and_show(void *pool, void **value) {
    (void)value;
    aloop_job_set_name("of the child");
    char names[256];
    return aloop_executor_running(pool, names, sizeof names) > 0 ? 6 : 0;
}

static int use_all_of_it(void *unused) {
    (void)unused;
    aloop_loop *loop = NULL;
    if (aloop_loop_new(&loop, NULL) < 0) return 1;
    if (aloop_loop_add_signal_handler(loop, SIGUSR1, do_nothing_soon, NULL, NULL) < 0) return 2;
    aloop_executor *pool = aloop_executor_new_threads(1);
    aloop_future *f = aloop_run_in_executor(loop, pool, name_and_show, pool, NULL);
    if (aloop_loop_run_until_complete(loop, f, NULL) != 6) return 3;
    aloop_unref(pool);
    if (aloop_debug_stats(1) < 0) return 4;
    return aloop_loop_close(loop) < 0 ? 5 : 0;
}

static void a_fork_beside_busy_threads(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_executor *pool = aloop_executor_new_threads(1);
    sem_init(&job_may_end, 0, 0);
    aloop_future *f = aloop_run_in_executor(loop, pool, wait_to_end, NULL, NULL);
    sem_wait(&started);
    churn_is_over = !k_forks_beside_busy_threads;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, churn, pool);
    for (int i = 0; i < 100; i++) {
        assert_in_child_of(use_all_of_it, NULL, k_forks_beside_busy_threads);
    }
    __atomic_store_n(&churn_is_over, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    sem_post(&job_may_end);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
    sem_destroy(&job_may_end);
    aloop_unref(pool);
    close_loop(loop);
}

/* Another thread is in the middle of a task of the loop when this one forks. */
struct busy_case {
    aloop_loop *loop;
    aloop_task *task;
    aloop_queue *queue;
    int freed;
    int taken;
};

static int64_t use_and_wait(void *data, void **value) {
    (void)value;
    struct busy_case *c = data;
    void *item = NULL;
    assert_code(aloop_await(aloop_queue_put(c->queue, &c->freed), NULL), 0);
    assert_code(aloop_await(aloop_queue_put(c->queue, &c->freed), NULL), 0);
    assert_code(aloop_await(aloop_queue_get(c->queue), &item), 0); /* kept at hand now */
    sem_post(&started);
    sem_wait(&go_on);
    return 0;
}

static void *run_busy(void *data) {
    struct busy_case *c = data;
    assert_code(aloop_loop_run_until_complete(c->loop, c->task, NULL), 0);
    return NULL;
}

static int64_t give_counter(void *counter, void **value) {
    (void)value;
    return aloop_return(9, counter, count_free);
}

static int use_the_rest(void *data) {
    struct busy_case *c = data;
    int wrong = aloop_loop_after_fork(c->loop) != 0;
    aloop_unref(c->queue);
    wrong += 2 * (c->freed != 1);
    /* A value that nobody takes is freed on the loop's own stack, and at once. */
    aloop_task *task = aloop_loop_create_task(c->loop, give_counter, &c->taken);
    wrong += 4 * (aloop_loop_run_until_complete(c->loop, task, NULL) != 9);
    wrong += 8 * (c->taken != 1);
    wrong += 16 * (aloop_loop_close(c->loop) != 0);
    for (int i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        const int queues = strcmp(aloop_debug_stats_name(i), "queue") == 0;
        wrong |= 32 * (queues && aloop_debug_stats(i) != 0);
    }
    return wrong;
}

static void a_loop_that_another_thread_runs(void **state) {
    (void)state;
    struct busy_case c = {.loop = real_loop()};
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_item_free(options, count_free), 0);
    assert_code(aloop_queue_new(&c.queue, options), 0);
    aloop_unref(options);
    c.task = aloop_loop_create_task(c.loop, use_and_wait, &c);
    pthread_t thread;
    pthread_create(&thread, NULL, run_busy, &c);
    sem_wait(&started);
    assert_in_child(use_the_rest, &c);
    sem_post(&go_on);
    pthread_join(thread, NULL);
    aloop_unref(c.queue);
    assert_int_equal(c.freed, 1);
    close_loop(c.loop);
}

/* As a program that failed to execute another one would: nothing of the pool's thread,
 * which is this child's only one, may be touched on the way out. */
static int64_t exit_in_child(void *unused, void **value) {
    (void)unused;
    (void)value;
    if (!k_forks_beside_busy_threads) let_threads_rest();
    const pid_t pid = fork();
    if (pid == 0) {
        is_child_of_a_job = 1;
        alarm(k_hang);
        exit(5);
    }
    int status = -1;
    if (waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

static void a_child_of_a_job_that_exits(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_executor *pool = aloop_executor_new_threads(1);
    churn_is_over = !k_forks_beside_busy_threads;
    pthread_t thread;
    pthread_create(&thread, NULL, churn, pool);
    for (int i = 0; i < 60; i++) {
        aloop_future *f = aloop_run_in_executor(loop, pool, exit_in_child, NULL, NULL);
        assert_code(aloop_loop_run_until_complete(loop, f, NULL), 5);
    }
    __atomic_store_n(&churn_is_over, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    aloop_unref(pool);
    close_loop(loop);
}

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(a_renewed_child_leaves_the_parent_alone),
        CASE(jobs_of_a_forked_parent),
        CASE(idle_threads_of_a_forked_parent),
        CASE(a_job_on_its_way_home),
        CASE(a_shutdown_under_way),
        CASE(idle_processes_of_a_forked_parent),
        CASE(a_job_that_forks_and_returns),
        CASE(a_coroutine_that_a_thread_waits_for),
        CASE(a_task_that_forks),
        CASE(a_fork_beside_busy_threads),
        CASE(a_child_of_a_job_that_exits),
        CASE(a_loop_that_another_thread_runs),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
