/*
 * TLS that fails: each failure by its code and in words that say what to do, on
 * both sides, and what it leaves behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "peer.h"
#include "tls_raw.h"

/* A connection that fails, and what both sides say to it. */
struct failing {
    struct certificate_wish own;          /* of the server; no name: the usual one */
    bool self_signed;
    bool trusts_nobody;                   /* the client, but the system */
    const char *host;
    void (*tweak)(aloop_tls_context *client, aloop_tls_context *server);
    int64_t client_code, server_code;
    const char *client_text, *server_text; /* parts of it */
};

static void check_text(const char *text, const char *part, const char *whose) {
    if (strstr(text, part) != NULL) return;
    print_error("the %s says \"%s\", and not \"%s\"\n", whose, text, part);
    fail();
}

static int64_t fails(void *arg, void **value) {
    const struct failing *f = arg;
    (void)value;
    struct certificate own = {NULL, NULL};
    if (f->own.name != NULL) own = make_certificate(f->own, f->self_signed ? NULL : authority());
    struct tls_wish wish = {
        .client = client_context(f->trusts_nobody ? NULL : authority()),
        .server = server_context(f->own.name != NULL ? &own : server_certificate()),
        .host = f->host};
    if (f->tweak != NULL) f->tweak(wish.client, wish.server);
    struct ends ends = secure_ends(wish);
    check_text(ends.client_text, f->client_text, "client");
    check_text(ends.server_text, f->server_text, "server");
    assert_code(ends.client_status, f->client_code);
    assert_code(ends.server_status, f->server_code);
    assert_null(ends.client);
    assert_null(ends.server);
    drop_certificate(&own);
    return 0;
}

#define FAILS(...)                             \
    do {                                       \
        struct failing f = {__VA_ARGS__};      \
        in_simulation(fails, &f);              \
    } while (0)

static void an_expired_certificate(void **state) {
    (void)state;
    FAILS(.own = {"old", "DNS:localhost", -30, -3}, .client_code = ALOOP_ETLSCERT,
          .client_text = "certificate verify failed: 'CN=old' expired on ",
          .server_code = ALOOP_ETLS, .server_text = "our certificate has expired");
    FAILS(.own = {"new", "DNS:localhost", 3, 30}, .client_code = ALOOP_ETLSCERT,
          .client_text = "certificate verify failed: 'CN=new' is not valid before ",
          .server_code = ALOOP_ETLS, .server_text = "it does not accept our certificate");
}

static void a_self_signed_certificate(void **state) {
    (void)state;
    FAILS(.own = {"self", "DNS:localhost", 0, 0}, .self_signed = true,
          .client_code = ALOOP_ETLSCERT,
          .client_text = "self-signed certificate 'CN=self': if you trust it, load it with "
                         "aloop_tls_context_load_verify",
          .server_code = ALOOP_ETLS, .server_text = "it does not know the authority");
}

static void an_unknown_authority(void **state) {
    (void)state;
    FAILS(.trusts_nobody = true, .client_code = ALOOP_ETLSCERT,
          .client_text = "'CN=server' comes from an unknown authority, 'CN=Test CA': load that",
          .server_code = ALOOP_ETLS, .server_text = "it does not know the authority");
}

static void a_wrong_host(void **state) {
    (void)state;
    FAILS(.host = "other.example", .client_code = ALOOP_ETLSCERT,
          .client_text = "the certificate is for DNS:localhost, IP Address:127.0.0.1, and not for "
                         "'other.example'",
          .server_code = ALOOP_ETLS, .server_text = "it does not accept our certificate");
    FAILS(.host = "127.0.0.2", .client_code = ALOOP_ETLSCERT, .client_text = "not for '127.0.0.2'",
          .server_code = ALOOP_ETLS, .server_text = "it does not accept our certificate");
    /* The common name counts for nothing. */
    FAILS(.own = {"localhost", "DNS:elsewhere", 0, 0}, .client_code = ALOOP_ETLSCERT,
          .client_text = "is for DNS:elsewhere, and not for 'localhost'",
          .server_code = ALOOP_ETLS, .server_text = "it does not accept our certificate");
}

