/*
 * TLS over TCP where several things have come before anybody looked: an alert and a
 * reset, the last message of a handshake, data, a farewell and a reset, a message and
 * the end of the time for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "own_clock.h"
#include "peer.h"
#include "tls_raw.h"

/* A raw peer of that kind at the other end of a TCP connection. */
static struct raw raw_tcp_peer(bool server, int version) {
    struct raw r = raw_peer(server, version);
    drop_plain(&(struct plain_ends){r.ours, r.stream});
    const struct plain_ends ends = plain_ends();
    r.ours = ends.server;
    r.stream = ends.client;
    return r;
}

/* Sends a reset at once, behind what was sent. */
static void raw_resets(struct raw *r) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    const int64_t fd = aloop_stream_get_extra_info(r->stream, "fd", NULL, 0);
    assert_int_equal(connect((int)fd, &nobody, sizeof nobody), 0);
}

static int64_t start_client(void *ours, void **value) {
    (void)value;
    aloop_tls_context *c = client_context(authority());
    const int64_t code = start_tls(ours, c, "localhost", NULL, 0);
    aloop_unref(c);
    return code;
}

static int64_t start_server(void *ours, void **value) {
    (void)value;
    aloop_tls_context *c = server_context(server_certificate());
    const int64_t code = start_tls(ours, c, NULL, NULL, 0);
    aloop_unref(c);
    return code;
}

/* Goes on until the raw peer has nothing to wait for; what it wrote last is not sent. */
static int raw_handshake(struct raw *r) {
    for (;;) {
        const int result = SSL_do_handshake(r->ssl);
        if (result == 1 || SSL_get_error(r->ssl, result) != SSL_ERROR_WANT_READ) return result;
        raw_sends(r);
        assert_true(raw_hears(r));
    }
}

/* What the peer complained about counts, and not the reset behind it. */
static void assert_refused(aloop_future *future) {
    aloop_ref(future);
    assert_code(AWAIT(future), ALOOP_ETLS);
    assert_non_null(strstr(aloop_error_message(aloop_future_error(future)),
                           "it wants a certificate"));
    aloop_unref(future);
}

enum mode { IDLE, WRITES, WRITES_AND_READS, ENDS_BEFORE, MODES };

static int64_t alert_and_reset(void *arg, void **value) {
    (void)arg, (void)value;
    for (int mode = 0; mode < MODES; mode++) {
        struct raw r = raw_tcp_peer(true, TLS1_3_VERSION);
        SSL_set_verify(r.ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        aloop_task *ours = aloop_create_task(start_client, r.ours);
        assert_int_equal(raw_handshake(&r), -1);
        assert_code(AWAIT(ours), 0); /* as far as the client knows */
        aloop_future *drain = NULL, *reader = NULL;
        if (mode >= WRITES) {
            const size_t n = 32 << 20;
            char *much = calloc(1, n);
            assert_true(aloop_stream_write(r.ours, much, n) > 0);
            free(much);
            drain = aloop_ensure_future(aloop_stream_drain(r.ours));
        }
        if (mode == WRITES_AND_READS) reader = aloop_ensure_future(aloop_stream_readline(r.ours));
        let_run(3);
        raw_sends(&r);
        if (mode == ENDS_BEFORE) {
            assert_code(aloop_stream_write_eof(r.stream), 0);
            let_run(3); /* the end is seen, and then the reset */
        }
        raw_resets(&r);
        if (reader != NULL) assert_refused(reader);
        if (drain != NULL) assert_refused(drain);
        assert_refused(aloop_wait_for(aloop_stream_wait_closed(r.ours), k_hang));
        assert_refused(aloop_stream_read(r.ours, 1));
        drop_raw(&r);
    }
    return 0;
}

static void an_alert_before_a_reset(void **state) {
    (void)state;
    in_roomy_task(alert_and_reset, NULL);
}

/* Data that nobody has read when a reset comes change nothing about that. */
static int64_t data_and_reset(void *arg, void **value) {
    (void)arg, (void)value;
    struct raw r = raw_tcp_peer(true, TLS1_3_VERSION);
    raw_shakes(&r);
    let_run(3);
    assert_int_equal(SSL_write(r.ssl, "data", 4), 4);
    raw_sends(&r);
    raw_resets(&r);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_wait_closed(r.ours), k_hang)),
                ALOOP_ECONNRESET);
    assert_code(AWAIT(aloop_stream_read(r.ours, 1)), ALOOP_ECONNRESET);
    drop_raw(&r);
    return 0;
}

static void a_reset_behind_data(void **state) {
    (void)state;
    in_roomy_task(data_and_reset, NULL);
}

/* The peer's end is the connection's, as in asyncio: who waits for it, and nobody reads, is
 * told also where a reset has come behind it; what came before is there to be read. */
