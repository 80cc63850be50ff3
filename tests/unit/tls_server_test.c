/*
 * Servers with TLS: handshakes beside each other, failed ones, the limit without
 * a handler, Unix sockets, and protocols instead of streams.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "tls_peer.h"

static aloop_stream_options *options_with(aloop_tls_context *consumed) {
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_tls(o, consumed), 0);
    aloop_unref(consumed);
    return o;
}

static aloop_server *serve(aloop_client_fn handler, void *data, aloop_stream_options *consumed) {
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(handler, data, "127.0.0.1", 0, consumed),
                            (void **)&server), 0);
    aloop_unref(consumed);
    return server;
}

static int32_t port_of(aloop_server *server) { return (int32_t)aloop_server_port(server, 0); }

static aloop_stream *connect_with(aloop_server *server, const aloop_stream_options *o) {
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port_of(server), o), (void **)&s),
                0);
    return s;
}

static aloop_stream *connect_securely(aloop_server *server) {
    aloop_stream_options *o = options_with(client_context(authority()));
    aloop_stream *s = connect_with(server, o);
    aloop_unref(o);
    return s;
}

static aloop_stream *connect_plainly(aloop_server *server) {
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port_of(server), NULL),
                            (void **)&s), 0);
    return s;
}

static void drop(aloop_stream *s) {
    aloop_stream_abort(s);
    let_run(2);
    aloop_unref(s);
}

static void end(aloop_server *server) {
    assert_code(aloop_server_close(server), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_server_wait_closed(server), 100)), 0);
    aloop_unref(server);
}

static int64_t greet(aloop_stream *client, void *served) {
    ++*(int *)served;
    char version[16] = "none";
    aloop_stream_get_extra_info(client, "tls_version", version, sizeof version);
    assert_string_equal(version, "TLSv1.3"); /* hands were shaken before */
    aloop_stream_write(client, "hello\n", 6);
    return AWAIT(aloop_stream_drain(client));
}

/* One that never begins, one that speaks no TLS, one that leaves, one that does
 * not trust us: the others are served. */
static int64_t beside(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    struct reports seen = {0};
    capture_reports(aloop_get_running_loop(), &seen);
    aloop_server *server =
        serve(greet, &served, options_with(server_context(server_certificate())));
    aloop_stream *slow = connect_plainly(server);
    aloop_stream *plain = connect_plainly(server), *gone = connect_plainly(server);
    aloop_stream_write(plain, "GET / HTTP/1.0\r\n\r\n", 18);
    aloop_stream_abort(gone);
    aloop_stream_options *wary = options_with(client_context(NULL));
    assert_code(AWAIT(aloop_open_connection("127.0.0.1", port_of(server), wary)), ALOOP_ETLSCERT);
    aloop_unref(wary);
    aloop_stream *good = connect_securely(server);
    assert_reads(aloop_stream_read(good, -1), "hello\n");
    AWAIT(aloop_sleep(1));
    assert_int_equal(served, 1);
    assert_int_equal(seen.count, 3);
    int codes = 0;
    for (int i = 0; i < 3; i++) {
        assert_string_equal(seen.list[i].message, "SSL handshake failed");
        const int64_t code = seen.list[i].code;
        codes += code == ALOOP_ETLS ? 1 : code == ALOOP_ECONNRESET ? 10 : 100;
    }
    assert_int_equal(codes, 12);
    AWAIT(aloop_sleep(60));
    assert_int_equal(seen.count, 4); /* the slow one's time is up */
    assert_code(seen.list[3].code, ALOOP_ECONNABORTED);
    assert_int_equal(served, 1);
    drop(slow), drop(plain), drop(gone), drop(good);
    end(server);
    return 0;
}

static void one_failure_is_no_more_than_that(void **state) {
    (void)state;
    in_simulation(beside, NULL);
}