static void client_is_old(aloop_tls_context *client, aloop_tls_context *server) {
    (void)server;
    assert_code(aloop_tls_context_set_ciphers(client, "DEFAULT@SECLEVEL=0"), 0);
    assert_code(aloop_tls_context_set_min_version(client, ALOOP_TLS_1_0), 0);
    assert_code(aloop_tls_context_set_max_version(client, ALOOP_TLS_1_1), 0);
}

static void server_is_old(aloop_tls_context *client, aloop_tls_context *server) {
    client_is_old(server, client);
}

static void too_old_a_version(void **state) {
    (void)state;
    FAILS(.tweak = client_is_old, .client_code = ALOOP_ETLS, .client_text = "no shared TLS version",
          .server_code = ALOOP_ETLS,
          .server_text = "no TLS version that is allowed here (TLSv1.2 to the newest)");
    FAILS(.tweak = server_is_old, .client_code = ALOOP_ETLS, .client_text = "no shared TLS version",
          .server_code = ALOOP_ETLS, .server_text = "(TLSv1 to TLSv1.1)");
}

static void no_cipher(aloop_tls_context *client, aloop_tls_context *server) {
    assert_code(aloop_tls_context_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256"), 0);
    assert_code(aloop_tls_context_set_ciphersuites(server, "TLS_AES_256_GCM_SHA384"), 0);
    assert_code(aloop_tls_context_set_min_version(client, ALOOP_TLS_1_3), 0);
}

static void no_shared_cipher(void **state) {
    (void)state;
    FAILS(.tweak = no_cipher, .client_code = ALOOP_ETLS, .client_text = "no shared cipher",
          .server_code = ALOOP_ETLS, .server_text = "no shared cipher");
}

static void no_alpn(aloop_tls_context *client, aloop_tls_context *server) {
    assert_code(aloop_tls_context_set_alpn(client, "h2,h3"), 0);
    assert_code(aloop_tls_context_set_alpn(server, "http/1.1"), 0);
}

static void no_shared_protocol(void **state) {
    (void)state;
    FAILS(.tweak = no_alpn, .client_code = ALOOP_ETLS, .client_text = "no shared ALPN protocol",
          .server_code = ALOOP_ETLS, .server_text = "no shared ALPN protocol");
}

static void wants_certificate_early(aloop_tls_context *client, aloop_tls_context *server) {
    assert_code(aloop_tls_context_load_verify_memory(server, authority()->cert), 0);
    assert_code(aloop_tls_context_set_verify_mode(server, ALOOP_TLS_VERIFY_REQUIRED), 0);
    assert_code(aloop_tls_context_set_max_version(client, ALOOP_TLS_1_2), 0);
}

static void no_client_certificate(void **state) {
    (void)state;
    FAILS(.tweak = wants_certificate_early, .client_code = ALOOP_ETLS,
          .client_text = "it wants a certificate: see ", .server_code = ALOOP_ETLSCERT,
          .server_text = "the peer sent no certificate, and one is required");
}

static void trusts_anybody(aloop_tls_context *client, aloop_tls_context *server) {
    wants_certificate_early(client, server);
    assert_code(aloop_tls_context_set_verify_mode(client, ALOOP_TLS_VERIFY_NONE), 0);
}

/* What nobody asked to be verified is not what failed. */
static void an_unverified_certificate_is_not_to_blame(void **state) {
    (void)state;
    FAILS(.tweak = trusts_anybody, .trusts_nobody = true, .client_code = ALOOP_ETLS,
          .client_text = "it wants a certificate: see ", .server_code = ALOOP_ETLSCERT,
          .server_text = "the peer sent no certificate, and one is required");
}

/* With TLS 1.3 the client is done before the server looks at its certificate. */
static int64_t refused_late(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *server = server_context(server_certificate());
    assert_code(aloop_tls_context_load_verify_memory(server, authority()->cert), 0);
    assert_code(aloop_tls_context_set_verify_mode(server, ALOOP_TLS_VERIFY_REQUIRED), 0);
    struct ends ends = secure_ends((struct tls_wish){.client = client_context(authority()),
                                                     .server = server});
    assert_code(ends.client_status, 0);
    assert_code(ends.server_status, ALOOP_ETLSCERT);
    aloop_future *read = aloop_stream_read(ends.client, 10);
    assert_code(AWAIT(aloop_ref(read)), ALOOP_ETLS);
    check_text(aloop_error_message(aloop_future_error(read)), "it wants a certificate", "client");
    aloop_unref(read);
    drop_ends(&ends);
    return 0;
}

static void a_client_refused_late(void **state) {
    (void)state;
    in_task(refused_late); /* where the client's last flight comes in one piece */
}

/* Peers that speak no TLS, or not to the end ------------------------------------------------ */

static int64_t shake_with(aloop_stream *stream, bool as_server, char *text) {
    aloop_tls_context *c =
        as_server ? server_context(server_certificate()) : client_context(authority());
    const int64_t rc = start_tls(stream, c, as_server ? NULL : "localhost", text, 400);
    aloop_unref(c);
    return rc;
}

static int64_t plain_text(void *arg, void **value) {
    (void)arg, (void)value;
    char text[400];
    struct plain_ends ends = plain_ends();
    aloop_stream_write(ends.client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
    assert_code(shake_with(ends.server, true, text), ALOOP_ETLS);
    check_text(text, "the peer does not speak TLS (it began with \"GET / HT\"): it sends plain "
                     "text to a TLS port", "server");
    drop_plain(&ends);
    ends = plain_ends();
    aloop_stream_write(ends.server, "220 mail.example.org ESMTP\r\n", 28);
    assert_code(shake_with(ends.client, false, text), ALOOP_ETLS);
    check_text(text, "(it began with \"220 mail\"): is this the plain port", "client");
    drop_plain(&ends);
    ends = plain_ends();
    aloop_stream_write(ends.client, "\x05\x01\x00GET /", 8);
    assert_code(shake_with(ends.server, true, text), ALOOP_ETLS);
    check_text(text, "(it began with 05 01 00 47 45 54 20 2f): it sends plain", "no text");
    drop_plain(&ends);
    return 0;
}

static void plain_text_on_the_tls_port(void **state) {
    (void)state;
    in_simulation(plain_text, NULL);
}

static int64_t closed_early(void *arg, void **value) {
    (void)arg, (void)value;
    char text[400];
    struct plain_ends ends = plain_ends();
    aloop_stream_write_eof(ends.server);
    assert_code(shake_with(ends.client, false, text), ALOOP_ECONNRESET);
    check_text(text, "before its side of the TLS handshake", "client");
    drop_plain(&ends);
    ends = plain_ends();
    aloop_stream_write(ends.server, "\x16\x03\x03\x00\x7a\x02", 6); /* half a record */
    aloop_stream_write_eof(ends.server);
    assert_code(shake_with(ends.client, false, text), ALOOP_ECONNRESET);
    check_text(text, "in the middle of the TLS handshake", "client");
    drop_plain(&ends);
    return 0;
}

static int64_t reset_early(void *arg, void **value) {
    (void)arg, (void)value;
    char text[400];
    struct peer peer = connect_peer(NULL);
    peer_resets(&peer);
    assert_code(shake_with(peer.stream, true, text), ALOOP_ECONNRESET);
    drop_peer(&peer);
    return 0;
}

static void closed_in_mid_handshake(void **state) {
    (void)state;
    in_simulation(closed_early, NULL);
    in_task(reset_early);
}

/* What a refused peer has sent and nobody read makes no reset of the end, which would
 * overtake the alert that tells it why. */
static int64_t much_unread(void *arg, void **value) {
    (void)arg, (void)value;
    static const char empty_hello[] = "\x16\x03\x01\x00\x04\x01\x00\x00\x00";
    char text[400], much[60000];
    struct peer peer = connect_peer(NULL);
    for (size_t i = 0; i < sizeof much; i++) much[i] = empty_hello[i % (sizeof empty_hello - 1)];
    assert_int_equal(send(peer.fd, much, sizeof much, 0), sizeof much);
    assert_code(shake_with(peer.stream, true, text), ALOOP_ETLS);
    let_run(2);
    const ssize_t n = recv(peer.fd, much, sizeof much, 0);
    assert_int_equal(n, 7);
    assert_int_equal(much[0], 0x15); /* an alert */
    assert_int_equal(recv(peer.fd, much, sizeof much, 0), 0);
    drop_peer(&peer);
    return 0;
}

static void an_alert_is_not_overtaken(void **state) {
    (void)state;
    in_roomy_task(much_unread, NULL);
}

static int64_t never_ends(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    const double begun = aloop_loop_time(aloop_get_running_loop());
    char text[400];
    assert_code(shake_with(ends.server, true, text), ALOOP_ECONNABORTED);
    assert_string_equal(text, "SSL handshake is taking longer than 60.0 seconds: aborting the "
                              "connection");
    assert_close(aloop_loop_time(aloop_get_running_loop()) - begun, 60.0);
    assert_reads(aloop_stream_read(ends.client, 10), ""); /* given up, and the peer knows */
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), ALOOP_ECONNABORTED);
    assert_code(aloop_stream_write(ends.server, "x", 1), ALOOP_ECONNABORTED);
    drop_plain(&ends);
    return 0;
}

