// libevent's own streams: evconnlistener, bufferevent, and bufferevent_openssl for TLS. No
// read-ahead here: it looks at SSL_pending alone, and would forget what OpenSSL has read but not
// yet decrypted.
//
// SPDX-License-Identifier: MIT
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "../common/net.h"
#include "../common/tls.h"

static server_mode mode;
static SSL_CTX *tls;

// Moves the chain of buffers over; nothing is copied.
static void echo(struct bufferevent *stream, void *data) {
    (void)data;
    bufferevent_write_buffer(stream, bufferevent_get_input(stream));
}

static void ended(struct bufferevent *stream, short what, void *data) {
    (void)data;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(stream);
}

static void connected(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *data) {
    (void)address, (void)length, (void)data;
    struct event_base *base = evconnlistener_get_base(listener);
    if (mode.accept_only) {
        close(fd);
        return;
    }
    no_delay(fd);
    struct bufferevent *stream =
        tls ? bufferevent_openssl_socket_new(base, fd, must(SSL_new(tls)),
                                             BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
            : bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(must(stream), echo, NULL, ended, NULL);
    bufferevent_enable(stream, EV_READ | EV_WRITE);
}

int main(int argc, char **argv) {
    mode = server_args(argc, argv);
    if (mode.tls) tls = tls_server_context(argv[2], argv[3]);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = must(event_base_new_with_config(config));
    must(evconnlistener_new(base, connected, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
                            listen_loopback()));
    event_base_dispatch(base);
}
