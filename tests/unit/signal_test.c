/* Signals: add_signal_handler and its hub.
 * SPDX-License-Identifier: MIT */
#include "handlers.h"
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void earlier_with_info(int signum, siginfo_t *info, void *context) {
    (void)signum;
    (void)context;
    if (info->si_pid == getpid()) earlier_calls++;
}

static void run_some(aloop_loop *loop) {
    for (int i = 0; i < 3; i++) aloop_loop_run_once(loop, 0);
}

static void subscribe(aloop_loop *loop, int signum, aloop_callback_fn fn, void *data,
                      aloop_free_fn free_fn) {
    assert_code(aloop_loop_add_signal_handler(loop, signum, fn, data, free_fn), 0);
}

/* A loop that listens to SIGUSR1. */
static aloop_loop *listening(aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    aloop_loop *loop = virtual_loop();
    subscribe(loop, SIGUSR1, fn, data, free_fn);
    return loop;
}

/* Raises it and lets the loop see to it. */
static void raise_in(aloop_loop *loop) {
    raise(SIGUSR1);
    run_some(loop);
}

static void runs_as_a_callback(void **state) {
    (void)state;
    int calls = 0;
    int freed = 0;
    aloop_loop *loop = listening(count_call, &calls, NULL);
    raise(SIGUSR1);
    assert_int_equal(calls, 0);
    run_some(loop);
    assert_int_equal(calls, 1);
    subscribe(loop, SIGUSR2, count_call, &freed, count_free);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR2), 1);
    assert_int_equal(freed, 1);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR2), 0);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
    close_loop(loop);
}

static void a_second_add_replaces(void **state) {
    (void)state;
    int first = 0;
    int second = 0;
    aloop_loop *loop = listening(count_call, &first, NULL);
    subscribe(loop, SIGUSR1, count_call, &second, NULL);
    raise_in(loop);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
    close_loop(loop);
}

static void nothing_runs_after_removal(void **state) {
    (void)state;
    int calls = 0;
    aloop_loop *loop = listening(count_call, &calls, NULL);
    raise(SIGUSR1);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
    run_some(loop);
    assert_int_equal(calls, 0);
    subscribe(loop, SIGUSR1, count_call, &calls, NULL);
    raise(SIGUSR1); /* and the close takes what stands in the inbox along */
    close_loop(loop);
    assert_int_equal(calls, 0);
}

/* Until its callback is queued a signal belongs to nobody; then it is that one's. */
static void what_is_queued_still_runs(void **state) {
    (void)state;
    for (int removed = 0; removed < 3; removed++) {
        int old = 0;
        int new = 0;
        aloop_loop *loop = listening(count_call, &old, count_free);
        raise(SIGUSR1);
        aloop_loop_run_once(loop, 0);
        if (removed > 0) assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
        if (removed < 2) {
            subscribe(loop, SIGUSR1, count_call, &new, NULL);
        }
        assert_int_equal(old, 0);
        run_some(loop);
        assert_int_equal(old, 2); /* it and its destructor */
        assert_int_equal(new, 0);
        if (removed < 2) raise(SIGUSR1);
        run_some(loop);
        assert_int_equal(old, 2);
        assert_int_equal(new, removed < 2);
        close_loop(loop);
    }
}

static void the_close_drops_what_is_queued(void **state) {
    (void)state;
    int old = 0;
    int new = 0;
    aloop_loop *loop = listening(count_call, &old, count_free);
    raise(SIGUSR1);
    aloop_loop_run_once(loop, 0);
    subscribe(loop, SIGUSR1, count_call, &new, count_free);
    close_loop(loop);
    assert_int_equal(old, 1); /* the destructor alone */
    assert_int_equal(new, 1);
}

static int64_t replace_on_fiber(void *calls, void **value) {
    (void)value;
    int *counts = calls;
    aloop_loop *loop = aloop_get_running_loop();
    for (int steps = 0; steps < 4; steps++) {
        subscribe(loop, SIGUSR1, count_call, counts, NULL);
        raise(SIGUSR1);
        let_run(steps);
        subscribe(loop, SIGUSR1, count_call, counts + 1, count_free);
        let_run(4);
        assert_int_equal(counts[0] + counts[1], 1 + steps * 2);
        assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
        let_run(4);
    }
    return 0;
}