static void a_handshake_that_never_ends(void **state) {
    (void)state;
    in_simulation(never_ends, NULL);
}

/* The limit, just before and just after. */
struct late_start {
    aloop_stream *stream;
    double delay;
};

static int64_t start_late(void *arg, void **value) {
    const struct late_start *l = arg;
    (void)value;
    AWAIT(aloop_sleep(l->delay));
    aloop_tls_context *c = server_context(server_certificate());
    const int64_t rc = start_tls(l->stream, c, NULL, NULL, 0);
    aloop_unref(c);
    return rc;
}

static int64_t just_in_time(void *arg, void **value) {
    (void)arg, (void)value;
    for (int late = 0; late < 2; late++) {
        aloop_server *listening = NULL;
        assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                                (void **)&listening), 0);
        aloop_tls_context *client = client_context(authority());
        aloop_stream_options *options = aloop_stream_options_new();
        assert_code(aloop_stream_options_set_tls(options, client), 0);
        assert_code(aloop_stream_options_set_tls_handshake_timeout(options, 2.0), 0);
        aloop_stream *plain = NULL, *stream = NULL;
        aloop_task *opening = aloop_ensure_future(aloop_open_connection(
            "127.0.0.1", (int32_t)aloop_server_port(listening, 0), options));
        assert_code(aloop_await(aloop_server_accept(listening), (void **)&plain), 0);
        struct late_start start = {plain, late ? 2.001 : 1.999};
        aloop_task *other = aloop_create_task(start_late, &start);
        assert_code(aloop_await(opening, (void **)&stream), late ? ALOOP_ECONNABORTED : 0);
        assert_code(AWAIT(other), late ? ALOOP_ECONNRESET : 0);
        aloop_unref(options);
        aloop_unref(client);
        aloop_server_close(listening);
        aloop_unref(listening);
        drop_ends(&(struct ends){.client = stream, .server = plain});
    }
    return 0;
}

