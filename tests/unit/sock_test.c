/*
 * Operations on plain sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

struct pair {
    int a, b;
};

static struct pair new_pair(int type) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static void close_pair(struct pair p) {
    close(p.a);
    close(p.b);
}

static void expect_bytes(aloop_future *f, const char *text) {
    aloop_bytes *b = NULL;
    assert_code(aloop_await(f, (void **)&b), (int64_t)strlen(text));
    assert_int_equal(aloop_bytes_size(b), strlen(text));
    assert_string_equal((const char *)aloop_bytes_data(b), text);
    aloop_bytes_unref(b);
}

static void fill(int fd) {
    static char block[65536];
    while (write(fd, block, sizeof block) > 0) continue;
    assert_int_equal(errno, EAGAIN);
}

static void drain(int fd) {
    static char block[65536];
    while (read(fd, block, sizeof block) > 0) continue;
    assert_int_equal(errno, EAGAIN);
}

/* Receiving ----------------------------------------------------------------------------------- */

static int64_t receiving(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    char buffer[8] = "";
    assert_int_equal(write(p.b, "hello", 5), 5);
    expect_bytes(aloop_sock_recv(p.a, 3), "hel"); /* at once */
    assert_code(AWAIT(aloop_sock_recv_into(p.a, buffer, sizeof buffer)), 2);
    assert_string_equal(buffer, "lo");
    aloop_future *waits = aloop_ensure_future(aloop_sock_recv(p.a, 1u << 30));
    let_run(2);
    assert_int_equal(aloop_future_done(waits), 0);
    assert_int_equal(write(p.b, "later", 5), 5);
    expect_bytes(waits, "later");
    waits = aloop_ensure_future(aloop_sock_recv_into(p.a, buffer, 1));
    let_run(2);
    assert_int_equal(write(p.b, "x", 1), 1);
    assert_code(AWAIT(waits), 1);
    waits = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    close(p.b);
    expect_bytes(waits, ""); /* the end */
    assert_code(AWAIT(aloop_sock_recv_into(p.a, buffer, sizeof buffer)), 0);
    close(p.a);
    return 0;
}

static void test_receiving(void **state) {
    (void)state;
    in_task(receiving);
}

static int udp_socket(void) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    return fd;
}

static aloop_address *address_of(int fd) {
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    aloop_address *out = NULL;
    assert_code(aloop_address_from_sockaddr(&out, &a, n), 0);
    return out;
}

static int64_t datagrams(void *arg, void **value) {
    (void)arg, (void)value;
    const int a = udp_socket(), b = udp_socket();
    aloop_address *to = address_of(b), *own = address_of(a), *from = NULL;
    assert_code(AWAIT(aloop_sock_sendto(a, "one", 3, to)), 3);
    aloop_packet *p = NULL;
    assert_code(aloop_await(aloop_sock_recvfrom(b, 100), (void **)&p), 3);
    assert_string_equal((const char *)aloop_packet_data(p), "one");
    assert_int_equal(aloop_address_equal(aloop_packet_address(p), own), 1);
    assert_int_equal(aloop_packet_truncated(p), 0);
    assert_int_equal(aloop_packet_fd_count(p), 0);
    aloop_unref(p);
    aloop_future *waits = aloop_ensure_future(aloop_sock_recvfrom(b, 2));
    let_run(2);
    assert_code(AWAIT(aloop_sock_sendto(a, "two", 3, to)), 3);
    assert_code(aloop_await(waits, (void **)&p), 2);
    assert_int_equal(aloop_packet_truncated(p), 1);
    aloop_unref(p);
    char buffer[8] = "";
    assert_code(AWAIT(aloop_sock_sendto(a, "three", 5, to)), 5);
    assert_code(aloop_await(aloop_sock_recvfrom_into(b, buffer, sizeof buffer), (void **)&from), 5);
    assert_string_equal(buffer, "three");
    assert_int_equal(aloop_address_equal(from, own), 1);
    aloop_unref(from);
    waits = aloop_ensure_future(aloop_sock_recvfrom_into(b, buffer, sizeof buffer));
    let_run(2);
    assert_code(AWAIT(aloop_sock_sendto(a, "", 0, to)), 0);
    assert_code(AWAIT(waits), 0);
    assert_code(AWAIT(aloop_sock_sendto(a, "x", 1, NULL)), -EDESTADDRREQ);
    /* Nobody there: a connected socket is told. */
    assert_code(AWAIT(aloop_sock_connect(a, "127.0.0.1", (int32_t)aloop_address_port(to))), 0);
    close(b);
    assert_code(AWAIT(aloop_sock_sendto(a, "x", 1, NULL)), 1);
    assert_code(AWAIT(aloop_sock_recvfrom(a, 1)), ALOOP_ECONNREFUSED);
    assert_code(AWAIT(aloop_sock_sendto(a, "x", 1, NULL)), 1);
    assert_code(AWAIT(aloop_sock_recvfrom_into(a, buffer, 1)), ALOOP_ECONNREFUSED);
    aloop_unref(own);
    aloop_unref(to);
    close(a);
    return 0;
}

