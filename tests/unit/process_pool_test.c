/* executor.h: pools of processes.
 * SPDX-License-Identifier: MIT */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct reports reports;

static int64_t do_nothing(void *unused, void **value) {
    (void)unused;
    (void)value;
    return 0;
}

static int64_t reverse(const void *data, size_t n, aloop_bytes **result) {
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) text[i] = ((const char *)data)[n - 1 - i];
    *result = aloop_bytes_new(text, n);
    free(text);
    return getpid();
}

static int64_t crash(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    return raise(SIGKILL);
}

static int64_t refuse(const void *data, size_t n, aloop_bytes **result) {
    (void)n;
    (void)result;
    return aloop_raise(ALOOP_EUSER - 5, "refused: %s", (const char *)data);
}

static void assert_reversed(aloop_executor *pool, bool elsewhere) {
    aloop_loop *loop = aloop_get_running_loop();
    aloop_bytes *result = NULL;
    const int64_t pid =
        aloop_await(aloop_run_in_process(loop, pool, reverse, "abc", 3), (void **)&result);
    assert_true(pid > 0 && (pid != getpid()) == elsewhere);
    assert_int_equal(aloop_bytes_size(result), 3);
    assert_string_equal((const char *)aloop_bytes_data(result), "cba");
    aloop_unref(result);
}

static int64_t processes(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = aloop_executor_new_processes(2);
    assert_non_null(pool);
    for (int i = 0; i < 3; i++) assert_reversed(pool, true);
    aloop_future *all[8];
    for (int i = 0; i < 8; i++) {
        all[i] = aloop_run_in_process(loop, pool, i == 3 ? crash : reverse, "x", 1);
    }
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_gather(all, 8, ALOOP_RETURN_EXCEPTIONS), (void **)&results), 8);
    for (int i = 0; i < 8; i++) {
        if (i == 3) {
            assert_code(aloop_results_status(results, i), ALOOP_EBROKENPOOL);
            assert_non_null(strstr(aloop_error_message(aloop_results_error(results, i)),
                                   "died: Killed"));
        } else {
            assert_true(aloop_results_status(results, i) > 0);
        }
    }
    aloop_unref(results);
    assert_reversed(pool, true);
    assert_code(aloop_await(aloop_run_in_process(loop, pool, refuse, "no", 2), NULL),
                ALOOP_EUSER - 5);
    assert_string_equal(aloop_error_message(aloop_last_error()), "refused: no");
    enum { much = 3000000 };
    char *data = calloc(1, much);
    aloop_bytes *back = NULL;
    assert_true(aloop_await(aloop_run_in_process(loop, pool, reverse, data, much),
                            (void **)&back) > 0);
    assert_int_equal(aloop_bytes_size(back), much);
    aloop_unref(back);
    free(data);
    int freed = 0;
    assert_failed(aloop_run_in_executor(loop, pool, do_nothing, &freed, count_free),
                  ALOOP_EWRONGTYPE);
    let_run(2);
    assert_int_equal(freed, 1);
    assert_code(aloop_loop_set_default_executor(loop, pool), ALOOP_EWRONGTYPE);
    assert_failed(aloop_run_in_process(loop, pool, NULL, "", 0), ALOOP_EINVAL);
    assert_failed(aloop_run_in_process(loop, pool, reverse, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_run_in_process(loop, NULL, reverse, "", 0), ALOOP_EINVAL);
    assert_null(aloop_run_in_process(NULL, pool, reverse, "", 0));
    aloop_unref(pool);
    pool = aloop_executor_new_threads(1);
    assert_reversed(pool, false);
    aloop_unref(pool);
    assert_null(aloop_executor_new_processes(-1));
    return 0;
}

static void a_pool_of_processes(void **state) {
    (void)state;
    in_task(processes);
    assert_int_equal(reports.count, 1); /* the job's own errors are its caller's alone */
    assert_string_equal(reports.list[0].message, "A worker process died");
    assert_code(reports.list[0].code, ALOOP_EBROKENPOOL);
    assert_true(reports.list[0].with_future);
    int pid = 0;
    assert_int_equal(sscanf(reports.list[0].text, "worker process %d died: Killed", &pid), 1);
    assert_true(pid > 0 && pid != getpid());
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* What may keep a pool from ending ------------------------------------------------- */

struct page {
    pid_t worker;
    pid_t server;
    pid_t child;
};
static volatile struct page *page; /* shared with the workers */

static int64_t tell_pids(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    page->worker = getpid();
    page->server = getppid();
    return 0;
}

/* A pool of one worker, which has run tell_pids. */
static aloop_executor *pool_with_worker(void) {
    aloop_executor *pool = aloop_executor_new_processes(1);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_await(aloop_run_in_process(loop, pool, tell_pids, "", 0), NULL), 0);
    return pool;
}

/* Runs fn with a page for the workers, and asserts that it left no child. */
static void run_with_page(aloop_coro_fn fn) {
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, fn, NULL), 0);
    close_loop(loop);
    munmap((void *)page, sizeof *page);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Tells that it has begun. */
