/* SPDX-License-Identifier: MIT */
#include "tls_peer.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct certificate ca, own;

const struct certificate *authority(void) {
    if (ca.cert == NULL) ca = make_certificate((struct certificate_wish){.name = "Test CA"}, NULL);
    assert_non_null(ca.cert);
    return &ca;
}

const struct certificate *server_certificate(void) {
    if (own.cert == NULL) {
        own = make_certificate((struct certificate_wish){.name = "server",
                                                         .for_names = "DNS:localhost,IP:127.0.0.1"},
                               authority());
    }
    assert_non_null(own.cert);
    return &own;
}

void drop_certificates(void) {
    drop_certificate(&ca);
    drop_certificate(&own);
}

char *encrypt_key(const struct certificate *certificate, const char *password) {
    BIO *from = BIO_new_mem_buf(certificate->key, -1), *to = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(from, NULL, NULL, NULL);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(to, key, EVP_aes_128_cbc(), password,
                                                   (int)strlen(password), NULL, NULL), 1);
    char *data = NULL;
    const long n = BIO_get_mem_data(to, &data);
    char *text = strndup(data, (size_t)n);
    EVP_PKEY_free(key);
    BIO_free(from);
    BIO_free(to);
    return text;
}

aloop_tls_context *client_context(const struct certificate *trusted) {
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_client(&c), 0);
    if (trusted != NULL) assert_code(aloop_tls_context_load_verify_memory(c, trusted->cert), 0);
    return c;
}

aloop_tls_context *server_context(const struct certificate *certificate) {
    aloop_tls_context *c = NULL;
    assert_code(aloop_tls_context_new_server(&c), 0);
    assert_code(aloop_tls_context_load_cert_chain_memory(c, certificate->cert, certificate->key,
                                                         NULL), 0);
    return c;
}

void in_simulation(aloop_coro_fn fn, void *arg) {
    for (uint64_t seed = 1; seed <= 3; seed++) {
        aloop_loop_options *options = aloop_loop_options_new();
        assert_code(aloop_loop_options_set_simulator(options, seed, 0.001), 0);
        aloop_runner *runner = NULL;
        assert_code(aloop_runner_new(&runner, options), 0);
        aloop_unref(options);
        assert_code(aloop_runner_run(runner, fn, arg, NULL), 0);
        assert_code(aloop_runner_close(runner), 0);
        aloop_unref(runner);
    }
}

struct plain_ends plain_ends(void) {
    struct plain_ends ends;
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port, NULL), (void **)&ends.client),
                0);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&ends.server), 0);
    aloop_server_close(server);
    aloop_unref(server);
    return ends;
}

void drop_plain(struct plain_ends *ends) {
    drop_ends(&(struct ends){.client = ends->client, .server = ends->server});
}

static aloop_stream_options *options_for(const struct tls_wish *wish, aloop_tls_context *context) {
    aloop_stream_options *options = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_tls(options, context), 0);
    if (wish->shutdown_timeout > 0) {
        assert_code(aloop_stream_options_set_tls_shutdown_timeout(options, wish->shutdown_timeout),
                    0);
    }
    return options;
}

/* Its text, and the reference that is dropped. */
static int64_t outcome(aloop_future *future, void *value, char *text, size_t size) {
    int64_t status = aloop_await(aloop_ref(future), value);
    const aloop_error *e = aloop_future_error(future);
    if (e != NULL && text != NULL) snprintf(text, size, "%s", aloop_error_message(e));
    aloop_unref(future);
    return status;
}

/* What the server reported about the one connection. */
static struct reports seen;

static void keep_report(struct ends *ends) {
    if (ends->server != NULL) return;
    assert_true(seen.count >= 1);
    ends->server_status = seen.list[0].code;
    snprintf(ends->server_text, sizeof ends->server_text, "%s", seen.list[0].text);
}

struct ends secure_ends(struct tls_wish wish) {
    struct ends ends = {0};
    aloop_stream_options *options = options_for(&wish, wish.server);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, options),
                            (void **)&server), 0);
    aloop_unref(options);
    seen.count = 0;
    capture_reports(aloop_get_running_loop(), &seen);

    options = options_for(&wish, wish.client);
    assert_code(aloop_stream_options_set_tls_session(options, wish.session), 0);
    if (wish.host == NULL) wish.host = "localhost";
    assert_code(aloop_stream_options_set_server_hostname(options, wish.host), 0);
    aloop_task *accepting = aloop_ensure_future(aloop_server_accept(server));
    ends.client_status = outcome(
        aloop_open_connection("127.0.0.1", (int32_t)aloop_server_port(server, 0), options),
        (void **)&ends.client, ends.client_text, sizeof ends.client_text);
    aloop_unref(options);
    while (!aloop_future_done(accepting) && seen.count == 0) AWAIT(aloop_sleep(0.001));
    aloop_future_cancel(accepting, NULL);
    ends.server_status = aloop_await(accepting, (void **)&ends.server);
    keep_report(&ends);
    assert_code(aloop_server_close(server), 0);
    aloop_unref(server);
    aloop_unref(wish.client);
    aloop_unref(wish.server);
    return ends;
}

struct ends good_ends(struct tls_wish wish) {
    struct ends ends = secure_ends(wish);
    if (ends.client_status != 0 || ends.server_status != 0) {
        print_error("client: %s %s; server: %s %s\n", aloop_errname(ends.client_status),
                    ends.client_text, aloop_errname(ends.server_status), ends.server_text);
    }
    assert_code(ends.client_status, 0);
    assert_code(ends.server_status, 0);
    return ends;
}

struct ends usual_ends(void) {
    return good_ends((struct tls_wish){.client = client_context(authority()),
                                       .server = server_context(server_certificate())});
}

void drop_ends(struct ends *ends) {
    if (ends->client != NULL) aloop_stream_abort(ends->client);
    if (ends->server != NULL) aloop_stream_abort(ends->server);
    let_run(2);
    aloop_unref(ends->client);
    aloop_unref(ends->server);
}

int64_t start_tls(aloop_stream *stream, aloop_tls_context *context, const char *host, char *text,
                  size_t size) {
    aloop_stream_options *options = aloop_stream_options_new();
    if (host != NULL) assert_code(aloop_stream_options_set_server_hostname(options, host), 0);
    aloop_future *f = aloop_stream_start_tls(stream, context, options);
    aloop_unref(options);
    return outcome(f, NULL, text, size);
}

void passes(aloop_stream *from, aloop_stream *to, const char *text) {
    assert_code(aloop_stream_write(from, text, strlen(text)), 0);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(to, (int64_t)strlen(text)), (void **)&got),
                (int64_t)strlen(text));
    assert_string_equal((const char *)aloop_bytes_data(got), text);
    aloop_bytes_unref(got);
}

void check_info(aloop_stream *stream, const char *name, const char *expected, const char *file,
                int line) {
    char text[4096] = "";
    const int64_t n = aloop_stream_get_extra_info(stream, name, text, sizeof text);
    const bool there = expected != NULL && n == (int64_t)strlen(expected);
    if (expected == NULL ? n == ALOOP_ENOENT : there && strcmp(text, expected) == 0) return;
    print_error("%s:%d: %s is \"%s\" (%ld)\n", file, line, name, text, (long)n);
    fail();
}
