// The bare server: epoll, read, write. One buffer for all connections; what the socket does not
// take at once is copied and sent when it can.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include "../common/net.h"
#include "../common/tls.h"

typedef struct {
    int fd;
    size_t held;  // bytes of `backlog` that the socket has not taken yet
    char *backlog;
    SSL *ssl;
} connection;

static char buffer[64 * 1024];
static int epoll_fd;
static server_mode mode;
static SSL_CTX *tls;

static ssize_t get(connection *c) {
    if (!c->ssl) return read(c->fd, buffer, sizeof buffer);
    int n = SSL_read(c->ssl, buffer, sizeof buffer);
    if (n <= 0) errno = tls_would_block(c->ssl, n) ? EAGAIN : EPIPE;
    return n;
}

static ssize_t put(connection *c, const char *data, size_t n) {
    if (!c->ssl) return write(c->fd, data, n);
    int sent = SSL_write(c->ssl, data, (int)n);
    if (sent <= 0) errno = tls_would_block(c->ssl, sent) ? EAGAIN : EPIPE;
    return sent;
}

static void watch(connection *c, int operation, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    must_ok(epoll_ctl(epoll_fd, operation, c->fd, &e));
}

static void drop(connection *c) {
    close(c->fd);
    SSL_free(c->ssl);
    free(c->backlog);
    free(c);
}

static void accept_all(int listener) {
    for (int fd; (fd = accept_next(listener)) >= 0;) {
        if (mode.accept_only) {
            close(fd);
            continue;
        }
        connection *c = must(calloc(1, sizeof *c));
        no_delay(fd);
        c->fd = fd;
        if (tls) {
            c->ssl = must(SSL_new(tls));
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
        }
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

// Keeps the unsent tail; reading stops until it is gone.
static void hold(connection *c, const char *tail, size_t n) {
    c->backlog = must(realloc(c->backlog, n));
    memmove(c->backlog, tail, n);
    if (!c->held) watch(c, EPOLL_CTL_MOD, EPOLLOUT);
    c->held = n;
}

// Level-triggered: one read and one write answer a request, and a short read needs no second to
// prove that it was the last.
static void echo(connection *c) {
    do {
        ssize_t n = get(c);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) drop(c);
            return;
        }
        ssize_t sent = put(c, buffer, (size_t)n);
        if (sent < 0 && errno != EAGAIN) {
            drop(c);
            return;
        }
        if (sent < 0) sent = 0;
        if (sent < n) {
            hold(c, buffer + sent, (size_t)(n - sent));
            return;
        }
    } while (c->ssl && SSL_has_pending(c->ssl));  // which epoll cannot see
}

static void flush(connection *c) {
    ssize_t n = put(c, c->backlog, c->held);
    if (n < 0 && errno != EAGAIN) {
        drop(c);
    } else if (n == (ssize_t)c->held) {
        c->held = 0;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        echo(c);
    } else if (n > 0) {
        memmove(c->backlog, c->backlog + n, c->held -= (size_t)n);
    }
}

// `server busy` is `server echo` that never sleeps: the limit of latency, for a whole processor.
int main(int argc, char **argv) {
    int busy = argc == 2 && !strcmp(argv[1], "busy");
    if (busy) argv[1] = "echo";
    mode = server_args(argc, argv);
    if (mode.tls) {
        tls = tls_server_context(argv[2], argv[3]);
        SSL_CTX_set_read_ahead(tls, 1);  // one read for the head of a record and its body
    }
    epoll_fd = must_ok(epoll_create1(EPOLL_CLOEXEC));
    connection listener = {.fd = listen_loopback()};
    watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event ready[256];
        int n = epoll_wait(epoll_fd, ready, 256, busy ? 0 : -1);
        for (int i = 0; i < n; i++) {
            connection *c = ready[i].data.ptr;
            if (c == &listener)
                accept_all(c->fd);
            else if (c->held)
                flush(c);
            else
                echo(c);
        }
    }
}
