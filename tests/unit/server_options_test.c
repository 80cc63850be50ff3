/*
 * What may be chosen about a server: addresses, limits, deadlines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serving.h"

static int option_of(int fd, int name) {
    int answer = -1;
    socklen_t size = sizeof answer;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &answer, &size), 0);
    return answer;
}

static int listener_of(aloop_server *server) {
    int32_t fd = -1;
    assert_code(aloop_server_sockets(server, &fd, 1), 1);
    return fd;
}

/* SO_REUSEADDR: whether a server may take a port whose last connections linger. */
static int reuse_of(aloop_server *server) { return option_of(listener_of(server), SO_REUSEADDR); }

static int64_t reusing(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_reuse_address(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_reuse_address((void *)aloop_get_running_loop(), 1),
                ALOOP_EINVAL);
    /* On by default. A connection that the server closes first lingers. */
    aloop_server *server = serve(NULL, NULL, NULL);
    assert_int_equal(reuse_of(server), 1);
    const int32_t port = port_of(server);
    aloop_stream *s = connect_to(server), *accepted = NULL;
    assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
    aloop_stream_close(accepted);
    assert_code(AWAIT(aloop_stream_wait_closed(accepted)), 0);
    assert_reads(aloop_stream_read(s, -1), "");
    aloop_unref(accepted);
    aloop_unref(s);
    end(server);
    let_run(2);
    assert_code(aloop_stream_options_set_reuse_address(o, 0), 0);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "127.0.0.1", port, o)), -EADDRINUSE);
    server = serve(NULL, NULL, o);
    assert_int_equal(reuse_of(server), 0);
    end(server);
    assert_code(aloop_stream_options_set_reuse_address(o, 7), 0); /* any but 0 is on */
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", port, o),
                            (void **)&server), 0);
    assert_int_equal(reuse_of(server), 1);
    end(server);
    aloop_unref(o);
    return 0;
}

static void test_reuse_address(void **state) {
    (void)state;
    in_task(reusing);
}

static int64_t keeping(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    void *const loop = aloop_get_running_loop();
    assert_code(aloop_stream_options_set_keep_alive(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_keep_alive(loop, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_start_serving(NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_start_serving(loop, 0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_start_serving(o, 0), 0);
    for (int keep = 0; keep < 2; keep++) {
        assert_code(aloop_stream_options_set_keep_alive(o, keep), 0);
        aloop_server *server = serve(NULL, NULL, o);
        assert_code(aloop_server_is_serving(server), 0);
        assert_int_equal(plain_connection(port_of(server)), -1); /* it does not listen yet */
        assert_code(AWAIT(aloop_server_start_serving(server)), 0);
        assert_int_equal(option_of(listener_of(server), SO_KEEPALIVE), keep);
        aloop_stream *s = connect_to(server), *accepted = NULL;
        assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
        const int fd = (int)aloop_stream_get_extra_info(accepted, "fd", NULL, 0);
        assert_int_equal(option_of(fd, SO_KEEPALIVE), keep);
        aloop_unref(s);
        aloop_unref(accepted);
        end(server);
    }
    aloop_unref(o);
    return 0;
}

static void test_keep_alive(void **state) {
    (void)state;
    in_task(keeping);
}

/* With a limit connections wait in the kernel's queue; each that ends makes
 * room for one. */
static int64_t limited(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 2; how++) {
        int served = 0;
        aloop_stream_options *o = aloop_stream_options_new();
        assert_code(aloop_stream_options_set_max_connections(NULL, 1), ALOOP_EINVAL);
        assert_code(aloop_stream_options_set_max_connections(o, -1), ALOOP_EINVAL);
        assert_code(aloop_stream_options_set_max_connections(o, 2), 0);
        aloop_server *server = serve(how == 0 ? echo_lines : NULL, &served, o);
        aloop_unref(o);
        int fds[4];
        for (int i = 0; i < 4; i++) fds[i] = plain_connection(port_of(server));
        aloop_stream *accepted[4] = {NULL}, *listed[4];
        for (int i = 0; how == 1 && i < 2; i++) {
            assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted[i]), 0);
        }
        while (aloop_server_connections(server, NULL, 0) < 2) AWAIT(aloop_sleep(0.001));
        AWAIT(aloop_sleep(0.01)); /* and not more */
        assert_code(aloop_server_connections(server, listed, 4), 2);
        assert_code(aloop_server_connections(server, listed, 1), 2);
        assert_code(aloop_server_connections(server, NULL, 1), 2);
        assert_code(aloop_server_connections(NULL, NULL, 1), ALOOP_EINVAL);
        aloop_task *third = NULL;
        if (how == 1) {
            assert_ptr_equal(listed[0], accepted[0]);
            third = aloop_ensure_future(aloop_server_accept(server));
            AWAIT(aloop_sleep(0.01));
            assert_code(aloop_future_done(third), 0);
            aloop_stream_close(accepted[0]);
            assert_code(aloop_await(third, (void **)&accepted[2]), 0);
            assert_code(AWAIT(aloop_wait_for(aloop_server_accept(server), 0.01)),
                        ALOOP_ETIMEDOUT);
        }
        assert_code(aloop_server_connections(server, NULL, 0), 2);
        for (int i = 0; i < 4; i++) close(fds[i]);
        if (how == 1) {
            for (int i = 0; i < 3; i++) aloop_unref(accepted[i]);
            assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted[3]), 0);
            aloop_unref(accepted[3]);
        } else {
            while (served < 4) AWAIT(aloop_sleep(0.001));
        }
        end(server);
    }
    return 0;
}

