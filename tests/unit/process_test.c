/* process.h: children, their pipes, signals and ends.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The children are real: so is the clock. */
static void on_real_clock(aloop_coro_fn fn) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, fn, NULL), 0);
    aloop_loop_run_once(loop, 0);
    close_loop(loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child and no zombie is left */
    assert_int_equal(errno, ECHILD);
}

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static aloop_process_options *pipes(int32_t in, int32_t out, int32_t err) {
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_stdin(o, in), 0);
    assert_code(aloop_process_options_set_stdout(o, out), 0);
    assert_code(aloop_process_options_set_stderr(o, err), 0);
    return o;
}

/* Starts; options (consumed) may be NULL. */
static aloop_process *shell(const char *command, aloop_process_options *options) {
    aloop_process *p = NULL;
    assert_code(aloop_await(aloop_create_subprocess_shell(command, options), (void **)&p), 0);
    aloop_unref(options);
    assert_true(aloop_process_pid(p) > 0);
    return p;
}

static int64_t run_shell(const char *command, aloop_process_options *options) {
    aloop_process *p = shell(command, options);
    const int64_t status = aloop_await(aloop_process_wait(p), NULL);
    aloop_unref(p);
    return status;
}

/* Runs and asserts what it wrote to stdout and stderr (NULL: no pipe). */
static void assert_writes(const char *command, aloop_process_options *options, const char *out,
                          const char *err) {
    aloop_process *p = shell(command, options);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results), 0);
    const char *wanted[] = {out, err};
    for (int i = 0; i < 2; i++) {
        aloop_bytes *b = aloop_results_value(results, i);
        if (wanted[i] == NULL) {
            assert_null(b);
        } else {
            assert_string_equal((const char *)aloop_bytes_data(b), wanted[i]);
        }
    }
    aloop_unref(results);
    aloop_unref(p);
}

/* Ends ---------------------------------------------------------------------------- */

static int64_t exit_codes(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(run_shell("exit 0", NULL), 0);
    assert_code(run_shell("exit 7", NULL), 7);
    assert_code(run_shell("exit 255", NULL), 255);
    assert_code(run_shell("kill -9 $$", NULL), ALOOP_SIGNALED + SIGKILL);
    const char *argv[] = {"true", NULL};
    aloop_process *p = NULL;
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, NULL), (void **)&p), 0);
    int32_t code = 99;
    assert_code(aloop_process_returncode(p, &code), 0);
    assert_int_equal(code, 99);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    assert_code(aloop_process_returncode(p, &code), 1);
    assert_int_equal(code, 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0); /* again: at once */
    aloop_unref(p);
    return 0;
}

static void ends_are_told(void **state) {
    (void)state;
    on_real_clock(exit_codes);
}

static int64_t signals(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int sent[] = {SIGTERM, SIGKILL, SIGUSR1};
    for (int i = 0; i < 3; i++) {
        aloop_process *p = shell("exec sleep 60", NULL);
        int64_t code = i == 0   ? aloop_process_terminate(p)
                       : i == 1 ? aloop_process_kill(p)
                                : aloop_process_send_signal(p, SIGUSR1);
        assert_code(code, 0);
        assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + sent[i]);
        int32_t returncode = 0;
        assert_code(aloop_process_returncode(p, &returncode), 1);
        assert_int_equal(returncode, -sent[i]);
        assert_code(aloop_process_kill(p), -ESRCH);
        assert_code(aloop_process_send_signal(p, 0), -ESRCH);
        aloop_unref(p);
    }
    return 0;
}

static void children_get_signals(void **state) {
    (void)state;
    on_real_clock(signals);
}