static int64_t end_and_reset(void *arg, void **value) {
    (void)arg, (void)value;
    for (int i = 0; i < 4; i++) {
        const bool farewell = (i & 1) != 0, seen = (i & 2) != 0;
        struct raw r = raw_tcp_peer(true, TLS1_3_VERSION);
        raw_shakes(&r);
        aloop_future *closed = aloop_ensure_future(aloop_stream_wait_closed(r.ours));
        let_run(3);
        assert_int_equal(SSL_write(r.ssl, "data", 4), 4);
        if (farewell) assert_int_equal(SSL_shutdown(r.ssl), 0);
        raw_sends(&r);
        assert_code(aloop_stream_write_eof(r.stream), 0);
        if (seen) let_run(3);
        raw_resets(&r);
        const int64_t code = farewell ? 0 : ALOOP_ETLSTRUNCATED;
        assert_code(AWAIT(aloop_wait_for(closed, k_hang)), code);
        if (farewell) assert_reads(aloop_stream_read(r.ours, 100), "data");
        assert_code(AWAIT(aloop_stream_read(r.ours, 100)), code);
        drop_raw(&r);
    }
    return 0;
}

static void a_reset_behind_the_end(void **state) {
    (void)state;
    in_roomy_task(end_and_reset, NULL);
}

/* A client that says all it has to say with the end of its handshake, and is gone: the
 * server cannot send its tickets, but it has the data. */
static int64_t gone_with_the_handshake(void *arg, void **value) {
    (void)arg, (void)value;
    for (int ends = 0; ends < 2; ends++) {
        struct raw r = raw_tcp_peer(false, TLS1_3_VERSION);
        aloop_task *ours = aloop_create_task(start_server, r.ours);
        assert_int_equal(raw_handshake(&r), 1);
        assert_int_equal(SSL_write(r.ssl, "all", 3), 3);
        assert_int_equal(SSL_shutdown(r.ssl), 0);
        raw_sends(&r);
        if (ends) assert_code(aloop_stream_write_eof(r.stream), 0);
        raw_resets(&r);
        assert_code(AWAIT(ours), 0);
        assert_reads(aloop_stream_read(r.ours, 100), "all");
        assert_reads(aloop_stream_read(r.ours, 100), "");
        drop_raw(&r);
    }
    return 0;
}

static void data_with_the_last_message(void **state) {
    (void)state;
    in_roomy_task(gone_with_the_handshake, NULL);
}

/* A message that came in time counts, also if the loop looks too late. */
static int64_t in_time(void *arg, void **value) {
    (void)arg, (void)value;
    struct raw r = raw_tcp_peer(false, TLS1_3_VERSION);
    aloop_task *ours = aloop_create_task(start_server, r.ours);
    assert_int_equal(raw_handshake(&r), 1);
    raw_sends(&r);
    pass_time(61);
    assert_code(AWAIT(ours), 0);
    drop_raw(&r);

    /* Only a part of it came. */
    r = raw_tcp_peer(false, TLS1_3_VERSION);
    ours = aloop_create_task(start_server, r.ours);
    raw_handshake(&r);
    char *data = NULL;
    assert_true(BIO_get_mem_data(r.out, &data) > 20);
    assert_code(aloop_stream_write(r.stream, data, 20), 0);
    pass_time(61);
    assert_code(AWAIT(ours), ALOOP_ECONNABORTED);
    drop_raw(&r);
    return 0;
}

static void a_message_in_time(void **state) {
    (void)state;
    stop_clock();
    aloop_loop_options *options = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_stack_size(options, 1 << 20), 0);
    aloop_runner *runner = NULL;
    assert_code(aloop_runner_new(&runner, options), 0);
    aloop_unref(options);
    assert_code(aloop_runner_run(runner, in_time, NULL, NULL), 0);
    assert_code(aloop_runner_close(runner), 0);
    aloop_unref(runner);
    let_clock_go();
}

/* A peer that takes its leave in place of a handshake. */
static int64_t farewell_at_once(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    aloop_tls_context *c = client_context(authority());
    assert_code(aloop_stream_write(ends.client, "\x15\x03\x03\0\x02\x01\0", 7), 0);
    char text[400] = "";
    assert_code(start_tls(ends.server, c, "localhost", text, sizeof text), ALOOP_ECONNRESET);
    assert_string_equal(text, "the peer closed the connection in the middle of the TLS handshake");
    aloop_unref(c);
    drop_plain(&ends);
    return 0;
}

static void a_farewell_in_place_of_a_handshake(void **state) {
    (void)state;
    in_roomy_task(farewell_at_once, NULL);
}

TLS_SUITE(CASE(an_alert_before_a_reset), CASE(a_reset_behind_data),
          CASE(a_reset_behind_the_end), CASE(data_with_the_last_message),
          CASE(a_message_in_time),
          CASE(a_farewell_in_place_of_a_handshake))