/* Without a handler: until as many as the backlog are ready for who accepts. */
static int64_t ahead(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports seen = {0};
    capture_reports(aloop_get_running_loop(), &seen);
    aloop_stream_options *o = options_with(server_context(server_certificate()));
    aloop_stream_options_set_backlog(o, 2);
    aloop_stream_options_set_tls_handshake_timeout(o, 5);
    aloop_server *server = serve(NULL, NULL, o);
    aloop_stream *slow = connect_plainly(server);
    aloop_stream *first = connect_securely(server); /* is not kept waiting by it */
    aloop_stream *second = connect_securely(server);
    AWAIT(aloop_sleep(0.1)); /* both are ready */
    o = options_with(client_context(authority()));
    aloop_task *next = aloop_ensure_future(aloop_open_connection("127.0.0.1", port_of(server), o));
    aloop_unref(o);
    AWAIT(aloop_sleep(1));
    assert_int_equal(aloop_future_done(next), 0); /* there is no more room */
    aloop_stream *accepted = NULL, *third = NULL, *other = NULL;
    assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
    assert_code(aloop_await(next, (void **)&third), 0);
    passes(first, accepted, "the first");
    assert_code(aloop_await(aloop_server_accept(server), (void **)&other), 0);
    passes(other, second, "the second");
    AWAIT(aloop_sleep(5));
    assert_int_equal(seen.count, 1); /* of the slow one */
    drop(slow), drop(first), drop(second), drop(accepted), drop(other);
    /* One that nobody accepted is closed with the server. */
    AWAIT(aloop_sleep(1));
    assert_code(aloop_server_close(server), 0);
    assert_reads(aloop_stream_read(third, 1), "");
    drop(third);
    end(server);
    return 0;
}

static void handshakes_run_ahead_of_accept(void **state) {
    (void)state;
    in_simulation(ahead, NULL);
}

/* Those that never begin keep nobody out, however many: they are bounded by
 * max_connections, as with a handler. */
enum { BACKLOG = 4, SILENT = 9 };

static int64_t silent(void *arg, void **value) {
    const bool limited = *(const bool *)arg;
    (void)value;
    struct reports seen = {0};
    capture_reports(aloop_get_running_loop(), &seen);
    aloop_stream_options *o = options_with(server_context(server_certificate()));
    aloop_stream_options_set_backlog(o, BACKLOG);
    aloop_stream_options_set_tls_handshake_timeout(o, 5);
    if (limited) aloop_stream_options_set_max_connections(o, SILENT);
    aloop_server *server = serve(NULL, NULL, o);
    aloop_stream *idle[SILENT];
    for (int i = 0; i < SILENT; i++) {
        idle[i] = connect_plainly(server);
        AWAIT(aloop_sleep(0.1)); /* it is let in */
    }
    assert_int_equal(aloop_server_connections(server, NULL, 0), SILENT);
    const double begun = aloop_loop_time(aloop_get_running_loop());
    aloop_stream *good = connect_securely(server), *accepted = NULL;
    const double took = aloop_loop_time(aloop_get_running_loop()) - begun;
    assert_true(limited ? took > 4 : took < 1);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&accepted), 0);
    passes(good, accepted, "the good one");
    AWAIT(aloop_sleep(5));
    assert_int_equal(seen.count, SILENT);
    assert_int_equal(aloop_server_connections(server, NULL, 0), 1);
    for (int i = 0; i < SILENT; i++) drop(idle[i]);
    drop(good), drop(accepted);
    end(server);
    return 0;
}

static void silent_peers_keep_nobody_out(void **state) {
    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        bool is_limited = limited != 0;
        in_simulation(silent, &is_limited);
    }
}

/* Closing and aborting those that still shake hands is no failure. */
static int64_t give_up(void *arg, void **value) {
    (void)arg, (void)value;
    for (int abort = 0; abort < 2; abort++) {
        int served = 0;
        struct reports seen = {0};
        capture_reports(aloop_get_running_loop(), &seen);
        aloop_server *server =
            serve(greet, &served, options_with(server_context(server_certificate())));
        aloop_stream *slow = connect_plainly(server);
        AWAIT(aloop_sleep(1));
        if (abort) aloop_server_abort_clients(server);
        else aloop_server_close_clients(server);
        end(server);
        assert_int_equal(served, 0);
        assert_int_equal(seen.count, 0);
        drop(slow);
    }
    return 0;
}

static void handshakes_are_given_up_quietly(void **state) {
    (void)state;
    in_simulation(give_up, NULL);
}

