/*
 * Servers: handlers, accepting, closing, and what happens under load.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serving.h"

static int64_t bad_arguments(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_future *future = aloop_loop_create_future(aloop_get_running_loop());
    for (int i = 0; i < 2; i++) {
        aloop_server *s = i == 0 ? NULL : (aloop_server *)future;
        assert_failed(aloop_server_accept(s), ALOOP_EINVAL);
        assert_failed(aloop_server_start_serving(s), ALOOP_EINVAL);
        assert_failed(aloop_server_serve_forever(s), ALOOP_EINVAL);
        assert_failed(aloop_server_wait_closed(s), ALOOP_EINVAL);
        assert_code(aloop_server_sockets(s, NULL, 0), ALOOP_EINVAL);
        assert_code(aloop_server_port(s, 0), ALOOP_EINVAL);
        assert_code(aloop_server_is_serving(s), ALOOP_EINVAL);
        assert_code(aloop_server_close(s), ALOOP_EINVAL);
        assert_code(aloop_server_close_clients(s), ALOOP_EINVAL);
        assert_code(aloop_server_abort_clients(s), ALOOP_EINVAL);
    }
    aloop_unref(future);
    assert_failed(aloop_start_server(NULL, NULL, NULL, -1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_start_server(NULL, NULL, NULL, 65536, NULL), ALOOP_EINVAL);
    assert_failed(aloop_start_server(NULL, NULL, NULL, 0, (void *)aloop_get_running_loop()),
                  ALOOP_EINVAL);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "no-such-name.invalid", 0, NULL)),
                ALOOP_ERESOLVE);
    int served = 0;
    aloop_server *server = serve(echo_lines, &served, NULL);
    assert_failed(aloop_server_accept(server), ALOOP_EINVAL);
    assert_code(aloop_server_port(server, 1), ALOOP_EINVAL);
    assert_code(aloop_server_port(server, -1), ALOOP_EINVAL);
    char text[128];
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "127.0.0.1", port_of(server), NULL)),
                -EADDRINUSE);
    snprintf(text, sizeof text, "error while attempting to bind on address ('127.0.0.1', %d): "
             "address already in use", port_of(server));
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "192.0.2.1", 0, NULL)), -EADDRNOTAVAIL);
    end(server);
    return 0;
}

static void test_bad_arguments(void **state) {
    (void)state;
    in_task(bad_arguments);
    assert_null(aloop_start_server(NULL, NULL, NULL, 0, NULL));
}

static int64_t echoing(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    aloop_server *server = serve(echo_lines, &served, NULL);
    assert_code(aloop_server_is_serving(server), 1);
    int32_t fds[2] = {-1, -1};
    assert_code(aloop_server_sockets(server, fds, 2), 1);
    assert_true(fds[0] >= 0 && fds[1] == -1);
    aloop_stream *s = connect_to(server);
    aloop_stream_write(s, "one\ntwo\n", 8);
    assert_reads(aloop_stream_readline(s), "one\n");
    assert_reads(aloop_stream_readline(s), "two\n");
    aloop_task *closed = aloop_ensure_future(aloop_server_wait_closed(server));
    assert_code(aloop_server_close(server), 0);
    assert_code(aloop_server_close(server), 0);
    assert_code(aloop_server_is_serving(server), 0);
    assert_code(aloop_server_sockets(server, NULL, 0), 0);
    assert_code(AWAIT(aloop_server_start_serving(server)), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", 1, NULL)), ALOOP_ECONNREFUSED);
    /* The connection goes on, and the server waits for it. */
    aloop_stream_write(s, "three\n", 6);
    assert_reads(aloop_stream_readline(s), "three\n");
    assert_code(aloop_future_done(closed), 0);
    aloop_stream_write_eof(s);
    assert_reads(aloop_stream_read(s, -1), "");
    assert_code(AWAIT(closed), 0);
    assert_int_equal(served, 1);
    assert_code(AWAIT(aloop_server_wait_closed(server)), 0);
    aloop_unref(s);
    aloop_unref(server);
    let_run(2);
    return 0;
}