static int64_t groups(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("exec sleep 60", NULL);
    assert_code(aloop_process_signal_group(p, SIGKILL), ALOOP_EINVAL);
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    for (int i = 0; i < 2; i++) {
        aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
        if (i == 0) assert_code(aloop_process_options_set_process_group(o, 0), 0);
        if (i == 1) assert_code(aloop_process_options_set_new_session(o, 1), 0);
        p = shell("sleep 60 & echo started; wait", o);
        aloop_bytes *line = NULL;
        assert_code(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line), 8);
        aloop_unref(line);
        assert_code(aloop_process_signal_group(p, SIGKILL), 0);
        assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
        /* The grandchild went as well, and with it the pipe's other end. */
        assert_code(aloop_await(aloop_stream_read(aloop_process_stdout(p), -1), (void **)&line), 0);
        aloop_unref(line);
        assert_code(aloop_process_signal_group(p, SIGKILL), -ESRCH);
        aloop_unref(p);
    }
    return 0;
}

static void a_group_is_killed_together(void **state) {
    (void)state;
    on_real_clock(groups);
}

static int64_t grandchild(void *unused, void **value) {
    (void)unused;
    (void)value;
    const double began = clock_now();
    aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_set_process_group(o, 0), 0);
    aloop_process *p = shell("sleep 60 & echo $!", o);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    assert_true(clock_now() - began < 10);
    aloop_bytes *line = NULL;
    assert_true(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line) > 0);
    kill((pid_t)atoi((const char *)aloop_bytes_data(line)), SIGKILL);
    aloop_unref(line);
    aloop_unref(p);
    return 0;
}

static void a_grandchild_does_not_hold_wait(void **state) {
    (void)state;
    on_real_clock(grandchild);
}

static int64_t several_wait(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("exec sleep 60", NULL);
    aloop_future *first = aloop_ensure_future(aloop_process_wait(p));
    aloop_future *second = aloop_ensure_future(aloop_process_wait(p));
    let_run(2);
    assert_code(aloop_future_cancel(first, NULL), 1);
    assert_code(aloop_await(first, NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(aloop_wait_for(aloop_process_wait(p), 0.01), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(second, NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    return 0;
}

static void several_wait_and_one_gives_up(void **state) {
    (void)state;
    on_real_clock(several_wait);
}

static struct reports reports;

static int64_t stolen(void *unused, void **value) {
    (void)unused;
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    aloop_process *p = shell("exit 3", NULL);
    assert_int_equal(waitpid((pid_t)aloop_process_pid(p), NULL, 0), aloop_process_pid(p));
    assert_code(aloop_await(aloop_process_wait(p), NULL), 255);
    assert_int_equal(reports.count, 1);
    assert_code(reports.list[0].code, ALOOP_ECHILD);
    aloop_unref(p);
    return 0;
}

static void a_child_reaped_elsewhere_is_reported(void **state) {
    (void)state;
    on_real_clock(stolen);
}

static int64_t leave_running(void *kept, void **value) {
    (void)value;
    aloop_unref(shell("exec sleep 60", NULL));
    *(aloop_process **)kept = shell("exec sleep 60", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE));
    return 0;
}

static void the_close_kills_and_reaps(void **state) {
    (void)state;
    aloop_process *p = NULL;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, leave_running, &p), 0);
    close_loop(loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_code(aloop_process_pid(p), ALOOP_ESTALE);
    assert_code(aloop_process_kill(p), ALOOP_ESTALE);
    aloop_unref(p);
}

static void a_forked_child_leaves_them_alone(void **state) {
    (void)state;
    aloop_process *p = NULL;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, leave_running, &p), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        int wrong = aloop_process_kill(p) != ALOOP_ECHILD;
        wrong += aloop_loop_after_fork(loop) != 0;
        wrong += aloop_loop_close(loop) != 0;
        _exit(wrong);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_code(aloop_process_returncode(p, NULL), 0);
    assert_int_equal(kill((pid_t)aloop_process_pid(p), 0), 0);
    aloop_unref(p);
    close_loop(loop);
}

/* Failing to start ----------------------------------------------------------------- */

static void assert_not_started(const char *program, aloop_process_options *options, int64_t code,
                               const char *text) {
    const char *argv[] = {program, "x", NULL};
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, options), NULL), code);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    aloop_unref(options);
}

