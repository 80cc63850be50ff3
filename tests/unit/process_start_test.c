/* process.h: what a child starts with, and failing to start.
 * SPDX-License-Identifier: MIT */
#include "children.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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
    for (int i = 0; i < 2; i++) { /* a file, which may be executed, is no folder */
        o = aloop_process_options_new();
        if (i > 0) assert_code(aloop_process_options_set_umask(o, 022), 0);
        assert_code(aloop_process_options_set_cwd(o, "/bin/sh"), 0);
        assert_not_started("true", o, -ENOTDIR, "Not a directory: '/bin/sh'");
    }
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

static void interrupt(int signum) { (void)signum; }

/* A wait for a child that could not execute its program is repeated. */
static int64_t not_started_under_signals(void *unused, void **value) {
    (void)unused;
    (void)value;
    const struct sigaction interrupting = {.sa_handler = interrupt};
    struct sigaction before;
    sigaction(SIGALRM, &interrupting, &before);
    const struct itimerspec often = {{0, 40000}, {0, 40000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    timer_t timer;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    const char *argv[] = {"/etc/passwd", NULL};
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_umask(o, 022), 0);
    timer_settime(timer, 0, &often, NULL);
    for (int i = 0; i < 1000; i++) {
        assert_code(aloop_await(aloop_create_subprocess_exec(argv, o), NULL), -EACCES);
    }
    timer_delete(timer);
    sigaction(SIGALRM, &before, NULL);
    aloop_unref(o);
    return 0;
}

static void no_zombie_of_a_failed_start(void **state) {
    (void)state;
    on_real_clock(not_started_under_signals);
}

static int64_t touch_a_file(void *path, void **value) {
    (void)value;
    const char *argv[] = {"touch", path, NULL};
    assert_code(aloop_await(aloop_create_subprocess_exec(argv, NULL), NULL), ALOOP_ENOSYS);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "a simulated loop starts no children");
    return 0;
}

