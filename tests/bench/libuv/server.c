// uv_read_start into one shared buffer, uv_try_write, and uv_write for what the socket does not
// take at once. TLS: OpenSSL between two memory BIOs, since libuv has none.
//
// SPDX-License-Identifier: MIT
#include <uv.h>

#include "../common/net.h"
#include "../common/tls.h"

typedef struct {
    uv_tcp_t tcp;
    SSL *ssl;
} connection;

typedef struct {
    uv_write_t request;
    char data[];
} pending;

static char buffer[64 * 1024], plain[64 * 1024];
static server_mode mode;
static SSL_CTX *tls;

static void closed(uv_handle_t *handle) {
    SSL_free(((connection *)handle)->ssl);
    free(handle);
}

static void drop(connection *c) {
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, closed);
}

static void written(uv_write_t *request, int status) {
    connection *c = (connection *)request->handle;
    free(request);
    if (status < 0) drop(c);
}

static void put(connection *c, const char *data, size_t n) {
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)n);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (sent < 0) sent = 0;
    if ((size_t)sent == n) return;
    n -= (size_t)sent;
    pending *rest = must(malloc(sizeof *rest + n));
    memcpy(rest->data, data + sent, n);
    buf = uv_buf_init(rest->data, (unsigned)n);
    if (uv_write(&rest->request, (uv_stream_t *)&c->tcp, &buf, 1, written) != 0) drop(c);
}

static void echo_tls(connection *c, size_t n) {
    BIO_write(SSL_get_rbio(c->ssl), buffer, (int)n);
    int got;
    while ((got = SSL_read(c->ssl, plain, sizeof plain)) > 0) SSL_write(c->ssl, plain, got);
    if (!tls_would_block(c->ssl, got)) {
        drop(c);
        return;
    }
    char *out;
    long length = BIO_get_mem_data(SSL_get_wbio(c->ssl), &out);
    if (length > 0) put(c, out, (size_t)length);
    BIO_reset(SSL_get_wbio(c->ssl));
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)handle, (void)suggested;
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    connection *c = (connection *)stream;
    if (n < 0)
        drop(c);
    else if (c->ssl)
        echo_tls(c, (size_t)n);
    else if (n > 0)
        put(c, buf->base, (size_t)n);
}

static void connected(uv_stream_t *listener, int status) {
    connection *c = must(calloc(1, sizeof *c));
    uv_tcp_init(listener->loop, &c->tcp);
    if (status < 0 || uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || mode.accept_only) {
        drop(c);
        return;
    }
    if (tls) {
        c->ssl = must(SSL_new(tls));
        SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(c->ssl);
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, lend_buffer, got);
}

int main(int argc, char **argv) {
    mode = server_args(argc, argv);
    if (mode.tls) tls = tls_server_context(argv[2], argv[3]);
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    signal(SIGPIPE, SIG_IGN);
    uv_tcp_init(uv_default_loop(), &listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0) abort();
    if (uv_listen((uv_stream_t *)&listener, 4096, connected) != 0) abort();
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    announce_port(ntohs(address.sin_port));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
