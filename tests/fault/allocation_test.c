/*
 * allocation_test.c: every allocation of a set of programs fails once, and then
 * from some point on for good.
 *
 * Each scenario runs again and again, with its first allocation failing, its
 * second, and so on, until a run needs no more. What must hold in each: no
 * crash (run it under the sanitizers), every result is success, ALOOP_ENOMEM
 * or what follows from that, nothing is left (the library's statistics are
 * zero), and after a single failure a fresh program works.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenarios.h"
#ifdef WITH_TLS
#include "tls_scenario.h"
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The allocator under test: counts, and fails number `fail_at` (and, if
 * `for_good` is set, all later ones). */
static atomic_long allocations; /* jobs allocate in threads of their own */
static atomic_long fail_at;
static atomic_int for_good;
static atomic_long failures;

static int must_fail(void) {
    const long number = atomic_fetch_add(&allocations, 1) + 1;
    const int fails = fail_at > 0 && (number == fail_at || (for_good && number > fail_at));
    failures += fails;
    return fails;
}

static void *counting_malloc(size_t size) { return must_fail() ? NULL : malloc(size); }

static void *counting_realloc(void *block, size_t size) {
    return must_fail() ? NULL : realloc(block, size);
}

static void quiet(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    (void)context;
    (*(int *)data)++;
}

static int reports;

/* Scenarios: each is the main coroutine of a program and may end with any
 * error that is allowed below. */

static int64_t sleeper(void *arg, void **value) {
    (void)value;
    return aloop_await(aloop_sleep(*(double *)arg), NULL);
}

static double short_time = 0.01, long_time = 10.0;

static int64_t tasks(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_task *a = aloop_create_task(sleeper, &short_time);
    aloop_task *b = aloop_create_task(sleeper, &long_time);
    int64_t status = aloop_await(a, NULL);
    aloop_task_cancel(b, "enough");
    const int64_t second = aloop_await(b, NULL);
    return status < 0 ? status : second == ALOOP_ECANCELED ? 0 : second;
}

static int64_t gathering(void *arg, void **value) {
    (void)arg;
    (void)value;
    void *list = NULL;
    aloop_task *first = aloop_create_task(sleeper, &short_time);
    aloop_ref(first);
    int64_t status = aloop_await(
        ALOOP_GATHER(ALOOP_RETURN_EXCEPTIONS, first, aloop_sleep(0.02), first,
                     aloop_wait_for(aloop_sleep(5), 0.01)),
        &list);
    aloop_results_unref(list);
    return status < 0 ? status : 0;
}

static int64_t limits(void *arg, void **value) {
    (void)arg;
    (void)value;
    int64_t status = aloop_await(aloop_wait_for(aloop_sleep(5), 0.01), NULL);
    if (status != ALOOP_ETIMEDOUT) return status;
    aloop_timeout *timeout = NULL;
    status = aloop_timeout_enter(&timeout, 0.01);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(1), NULL);
    status = aloop_timeout_exit(timeout, status);
    aloop_unref(timeout);
    return status == ALOOP_ETIMEDOUT ? 0 : status;
}

static int64_t failing(void *arg, void **value) {
    (void)arg;
    (void)value;
    return aloop_raise(ALOOP_EUSER - 7, "number %d", 7);
}

static int64_t groups(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_task_group *group = NULL;
    int64_t status = aloop_task_group_enter(&group);
    if (status < 0) return status;
    status = aloop_task_group_spawn(group, sleeper, &short_time);
    if (status == 0) status = aloop_task_group_spawn(group, failing, NULL);
    status = aloop_task_group_exit(group, status);
    return status == ALOOP_EGROUP ? 0 : status;
}

static int64_t waiting(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_future *both[2] = {aloop_create_task(sleeper, &short_time),
                             aloop_create_task(sleeper, &long_time)};
    void *lists = NULL;
    int64_t status = aloop_await(aloop_wait(both, 2, 5, ALOOP_FIRST_COMPLETED), &lists);
    aloop_results *pending = aloop_wait_result_pending(lists);
    for (int64_t i = 0; i < aloop_results_count(pending); i++) {
        aloop_future_cancel(aloop_results_future(pending, i), NULL);
    }
    aloop_unref(lists);
    return status < 0 ? status : 0;
}