static int64_t unix_sockets(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    char path[64];
    snprintf(path, sizeof path, "@aloop-tls-%d", (int)getpid());
    aloop_stream_options *o = options_with(server_context(server_certificate()));
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_unix_server(greet, &served, path, o), (void **)&server), 0);
    aloop_unref(o);
    o = options_with(client_context(authority()));
    assert_code(aloop_stream_options_set_server_hostname(o, "localhost."), 0);
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_unix_connection(path, o), (void **)&s), 0);
    assert_reads(aloop_stream_read(s, -1), "hello\n");
    assert_info(s, "server_hostname", "localhost");
    aloop_unref(o);
    drop(s);
    end(server);
    return 0;
}

static void unix_sockets_carry_tls(void **state) {
    (void)state;
    in_task(unix_sockets);
}

/* A hundred connections at once, a few bytes each. */
static int64_t echo(aloop_stream *client, void *data) {
    (void)data;
    aloop_bytes *line = NULL;
    int64_t rc = aloop_await(aloop_stream_readline(client), (void **)&line);
    if (rc > 0) aloop_stream_write(client, aloop_bytes_data(line), aloop_bytes_size(line));
    aloop_bytes_unref(line);
    return rc < 0 ? rc : AWAIT(aloop_stream_drain(client));
}

struct crowd {
    aloop_server *server;
    aloop_stream_options *options; /* one context for all */
};

static int64_t one_of_many(void *arg, void **value) {
    (void)value;
    const struct crowd *crowd = arg;
    aloop_stream *s = connect_with(crowd->server, crowd->options);
    aloop_stream_write(s, "a line\n", 7);
    assert_reads(aloop_stream_readline(s), "a line\n");
    aloop_stream_close(s);
    const int64_t rc = AWAIT(aloop_stream_wait_closed(s));
    aloop_unref(s);
    return rc;
}

static int64_t many(void *arg, void **value) {
    (void)arg, (void)value;
    struct crowd crowd = {
        serve(echo, NULL, options_with(server_context(server_certificate()))),
        options_with(client_context(authority()))};
    aloop_task_group *group = NULL;
    assert_code(aloop_task_group_enter(&group), 0);
    for (int i = 0; i < 100; i++) aloop_task_group_spawn(group, one_of_many, &crowd);
    assert_code(aloop_task_group_exit(group, 0), 0);
    aloop_unref(crowd.options);
    end(crowd.server);
    return 0;
}

static void many_connections_at_once(void **state) {
    (void)state;
    in_simulation(many, NULL);
}

/* Protocols ----------------------------------------------------------------------------------- */

struct told {
    int made, lost, ends;
    int64_t lost_code;
    char data[64];
    aloop_stream *transport;
};

static int64_t made(aloop_stream *t, void *data) {
    struct told *told = data;
    told->made++;
    told->transport = t;
    assert_info(t, "tls_version", "TLSv1.3");
    return 0;
}

static int64_t received(aloop_stream *t, const void *bytes, size_t n, void *data) {
    struct told *told = data;
    strncat(told->data, bytes, n);
    if (strcmp(told->data, "ping") == 0) aloop_stream_write(t, "pong", 4);
    return 0;
}

static int64_t ended(aloop_stream *t, void *data) {
    (void)t;
    ((struct told *)data)->ends++;
    return 1; /* which has no effect over TLS */
}

static int64_t lost(aloop_stream *t, int64_t code, aloop_error *error, void *data) {
    (void)t, (void)error;
    ((struct told *)data)->lost++;
    ((struct told *)data)->lost_code = code;
    return 0;
}

static aloop_protocol *protocol(void) {
    aloop_protocol *p = aloop_protocol_new();
    aloop_protocol_set_connection_made(p, made);
    aloop_protocol_set_data_received(p, received);
    aloop_protocol_set_eof_received(p, ended);
    aloop_protocol_set_connection_lost(p, lost);
    return p;
}

static int64_t protocols(void *arg, void **value) {
    (void)arg, (void)value;
    struct told client = {0}, server_side = {0};
    aloop_protocol *p = protocol();
    aloop_stream_options *o = options_with(server_context(server_certificate()));
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_create_server(p, &server_side, "127.0.0.1", 0, o),
                            (void **)&server), 0);
    aloop_unref(o);
    o = options_with(client_context(authority()));
    aloop_stream *t = NULL;
    assert_code(aloop_await(aloop_create_connection(p, &client, "127.0.0.1", port_of(server), o),
                            (void **)&t), 0);
    aloop_unref(o);
    assert_int_equal(client.made, 1);
    aloop_stream_write(t, "ping", 4);
    AWAIT(aloop_sleep(1));
    assert_string_equal(server_side.data, "ping");
    assert_string_equal(client.data, "pong");
    aloop_stream_close(t);
    AWAIT(aloop_sleep(1));
    assert_int_equal(server_side.ends, 1);
    assert_int_equal(server_side.lost + client.lost, 2);
    assert_code(server_side.lost_code, 0);
    aloop_unref(t);
    end(server);
    aloop_unref(p);
    return 0;
}