static int64_t not_started(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_not_started("no-such-program", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE), ALOOP_ENOENT,
                       "No such file or directory: 'no-such-program'");
    assert_not_started("/no/such/program", NULL, ALOOP_ENOENT,
                       "No such file or directory: '/no/such/program'");
    assert_not_started("/etc/passwd", NULL, -EACCES, "Permission denied: '/etc/passwd'");
    assert_not_started("", NULL, ALOOP_ENOENT, "No such file or directory: ''");
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_cwd(o, "/no/such/folder"), 0);
    assert_not_started("true", o, ALOOP_ENOENT, "No such file or directory: '/no/such/folder'");
    o = aloop_process_options_new();
    assert_code(aloop_process_options_set_umask(o, 022), 0);
    assert_not_started("/no/such/program", o, ALOOP_ENOENT,
                       "No such file or directory: '/no/such/program'");
    o = aloop_process_options_new();
    const char *env[] = {"PATH=/no/such/folder", NULL};
    assert_code(aloop_process_options_set_env(o, env), 0);
    assert_not_started("true", o, ALOOP_ENOENT, "No such file or directory: 'true'");
    o = pipes(ALOOP_INHERIT, 9999, ALOOP_INHERIT);
    const char *argv[] = {"true", NULL};
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, o), NULL), ALOOP_EBADF);
    aloop_unref(o);
    return 0;
}

static void failures_are_raised_with_the_name(void **state) {
    (void)state;
    on_real_clock(not_started);
}

