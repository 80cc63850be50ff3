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

struct upgrade {
    aloop_stream *stream;
    aloop_tls_context *context; /* a server's */
};

static int64_t upgrade(void *arg, void **value) {
    const struct upgrade *u = arg;
    (void)value;
    return start_tls(u->stream, u->context, NULL, NULL, 0);
}

static void shake_on(struct raw *r) {
    while (SSL_do_handshake(r->ssl) != 1) {
        raw_sends(r);
        assert_true(raw_hears(r));
    }
    raw_sends(r);
}

static void say(struct raw *r, const char *text) {
    assert_int_equal(SSL_write(r->ssl, text, (int)strlen(text)), strlen(text));
    raw_sends(r);
}

/* The client's hello is there, and the paused protocol was not told of it. */
static struct raw greeted(struct seen *seen) {
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    follow(r.ours, seen);
    let_run(3);
    assert_code(aloop_stream_pause_reading(r.ours), 0);
    assert_int_equal(SSL_do_handshake(r.ssl), -1);
    assert_true(raw_sends(&r) > 100);
    let_run(3);
    assert_int_equal(seen->size, 0);
    return r;
}

static int64_t hello_first(void *arg, void **value) {
    (void)arg, (void)value;
    struct seen seen = {0};
    struct raw r = greeted(&seen);
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    assert_code(aloop_stream_resume_reading(r.ours), 0); /* it is called right behind the task */
    shake_on(&r);
    assert_code(AWAIT(shaking), 0);
    say(&r, "secret");
    let_run(5);
    assert_int_equal(seen.size, 6);
    assert_string_equal(seen.data, "secret");
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
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
    struct seen seen = {0};
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    follow(r.ours, &seen);
    assert_true(aloop_stream_write(r.ours, much, MUCH) > 0);
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    let_run(3);
    assert_int_equal(SSL_do_handshake(r.ssl), -1);
    assert_true(raw_sends(&r) > 100);
    let_run(10);
    assert_code(aloop_stream_pause_reading(r.ours), 0);
    assert_code(aloop_stream_resume_reading(r.ours), 0);
    follow(r.ours, &seen); /* another looks as well */
    let_run(10);
    assert_int_equal(seen.size, 0);
    assert_int_equal(aloop_future_done(shaking), 0);
    take_much(&r);
    shake_on(&r);
    assert_code(AWAIT(shaking), 0);
    say(&r, "secret");
    let_run(5);
    assert_string_equal(seen.data, "secret");
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
}

static void a_protocol_waits_while_it_drains(void **state) {
    (void)state;
    in_roomy_task(hello_in_drain, NULL);
}

/* Neither do readers; and nobody starts TLS twice. */
static int64_t readers(void *arg, void **value) {
    (void)arg, (void)value;
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    assert_true(aloop_stream_write(r.ours, much, MUCH) > 0);
    assert_code(aloop_stream_write(r.stream, "a\nslipped in\n", 13), 0);
    assert_reads(aloop_stream_readline(r.ours), "a\n"); /* the rest is read ahead */
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    let_run(3);
    char byte;
    assert_code(AWAIT(aloop_stream_read(r.ours, 9)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_read(r.ours, -1)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_read_into(r.ours, &byte, 1)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readexactly(r.ours, 2)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readline(r.ours)), ALOOP_EBUSY);
    assert_code(AWAIT(aloop_stream_readuntil(r.ours, "\n", 1)), ALOOP_EBUSY);
    assert_code(start_tls(r.ours, u.context, NULL, NULL, 0), ALOOP_EBUSY);
    take_much(&r);
    assert_code(AWAIT(shaking), ALOOP_ETLS); /* which that is not */
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
}

static void readers_are_refused_meanwhile(void **state) {
    (void)state;
    in_roomy_task(readers, NULL);
}

/* Where it does not come to a handshake, the protocol and readers go on. */
static int64_t given_up(void *arg, void **value) {
    (void)arg, (void)value;
    struct seen seen = {0};
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    follow(r.ours, &seen);
    assert_true(aloop_stream_write(r.ours, much, MUCH) > 0);
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    let_run(3);
    assert_code(aloop_stream_write(r.stream, "plain", 5), 0);
    let_run(3);
    assert_int_equal(seen.size, 0);
    aloop_future_cancel(shaking, NULL);
    assert_code(AWAIT(shaking), ALOOP_ECANCELED);
    let_run(3);
    assert_string_equal(seen.data, "plain");
    /* And where it is refused at last. */
    shaking = aloop_create_task(upgrade, &u);
    let_run(3);
    assert_code(aloop_stream_write(r.stream, " text", 5), 0);
    assert_code(aloop_stream_write_eof(r.ours), 0);
    let_run(3);
    assert_int_equal(seen.size, 5);
    take_much(&r);
    assert_code(AWAIT(shaking), ALOOP_EINVALIDSTATE);
    let_run(3);
    assert_string_equal(seen.data, "plain text");
    assert_code(aloop_stream_set_protocol(r.ours, NULL, NULL), 0);
    assert_code(aloop_stream_write(r.stream, "!", 1), 0);
    assert_reads(aloop_stream_readexactly(r.ours, 1), "!");
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
}

static void a_protocol_goes_on_without_tls(void **state) {
    (void)state;
    in_roomy_task(given_up, NULL);
}

/* Who paused to upgrade in peace is told again, as with asyncio's new transport; a
 * pause of after the call holds. */
static int64_t paused(void *arg, void **value) {
    (void)arg, (void)value;
    struct seen seen = {0};
    struct raw r = greeted(&seen);
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    assert_code(aloop_stream_is_reading(r.ours), 0);
    shake_on(&r);
    assert_code(AWAIT(shaking), 0);
    assert_code(aloop_stream_is_reading(r.ours), 1);
    say(&r, "secret");
    let_run(5);
    assert_string_equal(seen.data, "secret");
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
}

static int64_t paused_meanwhile(void *arg, void **value) {
    (void)arg, (void)value;
    struct seen seen = {0};
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    follow(r.ours, &seen);
    struct upgrade u = {r.ours, server_context(server_certificate())};
    aloop_task *shaking = aloop_create_task(upgrade, &u);
    let_run(5);
    assert_code(aloop_stream_pause_reading(r.ours), 0);
    shake_on(&r);
    assert_code(AWAIT(shaking), 0);
    say(&r, "secret");
    let_run(5);
    assert_int_equal(seen.size, 0);
    assert_code(aloop_stream_resume_reading(r.ours), 0);
    let_run(5);
    assert_string_equal(seen.data, "secret");
    aloop_unref(u.context);
    drop_raw(&r);
    return 0;
}

static void a_pause_ends_with_the_upgrade(void **state) {
    (void)state;
    in_roomy_task(paused, NULL);
    in_roomy_task(paused_meanwhile, NULL);
}

TLS_SUITE(CASE(a_protocol_sees_no_hello), CASE(a_protocol_waits_while_it_drains),
          CASE(readers_are_refused_meanwhile), CASE(a_protocol_goes_on_without_tls),
          CASE(a_pause_ends_with_the_upgrade))
