/* process.h: children, their signals and ends.
 * SPDX-License-Identifier: MIT */
#include "children.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
        aloop_process *p = shell("exec sleep 300", NULL);
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
        assert_code(aloop_process_send_signal(p, 65), ALOOP_EINVAL);
        assert_code(aloop_process_send_signal(p, -1), ALOOP_EINVAL);
        assert_code(aloop_process_signal_group(p, 0), ALOOP_EINVAL); /* it leads none */
        aloop_unref(p);
    }
    return 0;
}

static void children_get_signals(void **state) {
    (void)state;
    on_real_clock(signals);
}

/* Zombies of it may be left, which init has not reaped yet. */
static void assert_group_is_dead(aloop_process *p) {
    const int64_t code = aloop_process_signal_group(p, SIGKILL);
    assert_true(code == 0 || code == -ESRCH);
}

static int64_t groups(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process *p = shell("exec sleep 300", NULL);
    assert_code(aloop_process_signal_group(p, SIGKILL), ALOOP_EINVAL);
    assert_code(aloop_process_kill(p), 0);
    assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
    aloop_unref(p);
    for (int i = 0; i < 2; i++) {
        aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
        if (i == 0) assert_code(aloop_process_options_set_process_group(o, 0), 0);
        if (i == 1) assert_code(aloop_process_options_set_new_session(o, 1), 0);
        p = shell("sleep 300 & echo started; wait", o);
        aloop_bytes *line = NULL;
        assert_code(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line), 8);
        aloop_unref(line);
        assert_code(aloop_process_signal_group(p, SIGKILL), 0);
        assert_code(aloop_await(aloop_process_wait(p), NULL), ALOOP_SIGNALED + SIGKILL);
        /* The grandchild went as well, and with it the pipe's other end. */
        assert_code(aloop_await(aloop_stream_read(aloop_process_stdout(p), -1), (void **)&line), 0);
        aloop_unref(line);
        assert_group_is_dead(p);
        aloop_unref(p);
    }
    return 0;
}

/* What the leader left behind holds the pipe until it is killed. */
static int64_t groups_without_leader(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_set_new_session(o, 1), 0);
    assert_code(aloop_process_options_set_process_group(o, 0), 0); /* it leads one anyway */
    aloop_process *p = shell("sleep 300 & exit 0", o);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    assert_code(aloop_process_signal_group(p, 1000), ALOOP_EINVAL);
    const int64_t code = aloop_process_signal_group(p, SIGKILL);
    if (code == -ESRCH) { /* before Linux 6.9 the group is out of reach by now */
        assert_int_equal(kill((pid_t)-aloop_process_pid(p), SIGKILL), 0);
    } else {
        assert_code(code, 0);
    }
    aloop_bytes *rest = NULL;
    assert_code(aloop_await(aloop_wait_for(aloop_stream_read(aloop_process_stdout(p), -1), k_hang),
                            (void **)&rest), 0);
    aloop_unref(rest);
    assert_group_is_dead(p);
    aloop_unref(p);
    return 0;
}

static void a_group_is_killed_together(void **state) {
    (void)state;
    on_real_clock(groups);
    on_real_clock(groups_without_leader);
}

static int64_t grandchild(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_process_options *o = pipes(ALOOP_INHERIT, ALOOP_PIPE, ALOOP_INHERIT);
    assert_code(aloop_process_options_set_process_group(o, 0), 0);
    aloop_process *p = shell("sleep 300 & echo $!", o);
    assert_code(aloop_await(aloop_process_wait(p), NULL), 0);
    aloop_bytes *line = NULL;
    assert_true(aloop_await(aloop_stream_readline(aloop_process_stdout(p)), (void **)&line) > 0);
    /* It lives on. */
    assert_int_equal(kill((pid_t)atoi((const char *)aloop_bytes_data(line)), SIGKILL), 0);
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
    aloop_process *p = shell("exec sleep 300", NULL);
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

/* Nobody's zombies: the kernel reaps the child, sometimes before we look at it. */
static int64_t unseen(void *unused, void **value) {
    (void)unused;
    (void)value;
    enum { many = 100 };
    capture_reports(aloop_get_running_loop(), &reports);
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < many; i++) assert_code(run_shell("exit 3", NULL), 255);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(reports.count, many);
    assert_code(reports.list[0].code, ALOOP_ECHILD);
    return 0;
}

static void children_that_the_kernel_reaps(void **state) {
    (void)state;
    on_real_clock(unseen);
}

static int64_t leave_running(void *kept, void **value) {
    (void)value;
    aloop_unref(shell("exec sleep 300", NULL));
    *(aloop_process **)kept = shell("exec sleep 300", pipes(ALOOP_PIPE, ALOOP_PIPE, ALOOP_PIPE));
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
        alarm(k_hang);
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

static int64_t start_sleeper(void *kept, void **value) {
    (void)value;
    *(aloop_process **)kept = shell("exec sleep 300", NULL);
    return 0;
}

static void the_close_ends_a_stopped_child(void **state) {
    (void)state;
    aloop_process *p = NULL;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, start_sleeper, &p), 0);
    assert_code(aloop_process_send_signal(p, SIGSTOP), 0);
    close_loop(loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    aloop_unref(p);
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
    const int total = 192; /* thousands of them: tests/stress/children_test.c */
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
    assert_code(aloop_await(aloop_wait_for(aloop_process_wait(p), 1e9), NULL), 0);
    assert_true(aloop_loop_time(loop) - began < 1e8); /* it did not jump */
    aloop_unref(p);
    return 0;
}

static void the_virtual_clock_waits_for_children(void **state) {
    (void)state;
    in_task(wait_and_drop);
}

SUITE(CASE(ends_are_told), CASE(children_get_signals), CASE(a_group_is_killed_together),
      CASE(a_grandchild_does_not_hold_wait), CASE(several_wait_and_one_gives_up),
      CASE(a_child_reaped_elsewhere_is_reported), CASE(children_that_the_kernel_reaps),
      CASE(the_close_kills_and_reaps), CASE(the_close_ends_a_stopped_child),
      CASE(a_forked_child_leaves_them_alone), CASE(none_of_many_is_lost),
      CASE(the_virtual_clock_waits_for_children))