static int64_t bad_arguments_in_loop(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *nothing[] = {NULL};
    const char *argv[] = {"true", NULL};
    assert_failed(aloop_create_subprocess_exec(NULL, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_subprocess_exec(nothing, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_subprocess_shell(NULL, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_subprocess_exec(
                      argv, (aloop_process_options *)aloop_get_running_loop()),
                  ALOOP_EINVAL);
    assert_failed(aloop_process_wait(NULL), ALOOP_EINVAL);
    assert_failed(aloop_process_communicate(NULL, NULL, 0), ALOOP_EINVAL);
    aloop_process *p = shell("exit 0", NULL);
    assert_null(aloop_process_stdin(p));
    assert_null(aloop_process_stdout(p));
    assert_null(aloop_process_stderr(p));
    assert_failed(aloop_process_communicate(p, NULL, 1), ALOOP_EINVAL);
    assert_null(aloop_process_output(p, 0));
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_unref(p);
    return 0;
}

static void bad_arguments(void **state) {
    (void)state;
    const char *argv[] = {"true", NULL};
    assert_null(aloop_create_subprocess_exec(argv, NULL));
    assert_null(aloop_process_wait(NULL));
    assert_null(aloop_process_communicate(NULL, NULL, 0));
    assert_null(aloop_process_stdin(NULL));
    assert_null(aloop_process_output(NULL, 1));
    assert_code(aloop_process_pid(NULL), ALOOP_EINVAL);
    assert_code(aloop_process_returncode(NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_process_kill(NULL), ALOOP_EINVAL);
    assert_code(aloop_process_terminate(NULL), ALOOP_EINVAL);
    assert_code(aloop_process_signal_group(NULL, 9), ALOOP_EINVAL);
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_stdin(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_stdin(o, ALOOP_STDOUT), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_stdout(o, ALOOP_STDOUT), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_stderr(o, -5), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_cwd(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_env(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_fd(o, -1, 3), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_fd(o, 0, 2), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_process_group(o, -1), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_umask(o, -1), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_rlimit(o, -1, 1, 1), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_CPU, 2, 1), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_limit(o, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_user(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_group(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_new_session(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_output_limit(NULL, 0), ALOOP_EINVAL);
    aloop_unref(o);
    on_real_clock(bad_arguments_in_loop);
}

/* Options ---------------------------------------------------------------------------- */

static int64_t stdio(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int32_t inherit = ALOOP_INHERIT;
    assert_writes("echo out; echo err >&2", pipes(inherit, ALOOP_PIPE, ALOOP_PIPE), "out\n", "err\n");
    assert_writes("echo out; echo err >&2", pipes(inherit, ALOOP_PIPE, ALOOP_STDOUT), "out\nerr\n",
                  NULL);
    assert_writes("echo out; echo err >&2", pipes(inherit, ALOOP_DEVNULL, ALOOP_PIPE), NULL, "err\n");
    assert_writes("cat", pipes(ALOOP_DEVNULL, ALOOP_PIPE, inherit), "", NULL);
    assert_writes("echo again > /dev/stdout", pipes(inherit, ALOOP_PIPE, inherit), "again\n", NULL);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_code(run_shell("echo to the fd; echo too >&2", pipes(inherit, ends[1], ALOOP_STDOUT)), 0);
    char text[32] = "";
    assert_int_equal(read(ends[0], text, sizeof text - 1), 14);
    assert_string_equal(text, "to the fd\ntoo\n");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void standard_streams(void **state) {
    (void)state;
    on_real_clock(stdio);
}

static int64_t surroundings(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int32_t inherit = ALOOP_INHERIT;
    aloop_process_options *o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_cwd(o, "/tmp"), 0);
    assert_code(aloop_process_options_set_cwd(o, "/"), 0);
    assert_writes("pwd", o, "/\n", NULL);
    o = pipes(inherit, ALOOP_PIPE, inherit);
    const char *env[] = {"NAME=a value", "PATH=/bin:/usr/bin", NULL};
    assert_code(aloop_process_options_set_env(o, env), 0);
    assert_code(aloop_process_options_set_env(o, env), 0);
    assert_writes("echo $NAME $HOME", o, "a value\n", NULL);
    o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_umask(o, 027), 0);
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_NOFILE, 77, 99), 0);
    assert_code(aloop_process_options_set_cwd(o, "/"), 0);
    assert_writes("umask; ulimit -n; ulimit -Hn; pwd", o, "0027\n77\n99\n/\n", NULL);
    o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_new_session(o, 1), 0);
    assert_writes("test $(ps -o sid= -p $$) = $$ && echo leader", o, "leader\n", NULL);
    o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_new_session(o, 1), 0);
    assert_code(aloop_process_options_set_umask(o, 0), 0);
    assert_writes("test $(ps -o sid= -p $$) = $$ && echo leader", o, "leader\n", NULL);
    if (geteuid() != 0) return 0;
    o = pipes(inherit, ALOOP_PIPE, inherit);
    assert_code(aloop_process_options_set_user(o, 65534), 0);
    assert_code(aloop_process_options_set_group(o, 65533), 0);
    assert_writes("id -u; id -g; id -G", o, "65534\n65533\n65533\n", NULL);
    return 0;
}

static void folder_environment_limits_and_ids(void **state) {
    (void)state;
    on_real_clock(surroundings);
}

static int64_t descriptors(void *by_vfork, void **value) {
    (void)value;
    int ends[2];
    int leaking[2];
    assert_int_equal(pipe(leaking), 0); /* without O_CLOEXEC: not for the child either */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
    if (*(bool *)by_vfork) assert_code(aloop_process_options_set_umask(o, 022), 0);
    assert_code(aloop_process_options_add_fd(o, ends[1], 9), 0);
    assert_code(aloop_process_options_add_fd(o, ends[1], 3), 0); /* it is one of the parent's */
    /* 4 is what ls itself opens. */
    assert_writes("echo nine >&9; echo other >&3; exec ls /proc/self/fd", o, "0\n1\n2\n3\n4\n9\n",
                  NULL);
    char text[32] = "";
    assert_int_equal(read(ends[0], text, sizeof text - 1), 11);
    assert_string_equal(text, "nine\nother\n");
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(leaking[i]);
    }
    return 0;
}

static int64_t descriptors_both_ways(void *unused, void **value) {
    (void)unused;
    bool by_vfork[] = {false, true};
    descriptors(&by_vfork[0], value);
    return descriptors(&by_vfork[1], value);
}

static void extra_descriptors_and_no_others(void **state) {
    (void)state;
    on_real_clock(descriptors_both_ways);
}

static int64_t default_signals(void *unused, void **value) {
    (void)unused;
    (void)value;
    signal(SIGPIPE, SIG_IGN);
    assert_code(run_shell("kill -PIPE $$", NULL), ALOOP_SIGNALED + SIGPIPE);
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_umask(o, 022), 0);
    assert_code(run_shell("kill -PIPE $$", o), ALOOP_SIGNALED + SIGPIPE);
    signal(SIGPIPE, SIG_DFL);
    return 0;
}

static void a_child_dies_of_sigpipe(void **state) {
    (void)state;
    on_real_clock(default_signals);
}

/* Pipes --------------------------------------------------------------------------------- */

static int64_t by_hand(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("while read x; do echo got $x; done",
                             pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    for (int i = 0; i < 3; i++) {
        assert_true(aloop_stream_write(aloop_process_stdin(p), "line\n", 5) >= 0);
        aloop_bytes *line = NULL;
        assert_code(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line), 9);
        assert_string_equal((const char *)aloop_bytes_data(line), "got line\n");
        aloop_unref(line);
    }
    assert_code(aloop_stream_write(aloop_process_stdout(p), "x", 1), ALOOP_EINVALIDSTATE);
    assert_code(aloop_stream_write_eof(aloop_process_stdin(p)), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_bytes *rest = NULL;
    assert_code(aloop_await(aloop_stream_read(aloop_process_stdout(p), -1), (void **)&rest), 0);
    aloop_unref(rest);
    assert_code(aloop_stream_close(aloop_process_stdin(p)), 0);
    assert_code(aloop_await(aloop_stream_wait_closed(aloop_process_stdin(p)), NULL), 0);
    aloop_unref(p);
    return 0;
}

static void talking_to_a_child(void **state) {
    (void)state;
    on_real_clock(by_hand);
}

enum { much = 20 * 1000 * 1000 };

static int64_t through_cat(void *unused, void **value) {
    (void)unused;
    (void)value;
    uint8_t *data = malloc(much);
    for (int i = 0; i < much; i++) data[i] = (uint8_t)(i * 7 + i / 251);
    aloop_process *p = shell("tee /dev/stderr", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, much), (void **)&results), 0);
    for (int i = 0; i < 2; i++) {
        aloop_bytes *b = aloop_results_value(results, i);
        assert_int_equal(aloop_results_status(results, i), much);
        assert_int_equal(aloop_bytes_size(b), much);
        assert_true(memcmp(aloop_bytes_data(b), data, much) == 0);
    }
    aloop_unref(results);
    aloop_unref(p);
    free(data);
    return 0;
}

static void much_in_all_directions_at_once(void **state) {
    (void)state;
    on_real_clock(through_cat);
}

static int64_t unwanted_input(void *unused, void **value) {
    (void)unused;
    (void)value;
    char *data = calloc(1, 1 << 20);
    aloop_process *p = shell("exec true", pipes(ALOOP_PIPE, ALOOP_INHERIT, ALOOP_INHERIT));
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, data, 1 << 20), (void **)&results), 0);
    assert_int_equal(aloop_results_count(results), 2);
    aloop_unref(results);
    aloop_unref(p);
    free(data);
    return 0;
}

