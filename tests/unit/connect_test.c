/*
 * Making connections: names, refusals, several addresses, cancellation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)

static aloop_server *listen_on(const char *host, int32_t port) {
    aloop_server *server = NULL;
    const int64_t rc =
        aloop_await(aloop_start_server(NULL, NULL, host, port, NULL), (void **)&server);
    return rc < 0 ? NULL : server;
}

static void stop(aloop_server *server) {
    assert_code(aloop_server_close(server), 0);
    aloop_unref(server);
}

/* A port on which nobody listens, and nobody can while this socket has it. */
static int32_t deaf_port(int *fd) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (const struct sockaddr *)&at, size), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&at, &size), 0);
    return ntohs(at.sin_port);
}

static int64_t refused(void *arg, void **value) {
    (void)arg, (void)value;
    int deaf;
    const int32_t port = deaf_port(&deaf);
    char text[256];
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", port, NULL)), ALOOP_ECONNREFUSED);
    snprintf(text, sizeof text, "Connect call failed ('127.0.0.1', %d): Connection refused", port);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    /* No host: this machine, on both of its addresses, which fail differently. */
    const int64_t rc = AWAIT(aloop_open_connection(NULL, port, NULL));
    assert_true(rc == ALOOP_ECONNREFUSED || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT);
    const char *message = aloop_error_message(aloop_last_error());
    if (strstr(message, "::1") != NULL) {
        assert_memory_equal(message, "Multiple exceptions: ", 21);
        assert_non_null(strstr(message, "('127.0.0.1'"));
    }
    close(deaf);
    return 0;
}

static void test_refused(void **state) {
    (void)state;
    in_task(refused);
}

static int64_t names(void *arg, void **value) {
    (void)arg, (void)value;
    assert_code(AWAIT(aloop_open_connection("no-such-name.invalid", 80, NULL)), ALOOP_ERESOLVE);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "'no-such-name.invalid'"));
    aloop_server *server = listen_on("localhost", 0);
    assert_non_null(server);
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_connection(
                                "localhost", (int32_t)aloop_server_port(server, 0), NULL),
                            (void **)&s), 0);
    aloop_unref(s);
    stop(server);
    let_run(2);

    /* Many at a time, some given up. */
    aloop_future *lookups[20];
    for (int i = 0; i < 20; i++) {
        lookups[i] = aloop_ensure_future(aloop_open_connection("no-such-name.invalid", 80, NULL));
    }
    let_run(1);
    for (int i = 0; i < 20; i += 2) aloop_future_cancel(lookups[i], NULL);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_gather(lookups, 20, ALOOP_RETURN_EXCEPTIONS),
                            (void **)&results), 20);
    for (int i = 0; i < 20; i++) {
        assert_code(aloop_results_status(results, i),
                    i % 2 == 0 ? ALOOP_ECANCELED : ALOOP_ERESOLVE);
    }
    aloop_unref(results);
    return 0;
}

static void test_names(void **state) {
    (void)state;
    in_task(names);
}

/* The loop closes while a name is looked up. */
static int64_t leave_lookup(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_unref(aloop_ensure_future(aloop_open_connection("no-such-name.invalid", 80, NULL)));
    let_run(1);
    return 0;
}

static void test_lookup_left_behind(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) assert_code(run_virtual(leave_lookup, NULL, NULL), 0);
}

static int64_t local_address(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = listen_on("127.0.0.1", 0);
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_local_address(o, "127.0.0.2", 0), 0);
    assert_code(aloop_stream_options_set_keep_alive(o, 1), 0);
    aloop_stream *s = NULL, *other = NULL;
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port, o), (void **)&s), 0);
    char text[64];
    aloop_stream_get_extra_info(s, "sockname", text, sizeof text);
    assert_memory_equal(text, "127.0.0.2:", 10);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&other), 0);
    aloop_stream_get_extra_info(other, "peername", text, sizeof text);
    assert_memory_equal(text, "127.0.0.2:", 10);
    aloop_unref(other);
    aloop_unref(s);
    assert_code(aloop_stream_options_set_local_address(o, "192.0.2.1", 0), 0);
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", port, o)), -EADDRNOTAVAIL);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()),
                           "error while attempting to bind on address ('192.0.2.1', 0)"));
    assert_code(aloop_stream_options_set_local_address(o, "::1", 0), 0);
    assert_true(AWAIT(aloop_open_connection("127.0.0.1", port, o)) < 0);
    aloop_unref(o);
    stop(server);
    let_run(2);
    return 0;
}

static void test_local_address(void **state) {
    (void)state;
    in_task(local_address);
}

/* A listener whose queue is full does not answer: the connect hangs. */
static int64_t hanging(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_backlog(o, 0), 0);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, o), (void **)&server),
                0);
    aloop_unref(o);
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    aloop_stream *filler = NULL;
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port, NULL), (void **)&filler), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_open_connection("127.0.0.1", port, NULL), 0.05)),
                ALOOP_ETIMEDOUT);
    aloop_task *hangs = aloop_ensure_future(aloop_open_connection("127.0.0.1", port, NULL));
    let_run(3);
    assert_code(aloop_future_done(hangs), 0);
    aloop_task_cancel(hangs, NULL);
    assert_code(AWAIT(hangs), ALOOP_ECANCELED);
    aloop_unref(filler);
    stop(server);
    let_run(2);
    return 0;
}

static void test_hanging(void **state) {
    (void)state;
    in_task(hanging);
}

/* With a delay of nothing all the addresses of a name race; one wins. */
static int64_t eyeballs(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    for (int i = 0; i < 3; i++) {
        assert_code(aloop_stream_options_set_happy_eyeballs_delay(o, i == 0 ? 0 : 0.25), 0);
        aloop_server *server = listen_on(i == 1 ? "127.0.0.1" : NULL, 0);
        assert_non_null(server);
        aloop_stream *s = NULL;
        const int64_t last = has_ipv6() ? aloop_server_sockets(server, NULL, 0) - 1 : 0;
        const int32_t port = (int32_t)aloop_server_port(server, last);
        assert_code(aloop_await(aloop_open_connection(NULL, port, o), (void **)&s), 0);
        aloop_unref(s);
        stop(server);
        let_run(2);
    }
    int deaf;
    const int32_t port = deaf_port(&deaf);
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", port, o)), ALOOP_ECONNREFUSED);
    close(deaf);
    aloop_unref(o);
    return 0;
}

static void test_eyeballs(void **state) {
    (void)state;
    in_task(eyeballs);
}

/* Never awaited, it does nothing. */
static int64_t unused(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_unref(aloop_open_connection("no-such-name.invalid", 80, NULL));
    aloop_future *cancelled = aloop_open_connection("127.0.0.1", 80, NULL);
    assert_code(aloop_future_cancel(cancelled, NULL), 1);
    assert_code(AWAIT(cancelled), ALOOP_ECANCELED);
    return 0;
}

static void test_unused(void **state) {
    (void)state;
    in_task(unused);
}

SUITE(CASE(test_refused), CASE(test_names), CASE(test_lookup_left_behind),
      CASE(test_local_address), CASE(test_hanging), CASE(test_eyeballs), CASE(test_unused))
