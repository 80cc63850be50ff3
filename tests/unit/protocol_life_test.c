/*
 * Protocols: who makes and owns the data, servers, pipes, changing the protocol,
 * contexts, and what the loop's close leaves.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "side.h"

/* A factory that fails: the client's connection fails with its code; the
 * server's is reported, and closed. */
static int64_t refuse(void *arg, void **data) {
    (void)arg, (void)data;
    return aloop_raise(ALOOP_EUSER - 9, "no protocol today");
}

static int64_t factories(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    struct side s = {0}, other = {0};
    aloop_protocol *good = make(false), *bad = make(false), *plain = make(false);
    aloop_protocol_set_factory(bad, refuse);
    aloop_protocol_set_factory(plain, NULL);
    aloop_server *server = NULL, *refusing = NULL;
    assert_code(aloop_await(aloop_create_server(good, &s, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    assert_code(AWAIT(aloop_create_connection(bad, &other, "127.0.0.1", port, NULL)),
                ALOOP_EUSER - 9);
    assert_string_equal(aloop_error_message(aloop_last_error()), "no protocol today");
    assert_int_equal(other.made + other.lost + other.freed, 0);
    until(&s.lost, 1);
    assert_int_equal(reports.count, 0);
    assert_code(aloop_await(aloop_create_server(bad, &s, "127.0.0.1", 0, NULL),
                            (void **)&refusing), 0);
    /* Without a factory the argument is the data, and stays the caller's. */
    aloop_stream *transport = NULL;
    assert_code(aloop_await(aloop_create_connection(plain, &other, "127.0.0.1",
                                                    (int32_t)aloop_server_port(refusing, 0), NULL),
                            (void **)&transport), 0);
    until(&other.lost, 1);
    assert_int_equal(other.freed, 0);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message,
                        "Error on transport creation for incoming connection");
    assert_string_equal(reports.list[0].text, "no protocol today");
    aloop_unref(transport);
    aloop_server *all[] = {server, refusing};
    for (int i = 0; i < 2; i++) {
        aloop_server_close(all[i]);
        assert_code(AWAIT(aloop_server_wait_closed(all[i])), 0);
        aloop_unref(all[i]);
    }
    aloop_unref(good);
    aloop_unref(bad);
    aloop_unref(plain);
    return 0;
}

static void test_factories(void **state) {
    (void)state;
    in_task(factories);
}

/* Cancelled before it is made, and between that and connection_made. */
static int64_t cancelling(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64];
    snprintf(path, sizeof path, "@asyncloop-protocol-%d", (int)getpid());
    aloop_protocol *p = make(false);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_unix_server(NULL, NULL, path, NULL), (void **)&server), 0);
    for (int when = 0; when < 4; when++) {
        struct side s = {0};
        aloop_task *t = aloop_ensure_future(aloop_create_unix_connection(p, &s, path, NULL));
        let_run(when);
        const bool done = aloop_future_done(t) != 0;
        aloop_task_cancel(t, NULL);
        const int64_t status = AWAIT(t);
        assert_code(status, done ? 0 : ALOOP_ECANCELED);
        let_run(3);
        if (done) aloop_stream_close(s.transport);
        let_run(3);
        assert_int_equal(s.made, s.lost);
        assert_int_equal(s.made, s.freed);
        assert_true(when < 2 || s.made == 1);
    }
    aloop_server_close(server);
    aloop_unref(server);
    aloop_unref(p);
    return 0;
}

static void test_cancelling(void **state) {
    (void)state;
    in_task(cancelling);
}