static void protocols_run_over_tls(void **state) {
    (void)state;
    in_simulation(protocols, NULL);
}

/* A transport that is closed where its data came: what came behind them is
 * dropped, and they stay what they are. */
static int64_t close_and_look(aloop_stream *t, const void *bytes, size_t n, void *data) {
    assert_int_equal(n, 5);
    aloop_stream_close(t);
    memcpy(((struct told *)data)->data, bytes, n);
    return 0;
}

static int64_t closed_at_data(void *arg, void **value) {
    (void)arg, (void)value;
    struct told told = {0};
    aloop_protocol *p = protocol();
    aloop_protocol_set_data_received(p, close_and_look);
    aloop_stream_options *o = options_with(server_context(server_certificate()));
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_create_server(p, &told, "127.0.0.1", 0, o), (void **)&server),
                0);
    aloop_unref(o);
    aloop_stream *s = connect_securely(server);
    aloop_stream_write(s, "first", 5);
    aloop_stream_write(s, "SECOND", 6); /* in a record of its own */
    assert_reads(aloop_stream_read(s, -1), "");
    assert_string_equal(told.data, "first");
    drop(s);
    end(server);
    aloop_unref(p);
    return 0;
}

static void data_stay_when_their_transport_closes(void **state) {
    (void)state;
    in_simulation(closed_at_data, NULL);
}

/* start_tls on a transport: the protocol stays and is not told anew; another may
 * take its place. */
static int64_t not_yet(aloop_stream *t, void *data) {
    ((struct told *)data)->made++;
    assert_info(t, "tls_version", NULL);
    return 0;
}

static int64_t upgrade_protocol(void *arg, void **value) {
    (void)arg, (void)value;
    struct told first = {0}, second = {0};
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    aloop_protocol *p = protocol();
    aloop_protocol_set_connection_made(p, not_yet);
    aloop_stream *t = NULL, *peer = NULL;
    assert_code(aloop_await(aloop_create_connection(p, &first, "127.0.0.1", port_of(server), NULL),
                            (void **)&t), 0);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&peer), 0);
    aloop_tls_context *c = client_context(authority()), *s = server_context(server_certificate());
    aloop_task *other = aloop_ensure_future(aloop_stream_start_tls(peer, s, NULL));
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_server_hostname(o, "localhost"), 0);
    assert_code(AWAIT(aloop_stream_start_tls(t, c, o)), 0);
    assert_code(AWAIT(other), 0);
    aloop_stream_write(peer, "ping", 4);
    assert_reads(aloop_stream_readexactly(peer, 4), "pong");
    assert_int_equal(first.made, 1);
    assert_string_equal(first.data, "ping");
    assert_code(aloop_stream_set_protocol(t, p, &second), 0);
    aloop_stream_write(peer, "ping", 4);
    assert_reads(aloop_stream_readexactly(peer, 4), "pong");
    assert_string_equal(second.data, "ping");
    aloop_stream_close(peer);
    AWAIT(aloop_sleep(1));
    assert_int_equal(second.ends, 1);
    assert_int_equal(second.lost, 1);
    assert_int_equal(first.lost, 0);
    aloop_unref(t), aloop_unref(peer), aloop_unref(o), aloop_unref(c), aloop_unref(s);
    end(server);
    aloop_unref(p);
    return 0;
}

static void protocols_are_upgraded(void **state) {
    (void)state;
    in_simulation(upgrade_protocol, NULL);
}

TLS_SUITE(CASE(one_failure_is_no_more_than_that), CASE(handshakes_run_ahead_of_accept),
          CASE(silent_peers_keep_nobody_out),
          CASE(handshakes_are_given_up_quietly), CASE(unix_sockets_carry_tls),
          CASE(many_connections_at_once), CASE(protocols_run_over_tls),
          CASE(data_stay_when_their_transport_closes), CASE(protocols_are_upgraded))
