/*
 * TLS on streams: connecting, upgrading, sending, closing, and what a stream
 * tells of it. What goes wrong is in tls_failure_test.c, contexts are in
 * tls_context_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "tls_peer.h"

static int64_t both_ways(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    passes(ends.client, ends.server, "from the client");
    passes(ends.server, ends.client, "from the server");
    assert_int_equal(aloop_stream_can_write_eof(ends.client), 0);
    assert_code(aloop_stream_write_eof(ends.client), ALOOP_ENOSYS);
    drop_ends(&ends);
    return 0;
}

static void data_passes_both_ways(void **state) {
    (void)state;
    in_simulation(both_ways, NULL);
}

/* Records that came together are read one by one; what comes in between is found,
 * whatever is written in between. */
static int64_t together(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    passes(ends.client, ends.server, "begin");
    assert_code(aloop_stream_write(ends.client, "one", 3), 0);
    assert_code(aloop_stream_write(ends.client, "two", 3), 0);
    AWAIT(aloop_sleep(0.01));
    assert_reads(aloop_stream_read(ends.server, 10), "one");
    assert_code(aloop_stream_write(ends.client, "three", 5), 0);
    AWAIT(aloop_sleep(0.01));
    assert_reads(aloop_stream_read(ends.server, 10), "two");
    assert_code(aloop_stream_write(ends.server, "answer", 6), 0);
    assert_reads(aloop_wait_for(aloop_stream_read(ends.server, 10), k_hang), "three");
    drop_ends(&ends);
    return 0;
}

static void records_that_come_together(void **state) {
    (void)state;
    in_task(together);
    in_simulation(together, NULL);
}

/* Much, in pieces of all sizes ----------------------------------------------------------- */

#define MUCH (5 << 20)
static uint8_t *much;

static int64_t send_much(void *arg, void **value) {
    (void)value;
    aloop_stream *s = arg;
    size_t at = 0, piece = 1;
    int64_t rc = 0;
    while (at < MUCH && rc >= 0) {
        if (piece > MUCH - at) piece = MUCH - at;
        const aloop_buf parts[3] = {{much + at, piece / 3},
                                    {much + at + piece / 3, 0},
                                    {much + at + piece / 3, piece - piece / 3}};
        rc = aloop_stream_writelines(s, parts, 3);
        assert_true(rc <= (int64_t)(524288 + piece)); /* what waits is bounded */
        at += piece;
        piece = piece * 3 + 1;
        if (piece > (2 << 20)) piece = 7;
        if (rc >= 0) rc = AWAIT(aloop_stream_drain(s));
    }
    return rc;
}

static int64_t a_lot(void *arg, void **value) {
    (void)arg, (void)value;
    much = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++) much[i] = (uint8_t)(i * 31 + i / 256);
    struct ends ends = usual_ends();
    aloop_task *sender = aloop_create_task(send_much, ends.server);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(ends.client, MUCH), (void **)&got), MUCH);
    assert_memory_equal(aloop_bytes_data(got), much, MUCH);
    aloop_bytes_unref(got);
    assert_code(AWAIT(sender), 0);
    drop_ends(&ends);
    free(much);
    return 0;
}

static void much_data_passes(void **state) {
    (void)state;
    in_simulation(a_lot, NULL);
}

/* Water marks count what the program wrote ------------------------------------------------- */

static int64_t write_marks(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    char *block = calloc(1, 8 << 20);
    assert_true(aloop_stream_write(ends.client, block, 8 << 20) > 0);
    const int64_t waiting = aloop_stream_get_write_buffer_size(ends.client);
    assert_true(waiting > 0 && waiting < (8 << 20));
    assert_code(AWAIT(aloop_wait_for(aloop_stream_drain(ends.client), 1)), ALOOP_ETIMEDOUT);
    /* Every byte that is still there is the program's own. */
    assert_code(aloop_stream_set_write_buffer_limits(ends.client, waiting, 0), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_drain(ends.client), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_stream_set_write_buffer_limits(ends.client, waiting, waiting), 0);
    assert_code(AWAIT(aloop_stream_drain(ends.client)), 0);
    assert_code(aloop_stream_set_write_buffer_limits(ends.client, waiting - 1, waiting - 1), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_drain(ends.client), 1)), ALOOP_ETIMEDOUT);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(ends.server, 8 << 20), (void **)&got),
                8 << 20);
    aloop_bytes_unref(got);
    assert_code(AWAIT(aloop_stream_drain(ends.client)), 0);
    assert_int_equal(aloop_stream_get_write_buffer_size(ends.client), 0);
    free(block);
    drop_ends(&ends);
    return 0;
}

