// One ev_io a connection, read and write by hand; what the socket does not take at once is copied,
// and the watcher waits for room instead. TLS: OpenSSL on the descriptor.
//
// SPDX-License-Identifier: MIT
#include <ev.h>

#include "../common/net.h"
#include "../common/tls.h"

typedef struct {
    ev_io io;
    size_t held;
    char *backlog;
    SSL *ssl;
} connection;

static char buffer[64 * 1024];
static server_mode mode;
static SSL_CTX *tls;

static ssize_t get(connection *c) {
    if (!c->ssl) return read(c->io.fd, buffer, sizeof buffer);
    int n = SSL_read(c->ssl, buffer, sizeof buffer);
    if (n <= 0) errno = tls_would_block(c->ssl, n) ? EAGAIN : EPIPE;
    return n;
}

static ssize_t put(connection *c, const char *data, size_t n) {
    if (!c->ssl) return write(c->io.fd, data, n);
    int sent = SSL_write(c->ssl, data, (int)n);
    if (sent <= 0) errno = tls_would_block(c->ssl, sent) ? EAGAIN : EPIPE;
    return sent;
}

static void wait_for(struct ev_loop *loop, connection *c, int events) {
    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->io.fd, events);
    ev_io_start(loop, &c->io);
}

static void drop(struct ev_loop *loop, connection *c) {
    ev_io_stop(loop, &c->io);
    close(c->io.fd);
    SSL_free(c->ssl);
    free(c->backlog);
    free(c);
}

// Sends what it can and keeps the rest; false when the connection is gone.
static int send_or_hold(struct ev_loop *loop, connection *c, const char *data, size_t n) {
    ssize_t sent = put(c, data, n);
    if (sent < 0 && errno != EAGAIN) {
        drop(loop, c);
        return 0;
    }
    if (sent > 0) data += sent, n -= (size_t)sent;
    if (n > 0 && data != c->backlog) {
        if (!c->backlog) c->backlog = must(malloc(sizeof buffer));
        memmove(c->backlog, data, n);
    }
    if ((n > 0) != (c->held > 0)) wait_for(loop, c, n > 0 ? EV_WRITE : EV_READ);
    c->held = n;
    return 1;
}

static void progress(struct ev_loop *loop, ev_io *io, int what) {
    connection *c = (connection *)io;
    (void)what;
    if (c->held && !send_or_hold(loop, c, c->backlog, c->held)) return;
    while (!c->held) {
        ssize_t n = get(c);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            drop(loop, c);
            return;
        }
        if (!send_or_hold(loop, c, buffer, (size_t)n)) return;
        if (!c->ssl || !SSL_has_pending(c->ssl))
            return;  // epoll sees what is left in the socket, but not what OpenSSL holds
    }
}

static void accept_all(struct ev_loop *loop, ev_io *listener, int what) {
    (void)what;
    for (int fd; (fd = accept_next(listener->fd)) >= 0;) {
        if (mode.accept_only) {
            close(fd);
            continue;
        }
        connection *c = must(calloc(1, sizeof *c));
        no_delay(fd);
        if (tls) {
            c->ssl = must(SSL_new(tls));
            SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
        }
        ev_io_init(&c->io, progress, fd, EV_READ);
        ev_io_start(loop, &c->io);
    }
}

int main(int argc, char **argv) {
    mode = server_args(argc, argv);
    if (mode.tls) {
        tls = tls_server_context(argv[2], argv[3]);
        SSL_CTX_set_read_ahead(tls, 1);  // one read for the head of a record and its body
    }
    struct ev_loop *loop = EV_DEFAULT;
    ev_io listener;
    ev_io_init(&listener, accept_all, listen_loopback(), EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
}
