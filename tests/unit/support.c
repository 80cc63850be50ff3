/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int descriptors_before, threads_before;

static int entries_of(const char *path) {
    DIR *directory = opendir(path);
    assert_non_null(directory);
    int n = 0;
    while (readdir(directory) != NULL) n++;
    closedir(directory);
    return n;
}

int open_descriptors(void) { return entries_of("/proc/self/fd"); }

int thread_count(void) { return entries_of("/proc/self/task"); }

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

void limit_descriptors(int room) {
    static rlim_t before;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (before == 0) before = limit.rlim_cur;
    limit.rlim_cur = before;
    if (room >= 0) {
        int fd = 0; /* the first that cannot be had */
        while (fcntl(fd, F_GETFD) >= 0 || room-- > 0) fd++;
        limit.rlim_cur = (rlim_t)fd;
    } else {
        before = 0;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

bool has_ipv6(void) {
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0) close(fd);
    return bound;
}

/* By their state in /proc; a thread that has just ended counts as asleep. */
static bool sleeps(const char *thread) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", thread);
    FILE *file = fopen(path, "r");
    if (file == NULL) return true;
    const size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *name_ends = strrchr(text, ')');
    return n == 0 || (name_ends != NULL && name_ends[2] != 'R' && name_ends[2] != 'D');
}

void let_threads_rest(void) {
    for (bool all = false; !all;) {
        nap();
        DIR *threads = opendir("/proc/self/task");
        assert_non_null(threads);
        all = true;
        for (struct dirent *e; (e = readdir(threads)) != NULL;) {
            if (e->d_name[0] != '.' && atoi(e->d_name) != gettid()) all = all && sleeps(e->d_name);
        }
        closedir(threads);
    }
}

/* A lookup that was given up goes on in its thread, which ends after it, and has files and
 * sockets open meanwhile: they are not the case's, nor the next one's. */
static void let_threads_end(void) {
    for (int ms = 0; ms < k_hang * 1000 && thread_count() > threads_before; ms++) nap();
}

static int assert_nothing_left(const char *when) {
    int left = 0;
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (aloop_debug_stats(i) == 0) continue;
        print_error("%s: %ld %s\n", when, (long)aloop_debug_stats(i), aloop_debug_stats_name(i));
        left++;
    }
    return left;
}

static void *end_at_once(void *unused) { return unused; }

/* ThreadSanitizer begins one of its own beside the first. */
static void begin_first_thread(void) {
    static bool begun;
    pthread_t first;
    if (begun) return;
    begun = true;
    assert_int_equal(pthread_create(&first, NULL, end_at_once, NULL), 0);
    assert_int_equal(pthread_join(first, NULL), 0);
}

int case_begins(void **state) {
    (void)state;
    begin_first_thread();
    descriptors_before = open_descriptors();
    threads_before = thread_count();
    return assert_nothing_left("there before");
}

int case_ends(void **state) {
    (void)state;
    let_threads_end();
    const int now = open_descriptors();
    int wrong = assert_nothing_left("left behind");
    if (now != descriptors_before) {
        print_error("%d open descriptors, %d before\n", now, descriptors_before);
        wrong++;
    }
    return wrong;
}

void prepare_suite(void) { setenv("CMOCKA_TEST_ABORT", "1", 1); }

void check_code(int64_t status, int64_t expected, const char *what, const char *file, int line) {
    if (status == expected) return;
    print_error("%s is %ld (%s), not %ld (%s)\n", what, (long)status, aloop_errname(status),
                (long)expected, aloop_errname(expected));
    _fail(file, line);
}

void check_failed(aloop_future *future, int64_t expected, const char *what, const char *file,
                  int line) {
    if (future == NULL) {
        print_error("%s is NULL\n", what);
        _fail(file, line);
    }
    check_code(aloop_future_result(future, NULL), expected, what, file, line);
    aloop_unref(future);
}

static aloop_loop *loop_with_clock(int32_t clock) {
    aloop_loop_options *options = aloop_loop_options_new();
    assert_non_null(options);
    assert_code(aloop_loop_options_set_clock(options, clock), 0);
    aloop_loop *loop = NULL;
    assert_code(aloop_loop_new(&loop, options), 0);
    aloop_unref(options);
    return loop;
}

aloop_loop *virtual_loop(void) { return loop_with_clock(ALOOP_CLOCK_VIRTUAL); }

aloop_loop *real_loop(void) { return loop_with_clock(ALOOP_CLOCK_MONOTONIC); }

void close_loop(aloop_loop *loop) {
    assert_code(aloop_loop_close(loop), 0);
    aloop_loop_unref(loop);
}

int64_t run_virtual(aloop_coro_fn fn, void *arg, void **value) {
    aloop_loop_options *options = aloop_loop_options_new();
    assert_non_null(options);
    assert_code(aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL), 0);
    aloop_runner *runner = NULL;
    assert_code(aloop_runner_new(&runner, options), 0);
    aloop_unref(options);
    const int64_t status = aloop_runner_run(runner, fn, arg, value);
    assert_code(aloop_runner_close(runner), 0);
    aloop_unref(runner);
    return status;
}

int64_t run_on(aloop_loop *loop, aloop_coro_fn fn, void *arg) {
    return aloop_loop_run_until_complete(loop, aloop_loop_create_task(loop, fn, arg), NULL);
}

void in_task(aloop_coro_fn fn) { assert_code(run_virtual(fn, NULL, NULL), 0); }

static void note_report(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    struct reports *into = data;
    const int64_t room = sizeof into->list / sizeof into->list[0];
    if (into->count < room) {
        struct report *r = &into->list[into->count];
        aloop_error *error = aloop_exception_context_error(context);
        snprintf(r->message, sizeof r->message, "%s", aloop_exception_context_message(context));
        snprintf(r->text, sizeof r->text, "%s", error != NULL ? aloop_error_message(error) : "");
        r->code = aloop_exception_context_code(context);
        r->with_future = aloop_exception_context_future(context) != NULL;
        r->with_task = aloop_exception_context_task(context) != NULL;
    }
    into->count++;
}

void capture_reports(aloop_loop *loop, struct reports *into) {
    into->count = 0;
    assert_code(aloop_loop_set_exception_handler(loop, note_report, into, NULL), 0);
}

struct call {
    aloop_callback_fn fn;
    void *data;
    int64_t answer;
};

static void *make_call(void *data) {
    struct call *c = data;
    c->answer = c->fn(c->data);
    return NULL;
}

int64_t on_foreign_thread(aloop_callback_fn fn, void *data) {
    struct call c = {fn, data, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_call, &c), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return c.answer;
}

void count_free(void *counter) { ++*(int *)counter; }

int64_t count_call(void *counter) {
    ++*(int *)counter;
    return 0;
}

int64_t return_status(void *status, void **value) {
    (void)value;
    return *(const int64_t *)status;
}

int64_t sleep_for_ever(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_await(aloop_sleep(INFINITY), NULL);
}

void let_run(int n) {
    while (n-- > 0) assert_code(aloop_await(aloop_sleep(0), NULL), 0);
}
