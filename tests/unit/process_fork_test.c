/* process.h: the children of a parent in its forked child, and those that their loop
 * cannot end when it closes: a tracer holds them, or they are another user's.
 * SPDX-License-Identifier: MIT */
#include "children.h"
#include "own_clock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>

/* While a loop closes, time is the test's own: it passes by what the library waits in vain,
 * and by nothing else; or it stands still. So how long it waits is the same on any machine. */
static bool waits_pass_time;
static int64_t waited; /* ms */

int poll(struct pollfd *fds, nfds_t n, int timeout) {
    struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
    if (waits_pass_time && n == 0) limit = (struct timespec){0, 0}; /* a mere nap */
    const int found = (int)syscall(SYS_ppoll, fds, n, timeout < 0 ? NULL : &limit, NULL, 0);
    if (!waits_pass_time || found != 0) return found;
    pass_time(timeout / 1000.0);
    waited += timeout;
    return 0;
}

static void close_in_own_time(aloop_loop *loop, bool passing) {
    waited = 0;
    waits_pass_time = passing;
    stop_clock();
    close_loop(loop);
    let_clock_go();
    waits_pass_time = false;
}

/* Forks ------------------------------------------------------------------------------- */

static aloop_process *inherited[2]; /* one runs, the other has ended */
static const char *const shell_argv[] = {"/bin/sh", "-c", "exit 5", NULL};

static int64_t start_both(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *const commands[] = {"exec cat", "exit 3"};
    for (int i = 0; i < 2; i++) {
        aloop_process_options *o = pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT);
        assert_code(aloop_process_options_set_new_session(o, 1), 0);
        inherited[i] = shell(commands[i], o);
    }
    return aloop_await(aloop_process_wait(inherited[1]), NULL) - 3;
}

static int64_t start_both_and_end(void *unused, void **value) {
    assert_code(start_both(unused, value), 0);
    assert_code(aloop_process_kill(inherited[0]), 0);
    for (int i = 0; i < 2; i++) aloop_unref(inherited[i]);
    return 0;
}

static int wrong_answers(aloop_process *p) {
    int32_t code = 17;
    int wrong = aloop_process_pid(p) != ALOOP_ECHILD;
    wrong += aloop_process_returncode(p, &code) != ALOOP_ECHILD || code != 17;
    wrong += aloop_process_send_signal(p, SIGTERM) != ALOOP_ECHILD;
    wrong += aloop_process_terminate(p) != ALOOP_ECHILD;
    wrong += aloop_process_kill(p) != ALOOP_ECHILD;
    wrong += aloop_process_signal_group(p, SIGTERM) != ALOOP_ECHILD;
    wrong += aloop_process_stdin(p) != NULL || aloop_process_stdout(p) != NULL;
    wrong += aloop_process_output(p, 1) != NULL;
    wrong += aloop_await(aloop_process_wait(p), NULL) != ALOOP_ECHILD;
    wrong += aloop_await(aloop_process_communicate(p, "x", 1), NULL) != ALOOP_ECHILD;
    return wrong;
}

static int64_t ask_in_child(void *unused, void **value) {
    (void)unused;
    (void)value;
    int64_t wrong = 0;
    for (int i = 0; i < 2; i++) wrong += wrong_answers(inherited[i]);
    aloop_process *own = NULL;
    aloop_future *f = aloop_create_subprocess_exec(shell_argv, NULL);
    wrong += aloop_await(f, (void **)&own) != 0;
    wrong += aloop_await(aloop_process_wait(own), NULL) != 5;
    aloop_unref(own);
    return wrong;
}

static int use_in_child(aloop_loop *loop, int free_descriptors) {
    int wrong = aloop_loop_after_fork(loop) != 0;
    aloop_task *task = aloop_loop_create_task(loop, ask_in_child, NULL);
    wrong += (int)aloop_loop_run_until_complete(loop, task, NULL);
    for (int i = 0; i < 2; i++) aloop_unref(inherited[i]);
    wrong += aloop_loop_close(loop) != 0;
    aloop_unref(loop);
    return wrong + 100 * (open_descriptors() != free_descriptors);
}

static int64_t still_there(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_results *results = NULL;
    aloop_future *f = aloop_process_communicate(inherited[0], "hello", 5);
    assert_code(aloop_await(f, (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)), "hello");
    aloop_unref(results);
    for (int i = 0; i < 2; i++) aloop_unref(inherited[i]);
    return 0;
}