static void no_signal_is_lost_to_a_replacement(void **state) {
    (void)state;
    int calls[2] = {0, 0};
    assert_code(run_virtual(replace_on_fiber, calls, NULL), 0);
    assert_int_equal(calls[0] + calls[1], 8); /* and four destructors */
}

static void the_earlier_handler_runs_and_comes_back(void **state) {
    (void)state;
    struct sigaction plain = {.sa_handler = earlier};
    struct sigaction with_info = {.sa_flags = SA_SIGINFO};
    with_info.sa_sigaction = earlier_with_info;
    const struct sigaction *kinds[] = {&plain, &with_info};
    for (int i = 0; i < 2; i++) {
        earlier_calls = 0;
        sigaction(SIGUSR1, kinds[i], NULL);
        int calls = 0;
        aloop_loop *loop = listening(count_call, &calls, NULL);
        assert_true(handler_of(SIGUSR1) != kinds[i]->sa_handler);
        kill(getpid(), SIGUSR1);
        assert_int_equal(earlier_calls, 1);
        run_some(loop);
        assert_int_equal(calls, 1);
        close_loop(loop); /* the close removes */
        assert_true(handler_of(SIGUSR1) == kinds[i]->sa_handler);
    }
    signal(SIGUSR1, SIG_DFL);
}

static void a_handler_installed_meanwhile_stays(void **state) {
    (void)state;
    int calls = 0;
    aloop_loop *loop = listening(count_call, &calls, NULL);
    signal(SIGUSR1, earlier);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 1);
    assert_true(handler_of(SIGUSR1) == earlier);
    close_loop(loop);
    signal(SIGUSR1, SIG_DFL);
}

/* Forks --------------------------------------------------------------------------------- */

static int wait_status_of(pid_t pid) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void a_forked_child_gets_what_it_got_before(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    earlier_calls = 0;
    signal(SIGUSR1, earlier);
    signal(SIGUSR2, SIG_IGN);
    const int all[] = {SIGTERM, SIGUSR1, SIGUSR2};
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_loop_add_signal_handler(loop, all[i], count_call, &calls, NULL), 0);
    }
    pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        raise(SIGUSR1);
        raise(SIGUSR2);
        if (earlier_calls != 1) _exit(1);
        raise(SIGTERM);
        _exit(2);
    }
    const int status = wait_status_of(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    run_some(loop);
    assert_int_equal(calls, 0);
    raise(SIGTERM); /* and here nothing has changed */
    run_some(loop);
    assert_int_equal(calls, 1);
    close_loop(loop);
    assert_true(handler_of(SIGUSR1) == earlier);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

/* The child's own loops subscribe, and take their leave, as if the parent's had never. */
static int subscribe_in_child(aloop_loop *inherited) {
    int calls = 0;
    int wrong = 0;
    for (int i = 0; i < 2; i++) {
        aloop_loop *loop = inherited;
        if (i == 0) wrong += aloop_loop_new(&loop, NULL) < 0;
        if (i == 1) wrong += aloop_loop_after_fork(loop) < 0;
        wrong += aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL) < 0;
        raise_in(loop);
        wrong += calls != i + 1;
        wrong += aloop_loop_close(loop) < 0;
        if (i == 0) aloop_unref(loop);
        wrong += handler_of(SIGUSR1) != SIG_DFL;
    }
    return wrong;
}

static void a_forked_child_subscribes_anew(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    int calls = 0;
    subscribe(loop, SIGUSR1, count_call, &calls, NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit(subscribe_in_child(loop));
    }
    assert_int_equal(wait_status_of(pid), 0);
    raise_in(loop);
    assert_int_equal(calls, 1);
    close_loop(loop);
    assert_true(handler_of(SIGUSR1) == SIG_DFL);
}

static void bad_arguments(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    int calls = 0;
    const int refused[] = {-1, 0, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_code(aloop_loop_add_signal_handler(loop, refused[i], count_call, &calls, NULL),
                    ALOOP_EINVAL);
    }
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_add_signal_handler(NULL, SIGUSR1, count_call, &calls, NULL),
                ALOOP_EINVAL);
    assert_code(aloop_loop_remove_signal_handler(NULL, SIGUSR1), ALOOP_EINVAL);
    assert_code(aloop_loop_remove_signal_handler(loop, 0), ALOOP_EINVAL);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), 0);
    assert_code(aloop_loop_close(loop), 0);
    assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL),
                ALOOP_ESTALE);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGUSR1), ALOOP_ESTALE);
    aloop_loop_unref(loop);
}