static void a_handshake_just_in_time(void **state) {
    (void)state;
    in_simulation(just_in_time, NULL);
}

/* Ends ---------------------------------------------------------------------------------- */

static int64_t truncated(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    passes(ends.server, ends.client, "the beginning");
    assert_code(aloop_stream_write(ends.server, "and a rest", 10), 0);
    assert_code(aloop_stream_abort(ends.server), 0);
    assert_reads(aloop_stream_read(ends.client, 100), "and a rest");
    aloop_future *read = aloop_stream_read(ends.client, 100);
    assert_code(AWAIT(aloop_ref(read)), ALOOP_ETLSTRUNCATED);
    check_text(aloop_error_message(aloop_future_error(read)),
               "the peer closed without a TLS close_notify", "client");
    aloop_unref(read);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), ALOOP_ETLSTRUNCATED);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    drop_ends(&ends);
    return 0;
}

static void a_truncated_connection(void **state) {
    (void)state;
    in_simulation(truncated, NULL);
}

/* Somebody in between, who changes a byte of what passes through. */
struct between {
    aloop_server *to;
    bool corrupt;
};

struct pipe {
    aloop_stream *from, *to;
    const struct between *in;
};

static int64_t copy(void *arg, void **value) {
    const struct pipe *p = arg;
    (void)value;
    for (;;) {
        aloop_bytes *some = NULL;
        const int64_t n = aloop_await(aloop_stream_read(p->from, 4096), (void **)&some);
        if (n > 0) {
            uint8_t copied[4096];
            memcpy(copied, aloop_bytes_data(some), (size_t)n);
            if (p->in->corrupt) copied[n - 1] ^= 1;
            aloop_stream_write(p->to, copied, (size_t)n);
        }
        aloop_bytes_unref(some);
        if (n <= 0) return 0;
    }
}