static void water_marks_count_plain_text(void **state) {
    (void)state;
    in_simulation(write_marks, NULL);
}

/* Upgrading an open connection ------------------------------------------------------------- */

struct upgrade {
    aloop_stream *stream;
    aloop_tls_context *context;
    const char *host;
};

static int64_t upgrade(void *arg, void **value) {
    const struct upgrade *u = arg;
    (void)value;
    return start_tls(u->stream, u->context, u->host, NULL, 0);
}

/* Both sides at once. */
static void upgrade_both(struct plain_ends *ends) {
    struct upgrade client = {ends->client, client_context(authority()), "localhost"};
    struct upgrade server = {ends->server, server_context(server_certificate()), NULL};
    aloop_task *other = aloop_create_task(upgrade, &server);
    assert_code(upgrade(&client, NULL), 0);
    assert_code(AWAIT(other), 0);
    aloop_unref(client.context);
    aloop_unref(server.context);
}

static int64_t start(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    assert_info(ends.client, "cipher", NULL);
    assert_int_equal(aloop_stream_can_write_eof(ends.client), 1);
    passes(ends.client, ends.server, "STARTTLS\r\n");
    passes(ends.server, ends.client, "220 go on\r\n");
    upgrade_both(&ends);
    passes(ends.client, ends.server, "secret");
    passes(ends.server, ends.client, "answer");
    assert_info(ends.client, "tls_version", "TLSv1.3");
    assert_int_equal(aloop_stream_can_write_eof(ends.client), 0);
    drop_plain(&ends);
    return 0;
}

static void a_connection_is_upgraded(void **state) {
    (void)state;
    in_simulation(start, NULL);
}

/* gh-142352: what was read ahead belongs to the handshake. */
static int64_t read_ahead(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    struct upgrade client = {ends.client, client_context(authority()), "localhost"};
    assert_code(aloop_stream_write(ends.client, "PROXY TCP4\r\n", 12), 0);
    aloop_task *other = aloop_create_task(upgrade, &client);
    assert_code(AWAIT(aloop_sleep(0.1)), 0); /* the hello lies behind the line */
    assert_reads(aloop_stream_readline(ends.server), "PROXY TCP4\r\n");
    aloop_tls_context *context = server_context(server_certificate());
    assert_code(start_tls(ends.server, context, NULL, NULL, 0), 0);
    assert_code(AWAIT(other), 0);
    passes(ends.client, ends.server, "secret");
    aloop_unref(context);
    aloop_unref(client.context);
    drop_plain(&ends);
    return 0;
}

static void what_was_read_ahead_goes_to_tls(void **state) {
    (void)state;
    in_simulation(read_ahead, NULL);
}

/* The other way round: what somebody slipped in behind the plain text is not
 * taken for what came over TLS. */
static int64_t inject(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    passes(ends.server, ends.client, "220 ready\r\n");
    assert_code(aloop_stream_write(ends.server, "go on\r\nRCPT injected\r\n", 22), 0);
    assert_reads(aloop_stream_readline(ends.client), "go on\r\n");
    aloop_tls_context *context = client_context(authority());
    char text[400];
    assert_code(start_tls(ends.client, context, "localhost", text, sizeof text), ALOOP_ETLS);
    assert_non_null(strstr(text, "does not speak TLS (it began with \"RCPT inj\")"));
    assert_code(AWAIT(aloop_stream_read(ends.client, 100)), ALOOP_ETLS);
    aloop_unref(context);
    drop_plain(&ends);
    return 0;
}

static void plain_text_is_not_taken_over(void **state) {
    (void)state;
    in_simulation(inject, NULL);
}

