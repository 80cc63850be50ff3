/*
 * How connections with TLS end: in order, at once, cancelled, forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "peer.h"
#include "tls_raw.h"

static double now(void) { return aloop_loop_time(aloop_get_running_loop()); }

/* The peer's farewell ends the stream; what came before it can be read. */
static int64_t farewell(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    const double begun = now();
    assert_true(aloop_stream_write(ends.server, "one\ntwo\n", 8) >= 0);
    assert_code(aloop_stream_close(ends.server), 0);
    assert_code(aloop_stream_close(ends.server), 0);
    assert_code(aloop_stream_write(ends.server, "three", 5), 0); /* dropped */
    assert_reads(aloop_stream_readline(ends.client), "one\n");
    assert_reads(aloop_stream_read(ends.client, -1), "two\n");
    assert_int_equal(aloop_stream_at_eof(ends.client), 1);
    assert_int_equal(aloop_stream_is_closing(ends.client), 1);
    assert_code(aloop_stream_write(ends.client, "late", 4), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    assert_true(now() - begun < 1.0); /* nobody waited for a deadline */
    assert_reads(aloop_stream_read(ends.client, 10), "");
    drop_ends(&ends);
    return 0;
}

static void a_farewell_ends_both_sides(void **state) {
    (void)state;
    in_simulation(farewell, NULL);
}

static int64_t at_once(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    assert_code(aloop_stream_close(ends.server), 0);
    assert_code(aloop_stream_close(ends.client), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    drop_ends(&ends);
    return 0;
}

static void both_sides_close_at_once(void **state) {
    (void)state;
    in_simulation(at_once, NULL);
}

/* close sends everything first, and drops what still comes. */
static int64_t flush_first(void *arg, void **value) {
    (void)arg, (void)value;
    enum { MUCH = 3 << 20 };
    char *block = malloc(MUCH);
    memset(block, 'z', MUCH);
    struct ends ends = usual_ends();
    assert_true(aloop_stream_write(ends.client, "unread", 6) >= 0);
    assert_true(aloop_stream_write(ends.server, block, MUCH) >= 0);
    assert_code(aloop_stream_close(ends.server), 0);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_read(ends.client, -1), (void **)&got), MUCH);
    assert_memory_equal(aloop_bytes_data(got), block, MUCH);
    aloop_bytes_unref(got);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    free(block);
    drop_ends(&ends);
    return 0;
}

static void close_sends_what_waits(void **state) {
    (void)state;
    in_simulation(flush_first, NULL);
}

/* The deadline counts from close, the flushing included; 0: no waiting for the
 * peer's close_notify. */
static int64_t deadline(void *arg, void **value) {
    (void)arg, (void)value;
    char *block = calloc(1, 8 << 20);
    struct ends ends = good_ends((struct tls_wish){.client = client_context(authority()),
                                                   .server = server_context(server_certificate()),
                                                   .shutdown_timeout = 2.5});
    const double begun = now();
    assert_true(aloop_stream_write(ends.server, block, 8 << 20) > 0);
    assert_code(aloop_stream_close(ends.server), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), ALOOP_ETIMEDOUT);
    assert_close(now() - begun, 2.5);
    drop_ends(&ends);
    free(block);

    struct plain_ends plain = plain_ends();
    aloop_stream_options *options = aloop_stream_options_new();
    aloop_tls_context *c = client_context(authority()), *s = server_context(server_certificate());
    assert_code(aloop_stream_options_set_tls_shutdown_timeout(options, 0), 0);
    assert_code(aloop_stream_options_set_server_hostname(options, "localhost"), 0);
    aloop_task *other = aloop_ensure_future(aloop_stream_start_tls(plain.server, s, NULL));
    assert_code(AWAIT(aloop_stream_start_tls(plain.client, c, options)), 0);
    assert_code(AWAIT(other), 0);
    passes(plain.server, plain.client, "and the tickets");
    const double closing = now();
    assert_code(aloop_stream_close(plain.client), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(plain.client)), 0);
    assert_true(now() - closing < 0.5);
    assert_reads(aloop_stream_read(plain.server, 10), ""); /* a close_notify, no truncation */
    aloop_unref(options), aloop_unref(c), aloop_unref(s);
    drop_plain(&plain);
    return 0;
}

static void closing_has_a_deadline(void **state) {
    (void)state;
    in_simulation(deadline, NULL);
}

