/*
 * start_tls on a connection that has a protocol, or readers: from the call on,
 * what comes is for TLS, whoever else would read; and who read before reads on
 * where it comes to nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "peer.h"
#include "tls_raw.h"

/* A protocol that keeps what it is given. */
struct seen {
    size_t size;
    char data[64]; /* the first ones */
};

static int64_t keep(aloop_stream *t, const void *bytes, size_t n, void *data) {
    (void)t;
    struct seen *seen = data;
    for (size_t i = 0; i < n && seen->size + i < sizeof seen->data - 1; i++) {
        seen->data[seen->size + i] = ((const char *)bytes)[i];
    }
    seen->size += n;
    return 0;
}

static void follow(aloop_stream *s, struct seen *seen) {
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_data_received(p, keep), 0);
    assert_code(aloop_stream_set_protocol(s, p, seen), 0);
    aloop_unref(p);
}

/* Ours, which is to speak TLS as a server, and a peer that will. */
struct upgrade {
    struct raw r;
    struct seen seen; /* by the protocol, if there is one */
    aloop_tls_context *context;
    aloop_task *shaking;
};

static void begin(struct upgrade *u, bool with_protocol) {
    *u = (struct upgrade){.r = raw_peer(false, TLS1_3_VERSION),
                          .context = server_context(server_certificate())};
    if (with_protocol) follow(u->r.ours, &u->seen);
}

static int64_t upgrade(void *arg, void **value) {
    const struct upgrade *u = arg;
    (void)value;
    return start_tls(u->r.ours, u->context, NULL, NULL, 0);
}

static void start_upgrade(struct upgrade *u) { u->shaking = aloop_create_task(upgrade, u); }

static int64_t end(struct upgrade *u) {
    aloop_unref(u->context);
    drop_raw(&u->r);
    return 0;
}

static void shake_hands(struct upgrade *u) {
    struct raw *r = &u->r;
    while (SSL_do_handshake(r->ssl) != 1) {
        raw_sends(r);
        assert_true(raw_hears(r));
    }
    raw_sends(r);
    assert_code(AWAIT(u->shaking), 0);
}

static void send_secret(struct upgrade *u) {
    assert_int_equal(SSL_write(u->r.ssl, "secret", 6), 6);
    raw_sends(&u->r);
    let_run(5);
}

/* The client's hello is there, and the paused protocol was not told of it. */
static void begin_greeted(struct upgrade *u) {
    begin(u, true);
    let_run(3);
    assert_code(aloop_stream_pause_reading(u->r.ours), 0);
    assert_int_equal(SSL_do_handshake(u->r.ssl), -1);
    assert_true(raw_sends(&u->r) > 100);
    let_run(3);
    assert_int_equal(u->seen.size, 0);
}

static int64_t hello_first(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin_greeted(&u);
    start_upgrade(&u);
    assert_code(aloop_stream_resume_reading(u.r.ours), 0); /* it is called right behind the task */
    shake_hands(&u);
    send_secret(&u);
    assert_int_equal(u.seen.size, 6);
    assert_string_equal(u.seen.data, "secret");
    return end(&u);
}

static void a_protocol_sees_no_hello(void **state) {
    (void)state;
    in_roomy_task(hello_first, NULL);
}

/* While what was written before still goes out, as long as that takes. */
enum { MUCH = 1 << 20 };
static const char much[MUCH];

static void take_much(struct raw *r) {
    assert_code(AWAIT(aloop_stream_readexactly(r->stream, MUCH)), MUCH);
}

static int64_t hello_in_drain(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin(&u, true);
    assert_true(aloop_stream_write(u.r.ours, much, MUCH) > 0);
    start_upgrade(&u);
    let_run(3);
    assert_int_equal(SSL_do_handshake(u.r.ssl), -1);
    assert_true(raw_sends(&u.r) > 100);
    let_run(10);
    assert_code(aloop_stream_pause_reading(u.r.ours), 0);
    assert_code(aloop_stream_resume_reading(u.r.ours), 0);
    follow(u.r.ours, &u.seen); /* another looks as well */
    let_run(10);
    assert_int_equal(u.seen.size, 0);
    assert_int_equal(aloop_future_done(u.shaking), 0);
    take_much(&u.r);
    shake_hands(&u);
    send_secret(&u);
    assert_string_equal(u.seen.data, "secret");
    return end(&u);
}