/* Written before: plain. Written while hands are shaken: encrypted. */
static int64_t write_meanwhile(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    struct upgrade client = {ends.client, client_context(authority()), "localhost"};
    char *block = malloc(60000);
    memset(block, 'p', 60000);
    assert_code(aloop_stream_write(ends.client, block, 60000) >= 0, 1);
    aloop_task *other = aloop_create_task(upgrade, &client);
    assert_code(AWAIT(aloop_sleep(0.1)), 0);
    assert_true(aloop_stream_write(ends.client, "first", 5) > 0);
    assert_true(aloop_stream_write(ends.client, " second", 7) > 0);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(ends.server, 60000), (void **)&got), 60000);
    assert_memory_equal(aloop_bytes_data(got), block, 60000);
    aloop_bytes_unref(got);
    aloop_tls_context *context = server_context(server_certificate());
    assert_code(start_tls(ends.server, context, NULL, NULL, 0), 0);
    assert_code(AWAIT(other), 0);
    assert_reads(aloop_stream_readexactly(ends.server, 12), "first second");
    free(block);
    aloop_unref(context);
    aloop_unref(client.context);
    drop_plain(&ends);
    return 0;
}

static void writes_meet_the_handshake(void **state) {
    (void)state;
    in_simulation(write_meanwhile, NULL);
}

/* A file on its way goes as it is: no handshake begins before it is there. */
static int64_t behind_a_file(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    aloop_tls_context *c = client_context(authority()), *s = server_context(server_certificate());
    FILE *file = tmpfile();
    assert_int_equal(ftruncate(fileno(file), 1 << 24), 0);
    aloop_task *sends =
        aloop_ensure_future(aloop_stream_sendfile(ends.server, fileno(file), 0, -1));
    AWAIT(aloop_sleep(0.01)); /* it waits for the client to read */
    assert_code(aloop_future_done(sends), 0);
    assert_code(AWAIT(aloop_stream_start_tls(ends.server, s, NULL)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readexactly(ends.client, 1 << 24)), 1 << 24);
    assert_code(AWAIT(sends), 1 << 24);
    sends = aloop_ensure_future(aloop_stream_start_tls(ends.server, s, NULL));
    assert_code(start_tls(ends.client, c, "localhost", NULL, 0), 0);
    assert_code(AWAIT(sends), 0);
    passes(ends.server, ends.client, "and now");
    fclose(file);
    aloop_unref(c), aloop_unref(s);
    drop_plain(&ends);
    return 0;
}

static void a_file_is_not_interrupted(void **state) {
    (void)state;
    in_task(behind_a_file);
}

static int64_t nest(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    upgrade_both(&ends);
    passes(ends.client, ends.server, "one layer");
    upgrade_both(&ends);
    passes(ends.client, ends.server, "two layers");
    passes(ends.server, ends.client, "and back");
    char *block = calloc(1, 12 << 20);
    assert_true(aloop_stream_write(ends.client, block, 12 << 20) > 0);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(ends.server, 12 << 20), (void **)&got),
                12 << 20);
    aloop_bytes_unref(got);
    free(block);
    assert_code(aloop_stream_close(ends.client), 0);
    assert_reads(aloop_stream_read(ends.server, -1), "");
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), 0);
    drop_plain(&ends);
    return 0;
}

static void tls_runs_over_tls(void **state) {
    (void)state;
    in_simulation(nest, NULL);
}

/* What a stream tells ------------------------------------------------------------------------ */