/* Clients of a server end with it on demand; it waits for them. */
static int64_t server_ends(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 2; how++) {
        struct side s = {0};
        aloop_protocol *p = make(true);
        aloop_server *server = NULL;
        assert_code(aloop_await(aloop_create_server(p, &s, "127.0.0.1", 0, NULL),
                                (void **)&server), 0);
        aloop_unref(p);
        const int fd = plain_connection((int)aloop_server_port(server, 0));
        until(&s.made, 1);
        aloop_server_close(server);
        aloop_task *closed = aloop_ensure_future(aloop_server_wait_closed(server));
        let_run(3);
        assert_code(aloop_future_done(closed), 0);
        assert_code(how == 0 ? aloop_server_close_clients(server)
                             : aloop_server_abort_clients(server), 0);
        assert_code(AWAIT(closed), 0);
        assert_int_equal(s.lost, 1);
        assert_int_equal(s.freed, 1);
        close(fd);
        aloop_unref(server);
    }
    return 0;
}

static void test_server_ends(void **state) {
    (void)state;
    in_task(server_ends);
}

static int64_t pipes(void *arg, void **value) {
    (void)arg, (void)value;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct side in = {.traced = true, .answer_eof = 1}, out = {0};
    aloop_protocol *p = make(false);
    aloop_stream *reader = NULL, *writer = NULL;
    begin_trace();
    assert_code(aloop_await(aloop_create_read_pipe(p, &in, ends[0], NULL), (void **)&reader), 0);
    note("awaited");
    assert_trace("made@1 awaited@2 ");
    assert_code(aloop_await(aloop_create_write_pipe(p, &out, ends[1], NULL), (void **)&writer), 0);
    assert_code(aloop_stream_write(writer, "through", 7), 0);
    until(&in.size, 7);
    assert_memory_equal(in.got, "through", 7);
    aloop_stream_write_eof(writer);
    until(&out.lost, 1);
    until(&in.lost, 1); /* although eof_received wants to keep it */
    assert_int_equal(in.ended, 1);
    assert_code(in.status, 0);
    aloop_unref(reader);
    aloop_unref(writer);
    /* The reader goes away. */
    struct side left = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_code(aloop_await(aloop_create_write_pipe(p, &left, ends[1], NULL), (void **)&writer),
                0);
    close(ends[0]);
    until(&left.lost, 1);
    assert_code(left.status, 0);
    aloop_unref(writer);
    aloop_unref(p);
    return 0;
}

static void test_pipes(void **state) {
    (void)state;
    in_task(pipes);
}

/* From a stream that is read to a protocol, to another, and back. */
static int64_t changing(void *arg, void **value) {
    (void)arg, (void)value;
    struct side first = {.made = 1}, second = {.made = 1};
    aloop_protocol *p = make(false), *q = make(true);
    struct peer peer = connect_peer(NULL);
    aloop_stream *s = peer.stream;
    assert_null(aloop_stream_get_protocol(s, NULL));
    peer_sends(&peer, "line\nread ahead");
    assert_reads(aloop_stream_readline(s), "line\n");
    aloop_task *reader = aloop_ensure_future(aloop_stream_readexactly(s, 100));
    let_run(2);
    assert_code(aloop_stream_set_protocol(s, p, &first), ALOOP_EBUSY);
    aloop_task_cancel(reader, NULL);
    assert_code(AWAIT(reader), ALOOP_ECANCELED);
    assert_code(aloop_stream_set_protocol(s, (void *)s, &first), ALOOP_EINVAL);
    assert_code(aloop_stream_set_protocol(s, p, &first), 0);
    until(&first.size, 10);
    assert_memory_equal(first.got, "read ahead", 10);
    assert_code(aloop_stream_set_protocol(s, q, &second), 0);
    peer_sends(&peer, "more");
    until(&second.size, 4);
    assert_code(aloop_stream_set_protocol(s, NULL, NULL), 0);
    peer_sends(&peer, "again a stream\n");
    assert_reads(aloop_stream_readline(s), "again a stream\n");
    assert_code(aloop_stream_set_protocol(s, p, &first), 0);
    aloop_stream_close(s);
    assert_code(aloop_stream_set_protocol(s, q, &second), ALOOP_ESTALE);
    until(&first.lost, 1);
    assert_int_equal(second.lost + first.freed + second.freed, 0);
    aloop_unref(p);
    aloop_unref(q);
    drop_peer(&peer);
    return 0;
}

