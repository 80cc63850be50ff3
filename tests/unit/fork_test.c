/* loops and executors in a forked child.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
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
        alarm(20);
        _exit(aloop_loop_after_fork(loop) != 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, post_a_little_later, loop);
    const double began = clock_now();
    assert_true(aloop_loop_run_once(loop, 10) >= 0);
    assert_true(clock_now() - began < 5);
    pthread_join(thread, NULL);
    close_loop(loop);
}

static void jobs_of_a_forked_parent(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_unref(aloop_run_in_executor(loop, NULL, wait_for_test, NULL, NULL));
    sem_wait(&started);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
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
    aloop_future *f = aloop_loop_shutdown_default_executor(loop, 5);
    assert_code(aloop_loop_run_until_complete(loop, f, NULL), 0);
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
    alarm(20);
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

int main(void) {
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    prepare_suite();
    const struct CMUnitTest cases[] = {
        CASE(a_renewed_child_leaves_the_parent_alone),
        CASE(jobs_of_a_forked_parent),
        CASE(a_task_that_forks),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
