/*
 * Operations on plain sockets: connecting and accepting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "socks.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t connecting(void *arg, void **value) {
    (void)arg, (void)value;
    int32_t port;
    const int server = listener(&port, 10);
    static const char *const hosts[] = {"127.0.0.1", "localhost", NULL};
    for (int i = 0; i < 3; i++) {
        const int client = tcp_socket();
        assert_code(AWAIT(aloop_sock_connect(client, hosts[i], port)), 0);
        aloop_address *peer = NULL, *own = address_of(client);
        const int64_t fd = aloop_await(aloop_sock_accept(server), (void **)&peer);
        assert_true(fd >= 0);
        assert_int_equal(aloop_address_equal(peer, own), 1);
        assert_true((fcntl((int)fd, F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl((int)fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_code(AWAIT(aloop_sock_sendall(client, "hi", 2)), 2);
        expect_bytes(aloop_sock_recv((int)fd, 10), "hi");
        aloop_unref(peer);
        aloop_unref(own);
        close((int)fd);
        close(client);
    }
    /* An accept that waits; one that is cancelled has accepted nothing. */
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_accept(server));
    let_run(2);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    assert_code(aloop_loop_remove_reader(aloop_get_running_loop(), server), 0);
    int client = tcp_socket();
    assert_code(AWAIT(aloop_sock_connect(client, "127.0.0.1", port)), 0);
    const int64_t fd = AWAIT(aloop_sock_accept(server));
    assert_true(fd >= 0);
    close((int)fd);
    close(client);
    aloop_future *waits = aloop_ensure_future(aloop_sock_accept(server));
    let_run(2);
    client = tcp_socket();
    assert_code(AWAIT(aloop_sock_connect(client, "127.0.0.1", port)), 0);
    const int64_t second = AWAIT(waits);
    assert_true(second >= 0);
    close((int)second);
    close(client);
    close(server);
    client = tcp_socket();
    assert_code(AWAIT(aloop_sock_connect(client, "127.0.0.1", port)), ALOOP_ECONNREFUSED);
    char text[128];
    snprintf(text, sizeof text, "Connect call failed ('127.0.0.1', %d): Connection refused", port);
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_code(AWAIT(aloop_sock_connect(client, "::1", port)), ALOOP_ERESOLVE);
    assert_code(AWAIT(aloop_sock_accept(client)), ALOOP_EINVAL); /* it does not listen */
    close(client);
    return 0;
}

static void test_connecting(void **state) {
    (void)state;
    in_task(connecting);
}

static int64_t unix_connecting(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-sock-%d", (int)getpid());
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
    const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(server, (const struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(server, 1), 0);
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_code(AWAIT(aloop_sock_connect(client, NULL, 0)), ALOOP_EINVAL);
    char path[200];
    memset(path, 'x', sizeof path);
    path[199] = '\0';
    assert_code(AWAIT(aloop_sock_connect(client, path, 0)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_connect(client, "/no/such/path", 0)), ALOOP_ENOENT);
    assert_code(AWAIT(aloop_sock_connect(client, name, 0)), 0);
    aloop_address *peer = NULL;
    const int64_t fd = aloop_await(aloop_sock_accept(server), (void **)&peer);
    assert_true(fd >= 0);
    assert_int_equal(aloop_address_port(peer), 0);
    aloop_unref(peer);
    close((int)fd);
    close(client);
    close(server);
    return 0;
}

static void test_unix_connecting(void **state) {
    (void)state;
    in_task(unix_connecting);
}

/* A listener whose queue is full does not answer. */
static int64_t hanging(void *arg, void **value) {
    (void)arg, (void)value;
    int32_t port;
    const int server = listener(&port, 0), filler = tcp_socket(), client = tcp_socket();
    assert_code(AWAIT(aloop_sock_connect(filler, "127.0.0.1", port)), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_sock_connect(client, "127.0.0.1", port), 0.05)),
                ALOOP_ETIMEDOUT);
    assert_code(aloop_loop_remove_writer(aloop_get_running_loop(), client), 0);
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_connect(client, "localhost", port));
    let_run(1); /* while the name is looked up */
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    close(client);
    close(filler);
    close(server);
    return 0;
}

static void test_hanging(void **state) {
    (void)state;
    in_task(hanging);
}

SUITE(CASE(test_connecting), CASE(test_unix_connecting), CASE(test_hanging))
