/* process.h: the children of a parent in its forked child, and those that a tracer
 * holds when their loop closes.
 * SPDX-License-Identifier: MIT */
#include "children.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

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
        alarm(20);
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

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Attaches to the children; reaps each as soon as it ends, or none. */
static pid_t start_tracer(const pid_t *children, bool reaps) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t tracer = fork();
    if (tracer == 0) {
        alarm(60);
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
static pid_t tracer;

static int64_t start_traced(void *reaps, void **value) {
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    pid_t children[k_traced];
    for (int i = 0; i < k_traced; i++) {
        aloop_process *p = shell("exec sleep 100", NULL);
        children[i] = (pid_t)aloop_process_pid(p);
        aloop_unref(p);
    }
    tracer = start_tracer(children, *(const bool *)reaps);
    return 0;
}

static double close_with_traced(bool reaps) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, start_traced, &reaps), 0);
    const double began = now();
    close_loop(loop);
    const double took = now() - began;
    kill(tracer, SIGKILL);
    assert_int_equal(waitpid(tracer, NULL, 0), tracer);
    return took;
}

static void a_tracer_may_reap_first(void **state) {
    (void)state;
    assert_true(close_with_traced(true) < 4);
    assert_int_equal(reports.count, 0);
    on_real_clock(start_both_and_end);
}

/* A tracer that reaps none holds them all, and the close no longer than one. */
static void the_close_waits_once_for_all(void **state) {
    (void)state;
    const double took = close_with_traced(false);
    assert_true(took > 4 && took < 9);
    assert_int_equal(reports.count, k_traced);
    assert_code(reports.list[0].code, -ETIMEDOUT);
    on_real_clock(start_both_and_end); /* that reaps what the tracer has let go */
}

SUITE(CASE(a_forked_child_has_no_processes_of_the_parent), CASE(a_tracer_may_reap_first),
      CASE(the_close_waits_once_for_all))