static void test_limited(void **state) {
    (void)state;
    in_task(limited);
}

/* On all addresses of the options the same port, which the kernel chooses for one of them. */
static aloop_server *serve_on_one_port(aloop_stream_options *o) {
    for (;;) { /* until nobody else has taken it meanwhile */
        aloop_server *chosen = serve(NULL, NULL, NULL), *server = NULL;
        const int32_t port = port_of(chosen);
        end(chosen);
        let_run(2);
        const int64_t rc =
            aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", port, o), (void **)&server);
        if (rc == -EADDRINUSE) continue;
        assert_code(rc, 0);
        return server;
    }
}

/* Several hosts, some of them the same. */
static int64_t hosts(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_add_host(NULL, "127.0.0.2"), ALOOP_EINVAL);
    assert_code(aloop_stream_options_add_host(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_options_add_host(o, "127.0.0.2"), 0);
    assert_code(aloop_stream_options_add_host(o, "127.0.0.1"), 0);
    aloop_server *server = serve_on_one_port(o);
    const int32_t port = port_of(server);
    assert_code(aloop_server_sockets(server, NULL, 0), 2);
    const char *at[] = {"127.0.0.2", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        aloop_stream *s = NULL, *accepted = NULL;
        char text[64], expected[64];
        assert_code(aloop_await(aloop_open_connection(at[i], port, NULL), (void **)&s), 0);
        assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
        assert_true(aloop_stream_get_extra_info(accepted, "sockname", text, sizeof text) > 0);
        snprintf(expected, sizeof expected, "%s:%d", at[i], port);
        assert_string_equal(text, expected);
        aloop_unref(s);
        aloop_unref(accepted);
    }
    end(server);
    assert_code(aloop_stream_options_add_host(o, "no-such-name.invalid"), 0);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "127.0.0.1", port, o)), ALOOP_ERESOLVE);
    aloop_unref(o);
    return 0;
}

static void test_hosts(void **state) {
    (void)state;
    in_task(hosts);
}