static void test_datagrams(void **state) {
    (void)state;
    in_task(datagrams);
}

/* Sending ------------------------------------------------------------------------------------- */

static int64_t sending(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    assert_code(AWAIT(aloop_sock_sendall(p.a, "at once", 7)), 7);
    assert_code(AWAIT(aloop_sock_sendall(p.a, NULL, 0)), 0);
    expect_bytes(aloop_sock_recv(p.b, 100), "at once");
    const size_t n = 4 * 1024 * 1024;
    char *big = malloc(n);
    for (size_t i = 0; i < n; i++) big[i] = (char)(i * 7);
    aloop_future *sends = aloop_ensure_future(aloop_sock_sendall(p.a, big, n));
    size_t got = 0;
    char *back = malloc(n);
    while (got < n) {
        const int64_t some = AWAIT(aloop_sock_recv_into(p.b, back + got, n - got));
        assert_true(some > 0);
        got += (size_t)some;
    }
    assert_code(AWAIT(sends), (int64_t)n);
    assert_memory_equal(back, big, n);
    free(back);
    free(big);
    close(p.b);
    assert_code(AWAIT(aloop_sock_sendall(p.a, "x", 1)), ALOOP_EPIPE);
    close(p.a);
    p = new_pair(SOCK_DGRAM);
    fill(p.a);
    sends = aloop_ensure_future(aloop_sock_sendto(p.a, "x", 1, NULL));
    let_run(2);
    assert_int_equal(aloop_future_done(sends), 0);
    drain(p.b);
    assert_code(AWAIT(sends), 1);
    close_pair(p);
    return 0;
}

static void test_sending(void **state) {
    (void)state;
    in_task(sending);
}

/* Connecting ---------------------------------------------------------------------------------- */

static int listener(int32_t *port, int backlog) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, backlog), 0);
    aloop_address *at = address_of(fd);
    *port = (int32_t)aloop_address_port(at);
    aloop_unref(at);
    return fd;
}

static int tcp_socket(void) {
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

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

/* Cancelling, replacing, descriptors that are not there --------------------------------------- */

static int64_t cancelling(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    aloop_loop *loop = aloop_get_running_loop();
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    assert_code(aloop_loop_remove_reader(loop, p.a), 0); /* nothing is left */
    /* Cancelled in the iteration in which the data came: they stay. */
    gives_up = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    assert_int_equal(write(p.b, "kept", 4), 4);
    let_run(1);
    aloop_task_cancel(gives_up, NULL);
    const int64_t rc = AWAIT(gives_up);
    assert_true(rc == ALOOP_ECANCELED || rc == 4);
    if (rc < 0) expect_bytes(aloop_sock_recv(p.a, 10), "kept");
    fill(p.a);
    gives_up = aloop_ensure_future(aloop_sock_sendall(p.a, "x", 1));
    let_run(2);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    assert_code(aloop_loop_remove_writer(loop, p.a), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_sock_sendall(p.a, "x", 1), 0.01)), ALOOP_ETIMEDOUT);
    /* Never awaited. */
    aloop_unref(aloop_sock_recv(p.a, 10));
    close_pair(p);
    return 0;
}