static int64_t block(const void *data, size_t n, aloop_bytes **result) {
    tell_pids(data, n, result);
    pause();
    return 0;
}

static int64_t blocked_worker(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = aloop_executor_new_processes(1);
    aloop_future *f = aloop_run_in_process(loop, pool, block, "", 0);
    aloop_future *queued = aloop_run_in_process(loop, pool, reverse, "", 0);
    while (page->worker == 0) aloop_await(aloop_sleep(0.001), NULL);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0.05), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_await(f, NULL), ALOOP_EBROKENPOOL);
    assert_code(aloop_await(queued, NULL), ALOOP_ECANCELED);
    aloop_unref(pool);
    return 0;
}

static void a_blocked_worker_is_killed_at_the_deadline(void **state) {
    (void)state;
    run_with_page(blocked_worker);
    assert_int_equal(reports.count, 1); /* of the shutdown, not of a crash */
    assert_code(reports.list[0].code, ALOOP_ETIMEDOUT);
}

/* The child has copies of all sockets. */
static int64_t with_a_forked_child(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = pool_with_worker();
    const pid_t child = fork();
    if (child == 0) {
        alarm(3 * k_hang);
        pause();
        _exit(0);
    }
    assert_code(aloop_await(aloop_executor_shutdown(pool, k_hang), NULL), 0);
    aloop_unref(pool);
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it lived until then */
    return 0;
}

static void a_forked_child_does_not_hold_the_shutdown(void **state) {
    (void)state;
    run_with_page(with_a_forked_child);
}

static int64_t crash_with_a_child(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    const pid_t child = fork();
    if (child == 0) {
        alarm(k_hang);
        pause();
        _exit(0);
    }
    page->child = child;
    return raise(SIGKILL);
}

static int64_t crash_with_a_program(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    int said[2];
    char word;
    if (pipe2(said, O_CLOEXEC) != 0) return 1;
    const pid_t child = fork();
    if (child == 0) {
        dup2(said[1], 1);
        execl("/bin/sh", "sh", "-c", "test ! -e /proc/self/fd/3 && echo && exec sleep 300",
              (char *)NULL);
        _exit(1);
    }
    page->child = child;
    close(said[1]);
    return read(said[0], &word, 1) == 1 ? raise(SIGKILL) : 2; /* once it is that program */
}

/* The grandchild lives on, with a copy of the worker's socket or without. */
static int64_t crashes_with_children(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    const aloop_process_fn functions[] = {crash_with_a_child, crash_with_a_program};
    for (int i = 0; i < 2; i++) {
        aloop_executor *pool = pool_with_worker();
        assert_code(aloop_await(aloop_run_in_process(loop, pool, functions[i], "", 0), NULL),
                    ALOOP_EBROKENPOOL);
        assert_int_equal(kill(page->child, 0), 0);
        assert_int_equal(kill(page->child, SIGKILL), 0);
        assert_reversed(pool, true);
        aloop_unref(pool);
    }
    return 0;
}

static void a_crash_is_told_before_its_children_end(void **state) {
    (void)state;
    run_with_page(crashes_with_children);
}

static void kill_and_wait(pid_t pid) {
    struct pollfd end = {(int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0};
    kill(pid, SIGKILL);
    assert_int_equal(poll(&end, 1, k_hang * 1000), 1);
    close(end.fd);
}

static int64_t stopped_ones(void *unused, void **value) {
    (void)unused;
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    for (int i = 0; i < 4; i++) {
        aloop_executor *pool = pool_with_worker();
        kill(i % 2 == 0 ? page->worker : page->server, SIGSTOP);
        if (i == 2) {
            assert_code(aloop_await(aloop_executor_shutdown(pool, k_hang), NULL), 0);
        } else if (i == 3) { /* a new worker is wanted of a server that is stopped */
            kill_and_wait(page->worker);
            assert_reversed(pool, true);
        }
        aloop_unref(pool);
    }
    return 0;
}

static void stopped_processes_do_not_hold_the_end(void **state) {
    (void)state;
    run_with_page(stopped_ones);
}

static int64_t stopped_at_work(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = pool_with_worker();
    kill(page->worker, SIGSTOP);
    aloop_future *f = aloop_run_in_process(loop, pool, reverse, "abc", 3);
    while (aloop_executor_running(pool, NULL, 0) == 0) aloop_await(aloop_sleep(0.001), NULL);
    assert_code(aloop_await(aloop_executor_shutdown(pool, 0.05), NULL), ALOOP_ETIMEDOUT);
    /* Named after the function, as far as the linker tells, and not after ours. */
    const char *text = aloop_error_message(aloop_last_error());
    assert_non_null(strstr(text, "Still running: test_process_pool+0x"));
    assert_code(aloop_await(f, NULL), ALOOP_EBROKENPOOL);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "was killed by the shutdown"));
    aloop_unref(pool);
    return 0;
}

static void the_report_names_the_function(void **state) {
    (void)state;
    run_with_page(stopped_at_work);
}