static void test_changing(void **state) {
    (void)state;
    in_task(changing);
}

/* Each connection has a copy of its server's context, and keeps what it sets. */
static aloop_contextvar *g_var;
static char g_seen[64];

static int64_t see(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)transport, (void)data, (void)n;
    const void *now = aloop_contextvar_get(g_var);
    snprintf(g_seen + strlen(g_seen), sizeof g_seen - strlen(g_seen), "%s ", (const char *)now);
    static char names[2][2] = {"a", "b"};
    aloop_contextvar_set(g_var, names[*(const char *)bytes == 'b'], NULL, NULL);
    return 0;
}

static int64_t contexts(void *arg, void **value) {
    (void)arg, (void)value;
    g_seen[0] = '\0';
    g_var = aloop_contextvar_new("v", NULL);
    assert_code(aloop_contextvar_set(g_var, "server", NULL, NULL), 0);
    aloop_protocol *p = aloop_protocol_new();
    aloop_protocol_set_data_received(p, see);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_create_server(p, NULL, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    aloop_contextvar_set(g_var, "later", NULL, NULL);
    int fds[2];
    for (int i = 0; i < 2; i++) fds[i] = plain_connection((int)aloop_server_port(server, 0));
    const char order_of[] = {0, 1, 0, 1};
    for (int i = 0; i < 4; i++) {
        const char byte = order_of[i] == 0 ? 'a' : 'b';
        const size_t seen = strlen(g_seen);
        assert_int_equal(send(fds[(int)order_of[i]], &byte, 1, 0), 1);
        while (strlen(g_seen) == seen) AWAIT(aloop_sleep(0.001));
    }
    assert_string_equal(g_seen, "server server a b ");
    assert_string_equal(aloop_contextvar_get(g_var), "later");
    close(fds[0]);
    close(fds[1]);
    aloop_server_close(server);
    assert_code(AWAIT(aloop_server_wait_closed(server)), 0);
    aloop_unref(server);
    aloop_unref(p);
    aloop_unref(g_var);
    return 0;
}

static void test_contexts(void **state) {
    (void)state;
    in_task(contexts);
}

/* Connections that are open when the loop closes: freed, but told nothing. */
static int64_t leave(void *arg, void **value) {
    (void)value;
    struct side *s = arg;
    *s = (struct side){0};
    const struct peer p = connect_side(s, false);
    close(p.fd);
    return 0;
}

static void test_left_behind(void **state) {
    (void)state;
    struct side s;
    assert_code(run_virtual(leave, &s, NULL), 0);
    assert_int_equal(s.made, 1);
    assert_int_equal(s.freed, 1);
}

/* Paused in connection_made: nothing comes before it is resumed. */
static int64_t pause_when_made(aloop_stream *transport, void *data) {
    on_made(transport, data);
    return aloop_stream_pause_reading(transport);
}

static int64_t paused_when_made(void *arg, void **value) {
    (void)arg, (void)value;
    struct side s = {0};
    aloop_protocol *p = make(false);
    aloop_protocol_set_connection_made(p, pause_when_made);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_create_server(p, &s, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    aloop_unref(p);
    struct peer peer = {NULL, plain_connection((int)aloop_server_port(server, 0))};
    peer_sends(&peer, "early");
    until(&s.made, 1);
    AWAIT(aloop_sleep(0.02));
    assert_int_equal(s.size, 0);
    aloop_stream_resume_reading(s.transport);
    until(&s.size, 5);
    aloop_server_close(server);
    aloop_unref(server);
    end_side(&s, &peer);
    return 0;
}

static void test_paused_when_made(void **state) {
    (void)state;
    in_task(paused_when_made);
}

/* A call that failed before has nothing to do with what the callback answers. */
static int64_t fail_otherwise(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)bytes, (void)n, (void)data;
    const aloop_buf part = {"x", 1};
    assert_code(aloop_stream_writelines(transport, &part, SIZE_MAX), ALOOP_EINVAL);
    return aloop_raise_message(ALOOP_EUSER - 2, "dealt with") < 0 ? ALOOP_EUSER - 1 : 0;
}

static int64_t failing_otherwise(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    aloop_protocol *p = aloop_protocol_new();
    aloop_protocol_set_data_received(p, fail_otherwise);
    struct peer peer = connect_peer(NULL);
    assert_code(aloop_stream_set_protocol(peer.stream, p, NULL), 0);
    aloop_unref(p);
    peer_sends(&peer, "x");
    assert_code(AWAIT(aloop_stream_wait_closed(peer.stream)), ALOOP_EUSER - 1);
    assert_int_equal(reports.count, 1);
    assert_code(reports.list[0].code, ALOOP_EUSER - 1);
    drop_peer(&peer);
    return 0;
}

static void test_failing_otherwise(void **state) {
    (void)state;
    in_task(failing_otherwise);
}

/* What came stays what it is while its callback lets others read: here a task that
 * begins at once. */
static int64_t read_other(void *stream, void **value) {
    (void)value;
    for (int i = 0; i < 3; i++) assert_reads(aloop_stream_readexactly(stream, 5), "OTHER");
    return 0;
}

static int64_t read_beside(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)transport;
    struct side *s = data;
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, read_other, s->transport, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *t = aloop_create_task_ex(o);
    aloop_unref(o);
    assert_code(aloop_future_done(t), 1);
    aloop_unref(t);
    memcpy(s->got + s->size, bytes, n);
    s->size += (int)n;
    return 0;
}