static int64_t info(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_tls_context *client = client_context(authority());
    assert_code(aloop_tls_context_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256"), 0);
    struct ends ends = good_ends((struct tls_wish){
        .client = client, .server = server_context(server_certificate())});
    assert_info(ends.client, "tls_version", "TLSv1.3");
    assert_info(ends.client, "cipher", "TLS_AES_128_GCM_SHA256 TLSv1.3 128");
    assert_info(ends.client, "session_reused", "0");
    assert_info(ends.client, "verify_result", "ok");
    assert_info(ends.client, "alpn_protocol", NULL);
    assert_info(ends.client, "compression", NULL);
    assert_info(ends.client, "server_hostname", "localhost");
    assert_info(ends.server, "server_hostname", "localhost");
    assert_info(ends.client, "peercert_subject", "CN=server");
    assert_info(ends.client, "peercert_issuer", "CN=Test CA");
    assert_info(ends.client, "peercert_sans", "DNS:localhost, IP Address:127.0.0.1");
    assert_info(ends.client, "peercert", server_certificate()->cert);
    assert_info(ends.client, "peercert_color", NULL);
    char text[64];
    assert_int_equal(aloop_stream_get_extra_info(ends.client, "peercert_not_after", text, 64), 24);
    assert_non_null(strstr(text, "GMT"));
    assert_true(aloop_stream_get_extra_info(ends.client, "peercert_serial", NULL, 0) > 0);
    assert_int_equal(aloop_stream_get_extra_info(ends.client, "peercert_subject", text, 4), 9);
    assert_string_equal(text, "CN=");
    assert_info(ends.server, "peercert", NULL); /* a client has none */
    aloop_bytes *der = NULL;
    assert_code(aloop_stream_get_peer_certificate(ends.client, &der), 0);
    assert_true(aloop_bytes_size(der) > 200 && *(const uint8_t *)aloop_bytes_data(der) == 0x30);
    aloop_bytes_unref(der);
    assert_code(aloop_stream_get_peer_certificate(ends.server, &der), ALOOP_ENOENT);
    assert_code(aloop_stream_get_peer_certificate(ends.server, NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_get_peer_certificate(NULL, &der), ALOOP_EINVAL);
    assert_true(aloop_stream_get_extra_info(ends.client, "peername", NULL, 0) > 0);
    aloop_stream_abort(ends.client);
    let_run(2);
    assert_info(ends.client, "cipher", NULL);
    assert_code(aloop_stream_get_peer_certificate(ends.client, &der), ALOOP_ENOENT);
    drop_ends(&ends);
    return 0;
}

static void extra_info_tells_of_tls(void **state) {
    (void)state;
    in_simulation(info, NULL);
}

/* Names of a certificate that would read as others, were they not quoted. */
static size_t put(char *at, unsigned char tag, const char *value, size_t n) {
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char head[2] = {tag, (unsigned char)n};
    for (size_t i = 0; i < n + 2; i++) {
        const unsigned char c = i < 2 ? head[i] : (unsigned char)value[i - 2];
        *at++ = digits[c >> 4];
        *at++ = digits[c & 15];
    }
    *at = '\0';
    return 2 * (n + 2);
}

static int64_t odd_names(void *arg, void **value) {
    (void)arg, (void)value;
    static const char uri[] = "http://x/, DNS:admin.local", directory[] =
        "\x30\x13\x31\x11\x30\x0f\x06\x03\x55\x04\x03\x0c\x08" "a, DNS:b";
    char names[600] = "";
    size_t n = put(names, 0x82, "localhost", 9);
    n += put(names + n, 0x86, uri, sizeof uri - 1);
    n += put(names + n, 0x82, "a\0b", 3);
    n += put(names + n, 0x82, "it's", 4);
    n += put(names + n, 0x81, "\"q\\\"@x\xc3", 7);
    n += put(names + n, 0xa4, directory, sizeof directory - 1);
    n += put(names + n, 0x87, "\x7f\0\0\1", 4);
    char wish[620];
    snprintf(wish, sizeof wish, "DER:30%02X%s", (unsigned)(n / 2), names);
    struct certificate odd = make_certificate(
        (struct certificate_wish){.name = "odd", .for_names = wish}, authority());
    assert_non_null(odd.cert);
    struct ends ends = good_ends((struct tls_wish){.client = client_context(authority()),
                                                   .server = server_context(&odd)});
    assert_info(ends.client, "peercert_sans",
                "DNS:localhost, URI:\"http://x/, DNS:admin.local\", DNS:\"a\\u0000b\", "
                "DNS:\"it's\", email:\"\\\"q\\\\\\\"@x\\u00c3\", "
                "DirName:\"CN = \\\"a, DNS:b\\\"\", IP Address:127.0.0.1");
    drop_ends(&ends);
    /* Nor is it told so of a certificate that is refused. */
    ends = secure_ends((struct tls_wish){.client = client_context(authority()),
                                         .server = server_context(&odd), .host = "admin.local"});
    assert_code(ends.client_status, ALOOP_ETLSCERT);
    assert_non_null(strstr(ends.client_text, "DNS:localhost, URI:\"http://x/, DNS:admin.local\""));
    drop_ends(&ends);
    drop_certificate(&odd);
    return 0;
}

static void names_are_told_apart(void **state) {
    (void)state;
    in_simulation(odd_names, NULL);
}

TLS_SUITE(CASE(data_passes_both_ways), CASE(records_that_come_together), CASE(much_data_passes),
          CASE(water_marks_count_plain_text), CASE(a_connection_is_upgraded),
          CASE(what_was_read_ahead_goes_to_tls), CASE(plain_text_is_not_taken_over),
          CASE(writes_meet_the_handshake), CASE(a_file_is_not_interrupted), CASE(tls_runs_over_tls),
          CASE(extra_info_tells_of_tls), CASE(names_are_told_apart))