/* Returns in two processes: the second's answer would be taken for the next job's. */
static int64_t return_twice(const void *data, size_t n, aloop_bytes **result) {
    (void)data;
    (void)n;
    (void)result;
    const pid_t child = fork();
    if (child > 0) waitpid(child, NULL, 0);
    return 11;
}

static int64_t one_answer_each(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_executor *pool = pool_with_worker();
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_await(aloop_run_in_process(loop, pool, return_twice, "", 0), NULL), 11);
    assert_reversed(pool, true);
    assert_reversed(pool, true);
    aloop_unref(pool);
    return 0;
}

static void a_function_that_forks_answers_once(void **state) {
    (void)state;
    run_with_page(one_answer_each);
}

/* A program that has gone, all but a child that holds copies of its sockets. */
static int64_t leave_child_behind(void *unused, void **value) {
    (void)unused;
    (void)value;
    pool_with_worker();
    const pid_t child = fork();
    if (child > 0) {
        page->child = child;
        _exit(0);
    }
    alarm(k_hang);
    pause();
    _exit(0);
}

static void workers_end_with_the_program(void **state) {
    (void)state;
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    const pid_t program = fork();
    if (program == 0) {
        aloop_run(leave_child_behind, NULL, NULL);
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(program, &status, 0), program);
    assert_int_equal(status, 0);
    const pid_t both[] = {page->worker, page->server};
    for (int i = 0; i < 2; i++) {
        const int pidfd = (int)syscall(SYS_pidfd_open, both[i], 0);
        struct pollfd end = {pidfd, POLLIN, 0};
        if (pidfd < 0) continue; /* it has been reaped already */
        assert_int_equal(poll(&end, 1, k_hang * 1000), 1);
        close(pidfd);
    }
    assert_true(page->child > 0);
    kill(page->child, SIGKILL);
    munmap((void *)page, sizeof *page);
}

static int64_t without_server(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_executor *pool = pool_with_worker();
    kill(page->server, SIGKILL);
    assert_reversed(pool, true); /* the worker is still there */
    kill(page->worker, SIGKILL);
    assert_code(aloop_await(aloop_run_in_process(loop, pool, reverse, "", 0), NULL),
                ALOOP_EBROKENPOOL);
    assert_code(aloop_await(aloop_run_in_process(loop, pool, reverse, "", 0), NULL),
                ALOOP_EBROKENPOOL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "the pool's server process has ended");
    aloop_unref(pool);
    return 0;
}

/* Killed while it had nothing to do: the next job gets another one. */
static int64_t killed_while_idle(void *unused, void **value) {
    (void)unused;
    (void)value;
    capture_reports(aloop_get_running_loop(), &reports);
    aloop_executor *pool = pool_with_worker();
    const pid_t worker = page->worker;
    kill_and_wait(worker);
    assert_reversed(pool, true);
    assert_int_equal(reports.count, 1);
    char text[80];
    snprintf(text, sizeof text, "worker process %d died: Killed", (int)worker);
    assert_string_equal(reports.list[0].text, text);
    assert_code(reports.list[0].code, ALOOP_EBROKENPOOL);
    aloop_unref(pool);
    return 0;
}

static void a_worker_that_died_idle_fails_no_job(void **state) {
    (void)state;
    run_with_page(killed_while_idle);
}

static int64_t print(const void *data, size_t n, aloop_bytes **result) {
    (void)result;
    printf("%.*s;", (int)n, (const char *)data);
    return 0;
}

static int64_t print_there(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    printf("program;");
    aloop_executor *pool = aloop_executor_new_processes(1);
    const char *words[] = {"one", "two"};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_await(aloop_run_in_process(loop, pool, print, words[i], 3), NULL), 0);
    }
    aloop_unref(pool);
    return 0;
}

/* Each word once, and those of the workers when their outcome is told. */
static void what_workers_print_is_not_lost(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(k_hang);
        dup2(ends[1], 1);
        const int64_t status = aloop_run(print_there, NULL, NULL);
        fflush(stdout);
        _exit(status != 0);
    }
    close(ends[1]);
    char text[64] = "";
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used < sizeof text - 1; used += (size_t)got) {
        got = read(ends[0], text + used, sizeof text - 1 - used);
        assert_true(got >= 0);
    }
    close(ends[0]);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(text, "one;two;program;");
}

static void a_pool_without_its_server_says_so(void **state) {
    (void)state;
    run_with_page(without_server);
}

SUITE(CASE(a_pool_of_processes), CASE(a_blocked_worker_is_killed_at_the_deadline),
      CASE(a_forked_child_does_not_hold_the_shutdown),
      CASE(a_crash_is_told_before_its_children_end), CASE(stopped_processes_do_not_hold_the_end),
      CASE(the_report_names_the_function), CASE(a_function_that_forks_answers_once),
      CASE(workers_end_with_the_program), CASE(a_pool_without_its_server_says_so),
      CASE(a_worker_that_died_idle_fails_no_job),
      CASE(what_workers_print_is_not_lost))
