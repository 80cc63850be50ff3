/* What CPython's test_subprocess, test_threads, test_unix_events and test_runners
 * ask for and no unit test shows already.
 * SPDX-License-Identifier: MIT */
#include "../unit/children.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int32_t inherit = ALOOP_INHERIT;

/* communicate with that input (consumed options) and what comes back. */
static void assert_answers(const char *command, const char *input, size_t n, const char *out) {
    aloop_process *p = shell(command, pipes(ALOOP_PIPE, ALOOP_PIPE, inherit));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, input, n), (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)), out);
    aloop_unref(results);
    aloop_unref(p);
}

static int64_t inputs(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_answers("exec cat", NULL, 0, "");
    assert_answers("exec cat", "", 0, "");
    assert_answers("exec wc -c", "abc", 3, "3\n");
    assert_writes("echo lost >&2; echo kept", pipes(inherit, ALOOP_PIPE, ALOOP_DEVNULL), "kept\n",
                  NULL);
    return 0;
}

static void no_input_and_little(void **state) {
    (void)state;
    on_real_clock(inputs);
}

static int64_t broken_pipe(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("exec true", pipes(ALOOP_PIPE, inherit, inherit));
    char *data = calloc(1, 1 << 22);
    aloop_stream *in = aloop_process_stdin(p);
    int64_t status = aloop_stream_write(in, data, 1 << 22); /* fails if it has gone already */
    if (status >= 0) status = aloop_await(aloop_stream_drain(in), NULL);
    assert_true(status == -EPIPE || status == -ECONNRESET);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_unref(p);
    free(data);
    return 0;
}

static void writing_to_one_that_is_gone(void **state) {
    (void)state;
    on_real_clock(broken_pipe);
}

static int64_t late_reading(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_limit(o, 10), 0);
    aloop_process *p = shell("head -c 50000 /dev/zero; exit 1", o);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 1);
    size_t total = 0;
    for (int64_t n = 1; n > 0; total += (size_t)n) {
        aloop_bytes *part = NULL;
        n = aloop_await(aloop_stream_read(aloop_process_stdout(p), 4096), (void **)&part);
        assert_true(n >= 0);
        aloop_unref(part);
    }
    assert_int_equal(total, 50000);
    aloop_unref(p);
    return 0;
}

static void output_is_there_after_the_end(void **state) {
    (void)state;
    on_real_clock(late_reading);
}

/* The pipe and the stream's buffer are full: the child waits. */
static int64_t unread_output(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_limit(o, 10), 0);
    aloop_process *p = shell("head -c 1000000 /dev/zero; exit 1", o);
    assert_code(aloop_await(aloop_wait_for(aloop_process_wait(p), 0.2), NULL), ALOOP_ETIMEDOUT);
    size_t total = 0;
    for (int64_t n = 1; n > 0; total += (size_t)n) {
        aloop_bytes *part = NULL;
        n = aloop_await(aloop_stream_read(aloop_process_stdout(p), 50000), (void **)&part);
        assert_true(n >= 0);
        aloop_unref(part);
    }
    assert_int_equal(total, 1000000);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 1);
    aloop_unref(p);
    return 0;
}

static void a_child_waits_while_nobody_reads(void **state) {
    (void)state;
    on_real_clock(unread_output);
}

static int64_t start_sleeper(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *argv[] = {"sleep", "60", NULL};
    aloop_process *p = NULL;
    const int64_t code = aloop_await(aloop_create_subprocess_exec(argv, NULL), (void **)&p);
    if (code < 0) return code;
    assert_code(aloop_process_kill(p), 0);
    const int64_t status = aloop_await(aloop_process_wait(p), NULL);
    aloop_unref(p);
    return status;
}

static int64_t cancelled_starts(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int before = 0; before < 3; before++) {
        aloop_task *t = aloop_create_task(start_sleeper, NULL);
        let_run(before);
        aloop_task_cancel(t, NULL);
        assert_code(aloop_await(t, NULL), ALOOP_ECANCELED);
        assert_code(aloop_await(aloop_sleep(0.05), NULL), 0);
    }
    return 0;
}

static void a_cancelled_start_leaves_nothing(void **state) {
    (void)state;
    on_real_clock(cancelled_starts);
}