static int64_t reading_beside(void *arg, void **value) {
    (void)arg, (void)value;
    struct side s = {0};
    struct peer other = connect_peer(NULL);
    aloop_protocol *p = make(false);
    aloop_protocol_set_data_received(p, read_beside);
    aloop_protocol_set_factory(p, NULL);
    aloop_protocol_set_connection_lost(p, NULL);
    struct peer peer = connect_peer(NULL);
    assert_code(aloop_stream_set_protocol(peer.stream, p, &s), 0);
    aloop_unref(p);
    s.transport = other.stream;
    for (int i = 0; i < 2; i++) {
        peer_sends(&other, "OTHEROTHEROTHER");
        let_arrive(&other, 15);
        peer_sends(&peer, "mine");
        until(&s.size, 4 * (i + 1));
    }
    assert_string_equal(s.got, "minemine");
    drop_peer(&other);
    drop_peer(&peer);
    return 0;
}

static void test_reading_beside(void **state) {
    (void)state;
    in_task(reading_beside);
}

/* Who asks whether the end was read, when it has come, does not read it for the protocol. */
static int64_t asked_for_the_end(void *arg, void **value) {
    (void)arg, (void)value;
    struct side s = {.made = 1};
    aloop_stream *told = NULL, *other = NULL;
    aloop_protocol *p = make(false);
    assert_code(aloop_stream_pair(&told, &other, NULL), 0);
    assert_code(aloop_stream_set_protocol(told, p, &s), 0);
    aloop_unref(p);
    assert_code(aloop_stream_write_eof(other), 0);
    assert_code(aloop_stream_at_eof(told), 0);
    until(&s.lost, 1);
    assert_int_equal(s.ended, 1);
    assert_code(s.status, 0);
    assert_code(aloop_stream_at_eof(told), 1);
    aloop_unref(told);
    aloop_stream_abort(other);
    let_run(2);
    aloop_unref(other);
    return 0;
}

static void test_asked_for_the_end(void **state) {
    (void)state;
    in_task(asked_for_the_end);
}

SUITE(CASE(test_factories), CASE(test_cancelling), CASE(test_server_ends), CASE(test_pipes),
      CASE(test_changing), CASE(test_contexts), CASE(test_paused_when_made),
      CASE(test_failing_otherwise), CASE(test_reading_beside), CASE(test_left_behind),
      CASE(test_asked_for_the_end))
