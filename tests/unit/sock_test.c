/*
 * Operations on plain sockets: receiving, sending, cancelling, what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "socks.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

SUITE(CASE(test_receiving), CASE(test_datagrams), CASE(test_sending), CASE(test_cancelling),
      CASE(test_reused), CASE(test_replacing), CASE(test_owned), CASE(test_bad_calls),
      CASE(test_blocking_sockets), CASE(test_left_waiting))