static void test_echo(void **state) {
    (void)state;
    in_task(echoing);
}

/* What becomes of handlers that fail, are cancelled, or just return. */
static int64_t fail_or_not(aloop_stream *client, void *how) {
    aloop_stream_write(client, "x", 1);
    if (*(int *)how == 0) return aloop_raise(ALOOP_EUSER - 7, "no luck");
    if (*(int *)how == 1) aloop_task_cancel(aloop_current_task(NULL), NULL);
    return 0;
}

static int64_t handlers(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    int how = 0;
    aloop_server *server = serve(fail_or_not, &how, NULL);
    for (; how < 3; how++) {
        aloop_stream *s = connect_to(server);
        assert_reads(aloop_stream_read(s, -1), "x");
        aloop_unref(s);
    }
    end(server);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "Unhandled exception in client_connected_cb");
    assert_string_equal(reports.list[0].text, "no luck");
    assert_int_equal(reports.list[0].code, ALOOP_EUSER - 7);
    return 0;
}

static void test_handlers(void **state) {
    (void)state;
    in_task(handlers);
}

static int64_t not_yet_serving(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_start_serving(o, 0), 0);
    assert_code(aloop_stream_options_set_reuse_port(o, 1), 0);
    int freed = 0, served = 0;
    assert_code(aloop_stream_options_set_data_free(o, count_free), 0);
    aloop_server *server = serve(echo_lines, &freed, o);
    aloop_unref(o);
    (void)served;
    assert_code(aloop_server_is_serving(server), 0);
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", port_of(server), NULL)),
                ALOOP_ECONNREFUSED);
    assert_code(AWAIT(aloop_server_start_serving(server)), 0);
    assert_code(AWAIT(aloop_server_start_serving(server)), 0);
    assert_code(aloop_server_is_serving(server), 1);
    aloop_unref(connect_to(server));
    end(server);
    let_run(2);
    assert_int_equal(freed, 2); /* one connection served, and the data freed */
    return 0;
}

static void test_not_yet_serving(void **state) {
    (void)state;
    in_task(not_yet_serving);
}

/* The data of a server are freed with it, also where no handler gets them. */
static int64_t data_of_acceptors(void *arg, void **value) {
    (void)arg, (void)value;
    int freed = 0;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_data_free(o, count_free), 0);
    assert_code(aloop_stream_options_set_data_free(NULL, count_free), ALOOP_EINVAL);
    aloop_server *server = serve(NULL, &freed, o);
    assert_code(AWAIT(aloop_start_server(NULL, &freed, "127.0.0.1", port_of(server), o)),
                -EADDRINUSE); /* the caller's still */
    aloop_unref(o);
    end(server);
    let_run(2);
    assert_int_equal(freed, 1);
    return 0;
}

static void test_data_of_acceptors(void **state) {
    (void)state;
    in_task(data_of_acceptors);
}

static int64_t forever(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    for (int how = 0; how < 2; how++) {
        aloop_server *server = serve(echo_lines, &served, NULL);
        aloop_stream *s = connect_to(server);
        aloop_task *serving = aloop_ensure_future(aloop_server_serve_forever(server));
        let_run(2);
        assert_code(AWAIT(aloop_server_serve_forever(server)), ALOOP_EBUSY);
        if (how == 0) aloop_task_cancel(serving, NULL);
        else aloop_server_close(server);
        let_run(5);
        AWAIT(aloop_sleep(0.01));
        assert_code(aloop_server_is_serving(server), 0);
        assert_code(aloop_future_done(serving), 0); /* a connection is left */
        aloop_unref(s);
        assert_code(AWAIT(serving), ALOOP_ECANCELED);
        assert_code(AWAIT(aloop_server_serve_forever(server)), ALOOP_ESTALE);
        assert_string_equal(aloop_error_message(aloop_last_error()), "server is closed");
        end(server);
    }
    return 0;
}

static void test_serve_forever(void **state) {
    (void)state;
    in_task(forever);
}