struct listener {
    int calls;
    pthread_barrier_t *ready;
};

static int64_t note_and_stop(void *data) {
    struct listener *l = data;
    l->calls++;
    return aloop_loop_stop(aloop_get_running_loop());
}

static void *listen_in_thread(void *data) {
    struct listener *l = data;
    aloop_loop *loop = real_loop();
    subscribe(loop, SIGUSR2, note_and_stop, l, NULL);
    pthread_barrier_wait(l->ready);
    assert_code(aloop_loop_run_forever(loop), 0);
    close_loop(loop);
    return NULL;
}

static void many_loops_in_many_threads_listen(void **state) {
    (void)state;
    enum { n = 8 };
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, n + 1);
    struct listener listeners[n];
    pthread_t threads[n];
    for (int i = 0; i < n; i++) {
        listeners[i] = (struct listener){0, &ready};
        pthread_create(&threads[i], NULL, listen_in_thread, &listeners[i]);
    }
    pthread_barrier_wait(&ready);
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(listeners[i].calls, 1);
    }
    pthread_barrier_destroy(&ready);
    assert_true(handler_of(SIGUSR2) == SIG_DFL);
}

static atomic_int storm_over;

static void *storm(void *unused) {
    (void)unused;
    while (!storm_over) kill(getpid(), SIGUSR1);
    return NULL;
}

/* Loops come and go while signals rain: the handler never sees one that is gone. */
static void loops_close_under_fire(void **state) {
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    storm_over = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, storm, NULL);
    for (int i = 0; i < 300; i++) {
        int calls = 0;
        aloop_loop *loop = listening(count_call, &calls, NULL);
        aloop_loop_run_once(loop, 0);
        close_loop(loop);
    }
    storm_over = 1;
    pthread_join(thread, NULL);
    assert_true(handler_of(SIGUSR1) == SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
}

static int64_t fails(void *unused) {
    (void)unused;
    return aloop_raise(ALOOP_EUSER - 1, "in the handler");
}

static void a_failing_callback_is_reported(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports reports;
    capture_reports(loop, &reports);
    subscribe(loop, SIGUSR1, fails, NULL, NULL);
    raise_in(loop);
    assert_int_equal(reports.count, 1);
    assert_code(reports.list[0].code, ALOOP_EUSER - 1);
    assert_string_equal(reports.list[0].text, "in the handler");
    close_loop(loop);
}

static int64_t removes_itself(void *data) {
    ++*(int *)data;
    assert_code(aloop_loop_remove_signal_handler(aloop_get_running_loop(), SIGUSR1), 1);
    return 0;
}

static void a_callback_may_remove_itself(void **state) {
    (void)state;
    int calls = 0;
    aloop_loop *loop = listening(removes_itself, &calls, count_free);
    raise_in(loop);
    assert_int_equal(calls, 2); /* it and its destructor */
    close_loop(loop);
}

static int64_t raise_and_wait(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGUSR1);
    return aloop_await(aloop_sleep(INFINITY), NULL);
}

static int64_t cancel_task(void *task) { return aloop_future_cancel(task, "a signal"); }

static void wakes_a_sleeping_loop(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    aloop_task *task = aloop_loop_create_task(loop, raise_and_wait, NULL);
    subscribe(loop, SIGUSR1, cancel_task, task, NULL);
    assert_code(aloop_loop_run_until_complete(loop, aloop_ref(task), NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_future_error(task)), "a signal");
    aloop_unref(task);
    close_loop(loop);
}

SUITE(CASE(runs_as_a_callback), CASE(a_second_add_replaces), CASE(nothing_runs_after_removal),
      CASE(what_is_queued_still_runs), CASE(the_close_drops_what_is_queued),
      CASE(no_signal_is_lost_to_a_replacement), CASE(the_earlier_handler_runs_and_comes_back),
      CASE(a_handler_installed_meanwhile_stays), CASE(a_forked_child_gets_what_it_got_before),
      CASE(a_forked_child_subscribes_anew), CASE(bad_arguments),
      CASE(many_loops_in_many_threads_listen), CASE(loops_close_under_fire),
      CASE(a_failing_callback_is_reported), CASE(a_callback_may_remove_itself),
      CASE(wakes_a_sleeping_loop))