static int64_t environment(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *argv[] = {"sh", "-c", "echo $FOO", NULL};
    const char *env[] = {"FOO=baz", "PATH=/bin:/usr/bin", NULL};
    aloop_process_options *o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_env(o, env), 0);
    aloop_process *p = NULL;
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, o), (void **)&p), 0);
    aloop_unref(o);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)), "baz\n");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void exec_has_the_environment(void **state) {
    (void)state;
    on_real_clock(environment);
}

static int64_t one_of_ten(void *number, void **value) {
    (void)value;
    char command[32];
    char wanted[32];
    snprintf(command, sizeof command, "echo foo%d", *(int *)number);
    snprintf(wanted, sizeof wanted, "foo%d\n", *(int *)number);
    assert_writes(command, pipes(inherit, ALOOP_PIPE, inherit), wanted, NULL);
    return 0;
}

static int64_t ten_children(void *unused, void **value) {
    (void)unused;
    (void)value;
    int numbers[10];
    aloop_future *all[10];
    for (int i = 0; i < 10; i++) {
        numbers[i] = i;
        all[i] = aloop_create_task(one_of_ten, &numbers[i]);
    }
    assert_code(aloop_await(aloop_gather(all, 10, 0), NULL), 10);
    aloop_process *p = shell("exit 4", NULL);
    for (int i = 0; i < 10; i++) all[i] = aloop_process_wait(p);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_gather(all, 10, 0), (void **)&results), 10);
    for (int i = 0; i < 10; i++) assert_code(aloop_results_status(results, i), 4);
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void ten_talk_and_ten_wait(void **state) {
    (void)state;
    on_real_clock(ten_children);
}

static int64_t signal_race(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int i = 0; i < 10; i++) {
        aloop_process *p = shell("exec sleep 0.01", NULL);
        assert_code(aloop_await(aloop_sleep(0.01), NULL), 0);
        const int64_t code = aloop_process_send_signal(p, SIGUSR1);
        assert_true(code == 0 || code == -ESRCH);
        const int64_t status = aloop_await(aloop_process_wait(p), NULL);
        assert_true(status == 0 || status == ALOOP_SIGNALED + SIGUSR1);
        aloop_unref(p);
    }
    return 0;
}

static void a_signal_to_one_that_just_ends(void **state) {
    (void)state;
    on_real_clock(signal_race);
}

static int64_t communicate_there(void *unused) {
    (void)unused;
    on_real_clock(inputs);
    return 0;
}

static void children_of_a_loop_in_a_thread(void **state) {
    (void)state;
    assert_code(on_foreign_thread(communicate_there, NULL), 0);
}

/* to_thread -------------------------------------------------------------------------- */

static int64_t count_one(void *counter, void **value) {
    (void)value;
    __atomic_add_fetch((int *)counter, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int64_t ten_threads(void *unused, void **value) {
    (void)unused;
    (void)value;
    int calls = 0;
    assert_code(aloop_await(aloop_to_thread(count_one, &calls, NULL), NULL), 0);
    assert_int_equal(calls, 1);
    aloop_future *all[10];
    for (int i = 0; i < 10; i++) all[i] = aloop_to_thread(count_one, &calls, NULL);
    assert_code(aloop_await(aloop_gather(all, 10, 0), NULL), 10);
    assert_int_equal(calls, 11);
    return 0;
}

static void each_call_runs_once(void **state) {
    (void)state;
    in_task(ten_threads);
}

/* A forked child -------------------------------------------------------------------- */

static int64_t exit_five(void *unused, void **value) {
    (void)unused;
    (void)value;
    return run_shell("exit 5", NULL);
}

static int64_t set_event(void *event) { return aloop_event_set(event); }

/* The child's program: says that it listens, and ends when it got its SIGTERM. */
static int64_t listen_in_child(void *ready, void **value) {
    (void)value;
    aloop_event *got = NULL;
    aloop_loop *loop = aloop_get_running_loop();
    if (aloop_event_new(&got) < 0) return 1;
    if (aloop_loop_add_signal_handler(loop, SIGTERM, set_event, got, NULL) < 0) return 2;
    if (write(*(int *)ready, "x", 1) != 1) return 3;
    const int64_t status = aloop_await(aloop_wait_for(aloop_event_wait(got), k_hang), NULL);
    aloop_unref(got);
    return status < 0 ? 4 : 17;
}

/* A loop of the parent listens to the same signal, and is not told of the child's. */
static int64_t with_forked_child(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    int calls = 0;
    int ready[2];
    assert_code(aloop_loop_add_signal_handler(loop, SIGTERM, count_call, &calls, NULL), 0);
    assert_int_equal(pipe(ready), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit((int)aloop_run(listen_in_child, &ready[1], NULL));
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(pid, SIGTERM), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 17 << 8);
    assert_code(aloop_await(aloop_sleep(0.01), NULL), 0);
    assert_int_equal(calls, 0);
    assert_code(aloop_loop_remove_signal_handler(loop, SIGTERM), 1);
    close(ready[0]);
    close(ready[1]);
    return 0;
}

static void a_forked_child_has_signals_of_its_own(void **state) {
    (void)state;
    on_real_clock(with_forked_child);
}

static void a_forked_child_runs_its_own(void **state) {
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit((int)aloop_run(exit_five, NULL, NULL));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
}

/* Runs ---------------------------------------------------------------------------------- */

static int64_t interrupted_while_ready(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    for (;;) {
        const int64_t status = aloop_await(aloop_sleep(0), NULL);
        if (status < 0) return status;
    }
}

static int64_t run_inside(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_true(aloop_run(exit_five, NULL, NULL) < 0);
    return 6;
}

static int64_t return_after_a_step(void *status, void **value) {
    (void)value;
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    return *(int64_t *)status;
}

static void runs_give_what_main_gives(void **state) {
    (void)state;
    int64_t wanted[] = {42, ALOOP_EUSER - 1};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_run(return_after_a_step, &wanted[i], NULL), wanted[i]);
    }
    assert_code(aloop_run(interrupted_while_ready, NULL, NULL), -EINTR);
    assert_code(aloop_run(run_inside, NULL, NULL), 6);
}