/* Dropping the last reference closes in order; nobody need wait. */
static int64_t forgotten(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    assert_true(aloop_stream_write(ends.server, "the last", 8) >= 0);
    aloop_unref(ends.server);
    assert_reads(aloop_stream_read(ends.client, -1), "the last");
    AWAIT(aloop_stream_wait_closed(ends.client));
    AWAIT(aloop_sleep(1));
    aloop_unref(ends.client);
    return 0;
}

static void a_dropped_stream_says_goodbye(void **state) {
    (void)state;
    in_simulation(forgotten, NULL);
}

/* The loop closes on connections in every state. */
static int64_t left_open(void *arg, void **value) {
    (void)value;
    struct ends open = usual_ends(), closing = usual_ends();
    struct plain_ends shaking = plain_ends();
    aloop_tls_context *c = client_context(authority());
    aloop_stream_options *options = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_server_hostname(options, "localhost"), 0);
    aloop_task *task = aloop_ensure_future(aloop_stream_start_tls(shaking.client, c, options));
    aloop_unref(options);
    aloop_unref(c);
    AWAIT(aloop_sleep(0.5));
    assert_code(aloop_stream_close(closing.client), 0);
    void **kept = arg;
    void *const all[] = {open.client,    open.server,    closing.client, closing.server,
                         shaking.client, shaking.server, task};
    memcpy(kept, all, sizeof all);
    return 0;
}

static void the_loop_closes_on_open_connections(void **state) {
    (void)state;
    for (int after = 0; after < 2; after++) {
        void *kept[7];
        assert_code(run_virtual(left_open, kept, NULL), 0);
        for (int i = 0; i < 7; i++) aloop_unref(kept[i]);
    }
}

/* Cancellation -------------------------------------------------------------------------- */

static int64_t cancel_handshake(void *arg, void **value) {
    (void)arg, (void)value;
    struct plain_ends ends = plain_ends();
    aloop_tls_context *s = server_context(server_certificate());
    aloop_task *task = aloop_ensure_future(aloop_stream_start_tls(ends.server, s, NULL));
    AWAIT(aloop_sleep(1));
    aloop_future_cancel(task, NULL);
    assert_code(AWAIT(task), ALOOP_ECANCELED);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    assert_reads(aloop_stream_read(ends.client, 1), "");
    drop_plain(&ends);

    /* Before it began nothing has happened. */
    ends = plain_ends();
    task = aloop_ensure_future(aloop_stream_start_tls(ends.server, s, NULL));
    aloop_future_cancel(task, NULL);
    assert_code(AWAIT(task), ALOOP_ECANCELED);
    passes(ends.client, ends.server, "plain still");
    drop_plain(&ends);

    /* open_connection: the whole attempt goes. */
    aloop_server *silent = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL), (void **)&silent),
                0);
    aloop_tls_context *c = client_context(authority());
    aloop_stream_options *options = aloop_stream_options_new();
    aloop_stream_options_set_tls(options, c);
    const int32_t port = (int32_t)aloop_server_port(silent, 0);
    assert_code(AWAIT(aloop_wait_for(aloop_open_connection("127.0.0.1", port, options), 1)),
                ALOOP_ETIMEDOUT);
    aloop_unref(options), aloop_unref(c), aloop_unref(s);
    aloop_server_close(silent);
    aloop_unref(silent);
    return 0;
}

static void a_handshake_is_cancelled(void **state) {
    (void)state;
    in_simulation(cancel_handshake, NULL);
}

static int64_t cancel_others(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    assert_code(AWAIT(aloop_wait_for(aloop_stream_readexactly(ends.client, 10), 1)),
                ALOOP_ETIMEDOUT);
    passes(ends.server, ends.client, "nothing lost");
    char *block = calloc(1, 12 << 20);
    assert_true(aloop_stream_write(ends.server, block, 12 << 20) > 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_drain(ends.server), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_stream_close(ends.server), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_wait_closed(ends.server), 1)), ALOOP_ETIMEDOUT);
    aloop_bytes *got = NULL;
    assert_code(aloop_await(aloop_stream_read(ends.client, -1), (void **)&got), 12 << 20);
    aloop_bytes_unref(got);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.server)), 0);
    free(block);
    drop_ends(&ends);
    return 0;
}