static int64_t closing_clients(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    for (int how = 0; how < 2; how++) {
        aloop_server *server = serve(echo_lines, &served, NULL);
        aloop_stream *s[3];
        for (int i = 0; i < 3; i++) s[i] = connect_to(server);
        aloop_stream_write(s[2], "x\n", 2);
        assert_reads(aloop_stream_readline(s[2]), "x\n"); /* all are accepted */
        assert_code(how == 0 ? aloop_server_close_clients(server)
                             : aloop_server_abort_clients(server), 0);
        for (int i = 0; i < 3; i++) {
            assert_reads(aloop_stream_read(s[i], -1), "");
            aloop_unref(s[i]);
        }
        end(server);
    }
    assert_int_equal(served, 6);
    return 0;
}

static void test_closing_clients(void **state) {
    (void)state;
    in_task(closing_clients);
}

static int64_t accepting(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = serve(NULL, NULL, NULL);
    aloop_task *first = aloop_ensure_future(aloop_server_accept(server));
    aloop_task *second = aloop_ensure_future(aloop_server_accept(server));
    let_run(2);
    const int one = plain_connection(port_of(server));
    while (aloop_task_state(first) == ALOOP_TASK_WAITING) let_run(1);
    /* Woken and cancelled at once: the connection goes to the next. */
    aloop_task_cancel(first, NULL);
    assert_code(AWAIT(first), ALOOP_ECANCELED);
    aloop_stream *s = NULL;
    assert_code(aloop_await(second, (void **)&s), 0);
    aloop_unref(s);
    const int two = plain_connection(port_of(server)), three = plain_connection(port_of(server));
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_await(aloop_server_accept(server), (void **)&s), 0);
        aloop_unref(s);
    }
    aloop_task *waits = aloop_ensure_future(aloop_server_accept(server));
    assert_code(AWAIT(aloop_wait_for(aloop_server_accept(server), 0.01)), ALOOP_ETIMEDOUT);
    aloop_server_close(server);
    assert_code(AWAIT(waits), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_server_accept(server)), ALOOP_ESTALE);
    close(one);
    close(two);
    close(three);
    end(server);
    return 0;
}

static void test_accepting(void **state) {
    (void)state;
    in_task(accepting);
}

/* A thousand at once --------------------------------------------------------------------- */

static int64_t one_of_many(void *server, void **value) {
    (void)value;
    aloop_stream *s = connect_to(server);
    for (int i = 0; i < 3; i++) {
        aloop_stream_write(s, "hello\n", 6);
        assert_reads(aloop_stream_readline(s), "hello\n");
        AWAIT(aloop_sleep(0.01));
    }
    aloop_stream_close(s);
    const int64_t rc = AWAIT(aloop_stream_wait_closed(s));
    aloop_unref(s);
    return rc;
}

static int64_t thousand(void *arg, void **value) {
    (void)arg, (void)value;
    enum { N = 1000 };
    int served = 0;
    aloop_stream_options *o = aloop_stream_options_new();
    aloop_stream_options_set_backlog(o, 1024);
    aloop_server *server = serve(echo_lines, &served, o);
    aloop_unref(o);
    static aloop_future *clients[N];
    for (int i = 0; i < N; i++) clients[i] = aloop_create_task(one_of_many, server);
    assert_code(AWAIT(aloop_gather(clients, N, 0)), N);
    end(server);
    assert_int_equal(served, N);
    return 0;
}

static void test_thousand(void **state) {
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    in_task(thousand);
}

/* One client sends a byte now and then, one never reads, one sends without
 * pause: a fourth is answered all the same. */
static int64_t swallow(aloop_stream *client, void *unused) {
    (void)unused;
    static char into[65536];
    int64_t rc;
    do {
        rc = AWAIT(aloop_stream_read_into(client, into, sizeof into));
    } while (rc > 0);
    return rc == ALOOP_ECONNRESET ? 0 : rc;
}