/* It is refused before anything has started. */
static void no_children_of_a_simulated_loop(void **state) {
    (void)state;
    char path[] = "/tmp/asyncloop-simulated-XXXXXX";
    assert_non_null(mkdtemp(path));
    char file[sizeof path + 2];
    snprintf(file, sizeof file, "%s/x", path);
    aloop_loop_options *o = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_simulator(o, 7, 0.01), 0);
    aloop_loop *loop = NULL;
    assert_code(aloop_loop_new(&loop, o), 0);
    aloop_unref(o);
    for (int i = 0; i < 10; i++) assert_code(run_on(loop, touch_a_file, file), 0);
    close_loop(loop);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(rmdir(path), 0);
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
    assert_code(aloop_process_options_add_fd(o, 0, 65536), ALOOP_EINVAL);
    for (int i = 0; i < 64; i++) assert_code(aloop_process_options_add_fd(o, 0, 65535 - i), 0);
    assert_code(aloop_process_options_add_fd(o, 0, 3), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_process_group(o, -1), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_umask(o, -1), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_rlimit(o, -1, 1, 1), ALOOP_EINVAL);
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_CPU, 2, 1), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_limit(o, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_user(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_group(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_user(o, UINT32_MAX), ALOOP_EINVAL);
    assert_code(aloop_process_options_set_group(o, UINT32_MAX), ALOOP_EINVAL);
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
    assert_writes("echo out; echo err >&2",
                  pipes(inherit, ALOOP_PIPE, ALOOP_PIPE), "out\n", "err\n");
    assert_writes("echo out; echo err >&2", pipes(inherit, ALOOP_PIPE, ALOOP_STDOUT), "out\nerr\n",
                  NULL);
    assert_writes("echo out; echo err >&2",
                  pipes(inherit, ALOOP_DEVNULL, ALOOP_PIPE), NULL, "err\n");
    assert_writes("cat", pipes(ALOOP_DEVNULL, ALOOP_PIPE, inherit), "", NULL);
    assert_writes("echo again > /dev/stdout", pipes(inherit, ALOOP_PIPE, inherit), "again\n", NULL);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_code(run_shell("echo to the fd; echo too >&2",
                          pipes(inherit, ends[1], ALOOP_STDOUT)), 0);
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
    o = pipes(inherit, inherit, inherit); /* it limits the child, not what it is given */
    assert_code(aloop_process_options_add_rlimit(o, RLIMIT_NOFILE, 10, 10), 0);
    assert_code(aloop_process_options_add_fd(o, 2, 20), 0);
    assert_code(run_shell("test -e /proc/self/fd/20", o), 0);
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

/* What PATH names relatively is relative to where the child starts. */
static int64_t relative_path(void *unused, void **value) {
    (void)unused;
    (void)value;
    const char *env[] = {"PATH=nowhere:bin", NULL};
    const char *argv[] = {"sh", "-c", "exit 6", NULL};
    const char *folders[] = {"/usr", "/proc"};
    const int64_t expected[] = {0, ALOOP_ENOENT};
    for (int i = 0; i < 2; i++) {
        aloop_process_options *o = aloop_process_options_new();
        assert_code(aloop_process_options_set_env(o, env), 0);
        assert_code(aloop_process_options_set_cwd(o, folders[i]), 0);
        aloop_process *p = NULL;
        assert_code(aloop_await(aloop_create_subprocess_exec(argv, o), (void **)&p), expected[i]);
        aloop_unref(o);
        if (p != NULL) assert_code(aloop_await(aloop_process_wait(p), NULL), 6);
        aloop_unref(p);
    }
    return 0;
}

static void folder_environment_limits_and_ids(void **state) {
    (void)state;
    on_real_clock(surroundings);
    on_real_clock(relative_path);
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

/* A target may be any number below the limit, also the last one. */
static int64_t last_descriptors(void *unused, void **value) {
    (void)unused;
    (void)value;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    const struct rlimit low = {64, before.rlim_max};
    const int targets[] = {63, 64};
    const int64_t codes[] = {0, ALOOP_EBADF};
    const char *argv[] = {"sh", "-c", "test -e /proc/self/fd/63 -a -e /proc/self/fd/3", NULL};
    for (int i = 0; i < 4; i++) {
        aloop_process_options *o = pipes(ALOOP_DEVNULL, ALOOP_PIPE, ALOOP_STDOUT);
        if (i >= 2) assert_code(aloop_process_options_set_umask(o, 022), 0);
        assert_code(aloop_process_options_add_fd(o, 1, targets[i % 2]), 0);
        for (int fd = 3; fd < 20; fd++) assert_code(aloop_process_options_add_fd(o, 2, fd), 0);
        setrlimit(RLIMIT_NOFILE, &low);
        aloop_process *p = NULL;
        const int64_t code = aloop_await(aloop_create_subprocess_exec(argv, o), (void **)&p);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_code(code, codes[i % 2]);
        if (p != NULL) assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
        aloop_unref(p);
        aloop_unref(o);
    }
    return 0;
}

static void extra_descriptors_and_no_others(void **state) {
    (void)state;
    on_real_clock(descriptors_both_ways);
    on_real_clock(last_descriptors);
}

/* With the parent's 0 and 1 closed the pipes get these numbers. */
static int64_t low_numbers(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int saved[] = {dup(0), dup(1)};
    close(0);
    close(1);
    const char *argv[] = {"true", NULL};
    aloop_process_options *o = pipes(ALOOP_PIPE, ALOOP_INHERIT, ALOOP_STDOUT);
    const int64_t merged = aloop_await(aloop_create_subprocess_exec(argv, o), NULL);
    aloop_unref(o);
    o = pipes(ALOOP_PIPE, 1, ALOOP_PIPE);
    const int64_t given = aloop_await(aloop_create_subprocess_exec(argv, o), NULL);
    aloop_unref(o);
    o = pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_STDOUT);
    aloop_process *p = shell("read line; echo $line >&2; readlink /proc/$$/fd/2", o);
    aloop_results *results = NULL;
    const int64_t status = aloop_await(aloop_process_communicate(p, "line\n", 5),
                                       (void **)&results);
    dup2(saved[0], 0); /* now assertions can be printed */
    dup2(saved[1], 1);
    close(saved[0]);
    close(saved[1]);
    assert_code(merged, ALOOP_EBADF);
    assert_code(given, ALOOP_EBADF);
    assert_code(status, 0);
    const char *out = (const char *)aloop_bytes_data(aloop_results_value(results, 0));
    assert_true(strncmp(out, "line\npipe:", 10) == 0);
    aloop_unref(results);
    aloop_unref(p);
    return 0;
}

static void closed_standard_streams(void **state) {
    (void)state;
    on_real_clock(low_numbers);
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

/* The mask of pool threads is not for their children ---------------------------------- */

static int64_t end_by_terminate(void *options, void **value) {
    (void)value;
    aloop_process *p = shell("exec sleep 20", aloop_ref(options));
    assert_code(aloop_process_terminate(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGTERM);
    aloop_unref(p);
    return 0;
}

static int64_t blocked_signals(void) {
    sigset_t now;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    int64_t bits = 0;
    for (int i = 1; i < 32; i++) bits |= (int64_t)sigismember(&now, i) << i;
    return bits;
}

static int64_t children_of_a_job(void *unused, void **value) {
    (void)unused;
    (void)value;
    const int64_t blocked = blocked_signals();
    const int never[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    for (int i = 0; i < 8; i++) assert_false(blocked >> never[i] & 1);
    assert_true(blocked >> SIGTERM & 1 && blocked >> SIGUSR2 & 1 && blocked >> SIGCHLD & 1);
    assert_code(aloop_run(end_by_terminate, NULL, NULL), 0);
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_umask(o, 022), 0);
    assert_code(aloop_run(end_by_terminate, o, NULL), 0);
    aloop_unref(o);
    assert_true(blocked_signals() == blocked);
    const pid_t pid = fork();
    if (pid == 0) _exit(blocked_signals() != (int64_t)1 << SIGUSR2);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* What a job blocks of its own will its children have. */
static int64_t mask_of_its_own(void *unused, void **value) {
    (void)unused;
    (void)value;
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGTERM);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &own, NULL), 0);
    const pid_t pid = fork();
    if (pid == 0) _exit(blocked_signals() != (int64_t)1 << SIGTERM);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int64_t in_jobs(void *listens, void **value) {
    (void)value;
    int calls = 0;
    aloop_loop *loop = aloop_get_running_loop();
    if (listens != NULL) {
        assert_code(aloop_loop_add_signal_handler(loop, SIGUSR1, count_call, &calls, NULL), 0);
    }
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &some, NULL);
    assert_code(aloop_await(aloop_to_thread(children_of_a_job, NULL, NULL), NULL), 0);
    assert_code(aloop_await(aloop_to_thread(mask_of_its_own, NULL, NULL), NULL), 0);
    sigemptyset(&some);
    pthread_sigmask(SIG_SETMASK, &some, NULL);
    assert_code(aloop_await(aloop_loop_shutdown_default_executor(loop, k_hang), NULL), 0);
    return 0;
}

static int64_t in_jobs_beside_a_listener(void *unused, void **value) {
    (void)unused;
    return in_jobs("listens", value);
}

static void children_of_a_job_can_be_terminated(void **state) {
    (void)state;
    on_real_clock(in_jobs);
    on_real_clock(in_jobs_beside_a_listener);
}

SUITE(CASE(failures_are_raised_with_the_name), CASE(no_zombie_of_a_failed_start),
      CASE(no_children_of_a_simulated_loop), CASE(bad_arguments), CASE(standard_streams),
      CASE(folder_environment_limits_and_ids), CASE(extra_descriptors_and_no_others),
      CASE(closed_standard_streams), CASE(a_child_dies_of_sigpipe),
      CASE(children_of_a_job_can_be_terminated))