static void waits_are_cancelled(void **state) {
    (void)state;
    in_simulation(cancel_others, NULL);
}

/* A paused reader, and one that sees the end behind paused data. */
static int64_t pause(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    assert_code(aloop_stream_pause_reading(ends.client), 0);
    assert_true(aloop_stream_write(ends.server, "later", 5) >= 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(ends.client, 10), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_stream_resume_reading(ends.client), 0);
    assert_reads(aloop_stream_read(ends.client, 10), "later");
    drop_ends(&ends);
    return 0;
}

static void reading_is_paused(void **state) {
    (void)state;
    in_simulation(pause, NULL);
}

/* A peer that answers a farewell with nonsense leaves nothing where the program's
 * own use of OpenSSL would find it. */
static int64_t look_for_errors(aloop_stream *t, int64_t code, aloop_error *error, void *data) {
    (void)t, (void)error;
    assert_code(code, 0);
    assert_int_equal(ERR_peek_error(), 0);
    ++*(int *)data;
    return 0;
}

static int64_t nonsense(void *arg, void **value) {
    (void)arg, (void)value;
    int lost = 0;
    struct raw r = raw_peer(false, TLS1_3_VERSION);
    raw_shakes(&r);
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_connection_lost(p, look_for_errors), 0);
    assert_code(aloop_stream_set_protocol(r.ours, p, &lost), 0);
    assert_code(aloop_stream_close(r.ours), 0);
    let_run(3);
    assert_int_equal(lost, 0);
    assert_code(aloop_stream_write(r.stream, "no record at all", 16), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(r.ours)), 0);
    assert_int_equal(lost, 1);
    aloop_unref(p);
    drop_raw(&r);
    return 0;
}

static void nonsense_after_a_farewell(void **state) {
    (void)state;
    in_roomy_task(nonsense, NULL);
}

/* A reset in place of the peer's farewell is told, to protocols as to others. */
static int64_t keep_code(aloop_stream *t, int64_t code, aloop_error *error, void *data) {
    (void)t, (void)error;
    *(int64_t *)data = code;
    return 0;
}

static int64_t reset_at_last(void *arg, void **value) {
    const bool with_protocol = *(const bool *)arg;
    (void)value;
    int64_t lost = 1;
    struct ends ends = usual_ends();
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_connection_lost(p, keep_code), 0);
    if (with_protocol) assert_code(aloop_stream_set_protocol(ends.client, p, &lost), 0);
    assert_code(aloop_stream_write(ends.client, "unread", 6), 0);
    assert_code(aloop_stream_close(ends.client), 0);
    AWAIT(aloop_sleep(1));
    aloop_stream_abort(ends.server);
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), ALOOP_ECONNRESET);
    assert_code(lost, with_protocol ? ALOOP_ECONNRESET : 1);
    aloop_unref(p);
    drop_ends(&ends);
    return 0;
}

static void a_reset_in_place_of_a_farewell(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool with_protocol = i != 0;
        in_simulation(reset_at_last, &with_protocol);
    }
}

/* A peer that says farewell and closes at once resets the connection when ours
 * comes: both stand there together, and the farewell is what counts. */
static int64_t farewell_and_reset(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = usual_ends();
    char number[16];
    assert_true(aloop_stream_get_extra_info(ends.server, "fd", number, sizeof number) > 0);
    assert_code(aloop_stream_close(ends.client), 0);
    assert_code(aloop_stream_close(ends.server), 0);
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    assert_int_equal(connect(atoi(number), &nobody, sizeof nobody), 0); /* sends the reset */
    assert_code(AWAIT(aloop_stream_wait_closed(ends.client)), 0);
    drop_ends(&ends);
    return 0;
}

static void a_farewell_before_a_reset(void **state) {
    (void)state;
    assert_code(aloop_run(farewell_and_reset, NULL, NULL), 0);
}

TLS_SUITE(CASE(a_farewell_ends_both_sides), CASE(both_sides_close_at_once),
          CASE(close_sends_what_waits), CASE(closing_has_a_deadline),
          CASE(a_dropped_stream_says_goodbye), CASE(the_loop_closes_on_open_connections),
          CASE(a_handshake_is_cancelled), CASE(waits_are_cancelled), CASE(reading_is_paused),
          CASE(nonsense_after_a_farewell), CASE(a_reset_in_place_of_a_farewell),
          CASE(a_farewell_before_a_reset))