static int64_t flood(void *server, void **value) {
    (void)value;
    static char block[65536];
    aloop_stream *s = connect_to(server);
    int64_t rc = 0;
    while (rc >= 0) {
        rc = aloop_stream_write(s, block, sizeof block);
        if (rc >= 0) rc = AWAIT(aloop_stream_drain(s));
    }
    aloop_stream_abort(s);
    aloop_unref(s);
    return rc;
}

static int64_t bad_company(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    aloop_server *echo = serve(echo_lines, &served, NULL), *sink = serve(swallow, NULL, NULL);
    aloop_task *flooding = aloop_create_task(flood, sink);
    aloop_stream *slow = connect_to(echo), *deaf = connect_to(echo), *good = connect_to(echo);
    aloop_stream_write(slow, "no line yet", 11);
    for (int i = 0; i < 100; i++) aloop_stream_write(deaf, "x\n", 2);
    for (int i = 0; i < 50; i++) { /* which takes its time, but does not hang */
        aloop_stream_write(good, "quick\n", 6);
        assert_reads(aloop_wait_for(aloop_stream_readline(good), k_hang), "quick\n");
    }
    aloop_task_cancel(flooding, NULL);
    assert_code(AWAIT(flooding), ALOOP_ECANCELED);
    aloop_stream *all[] = {slow, deaf, good};
    for (int i = 0; i < 3; i++) {
        aloop_stream_close(all[i]);
        aloop_unref(all[i]);
    }
    end(echo);
    end(sink);
    return 0;
}

static void test_bad_company(void **state) {
    (void)state;
    in_task(bad_company);
}

/* Descriptors run out: reported once, shed, tried again after a second. */
static int64_t starving(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    int served = 0;
    aloop_server *server = serve(echo_lines, &served, NULL);
    int clients[8];
    for (int i = 0; i < 8; i++) clients[i] = plain_connection(port_of(server));
    int hoard[4096], n = 0;
    while (n < 4096 && (hoard[n] = fcntl(1, F_DUPFD_CLOEXEC, 0)) >= 0) n++;
    assert_int_equal(errno, EMFILE);
    while (reports.count == 0) AWAIT(aloop_sleep(0.001));
    AWAIT(aloop_sleep(0.05));
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "socket.accept() out of system resource");
    assert_int_equal(reports.list[0].code, -EMFILE);
    while (n > 0) close(hoard[--n]);
    for (int i = 0; i < 8; i++) {
        char byte;
        assert_true(recv(clients[i], &byte, 1, MSG_DONTWAIT) <= 0); /* shed */
        close(clients[i]);
    }
    aloop_stream *s = connect_to(server); /* waits in the queue for the second to pass */
    aloop_stream_write(s, "back\n", 5);
    assert_reads(aloop_stream_readline(s), "back\n");
    aloop_unref(s);
    end(server);
    assert_int_equal(reports.count, 1);
    return 0;
}