static int64_t fail_when_cancelled(void *unused, void **value) {
    assert_code(sleep_for_ever(unused, value), ALOOP_ECANCELED);
    return ALOOP_EUSER - 2;
}

static int64_t leave_one(void *reports, void **value) {
    (void)value;
    capture_reports(aloop_get_running_loop(), reports);
    aloop_unref(aloop_create_task(fail_when_cancelled, NULL));
    let_run(1);
    return 123;
}

static void what_is_left_behind_is_reported(void **state) {
    (void)state;
    struct reports reports;
    assert_code(aloop_run(leave_one, &reports, NULL), 123);
    assert_int_equal(reports.count, 1);
    assert_code(reports.list[0].code, ALOOP_EUSER - 2);
    assert_true(reports.list[0].with_task);
}

struct keeper {
    aloop_runner *runner;
    aloop_contextvar *var;
    char *set;
    char *seen;
};

static int64_t look_and_set(void *data, void **value) {
    (void)value;
    struct keeper *k = data;
    k->seen = aloop_contextvar_get(k->var);
    assert_code(aloop_await(aloop_sleep(0), NULL), 0);
    aloop_contextvar_set(k->var, k->set, NULL, NULL);
    assert_true(aloop_runner_run(k->runner, exit_five, NULL, NULL) < 0); /* it runs already */
    return 0;
}

static void a_runner_keeps_its_context(void **state) {
    (void)state;
    struct keeper k = {NULL, aloop_contextvar_new("kept", "none"), "first", NULL};
    assert_code(aloop_runner_new(&k.runner, NULL), 0);
    assert_code(aloop_runner_run(k.runner, look_and_set, &k, NULL), 0);
    assert_string_equal(k.seen, "none");
    assert_code(aloop_runner_run(k.runner, look_and_set, &k, NULL), 0);
    assert_string_equal(k.seen, "first");
    assert_code(aloop_runner_close(k.runner), 0);
    aloop_unref(k.runner);
    aloop_unref(k.var);
}

SUITE(CASE(no_input_and_little), CASE(writing_to_one_that_is_gone),
      CASE(output_is_there_after_the_end),
      CASE(a_child_waits_while_nobody_reads), CASE(a_cancelled_start_leaves_nothing),
      CASE(exec_has_the_environment), CASE(ten_talk_and_ten_wait),
      CASE(a_signal_to_one_that_just_ends), CASE(children_of_a_loop_in_a_thread),
      CASE(each_call_runs_once), CASE(a_forked_child_has_signals_of_its_own),
      CASE(a_forked_child_runs_its_own), CASE(runs_give_what_main_gives),
      CASE(what_is_left_behind_is_reported), CASE(a_runner_keeps_its_context))
