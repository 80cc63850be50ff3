/*
 * socks.h: sockets for tests, and what they give.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_SOCKS_H
#define TESTS_UNIT_SOCKS_H

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

struct pair {
    int a, b;
};

static inline struct pair new_pair(int type) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static inline void close_pair(struct pair p) {
    close(p.a);
    close(p.b);
}

static inline void expect_bytes(aloop_future *f, const char *text) {
    aloop_bytes *b = NULL;
    assert_code(aloop_await(f, (void **)&b), (int64_t)strlen(text));
    assert_int_equal(aloop_bytes_size(b), strlen(text));
    assert_string_equal((const char *)aloop_bytes_data(b), text);
    aloop_bytes_unref(b);
}

static inline void fill(int fd) {
    static char block[65536];
    while (write(fd, block, sizeof block) > 0) continue;
    assert_int_equal(errno, EAGAIN);
}

static inline void drain(int fd) {
    static char block[65536];
    while (read(fd, block, sizeof block) > 0) continue;
    assert_int_equal(errno, EAGAIN);
}

/* The address that it is bound to, a reference. */
static inline aloop_address *address_of(int fd) {
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    aloop_address *out = NULL;
    assert_code(aloop_address_from_sockaddr(&out, &a, n), 0);
    return out;
}

/* A socket that listens on a free port of the loopback. */
static inline int listener(int32_t *port, int backlog) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, backlog), 0);
    aloop_address *at = address_of(fd);
    *port = (int32_t)aloop_address_port(at);
    aloop_unref(at);
    return fd;
}

static inline int tcp_socket(void) {
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* An unnamed file with this text. */
static inline int new_file(const char *text) {
    char path[] = "/tmp/aloop-sock-XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (int64_t)strlen(text));
    return fd;
}

#endif