static int64_t completing(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_future *both[2] = {aloop_sleep(0.02), aloop_sleep(0.01)};
    aloop_completions *order = NULL;
    int64_t status = aloop_as_completed(&order, both, 2, -1);
    if (status < 0) return status;
    while (status >= 0) status = aloop_await(aloop_as_completed_next_result(order), NULL);
    aloop_unref(order);
    return status == ALOOP_ESTOPITERATION ? 0 : status;
}

static int64_t nothing(void *data) {
    (void)data;
    return 0;
}

static int64_t on_done(aloop_future *future, void *data) {
    (void)future;
    (void)data;
    return 0;
}

static int64_t scheduling(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    void *owned = malloc(1);
    const int64_t soon = aloop_loop_call_soon(loop, nothing, owned, free);
    if (soon < 0) free(owned); /* a failed registration leaves it ours */
    const int64_t later = aloop_loop_call_later(loop, 1, nothing, NULL, NULL);
    const int64_t posted = aloop_loop_call_soon_threadsafe(loop, nothing, NULL, NULL);
    aloop_future *future = aloop_loop_create_future(loop);
    const int64_t added = aloop_future_add_done_callback(future, on_done, NULL, NULL);
    const int64_t sent = aloop_future_set_result_threadsafe(future, 5, NULL, NULL);
    int64_t status = sent < 0 ? sent : aloop_await(aloop_ref(future), NULL);
    aloop_unref(future);
    if (later > 0) aloop_loop_cancel_handle(loop, (aloop_handle)later);
    if (soon < 0 || later < 0 || posted < 0 || added < 0) return ALOOP_ENOMEM;
    return status < 0 ? status : 0;
}

static int64_t contexts(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_contextvar *var = aloop_contextvar_new("var", NULL);
    if (var == NULL) return ALOOP_ENOMEM;
    aloop_context_token *token = NULL;
    int64_t status = aloop_contextvar_set(var, &short_time, NULL, &token);
    if (status == 0) status = aloop_await(aloop_create_task(sleeper, &short_time), NULL);
    if (token != NULL) aloop_contextvar_reset(var, token);
    aloop_unref(token);
    aloop_unref(var);
    return status;
}

static int64_t shields(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_task *inner = aloop_create_task(sleeper, &short_time);
    aloop_ref(inner);
    int64_t status = aloop_await(aloop_wait_for(aloop_shield(inner), 0.005), NULL);
    if (status == ALOOP_ETIMEDOUT) status = aloop_await(aloop_ref(inner), NULL);
    aloop_unref(inner);
    return status;
}

static int64_t yielder(void *arg) {
    int64_t rc = 0;
    for (int i = 0; i < 3 && rc >= 0; i++) {
        rc = aloop_await(aloop_sleep(*(double *)arg), NULL);
        if (rc >= 0) rc = aloop_yield(NULL);
    }
    return rc;
}

/* Collected, closed half-way, abandoned, and left to the runner. */
static aloop_generator *left_open;

static int64_t generators(void *arg, void **value) {
    (void)arg;
    (void)value;
    int64_t status = 0;
    for (int way = 0; way < 4 && status >= 0; way++) {
        aloop_generator *g = aloop_generator_new(yielder, &short_time, NULL);
        if (g == NULL) return ALOOP_ENOMEM;
        if (way == 0) {
            void *list = NULL;
            status = aloop_await(aloop_generator_collect(g), &list);
            if (status >= 0) aloop_unref(list);
        } else {
            status = aloop_await(aloop_generator_next(g), NULL);
        }
        if (way == 1) {
            const int64_t closed = aloop_await(aloop_generator_aclose(g), NULL);
            if (status >= 0) status = closed;
        }
        if (way < 3) aloop_unref(g);
        else left_open = g;
    }
    return status;
}

static int64_t unwind(void *unused) {
    (void)unused;
    return aloop_await(aloop_sleep(0), NULL);
}

static int64_t scopes(void *arg, void **value) {
    (void)arg;
    (void)value;
    ALOOP_SCOPE(scope);
    if (scope == NULL) return ALOOP_ENOMEM;
    int64_t status = aloop_exit_stack_callback(scope, unwind, NULL);
    if (status < 0) return status;
    aloop_cancel_scope *s = NULL;
    status = aloop_cancel_scope_enter(&s, 0.001, 0);
    if (status < 0) return status;
    status = aloop_await(aloop_sleep(1), NULL);
    aloop_call_graph *g = aloop_capture_call_graph(NULL, ALOOP_NO_LIMIT);
    aloop_unref(g);
    status = aloop_cancel_scope_exit(s, status);
    aloop_unref(s);
    return aloop_exit_stack_close(scope, status);
}