static void test_cancelling(void **state) {
    (void)state;
    in_task(cancelling);
}

/* The descriptor's number belongs to another when the first is cancelled. */
static int64_t reused(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    aloop_task *first = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    const int number = p.a;
    close_pair(p);
    p = new_pair(SOCK_STREAM);
    assert_true(p.a == number || p.b == number);
    const int here = number, there = p.a == number ? p.b : p.a;
    aloop_task *second = aloop_ensure_future(aloop_sock_recv(here, 100));
    let_run(2);
    assert_code(AWAIT(first), ALOOP_EBUSY);
    assert_int_equal(aloop_future_done(second), 0);
    assert_int_equal(write(there, "for the second", 14), 14);
    expect_bytes(second, "for the second");
    close_pair(p);
    return 0;
}

static void test_reused(void **state) {
    (void)state;
    in_task(reused);
}

static int64_t nothing(void *data) {
    (void)data;
    return 0;
}

static int64_t replacing(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    aloop_task *first = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    aloop_task *second = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    aloop_task_cancel(first, NULL);
    let_run(1);
    assert_int_equal(write(p.b, "x", 1), 1);
    assert_code(AWAIT(second), 1);
    const int64_t rc = AWAIT(first);
    assert_true(rc == ALOOP_EBUSY || rc == ALOOP_ECANCELED);
    /* The program's own reader takes the place, too. */
    first = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_reader(loop, p.a, nothing, NULL, NULL), 0);
    assert_code(AWAIT(first), ALOOP_EBUSY);
    assert_code(aloop_loop_remove_reader(loop, p.a), 1);
    first = aloop_ensure_future(aloop_sock_recv(p.a, 10));
    let_run(2);
    assert_code(aloop_loop_remove_reader(loop, p.a), 1);
    assert_code(AWAIT(first), ALOOP_EBUSY);
    close_pair(p);
    return 0;
}

static void test_replacing(void **state) {
    (void)state;
    in_task(replacing);
}

static int64_t use_owned(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1", 0), 0);
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    const int fd = (int)aloop_datagram_get_extra_info(d, "fd", NULL, 0);
    assert_code(AWAIT(aloop_sock_recv(fd, 10)), ALOOP_EBUSY);
    aloop_datagram_abort(d);
    aloop_unref(d);
    let_run(2);
    return 0;
}

static void test_owned(void **state) {
    (void)state;
    in_task(use_owned);
}

