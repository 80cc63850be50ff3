/* executor.h: what the workers of a pool of processes have of the program.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct reports reports;

/* The worker has copies of the program's files, whose descriptors are closed there. */
enum { k_files = 8 };
static FILE *files[k_files];
static const char k_line[] =
    "a line of text that is longer than the header of an answer is .......\n";

static void end_worker(void) {
#if defined(__SANITIZE_ADDRESS__)
    _exit(3); /* exit() would look for leaks, and find what the program has at work */
#else
    exit(3);
#endif
}

static int64_t write_files(const void *how, size_t n, aloop_bytes **result) {
    (void)n;
    if (*(const char *)how == 'w') {
        for (int i = 0; i < k_files; i++) {
            fputs(k_line, files[i]);
            fflush(files[i]);
        }
    }
    fflush(NULL);
    if (*(const char *)how == 'e') end_worker();
    *result = aloop_bytes_new("ok", 2);
    return 7;
}

static int64_t pool_with_files(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = aloop_executor_new_processes(1);
    for (const char *how = "wfwf"; *how != '\0'; how++) {
        aloop_bytes *result = NULL;
        assert_code(aloop_await(aloop_run_in_process(loop, pool, write_files, how, 1),
                                (void **)&result), 7);
        assert_string_equal((const char *)aloop_bytes_data(result), "ok");
        aloop_unref(result);
    }
    assert_code(aloop_await(aloop_run_in_process(loop, pool, write_files, "e", 1), NULL),
                ALOOP_EBROKENPOOL);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "ended with status 3"));
    aloop_unref(pool);
    return 0;
}

static void files_of_the_program_stay_out_of_the_answers(void **state) {
    (void)state;
    for (int i = 0; i < k_files; i++) {
        files[i] = tmpfile();
        fputs(k_line, files[i]);
    }
    in_task(pool_with_files);
    for (int i = 0; i < k_files; i++) {
        assert_int_equal(fflush(files[i]), 0);
        assert_int_equal(ftell(files[i]), strlen(k_line));
        fclose(files[i]);
    }
}

static int64_t look_at_standard(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    int open = 0;
    for (int fd = 0; fd < 3; fd++) open += fcntl(fd, F_GETFD) >= 0;
    return open;
}

static int64_t pool_without_standard(void *unused, void **value) {
    (void)unused;
    (void)value;
    for (int fd = 0; fd < 3; fd++) close(fd);
    aloop_executor *pool = aloop_executor_new_processes(1);
    aloop_loop *loop = aloop_get_running_loop();
    aloop_future *f = aloop_run_in_process(loop, pool, look_at_standard, "", 0);
    const int64_t open = aloop_await(aloop_wait_for(f, k_hang), NULL);
    aloop_unref(pool);
    return open;
}

static void a_pool_of_a_program_without_standard_streams(void **state) {
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        _exit(aloop_run(pool_without_standard, NULL, NULL) != 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Ctrl-C reaches the worker, which goes on, and what it starts, which does not. */
static int64_t interrupt_shell(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    raise(SIGINT);
    FILE *shell = popen("kill -INT $$; echo went on", "r");
    char text[32] = "";
    const size_t got = fread(text, 1, sizeof text - 1, shell);
    const int status = pclose(shell);
    return got == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT ? 9 : 0;
}

static int64_t pool_with_shell(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = aloop_executor_new_processes(1);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_await(aloop_run_in_process(loop, pool, interrupt_shell, "", 0), NULL), 9);
    aloop_unref(pool);
    return 0;
}

static void programs_of_a_worker_answer_ctrl_c(void **state) {
    (void)state;
    in_task(pool_with_shell);
}

SUITE(CASE(files_of_the_program_stay_out_of_the_answers),
      CASE(a_pool_of_a_program_without_standard_streams),
      CASE(programs_of_a_worker_answer_ctrl_c))