/* Closing with a deadline names what is still open. */
static int64_t deadlines(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    aloop_server *server = serve(echo_lines, &served, NULL);
    assert_failed(aloop_server_shutdown(NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_server_shutdown(server, 0.0 / 0.0), ALOOP_EINVAL);
    aloop_stream *s[10];
    char text[64], expected[128];
    for (int i = 0; i < 10; i++) s[i] = connect_to(server);
    while (aloop_server_connections(server, NULL, 0) < 10) let_run(1);
    assert_code(AWAIT(aloop_server_shutdown(server, 0)), ALOOP_ETIMEDOUT);
    const char *message = aloop_error_message(aloop_last_error());
    assert_non_null(strstr(message, "10 connections are still open: 127.0.0.1:"));
    assert_non_null(strstr(message, ", and 2 more"));
    assert_code(aloop_server_is_serving(server), 0);
    for (int i = 1; i < 10; i++) aloop_unref(s[i]);
    aloop_loop *loop = aloop_get_running_loop();
    const double began = aloop_loop_time(loop);
    assert_code(AWAIT(aloop_server_shutdown(server, 0.05)), ALOOP_ETIMEDOUT);
    assert_true(aloop_loop_time(loop) - began >= 0.05);
    aloop_stream_get_extra_info(s[0], "sockname", text, sizeof text);
    snprintf(expected, sizeof expected, "1 connection is still open: %s", text);
    assert_string_equal(aloop_error_message(aloop_last_error()), expected);
    aloop_task *given_up = aloop_ensure_future(aloop_server_shutdown(server, 60));
    let_run(2);
    aloop_task_cancel(given_up, NULL);
    assert_code(AWAIT(given_up), ALOOP_ECANCELED);
    aloop_task *last = aloop_ensure_future(aloop_server_shutdown(server, 1.0 / 0.0));
    let_run(2);
    aloop_unref(s[0]);
    assert_code(AWAIT(last), 0);
    assert_code(AWAIT(aloop_server_shutdown(server, -1)), 0);
    assert_int_equal(served, 10);
    aloop_unref(server);
    let_run(2);
    return 0;
}

static void test_deadlines(void **state) {
    (void)state;
    in_task(deadlines);
}

/* Both families on one port: IPv6 sockets take IPv6 alone. */
static int64_t both_families(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_add_host(o, "::1"), 0);
    aloop_server *server = serve_on_one_port(o);
    const int32_t port = port_of(server);
    const char *at[] = {"127.0.0.1", "::1"};
    const int families = has_ipv6() ? 2 : 1; /* an address that is not there is left out */
    assert_code(aloop_server_sockets(server, NULL, 0), families);
    for (int i = 0; i < families; i++) {
        aloop_stream *s = NULL, *accepted = NULL;
        char text[64], expected[64];
        assert_code(aloop_await(aloop_open_connection(at[i], port, NULL), (void **)&s), 0);
        assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
        /* The peer's name is known also when it is gone. */
        aloop_stream_get_extra_info(s, "sockname", expected, sizeof expected);
        aloop_stream_abort(accepted);
        assert_code(AWAIT(aloop_stream_wait_closed(accepted)), 0);
        assert_true(aloop_stream_get_extra_info(accepted, "peername", text, sizeof text) > 0);
        assert_string_equal(text, expected);
        aloop_unref(s);
        aloop_unref(accepted);
    }
    end(server);
    aloop_unref(o);
    return 0;
}

static void test_both_families(void **state) {
    (void)state;
    in_task(both_families);
}

/* SO_REUSEPORT: two servers on one port, if both want it. */
static int64_t sharing(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_reuse_port(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_reuse_port(o, 1), 0);
    aloop_server *one = serve(NULL, NULL, o), *two = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", port_of(one), o),
                            (void **)&two), 0);
    assert_code(aloop_server_port(two, 0), port_of(one));
    assert_code(aloop_stream_options_set_reuse_port(o, 0), 0);
    assert_code(AWAIT(aloop_start_server(NULL, NULL, "127.0.0.1", port_of(one), o)), -EADDRINUSE);
    aloop_unref(o);
    end(one);
    end(two);
    return 0;
}

static void test_reuse_port(void **state) {
    (void)state;
    in_task(sharing);
}

/* The file of a Unix socket: a stale one is replaced, another file is not; ours
 * goes with the server, also when it is gone, and not when it was replaced. */
static int64_t start_at(const char *path, aloop_server **server) {
    return aloop_await(aloop_start_unix_server(NULL, NULL, path, NULL), (void **)server);
}

static int64_t socket_files(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64], text[128];
    snprintf(path, sizeof path, "/tmp/asyncloop-file-%d", (int)getpid());
    aloop_server *server = NULL;
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_code(start_at(path, &server), -EADDRINUSE);
    snprintf(text, sizeof text, "Address '%s' is already in use", path);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    assert_code(start_at("/no/such/folder/x", &server), -ENOENT);
    for (int how = 0; how < 3; how++) {
        if (how == 0) { /* left by a server that died */
            struct sockaddr_un at = {.sun_family = AF_UNIX};
            memcpy(at.sun_path, path, strlen(path) + 1);
            const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
            close(fd);
        }
        assert_code(start_at(path, &server), 0);
        if (how > 0) unlink(path);
        if (how == 2) fclose(fopen(path, "w"));
        end(server);
        assert_int_equal(access(path, F_OK), how == 2 ? 0 : -1);
    }
    unlink(path);
    return 0;
}

static void test_socket_files(void **state) {
    (void)state;
    in_task(socket_files);
}

SUITE(CASE(test_reuse_address), CASE(test_keep_alive), CASE(test_limited), CASE(test_hosts),
      CASE(test_deadlines), CASE(test_both_families), CASE(test_reuse_port),
      CASE(test_socket_files))