static int64_t bad_calls(void *arg, void **value) {
    (void)arg, (void)value;
    char c;
    const int32_t one = 0;
    assert_code(AWAIT(aloop_sock_recv(-1, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_recv_into(-1, &c, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_recvfrom(-1, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_recvfrom_into(-1, &c, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_sendall(-1, "x", 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_sendto(-1, "x", 1, NULL)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_connect(-1, "127.0.0.1", 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_accept(-1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_sendfile(-1, 0, 0, -1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_recv_fds(-1, 1)), ALOOP_EBADF);
    assert_code(AWAIT(aloop_sock_send_fds(-1, "x", 1, &one, 1)), ALOOP_EBADF);
    assert_failed(aloop_sock_recv(0, SIZE_MAX), ALOOP_EINVAL);
    assert_failed(aloop_sock_recv_into(0, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_recvfrom(0, SIZE_MAX), ALOOP_EINVAL);
    assert_failed(aloop_sock_recvfrom_into(0, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendall(0, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendto(0, NULL, 1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendto(0, "x", 1, (aloop_address *)aloop_get_running_loop()),
                  ALOOP_EINVAL);
    assert_failed(aloop_sock_connect(0, "127.0.0.1", -1), ALOOP_EINVAL);
    assert_failed(aloop_sock_connect(0, "127.0.0.1", 65536), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendfile(0, -1, 0, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendfile(0, 0, -1, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_sendfile_native(0, 0, 0, 0), ALOOP_EINVAL);
    assert_failed(aloop_sock_recv_fds(0, SIZE_MAX), ALOOP_EINVAL);
    assert_failed(aloop_sock_send_fds(0, "x", 0, &one, 1), ALOOP_EINVAL);
    assert_failed(aloop_sock_send_fds(0, "x", 1, &one, 0), ALOOP_EINVAL);
    assert_failed(aloop_sock_send_fds(0, "x", 1, &one, 254), ALOOP_EINVAL);
    assert_failed(aloop_sock_send_fds(0, "x", 1, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_packet_fd_count(NULL), ALOOP_EINVAL);
    assert_code(aloop_packet_take_fd(NULL, 0), ALOOP_EINVAL);
    return 0;
}

static void test_bad_calls(void **state) {
    (void)state;
    in_task(bad_calls);
    assert_null(aloop_sock_recv(0, 1)); /* no loop */
    assert_null(aloop_sock_accept(0));
}

static int64_t blocking_sockets(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    int fds[2];
    char c;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const int fd = fds[0];
    assert_code(AWAIT(aloop_sock_recv(fd, 1)), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "the socket must be non-blocking");
    assert_code(AWAIT(aloop_sock_recv_into(fd, &c, 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_recvfrom(fd, 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_recvfrom_into(fd, &c, 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_sendall(fd, "x", 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_sendto(fd, "x", 1, NULL)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_connect(fd, "@x", 0)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_accept(fd)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_sendfile(fd, fd, 0, 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_send_fds(fd, "x", 1, fds, 1)), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_sock_recv_fds(fd, 1)), ALOOP_EINVAL);
    assert_code(aloop_loop_set_debug(loop, 0), 0);
    /* Without debug mode it works, and does not block. */
    assert_code(AWAIT(aloop_wait_for(aloop_sock_recv(fd, 1), 0.01)), ALOOP_ETIMEDOUT);
    assert_code(AWAIT(aloop_sock_sendall(fd, "x", 1)), 1);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static void test_blocking_sockets(void **state) {
    (void)state;
    in_task(blocking_sockets);
}

/* Files --------------------------------------------------------------------------------------- */

static int new_file(const char *text) {
    char path[] = "/tmp/aloop-sock-XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (int64_t)strlen(text));
    return fd;
}

static int64_t files(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    const int file = new_file("0123456789");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 2, 3)), 3);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 5);
    expect_bytes(aloop_sock_recv(p.b, 100), "234");
    assert_code(AWAIT(aloop_sock_sendfile_native(p.a, file, 0, -1)), 10);
    expect_bytes(aloop_sock_recv(p.b, 100), "0123456789");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 8, 100)), 2);
    expect_bytes(aloop_sock_recv(p.b, 100), "89");
    assert_code(AWAIT(aloop_sock_sendfile(p.a, file, 100, 1)), 0);
    close(file);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, 999, 0, 1)), ALOOP_EBADF);
    /* Not a file of pages: by reading. */
    const int device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const int source = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    const int64_t sent = AWAIT(aloop_sock_sendfile(p.a, source, 0, -1));
    assert_true(sent > 0);
    assert_code(AWAIT(aloop_sock_recv(p.b, 100)), sent);
    close(source);
    close(device);
    struct pair other = new_pair(SOCK_STREAM);
    assert_code(AWAIT(aloop_sock_sendfile_native(p.a, other.a, 0, 1)), ALOOP_ENOSENDFILE);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, other.a, 0, 1)), -ESPIPE);
    close_pair(other);
    close_pair(p);
    p = new_pair(SOCK_DGRAM);
    assert_code(AWAIT(aloop_sock_sendfile(p.a, 0, 0, 1)), ALOOP_EINVAL);
    close_pair(p);
    return 0;
}

static void test_files(void **state) {
    (void)state;
    in_task(files);
}

static int64_t big_file(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    const int64_t n = 3 * 1024 * 1024;
    const int file = new_file("");
    assert_int_equal(ftruncate(file, n), 0);
    aloop_future *sends = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    int64_t got = 0;
    while (got < n) {
        const int64_t some = AWAIT(aloop_sock_recv(p.b, 65536));
        assert_true(some > 0);
        got += some;
    }
    assert_code(AWAIT(sends), n);
    assert_int_equal(lseek(file, 0, SEEK_CUR), n);
    /* Given up half way: the position tells how far it got. */
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    let_run(3);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    const int64_t at = lseek(file, 0, SEEK_CUR);
    assert_true(at > 0 && at < n);
    drain(p.b);
    gives_up = aloop_ensure_future(aloop_sock_sendfile(p.a, file, 0, -1));
    let_run(2);
    close(p.b);
    assert_code(AWAIT(gives_up), ALOOP_EPIPE);
    close(file);
    close(p.a);
    return 0;
}

static void test_big_file(void **state) {
    (void)state;
    in_task(big_file);
}

/* Descriptors --------------------------------------------------------------------------------- */

static int64_t descriptors(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    const int file = new_file("inside");
    const int32_t both[] = {file, p.a};
    assert_code(AWAIT(aloop_sock_send_fds(p.a, "take", 4, both, 2)), 4);
    aloop_packet *got = NULL;
    assert_code(aloop_await(aloop_sock_recv_fds(p.b, 100), (void **)&got), 4);
    assert_string_equal((const char *)aloop_packet_data(got), "take");
    assert_int_equal(aloop_packet_fd_count(got), 2);
    const int64_t mine = aloop_packet_take_fd(got, 0);
    assert_true(mine >= 0);
    assert_true((fcntl((int)mine, F_GETFD) & FD_CLOEXEC) != 0);
    assert_code(aloop_packet_take_fd(got, 0), ALOOP_EBADF);
    assert_code(aloop_packet_take_fd(got, 2), ALOOP_EINVAL);
    assert_code(aloop_packet_take_fd(got, -1), ALOOP_EINVAL);
    char text[8] = "";
    assert_int_equal(pread((int)mine, text, 6, 0), 6);
    assert_string_equal(text, "inside");
    close((int)mine);
    aloop_unref(got); /* closes the other one */
    /* One that waits; data without descriptors. */
    aloop_future *waits = aloop_ensure_future(aloop_sock_recv_fds(p.b, 100));
    let_run(2);
    assert_code(AWAIT(aloop_sock_sendall(p.a, "plain", 5)), 5);
    assert_code(aloop_await(waits, (void **)&got), 5);
    assert_int_equal(aloop_packet_fd_count(got), 0);
    aloop_unref(got);
    /* As many as go at once, and cancellations. */
    int32_t many[253];
    for (int i = 0; i < 253; i++) many[i] = file;
    assert_code(AWAIT(aloop_sock_send_fds(p.a, "x", 1, many, 253)), 1);
    assert_code(aloop_await(aloop_sock_recv_fds(p.b, 1), (void **)&got), 1);
    assert_int_equal(aloop_packet_fd_count(got), 253);
    assert_int_equal(aloop_packet_truncated(got), 0);
    aloop_unref(got);
    aloop_task *gives_up = aloop_ensure_future(aloop_sock_recv_fds(p.b, 1));
    let_run(2);
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    fill(p.a);
    gives_up = aloop_ensure_future(aloop_sock_send_fds(p.a, "x", 1, &file, 1));
    waits = aloop_ensure_future(aloop_sock_send_fds(p.b, "y", 1, &file, 1));
    let_run(2);
    assert_code(AWAIT(waits), 1); /* the other direction is free */
    aloop_task_cancel(gives_up, NULL);
    assert_code(AWAIT(gives_up), ALOOP_ECANCELED);
    gives_up = aloop_ensure_future(aloop_sock_send_fds(p.a, "x", 1, &file, 1));
    let_run(2);
    drain(p.b);
    assert_code(AWAIT(gives_up), 1);
    const int32_t none = 999;
    assert_code(AWAIT(aloop_sock_send_fds(p.a, "x", 1, &none, 1)), ALOOP_EBADF);
    close(file);
    close_pair(p);
    return 0;
}

static void test_descriptors(void **state) {
    (void)state;
    in_task(descriptors);
}

/* More come than may be opened: those that were are in the packet. */
static int64_t cut_short(void *arg, void **value) {
    (void)arg, (void)value;
    struct pair p = new_pair(SOCK_STREAM);
    int32_t ten[10];
    for (int i = 0; i < 10; i++) ten[i] = p.a;
    for (int room = 0; room <= 10; room++) {
        assert_code(AWAIT(aloop_sock_send_fds(p.a, "ten", 3, ten, 10)), 3);
        aloop_packet *got = NULL;
        limit_descriptors(room);
        const int64_t status = aloop_await(aloop_sock_recv_fds(p.b, 3), (void **)&got);
        limit_descriptors(-1);
        assert_code(status, 3);
        assert_int_equal(aloop_packet_fd_count(got), room);
        assert_int_equal(aloop_packet_truncated(got), room < 10);
        if (room > 0) close((int)aloop_packet_take_fd(got, 0));
        aloop_unref(got);
    }
    /* Read without room for any: the kernel drops them. */
    aloop_packet *got = NULL;
    assert_code(AWAIT(aloop_sock_send_fds(p.a, "ten", 3, ten, 10)), 3);
    assert_code(aloop_await(aloop_sock_recvfrom(p.b, 3), (void **)&got), 3);
    assert_int_equal(aloop_packet_fd_count(got), 0);
    aloop_unref(got);
    close_pair(p);
    return 0;
}

static void test_cut_short(void **state) {
    (void)state;
    in_task(cut_short);
}

/* What else a socket may be told to tell takes no descriptor's place. */
static int64_t besides(void *arg, void **value) {
    (void)arg, (void)value;
    enum { PASS_PIDFD = 76 }; /* a kernel without it does not tell */
    struct pair p = new_pair(SOCK_STREAM);
    const int on = 1;
    assert_int_equal(setsockopt(p.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    setsockopt(p.b, SOL_SOCKET, PASS_PIDFD, &on, sizeof on);
    int32_t many[253];
    for (int i = 0; i < 253; i++) many[i] = p.a;
    for (int count = 1; count <= 253; count += 126) {
        aloop_packet *got = NULL;
        const int before = open_descriptors();
        assert_code(AWAIT(aloop_sock_send_fds(p.a, "x", 1, many, (size_t)count)), 1);
        assert_code(aloop_await(aloop_sock_recv_fds(p.b, 1), (void **)&got), 1);
        assert_int_equal(aloop_packet_fd_count(got), count);
        assert_int_equal(aloop_packet_truncated(got), 0);
        assert_int_equal(open_descriptors(), before + count);
        aloop_unref(got);
    }
    close_pair(p);
    return 0;
}

static void test_besides(void **state) {
    (void)state;
    in_task(besides);
}

/* The loop closes while they wait. */
static int64_t leave_waiting(void *arg, void **value) {
    (void)value;
    struct pair *p = arg;
    aloop_unref(aloop_ensure_future(aloop_sock_recv(p->a, 10)));
    fill(p->b);
    aloop_unref(aloop_ensure_future(aloop_sock_sendall(p->b, "x", 1)));
    let_run(2);
    return 0;
}

static int64_t leave_in_loop(void *arg, void **value) {
    leave_waiting(arg, value);
    return 0;
}

static void test_left_waiting(void **state) {
    (void)state;
    struct pair p = new_pair(SOCK_STREAM);
    assert_code(run_virtual(leave_waiting, &p, NULL), 0);
    drain(p.a);
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, leave_in_loop, &p), 0);
    close_loop(loop);
    close_pair(p);
}

SUITE(CASE(test_receiving), CASE(test_datagrams), CASE(test_sending), CASE(test_connecting),
      CASE(test_unix_connecting), CASE(test_hanging), CASE(test_cancelling), CASE(test_reused),
      CASE(test_replacing), CASE(test_owned), CASE(test_bad_calls),
      CASE(test_blocking_sockets), CASE(test_files), CASE(test_big_file),
      CASE(test_descriptors), CASE(test_cut_short), CASE(test_besides), CASE(test_left_waiting))