static void unread_input_is_no_error(void **state) {
    (void)state;
    on_real_clock(unwanted_input);
}

static int64_t partial(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("echo first; read x; echo second $x",
                             pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_future *f = aloop_ensure_future(aloop_process_communicate(p, NULL, 0));
    aloop_bytes *so_far = NULL;
    do { /* its stdin is closed: it ends, but the reader is cancelled before that */
        assert_code(aloop_await(aloop_sleep(0.002), NULL), 0);
        aloop_unref(so_far);
        so_far = aloop_process_output(p, 1);
    } while (aloop_bytes_size(so_far) == 0);
    assert_true(strncmp((const char *)aloop_bytes_data(so_far), "first\n", 6) == 0);
    aloop_unref(so_far);
    aloop_future_cancel(f, NULL);
    aloop_await(f, NULL);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results), 0);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)),
                        "first\nsecond\n");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static int64_t timed_out(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("echo partial; exec sleep 60",
                             pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT));
    aloop_bytes *so_far = NULL;
    do {
        assert_code(aloop_await(aloop_wait_for(aloop_process_communicate(p, NULL, 0), 0.05), NULL),
                    ALOOP_ETIMEDOUT);
        aloop_unref(so_far);
        so_far = aloop_process_output(p, 1);
    } while (aloop_bytes_size(so_far) == 0);
    assert_string_equal((const char *)aloop_bytes_data(so_far), "partial\n");
    aloop_unref(so_far);
    assert_code(aloop_process_kill(p), 0);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results),
                ALOOP_SIGNALED + SIGKILL);
    assert_string_equal((const char *)aloop_bytes_data(aloop_results_value(results, 0)),
                        "partial\n");
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void a_cancelled_communicate_keeps_what_it_read(void **state) {
    (void)state;
    on_real_clock(partial);
    on_real_clock(timed_out);
}