static void a_forked_child_has_no_processes_of_the_parent(void **state) {
    (void)state;
    const int before = open_descriptors();
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, start_both, NULL), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit(use_in_child(loop, before));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_code(run_on(loop, still_there, NULL), 0);
    close_loop(loop);
}

/* Tracers ------------------------------------------------------------------------------- */

enum { k_traced = 3 };

/* Attaches to the children; reaps each as soon as it ends, or none. */
static pid_t start_tracer(const pid_t *children, bool reaps) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t tracer = fork();
    if (tracer == 0) {
        alarm(k_hang);
        for (int i = 0; i < k_traced; i++) {
            if (ptrace(PTRACE_SEIZE, children[i], NULL, NULL) != 0) _exit(1);
        }
        if (write(ready[1], "x", 1) != 1) _exit(2);
        if (!reaps) pause();
        for (int i = 0; i < k_traced; i++) {
            siginfo_t info;
            waitid(P_PID, (id_t)children[i], &info, WEXITED | WNOWAIT | __WALL);
            const struct timespec moment = {0, 20000000};
            nanosleep(&moment, NULL);
            waitpid(children[i], NULL, __WALL);
        }
        _exit(0);
    }
    char c;
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return tracer;
}

static struct reports reports;
static pid_t traced[k_traced];
static pid_t tracer;

static int64_t start_traced(void *reaps, void **value) {
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    for (int i = 0; i < k_traced; i++) {
        aloop_process *p = shell("exec sleep 300", NULL);
        traced[i] = (pid_t)aloop_process_pid(p);
        aloop_unref(p);
    }
    tracer = start_tracer(traced, *(const bool *)reaps);
    return 0;
}

static void close_with_traced(bool reaps) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, start_traced, &reaps), 0);
    close_in_own_time(loop, !reaps);
    kill(tracer, SIGKILL);
    assert_int_equal(waitpid(tracer, NULL, 0), tracer);
}

/* The clock stands still: the tracer may take its time. */
static void a_tracer_may_reap_first(void **state) {
    (void)state;
    close_with_traced(true);
    assert_int_equal(reports.count, 0);
    on_real_clock(start_both_and_end);
}

/* A tracer that reaps none holds them all, and the close no longer than one. */
static void the_close_waits_once_for_all(void **state) {
    (void)state;
    close_with_traced(false);
    assert_true(waited >= 5000 && waited < 6000);
    assert_int_equal(reports.count, k_traced);
    assert_code(reports.list[0].code, -ETIMEDOUT);
    for (int i = 0; i < k_traced; i++) { /* they were killed, and may still be ending */
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)traced[i], &info, WEXITED | WNOWAIT), 0);
    }
    on_real_clock(start_both_and_end); /* that reaps what the tracer has let go */
}

/* Another user's ------------------------------------------------------------------------- */

static int64_t start_sleeper(void *kept, void **value) {
    (void)value;
    *(aloop_process **)kept = shell("exec sleep 300", NULL);
    return 0;
}

static int64_t start_one(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(run_shell("exit 0", NULL), 0);
    return 0;
}

/* As a program that has become another user's by its set-uid bit. */
static void a_child_that_may_not_be_killed(void **state) {
    (void)state;
    if (geteuid() != 0) return; /* who is not root has no such child */
    aloop_process *p = NULL;
    aloop_loop *loop = real_loop();
    capture_reports(loop, &reports);
    assert_code(run_on(loop, start_sleeper, &p), 0);
    const pid_t pid = (pid_t)aloop_process_pid(p);
    assert_int_equal(setresuid(65534, 65534, 0), 0);
    const int64_t killed = aloop_process_kill(p);
    close_in_own_time(loop, true);
    assert_int_equal(setresuid(0, 0, 0), 0);
    assert_code(killed, -EPERM);
    assert_int_equal(waited, 0);
    assert_int_equal(reports.count, 1);
    assert_code(reports.list[0].code, -EPERM);
    char text[100];
    snprintf(text, sizeof text,
             "child %d may not be killed by this process; it is reaped when it ends",
             (int)pid);
    assert_string_equal(reports.list[0].text, text);
    aloop_unref(p);
    assert_int_equal(kill(pid, SIGKILL), 0); /* now, as root */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    on_real_clock(start_one); /* which reaps it */
}

SUITE(CASE(a_forked_child_has_no_processes_of_the_parent), CASE(a_tracer_may_reap_first),
      CASE(the_close_waits_once_for_all), CASE(a_child_that_may_not_be_killed))