static void a_protocol_waits_while_it_drains(void **state) {
    (void)state;
    in_roomy_task(hello_in_drain, NULL);
}

/* Neither do readers; and nobody starts TLS twice. */
static int64_t readers(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin(&u, false);
    assert_true(aloop_stream_write(u.r.ours, much, MUCH) > 0);
    assert_code(aloop_stream_write(u.r.stream, "a\nslipped in\n", 13), 0);
    assert_reads(aloop_stream_readline(u.r.ours), "a\n"); /* the rest is read ahead */
    start_upgrade(&u);
    let_run(3);
    char byte;
    assert_code(AWAIT(aloop_stream_read(u.r.ours, 9)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_read(u.r.ours, -1)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_read_into(u.r.ours, &byte, 1)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readexactly(u.r.ours, 2)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readline(u.r.ours)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readuntil(u.r.ours, "\n", 1)), ALOOP_EBUSY);
    assert_code(start_tls(u.r.ours, u.context, NULL, NULL, 0), ALOOP_EBUSY);
    take_much(&u.r);
    assert_code(AWAIT(u.shaking), ALOOP_ETLS); /* which that is not */
    return end(&u);
}

static void readers_are_refused_meanwhile(void **state) {
    (void)state;
    in_roomy_task(readers, NULL);
}

/* Where it does not come to a handshake, the protocol and readers go on. */
static int64_t given_up(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin(&u, true);
    assert_true(aloop_stream_write(u.r.ours, much, MUCH) > 0);
    start_upgrade(&u);
    let_run(3);
    assert_code(aloop_stream_write(u.r.stream, "plain", 5), 0);
    let_run(3);
    assert_int_equal(u.seen.size, 0);
    aloop_future_cancel(u.shaking, NULL);
    assert_code(AWAIT(u.shaking), ALOOP_ECANCELED);
    let_run(3);
    assert_string_equal(u.seen.data, "plain");
    /* And where it is refused at last. */
    start_upgrade(&u);
    let_run(3);
    assert_code(aloop_stream_write(u.r.stream, " text", 5), 0);
    assert_code(aloop_stream_write_eof(u.r.ours), 0);
    let_run(3);
    assert_int_equal(u.seen.size, 5);
    take_much(&u.r);
    assert_code(AWAIT(u.shaking), ALOOP_EINVALIDSTATE);
    let_run(3);
    assert_string_equal(u.seen.data, "plain text");
    assert_code(aloop_stream_set_protocol(u.r.ours, NULL, NULL), 0);
    assert_code(aloop_stream_write(u.r.stream, "!", 1), 0);
    assert_reads(aloop_stream_readexactly(u.r.ours, 1), "!");
    return end(&u);
}

static void a_protocol_goes_on_without_tls(void **state) {
    (void)state;
    in_roomy_task(given_up, NULL);
}

/* Who paused to upgrade in peace is told again, as with asyncio's new transport; a
 * pause of after the call holds. */
static int64_t paused(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin_greeted(&u);
    start_upgrade(&u);
    assert_code(aloop_stream_is_reading(u.r.ours), 0);
    shake_hands(&u);
    assert_code(aloop_stream_is_reading(u.r.ours), 1);
    send_secret(&u);
    assert_string_equal(u.seen.data, "secret");
    return end(&u);
}

static int64_t paused_meanwhile(void *arg, void **value) {
    (void)arg, (void)value;
    struct upgrade u;
    begin(&u, true);
    start_upgrade(&u);
    let_run(5);
    assert_code(aloop_stream_pause_reading(u.r.ours), 0);
    shake_hands(&u);
    send_secret(&u);
    assert_int_equal(u.seen.size, 0);
    assert_code(aloop_stream_resume_reading(u.r.ours), 0);
    let_run(5);
    assert_string_equal(u.seen.data, "secret");
    return end(&u);
}

static void a_pause_ends_with_the_upgrade(void **state) {
    (void)state;
    in_roomy_task(paused, NULL);
    in_roomy_task(paused_meanwhile, NULL);
}

TLS_SUITE(CASE(a_protocol_sees_no_hello), CASE(a_protocol_waits_while_it_drains),
          CASE(readers_are_refused_meanwhile), CASE(a_protocol_goes_on_without_tls),
          CASE(a_pause_ends_with_the_upgrade))