/* A connection, with more to send than the kernel takes at once. */
static int64_t echo(aloop_stream *client, void *data) {
    (void)data;
    int64_t status = 1;
    while (status > 0) {
        aloop_bytes *bytes = NULL;
        status = aloop_await(aloop_stream_read(client, 65536), (void **)&bytes);
        if (status > 0) aloop_stream_write(client, aloop_bytes_data(bytes), (size_t)status);
        aloop_bytes_unref(bytes);
        if (status > 0 && aloop_await(aloop_stream_drain(client), NULL) < 0) return 0;
    }
    return 0;
}

static char much[1 << 20];

static int64_t converse(aloop_stream *s) {
    int64_t status = aloop_stream_write(s, "hello\n", 6);
    if (status >= 0) status = aloop_await(aloop_stream_drain(s), NULL);
    aloop_bytes *bytes = NULL;
    if (status >= 0) status = aloop_await(aloop_stream_readline(s), (void **)&bytes);
    aloop_bytes_unref(bytes);
    bytes = NULL;
    if (status >= 0) status = aloop_stream_write(s, much, sizeof much);
    if (status >= 0) {
        status = aloop_await(aloop_stream_readexactly(s, sizeof much), (void **)&bytes);
    }
    aloop_bytes_unref(bytes);
    bytes = NULL;
    if (status >= 0) status = aloop_stream_write_eof(s);
    if (status >= 0) status = aloop_await(aloop_stream_readuntil(s, "--", 2), (void **)&bytes);
    aloop_bytes_unref(bytes);
    return status == ALOOP_EINCOMPLETEREAD ? 0 : status;
}

static int64_t streams(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_server *server = NULL;
    int64_t status =
        aloop_await(aloop_start_server(echo, NULL, "127.0.0.1", 0, NULL), (void **)&server);
    if (status < 0) return status;
    aloop_stream *s = NULL;
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    status = aloop_await(aloop_open_connection("127.0.0.1", port, NULL), (void **)&s);
    if (status >= 0) {
        status = converse(s);
        aloop_stream_close(s);
        const int64_t closed = aloop_await(aloop_stream_wait_closed(s), NULL);
        if (status >= 0) status = closed;
        aloop_unref(s);
    }
    aloop_server_close(server);
    aloop_server_abort_clients(server);
    const int64_t closed = aloop_await(aloop_server_wait_closed(server), NULL);
    aloop_unref(server);
    /* The other side ran out of memory and left. */
    const int left = status == -ECONNRESET || status == -EPIPE || status == ALOOP_EINCOMPLETEREAD;
    if (left) status = ALOOP_ENOMEM;
    return status < 0 ? status : closed < 0 ? closed : 0;
}

/* Transports and protocols, a pair in memory, pipes, a file. */
static int64_t send_back(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)data;
    return aloop_stream_write(transport, bytes, n) < 0 ? ALOOP_ENOMEM : 0;
}

static int64_t count_data(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)transport;
    (void)bytes;
    *(size_t *)data += n;
    return 0;
}

static int64_t talk_to(aloop_server *server, aloop_protocol *p) {
    size_t got = 0;
    aloop_stream *s = NULL;
    aloop_protocol_set_data_received(p, count_data);
    int64_t status = aloop_await(
        aloop_create_connection(p, &got, "127.0.0.1", (int32_t)aloop_server_port(server, 0), NULL),
        (void **)&s);
    if (status < 0) return status;
    aloop_stream_set_write_buffer_limits(s, 1000, 0);
    status = aloop_stream_write(s, much, sizeof much);
    while (status >= 0 && got < sizeof much && aloop_stream_is_closing(s) == 0) {
        status = aloop_await(aloop_sleep(0), NULL);
    }
    if (status >= 0 && got < sizeof much) status = ALOOP_ENOMEM; /* the server's */
    aloop_stream_close(s);
    const int64_t closed = aloop_await(aloop_stream_wait_closed(s), NULL);
    aloop_unref(s);
    if (status >= 0) status = closed;
    return status == ALOOP_ECONNRESET || status == ALOOP_EPIPE ? ALOOP_ENOMEM : status;
}