static void test_starving(void **state) {
    (void)state;
    struct rlimit limit, low;
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = 128;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    in_task(starving);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Unix sockets, with a file and without. */
static int64_t paths(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64], abstract[64], text[128];
    snprintf(path, sizeof path, "/tmp/asyncloop-test-%d", (int)getpid());
    snprintf(abstract, sizeof abstract, "@asyncloop-test-%d", (int)getpid());
    assert_failed(aloop_open_unix_connection(NULL, NULL), ALOOP_EINVAL);
    assert_failed(aloop_start_unix_server(NULL, NULL, "", NULL), ALOOP_EINVAL);
    char *const long_path = malloc(200);
    memset(long_path, 'x', 199);
    long_path[199] = '\0';
    assert_failed(aloop_open_unix_connection(long_path, NULL), ALOOP_EINVAL);
    free(long_path);
    assert_code(AWAIT(aloop_open_unix_connection(path, NULL)), ALOOP_ENOENT);
    int served = 0;
    for (int i = 0; i < 2; i++) {
        const char *at = i == 0 ? path : abstract;
        aloop_server *server = NULL;
        aloop_stream *s = NULL;
        assert_code(aloop_await(aloop_start_unix_server(echo_lines, &served, at, NULL),
                                (void **)&server), 0);
        assert_code(aloop_await(aloop_open_unix_connection(at, NULL), (void **)&s), 0);
        assert_code(aloop_stream_get_extra_info(s, "peername", text, sizeof text),
                    (int64_t)strlen(at));
        assert_string_equal(text, at);
        aloop_stream_write(s, "x\n", 2);
        assert_reads(aloop_stream_readline(s), "x\n");
        aloop_stream_write_eof(s);
        assert_reads(aloop_stream_read(s, -1), "");
        aloop_unref(s);
        assert_int_equal(access(path, F_OK), i == 0 ? 0 : -1);
        if (i == 1) {
            assert_code(AWAIT(aloop_start_unix_server(echo_lines, &served, at, NULL)), -EADDRINUSE);
        }
        end(server);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(served, 2);
    return 0;
}

static void test_paths(void **state) {
    (void)state;
    in_task(paths);
}

/* Cancelled on its way: the data stay the caller's. */
static int64_t starting(void *arg, void **value) {
    (void)value;
    aloop_stream_options *options = aloop_stream_options_new();
    aloop_stream_options_set_data_free(options, count_free);
    aloop_future *start =
        aloop_ensure_future(aloop_start_server(echo_lines, arg, "127.0.0.1", 0, options));
    aloop_unref(options);
    let_run(1); /* it listens, and gives the others a turn */
    aloop_future_cancel(start, NULL);
    assert_code(AWAIT(start), ALOOP_ECANCELED);
    let_run(2);
    return 0;
}

static void test_cancelled_start(void **state) {
    (void)state;
    int freed = 0;
    assert_code(run_virtual(starting, &freed, NULL), 0);
    assert_int_equal(freed, 0);
}

/* A server, its handler and its client are left when the loop closes. */
static int64_t leave_all(void *arg, void **value) {
    (void)value;
    static int served;
    aloop_server **server = arg;
    *server = serve(echo_lines, &served, NULL);
    aloop_stream *s = connect_to(*server);
    let_run(3);
    aloop_stream_write(s, "x\n", 2);
    aloop_unref(s);
    return 0;
}

static void test_left_behind(void **state) {
    (void)state;
    aloop_server *server = NULL;
    assert_code(run_virtual(leave_all, &server, NULL), 0);
    assert_code(aloop_server_close(server), ALOOP_ESTALE);
    aloop_unref(server);
}

/* Who accepts a crowd one after the other lets others run in between. */
static int64_t accept_crowd(void *arg, void **value) {
    (void)arg, (void)value;
    enum { CROWD = 130 };
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_backlog(o, CROWD), 0);
    aloop_server *server = serve(NULL, NULL, o);
    aloop_unref(o);
    int fds[CROWD];
    for (int i = 0; i < CROWD; i++) fds[i] = plain_connection(port_of(server));
    AWAIT(aloop_sleep(0.01));
    const int64_t begun = aloop_loop_iteration(aloop_get_running_loop());
    for (int i = 0; i < CROWD; i++) {
        aloop_stream *s = NULL;
        assert_code(aloop_await(aloop_server_accept(server), (void **)&s), 0);
        aloop_stream_abort(s);
        aloop_unref(s);
        close(fds[i]);
    }
    assert_true(aloop_loop_iteration(aloop_get_running_loop()) - begun >= 2);
    end(server);
    return 0;
}

static void test_accept_crowd(void **state) {
    (void)state;
    in_task(accept_crowd);
}

SUITE(CASE(test_bad_arguments), CASE(test_echo), CASE(test_handlers), CASE(test_not_yet_serving),
      CASE(test_data_of_acceptors),
      CASE(test_serve_forever), CASE(test_closing_clients), CASE(test_accepting),
      CASE(test_accept_crowd),
      CASE(test_thousand), CASE(test_bad_company), CASE(test_starving), CASE(test_paths),
      CASE(test_cancelled_start), CASE(test_left_behind))
