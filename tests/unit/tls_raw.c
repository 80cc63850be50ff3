/* SPDX-License-Identifier: MIT */
#include "tls_raw.h"

#include <openssl/err.h>

void in_roomy_task(aloop_coro_fn fn, void *arg) {
    aloop_loop_options *options = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL), 0);
    assert_code(aloop_loop_options_set_stack_size(options, 1 << 20), 0);
    aloop_runner *runner = NULL;
    assert_code(aloop_runner_new(&runner, options), 0);
    aloop_unref(options);
    assert_code(aloop_runner_run(runner, fn, arg, NULL), 0);
    assert_code(aloop_runner_close(runner), 0);
    aloop_unref(runner);
}

static void give_certificate(SSL_CTX *ctx) {
    BIO *cert = BIO_new_mem_buf(server_certificate()->cert, -1);
    BIO *key = BIO_new_mem_buf(server_certificate()->key, -1);
    X509 *own = PEM_read_bio_X509(cert, NULL, NULL, NULL);
    EVP_PKEY *own_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(ctx, own), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, own_key), 1);
    X509_free(own);
    EVP_PKEY_free(own_key);
    BIO_free(cert);
    BIO_free(key);
}

struct raw raw_peer(bool server, int version) {
    struct raw r = {0};
    assert_code(aloop_stream_pair(&r.ours, &r.stream, NULL), 0);
    r.ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    assert_int_equal(SSL_CTX_set_min_proto_version(r.ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(r.ctx, version), 1);
    if (server) give_certificate(r.ctx);
    r.ssl = SSL_new(r.ctx);
    r.in = BIO_new(BIO_s_mem());
    r.out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(r.in, -1);
    SSL_set_bio(r.ssl, r.in, r.out);
    if (server) {
        SSL_set_accept_state(r.ssl);
    } else {
        SSL_set_connect_state(r.ssl);
        assert_int_equal(SSL_set_tlsext_host_name(r.ssl, "localhost"), 1);
    }
    return r;
}

void drop_raw(struct raw *r) {
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    ERR_clear_error();
    drop_plain(&(struct plain_ends){r->ours, r->stream});
}

size_t raw_sends(struct raw *r) {
    char *data = NULL;
    const long n = BIO_get_mem_data(r->out, &data);
    if (n > 0) assert_true(aloop_stream_write(r->stream, data, (size_t)n) >= 0);
    BIO_reset(r->out);
    return n > 0 ? (size_t)n : 0;
}

bool raw_hears(struct raw *r) {
    aloop_bytes *some = NULL;
    const int64_t n = aloop_await(aloop_stream_read(r->stream, 65536), (void **)&some);
    if (n > 0) assert_int_equal(BIO_write(r->in, aloop_bytes_data(some), (int)n), n);
    aloop_bytes_unref(some);
    return n > 0;
}

struct starting {
    aloop_stream *stream;
    aloop_tls_context *context;
};

static int64_t start_ours(void *arg, void **value) {
    const struct starting *s = arg;
    (void)value;
    return start_tls(s->stream, s->context, "localhost", NULL, 0);
}

void raw_shakes(struct raw *r) {
    struct starting s = {r->ours, SSL_is_server(r->ssl) ? client_context(authority())
                                                        : server_context(server_certificate())};
    aloop_task *ours = aloop_create_task(start_ours, &s);
    while (SSL_do_handshake(r->ssl) != 1) {
        raw_sends(r);
        assert_true(raw_hears(r));
    }
    raw_sends(r);
    assert_code(AWAIT(ours), 0);
    aloop_unref(s.context);
}