static int64_t transports(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_protocol *p = aloop_protocol_new(), *own = aloop_protocol_new();
    aloop_protocol_set_data_received(p, send_back);
    aloop_server *server = NULL;
    int64_t status =
        aloop_await(aloop_create_server(p, NULL, "127.0.0.1", 0, NULL), (void **)&server);
    if (status >= 0) {
        status = talk_to(server, own);
        const int64_t late = aloop_await(aloop_server_shutdown(server, 1), NULL);
        aloop_server_close(server); /* shutdown may not have come to it */
        aloop_server_abort_clients(server);
        const int64_t closed = aloop_await(aloop_server_wait_closed(server), NULL);
        aloop_unref(server);
        if (status >= 0) status = late < 0 ? late : closed;
    }
    aloop_unref(p);
    aloop_unref(own);
    return status;
}

static int64_t feed(void *stream, void **value) {
    (void)value;
    int64_t status = aloop_stream_write(stream, much, 100000);
    if (status >= 0) status = aloop_await(aloop_stream_drain(stream), NULL);
    if (status >= 0) {
        const int file = open("/proc/self/exe", O_RDONLY);
        status = aloop_await(aloop_stream_sendfile(stream, file, 0, 1000), NULL);
        close(file);
    }
    aloop_stream_close(stream);
    aloop_await(aloop_stream_wait_closed(stream), NULL);
    return status;
}

static int64_t through(aloop_stream *in, aloop_stream *out) {
    aloop_task *feeding = aloop_create_task(feed, out);
    aloop_bytes *all = NULL;
    int64_t status = aloop_await(aloop_wait_for(aloop_stream_read(in, -1), 5), (void **)&all);
    aloop_bytes_unref(all);
    if (status < 0) aloop_stream_abort(out); /* it could not be fed, or nobody reads */
    const int64_t fed = aloop_await(feeding, NULL);
    if (status >= 0 && fed < 0) status = fed;
    aloop_unref(in);
    aloop_unref(out);
    const int left =
        status == ALOOP_EPIPE || status == ALOOP_ECONNRESET || status == ALOOP_ETIMEDOUT;
    return left ? ALOOP_ENOMEM : status >= 0 && status != 101000 ? ALOOP_ENOMEM : status;
}

static int64_t pipes(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_stream *in = NULL, *out = NULL;
    int64_t status = aloop_stream_pair(&in, &out, NULL);
    if (status >= 0) status = through(in, out);
    if (status < 0) return status;
    int ends[2];
    if (pipe(ends) < 0) return ALOOP_EINVAL;
    in = out = NULL;
    status = aloop_await(aloop_connect_read_pipe(ends[0], NULL), (void **)&in);
    if (status >= 0) status = aloop_await(aloop_connect_write_pipe(ends[1], NULL), (void **)&out);
    if (status >= 0) return through(in, out) < 0 ? ALOOP_ENOMEM : 0;
    close(ends[1]);
    if (in == NULL) close(ends[0]);
    aloop_unref(in);
    return status;
}

/* A child that sends back what it is sent, and one that is killed. */
static int64_t children(void *arg, void **value) {
    (void)arg;
    (void)value;
    aloop_process_options *options = aloop_process_options_new();
    if (options == NULL) return ALOOP_ENOMEM;
    aloop_process_options_set_stdin(options, ALOOP_PIPE);
    aloop_process_options_set_stdout(options, ALOOP_PIPE);
    aloop_process *p = NULL;
    int64_t status = aloop_await(aloop_create_subprocess_shell("exec cat", options), (void **)&p);
    aloop_unref(options);
    if (status < 0) return status;
    void *outputs = NULL;
    status = aloop_await(aloop_process_communicate(p, "hello", 5), &outputs);
    aloop_unref(outputs);
    if (status < 0) {
        aloop_process_kill(p);
        aloop_await(aloop_process_wait(p), NULL);
    }
    aloop_unref(p);
    return status;
}

static int64_t job(void *arg, void **value) {
    (void)value;
    return *(double *)arg > 0 ? 0 : ALOOP_EUSER;
}

static int64_t jobs(void *arg, void **value) {
    (void)arg;
    (void)value;
    int64_t status = aloop_await(aloop_to_thread(job, &short_time, NULL), NULL);
    if (status < 0) return status;
    aloop_executor *pool = aloop_executor_new_threads(1);
    if (pool == NULL) return ALOOP_ENOMEM;
    aloop_loop *loop = aloop_get_running_loop();
    status = aloop_await(aloop_run_in_executor(loop, pool, job, &short_time, NULL), NULL);
    const int64_t ended = aloop_await(aloop_executor_shutdown(pool, 100), NULL);
    aloop_unref(pool);
    return status < 0 ? status : ended;
}

