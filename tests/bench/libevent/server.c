// One struct event a connection, level-triggered, with read and write by hand: libevent without its
// buffers, which are measured as the peer `bufferevent`. What the socket does not take at once
// waits in an evbuffer.
//
// SPDX-License-Identifier: MIT
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "../common/net.h"

typedef struct {
    struct event readable, writable;
    struct evbuffer *backlog;  // NULL unless the socket is full
    int fd;
} connection;

static struct event_base *base;
static char buffer[64 * 1024];
static server_mode mode;

static void drop(connection *c) {
    event_del(&c->readable);
    if (c->backlog) {
        event_del(&c->writable);
        evbuffer_free(c->backlog);
    }
    close(c->fd);
    free(c);
}

static void flush(evutil_socket_t fd, short what, void *data) {
    connection *c = data;
    (void)what;
    if (evbuffer_write(c->backlog, fd) < 0 && errno != EAGAIN) {
        drop(c);
    } else if (evbuffer_get_length(c->backlog) == 0) {
        event_del(&c->writable);
        evbuffer_free(c->backlog);
        c->backlog = NULL;
        event_add(&c->readable, NULL);
    }
}

// Reading stops until the tail is gone.
static void hold(connection *c, const char *tail, size_t n) {
    c->backlog = must(evbuffer_new());
    evbuffer_add(c->backlog, tail, n);
    event_del(&c->readable);
    event_assign(&c->writable, base, c->fd, EV_WRITE | EV_PERSIST, flush, c);
    event_add(&c->writable, NULL);
}

static void echo(evutil_socket_t fd, short what, void *data) {
    connection *c = data;
    (void)what;
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    ssize_t sent = n > 0 ? write(fd, buffer, (size_t)n) : -1;
    if (n <= 0 || (sent < 0 && errno != EAGAIN)) {
        drop(c);
        return;
    }
    if (sent < 0) sent = 0;
    if (sent < n) hold(c, buffer + sent, (size_t)(n - sent));
}

static void accept_all(evutil_socket_t listener, short what, void *data) {
    (void)what, (void)data;
    for (int fd; (fd = accept_next(listener)) >= 0;) {
        if (mode.accept_only) {
            close(fd);
            continue;
        }
        connection *c = must(calloc(1, sizeof *c));
        no_delay(fd);
        c->fd = fd;
        event_assign(&c->readable, base, fd, EV_READ | EV_PERSIST, echo, c);
        event_add(&c->readable, NULL);
    }
}

int main(int argc, char **argv) {
    mode = server_args(argc, argv);
    if (mode.tls) {
        fputs("TLS is the business of bufferevent_openssl: see ../bufferevent\n", stderr);
        return 2;
    }
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    base = must(event_base_new_with_config(config));
    struct event *listener =
        must(event_new(base, listen_loopback(), EV_READ | EV_PERSIST, accept_all, NULL));
    event_add(listener, NULL);
    event_base_dispatch(base);
}