static int64_t capped(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_set_output_limit(o, 100000), 0);
    aloop_process *p = shell("exec cat /dev/zero", o);
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), NULL), ALOOP_ELIMITOVERRUN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "the child wrote more than 100000 bytes to its stdout");
    aloop_bytes *kept = aloop_process_output(p, 1);
    assert_true(aloop_bytes_size(kept) > 100000 && aloop_bytes_size(kept) < 300000);
    aloop_unref(kept);
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    return 0;
}

static void output_has_a_cap(void **state) {
    (void)state;
    on_real_clock(capped);
}

/* Many ------------------------------------------------------------------------------------ */

static int64_t one_child(void *number, void **value) {
    (void)value;
    char command[32];
    snprintf(command, sizeof command, "exit %d", (int)(intptr_t)number % 256);
    const int64_t status = run_shell(command, NULL);
    assert_code(status, (int64_t)((intptr_t)number % 256));
    return 0;
}

static int64_t many(void *unused, void **value) {
    (void)unused;
    const bool all = getenv("ASYNCLOOP_LONG_TESTS") != NULL;
    const int total = all ? 2000 : 200;
    const int before = open_descriptors();
    for (int i = 0; i < total; i++) one_child((void *)(intptr_t)i, value);
    for (int i = 0; i < total; i += 16) {
        aloop_future *list[16];
        for (int k = 0; k < 16; k++) {
            list[k] = aloop_create_task(one_child, (void *)(intptr_t)(i + k));
        }
        assert_code(aloop_await(aloop_gather(list, 16, 0), NULL), 16);
    }
    assert_int_equal(open_descriptors(), before);
    return 0;
}

static void none_of_many_is_lost(void **state) {
    (void)state;
    on_real_clock(many);
}

static int64_t wait_and_drop(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_process *p = shell("exec sleep 0.05", NULL);
    const double began = aloop_loop_time(loop);
    assert_code(aloop_await(aloop_wait_for(aloop_process_wait(p), 30), NULL), 0);
    assert_true(aloop_loop_time(loop) - began < 20);
    aloop_unref(p);
    return 0;
}

static void the_virtual_clock_waits_for_children(void **state) {
    (void)state;
    in_task(wait_and_drop);
}

SUITE(CASE(ends_are_told), CASE(children_get_signals), CASE(a_group_is_killed_together),
      CASE(a_grandchild_does_not_hold_wait), CASE(several_wait_and_one_gives_up),
      CASE(a_child_reaped_elsewhere_is_reported), CASE(the_close_kills_and_reaps),
      CASE(a_forked_child_leaves_them_alone), CASE(failures_are_raised_with_the_name),
      CASE(bad_arguments), CASE(standard_streams), CASE(folder_environment_limits_and_ids),
      CASE(extra_descriptors_and_no_others), CASE(a_child_dies_of_sigpipe),
      CASE(talking_to_a_child), CASE(much_in_all_directions_at_once),
      CASE(unread_input_is_no_error), CASE(a_cancelled_communicate_keeps_what_it_read),
      CASE(output_has_a_cap), CASE(none_of_many_is_lost),
      CASE(the_virtual_clock_waits_for_children))
