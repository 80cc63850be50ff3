/*
 * Operations on plain sockets: descriptors over Unix sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "socks.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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

SUITE(CASE(test_descriptors), CASE(test_cut_short), CASE(test_besides))
