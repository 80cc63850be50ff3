/*
 * What a connection costs: system calls for a request and its answer, and bytes
 * while it is idle. The library's calls into the C library end here, where they
 * are counted; the clients are plain sockets in the same thread and the clock
 * stands still, so that the figures are the same on any machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/own_clock.h"
#include "../unit/peer.h"

#define AWAIT(future) aloop_await((future), NULL)

enum { k_size = 64, k_most = 100 };

/* Counting ------------------------------------------------------------------------------ */

static int64_t calls;

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout) {
    calls++;
    return (int)syscall(SYS_epoll_wait, fd, events, n, timeout);
}

int epoll_ctl(int fd, int what, int on, struct epoll_event *event) {
    calls++;
    return (int)syscall(SYS_epoll_ctl, fd, what, on, event);
}

ssize_t recv(int fd, void *to, size_t n, int flags) {
    calls++;
    return syscall(SYS_recvfrom, fd, to, n, flags, NULL, NULL);
}

ssize_t send(int fd, const void *data, size_t n, int flags) {
    calls++;
    return syscall(SYS_sendto, fd, data, n, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    calls++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t read(int fd, void *to, size_t n) {
    calls++;
    return syscall(SYS_read, fd, to, n);
}

ssize_t write(int fd, const void *data, size_t n) {
    calls++;
    return syscall(SYS_write, fd, data, n);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old) {
    calls++;
    return (int)syscall(SYS_timerfd_settime, fd, flags, to, old);
}

/* Requests ------------------------------------------------------------------------------ */

/* How many answers are still to come, and who waits for the last one. */
static struct {
    int left;
    aloop_future *all;
} round_;

static void answered(void) {
    if (--round_.left == 0) assert_code(aloop_future_set_result(round_.all, 0, NULL, NULL), 0);
}

static int64_t echo(aloop_stream *client, void *unused) {
    (void)unused;
    for (;;) {
        void *got = NULL;
        const int64_t n = aloop_await(aloop_stream_read(client, 65536), &got);
        if (n > 0) {
            assert_code(aloop_stream_write(client, aloop_bytes_data(got), (size_t)n), 0);
            answered();
        }
        aloop_bytes_unref(got);
        if (n <= 0) return 0;
    }
}

static int64_t echo_data(aloop_stream *transport, const void *bytes, size_t n, void *unused) {
    (void)unused;
    assert_code(aloop_stream_write(transport, bytes, n), 0);
    answered();
    return 0;
}

static int64_t one_round(const int *fds, int n) {
    static char message[k_size];
    round_.left = n;
    round_.all = aloop_loop_create_future(aloop_get_running_loop());
    for (int i = 0; i < n; i++) {
        assert_int_equal(syscall(SYS_sendto, fds[i], message, k_size, 0, NULL, 0), k_size);
    }
    const int64_t before = calls;
    assert_code(AWAIT(round_.all), 0);
    const int64_t taken = calls - before;
    for (int i = 0; i < n; i++) {
        assert_int_equal(syscall(SYS_recvfrom, fds[i], message, k_size, MSG_WAITALL, NULL, NULL),
                         k_size);
    }
    return taken;
}

static aloop_server *start(bool protocols) {
    aloop_server *server = NULL;
    aloop_future *starts;
    aloop_protocol *p = aloop_protocol_new();
    aloop_protocol_set_data_received(p, echo_data);
    starts = protocols ? aloop_create_server(p, NULL, "127.0.0.1", 0, NULL)
                       : aloop_start_server(echo, NULL, "127.0.0.1", 0, NULL);
    assert_code(aloop_await(starts, (void **)&server), 0);
    aloop_unref(p);
    return server;
}

static int64_t requests(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 4; how++) {
        const bool protocols = (how & 1) != 0;
        const int n = how < 2 ? 1 : k_most, rounds = 100;
        aloop_server *server = start(protocols);
        int fds[k_most];
        for (int i = 0; i < n; i++) fds[i] = plain_connection((int)aloop_server_port(server, 0));
        for (int i = 0; i < 3; i++) one_round(fds, n); /* accepted, and warm */
        int64_t total = 0;
        for (int i = 0; i < rounds; i++) total += one_round(fds, n);
        const double each = (double)total / (rounds * n);
        printf("%s, %d connection(s): %.3f system calls a request\n",
               protocols ? "protocols" : "streams", n, each);
        fflush(stdout);
        assert_true(each <= (n == 1 ? 3.0 : 2.05));
        for (int i = 0; i < n; i++) close(fds[i]);
        aloop_server_close(server);
        assert_code(AWAIT(aloop_server_wait_closed(server)), 0);
        aloop_unref(server);
    }
    return 0;
}

static void test_requests(void **state) {
    (void)state;
    stop_clock();
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, requests, NULL), 0);
    close_loop(loop);
    let_clock_go();
}

/* Memory -------------------------------------------------------------------------------- */

enum { k_idle = 1500 };

/* The clients have a process of their own: their descriptors are not this one's. */
static int port_pipe[2];

static void connect_and_wait(void) {
    int port, fds[k_idle];
    if (syscall(SYS_read, port_pipe[0], &port, sizeof port) != sizeof port) _exit(1);
    for (int i = 0; i < k_idle; i++) fds[i] = plain_connection(port);
    if (fds[k_idle - 1] < 0) _exit(1);
    close(port_pipe[1]);
    _exit(syscall(SYS_read, port_pipe[0], &port, 1) != 0); /* until the other end is closed */
}

static int64_t idle(void *arg, void **value) {
    (void)arg, (void)value;
    static aloop_stream *streams[k_idle];
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    const int port = (int)aloop_server_port(server, 0);
    assert_int_equal(write(port_pipe[1], &port, sizeof port), sizeof port);
    size_t before = 0;
    for (int i = 0; i < k_idle; i++) {
        if (i == 10) before = mallinfo2().uordblks;
        assert_code(aloop_await(aloop_server_accept(server), (void **)&streams[i]), 0);
    }
    const double each = (double)(mallinfo2().uordblks - before) / (k_idle - 10);
    printf("an idle connection: %.0f bytes\n", each);
    fflush(stdout);
    assert_true(each <= 400);
    close(port_pipe[1]);
    for (int i = 0; i < k_idle; i++) aloop_unref(streams[i]);
    aloop_server_close(server);
    assert_code(AWAIT(aloop_server_wait_closed(server)), 0);
    aloop_unref(server);
    return 0;
}

static void test_idle(void **state) {
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(pipe(port_pipe), 0);
    const pid_t child = fork();
    if (child == 0) connect_and_wait();
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, idle, NULL), 0);
    close_loop(loop);
    close(port_pipe[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

SUITE(CASE(test_requests), CASE(test_idle))