static int64_t pass_on(aloop_stream *client, void *data) {
    const struct between *between = data;
    aloop_stream *server = NULL;
    const int32_t port = (int32_t)aloop_server_port(between->to, 0);
    int64_t rc = aloop_await(aloop_open_connection("127.0.0.1", port, NULL), (void **)&server);
    if (rc < 0) return rc;
    struct pipe there = {client, server, between}, back = {server, client, between};
    aloop_task *other = aloop_create_task(copy, &back);
    copy(&there, NULL);
    aloop_stream_abort(server);
    AWAIT(other);
    aloop_unref(server);
    return 0;
}

static int64_t corrupted(void *arg, void **value) {
    (void)arg, (void)value;
    struct between between = {NULL, false};
    aloop_tls_context *s = server_context(server_certificate()), *c = client_context(authority());
    aloop_stream_options *options = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_tls(options, s), 0);
    aloop_server *proxy = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, options),
                            (void **)&between.to), 0);
    assert_code(aloop_await(aloop_start_server(pass_on, &between, "127.0.0.1", 0, NULL),
                            (void **)&proxy), 0);
    assert_code(aloop_stream_options_set_tls(options, c), 0);
    assert_code(aloop_stream_options_set_server_hostname(options, "localhost"), 0);
    struct ends ends = {0};
    assert_code(aloop_await(aloop_open_connection("127.0.0.1",
                                                  (int32_t)aloop_server_port(proxy, 0), options),
                            (void **)&ends.client), 0);
    assert_code(aloop_await(aloop_server_accept(between.to), (void **)&ends.server), 0);
    passes(ends.client, ends.server, "untouched");
    passes(ends.server, ends.client, "untouched too");
    between.corrupt = true;
    aloop_stream_write(ends.client, "touched", 7);
    aloop_future *read = aloop_stream_read(ends.server, 10);
    assert_code(AWAIT(aloop_ref(read)), ALOOP_ETLS);
    check_text(aloop_error_message(aloop_future_error(read)), "bad record mac", "server");
    aloop_unref(read);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), ALOOP_ETLS);
    drop_ends(&ends);
    aloop_unref(options), aloop_unref(s), aloop_unref(c);
    aloop_server_close(between.to), aloop_server_close(proxy);
    assert_code(AWAIT(aloop_server_wait_closed(proxy)), 0);
    aloop_unref(between.to), aloop_unref(proxy);
    return 0;
}

static void corrupted_data_is_refused(void **state) {
    (void)state;
    in_simulation(corrupted, NULL);
}

/* A peer that never answers the close_notify. */
static int64_t unanswered(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    passes(ends.server, ends.client, "hello");
    const double begun = aloop_loop_time(aloop_get_running_loop());
    assert_code(aloop_stream_close(ends.client), 0);
    assert_int_equal(aloop_stream_is_closing(ends.client), 1);
    aloop_future *closed = aloop_stream_wait_closed(ends.client);
    assert_code(AWAIT(aloop_ref(closed)), ALOOP_ETIMEDOUT);
    assert_string_equal(aloop_error_message(aloop_future_error(closed)), "SSL shutdown timed out");
    aloop_unref(closed);
    assert_close(aloop_loop_time(aloop_get_running_loop()) - begun, 30.0);
    assert_reads(aloop_stream_read(ends.server, 10), ""); /* it was told in order */
    drop_ends(&ends);
    return 0;
}

static void a_close_that_is_not_answered(void **state) {
    (void)state;
    in_simulation(unanswered, NULL);
}

TLS_SUITE(CASE(an_expired_certificate), CASE(a_self_signed_certificate), CASE(an_unknown_authority),
          CASE(a_wrong_host), CASE(too_old_a_version), CASE(no_shared_cipher),
          CASE(no_shared_protocol), CASE(no_client_certificate),
          CASE(an_unverified_certificate_is_not_to_blame), CASE(a_client_refused_late),
          CASE(plain_text_on_the_tls_port), CASE(closed_in_mid_handshake),
          CASE(an_alert_is_not_overtaken),
          CASE(a_handshake_that_never_ends), CASE(a_handshake_just_in_time),
          CASE(a_truncated_connection), CASE(a_close_that_is_not_answered),
          CASE(corrupted_data_is_refused))