#ifdef WITH_TLS
static int64_t secured(void *arg, void **value) {
    const int64_t status = talk_over_tls(arg, value);
    /* One side ran out of memory and left; the other one says so in its words. */
    const int left = status == ALOOP_ECONNRESET || status == ALOOP_EPIPE || status == ALOOP_ETLS ||
                     status == ALOOP_ETLSTRUNCATED || status == ALOOP_EINCOMPLETEREAD;
    return left ? ALOOP_ENOMEM : status;
}
#endif

static const struct scenario scenarios[] = {
    {"tasks", tasks},           {"gather", gathering},      {"limits", limits},
    {"groups", groups},         {"wait", waiting},          {"as_completed", completing},
    {"scheduling", scheduling}, {"contexts", contexts},     {"shield", shields},
    {"generators", generators}, {"scopes", scopes},         {"streams", streams},
    {"children", children},     {"jobs", jobs},             {"transports", transports},
    {"pipes", pipes},
#ifdef WITH_TLS
    {"TLS", secured},
#endif
    {NULL, NULL},
};

static int64_t run_program(aloop_coro_fn main) {
    aloop_loop_options *options = aloop_loop_options_new();
    if (options == NULL) return ALOOP_ENOMEM;
    aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL);
    aloop_runner *runner = NULL;
    int64_t status = aloop_runner_new(&runner, options);
    aloop_unref(options);
    if (status < 0) return status;
    aloop_loop *loop = aloop_runner_get_loop(runner);
    if (loop != NULL) {
        aloop_loop_set_exception_handler(loop, quiet, &reports, NULL);
        status = aloop_runner_run(runner, main, NULL, NULL);
    } else {
        status = ALOOP_ENOMEM;
    }
    aloop_runner_close(runner);
    aloop_unref(runner);
    aloop_unref(left_open);
    left_open = NULL;
    return status;
}

static int allowed(int64_t status) {
    /* Cancelled: what waited for something that could not be made. */
    return status == 0 || status == ALOOP_ENOMEM || status == ALOOP_ECANCELED ||
           status == ALOOP_EGROUP || status == ALOOP_EINVAL;
}

static void assert_nothing_left(const char *name, long k) {
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (aloop_debug_stats(i) != 0) {
            fail_msg("%s, allocation %ld%s: %ld %s left", name, k, for_good ? " on" : "",
                     (long)aloop_debug_stats(i), aloop_debug_stats_name(i));
        }
    }
}

static void torture_one(const struct scenario *s, int persistent) {
    long k = 0;
    do {
        k++;
        allocations = failures = 0;
        fail_at = k;
        for_good = persistent;
        const int64_t status = run_program(s->main);
        fail_at = 0;
        if (!allowed(status)) fail_msg("%s, allocation %ld: %s", s->name, k, aloop_errname(status));
        assert_nothing_left(s->name, k);
        if (failures == 0) assert_int_equal(status, 0);
    } while (failures > 0);
    assert_true(k > 5);
    print_message("%s: %ld allocations failed in turn\n", s->name, k - 1);
    assert_int_equal(run_program(s->main), 0);
}

static void torture(int persistent) {
    for (const struct scenario *s = scenarios; s->name != NULL; s++) torture_one(s, persistent);
    for (const struct scenario *s = sync_scenarios; s->name != NULL; s++) {
        torture_one(s, persistent);
    }
    for (const struct scenario *s = io_scenarios; s->name != NULL; s++) torture_one(s, persistent);
}

static void each_allocation_fails_once(void **state) {
    (void)state;
    torture(0);
}

static void each_allocation_fails_for_good(void **state) {
    (void)state;
    torture(1);
}

int main(void) {
#ifdef WITH_TLS
    prepare_tls();
#endif
    assert_int_equal(aloop_set_allocator(counting_malloc, counting_realloc, free), 0);
    const struct CMUnitTest tests_[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(each_allocation_fails_for_good),
    };
    const int failed = cmocka_run_group_tests(tests_, NULL, NULL);
#ifdef WITH_TLS
    clean_up_tls();
#endif
    return failed;
}
