/*
 * Transports and protocols: which callback comes when, and what its answers do.
 * What surrounds a connection is in protocol_life_test.c.
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

static int64_t arguments(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    for (int i = 0; i < 2; i++) {
        aloop_protocol *p = i == 0 ? NULL : (aloop_protocol *)loop;
        assert_code(aloop_protocol_set_connection_made(p, on_made), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_data_received(p, on_data), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_get_buffer(p, on_get_buffer), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_buffer_updated(p, on_updated), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_eof_received(p, on_eof), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_pause_writing(p, on_pause), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_resume_writing(p, on_resume), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_connection_lost(p, on_lost), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_factory(p, give_side), ALOOP_EINVAL);
        assert_code(aloop_protocol_set_data_free(p, count_side), ALOOP_EINVAL);
        assert_failed(aloop_create_connection(p, NULL, NULL, 1, NULL), ALOOP_EINVAL);
        assert_failed(aloop_create_unix_connection(p, NULL, "/x", NULL), ALOOP_EINVAL);
        assert_failed(aloop_create_server(p, NULL, NULL, 1, NULL), ALOOP_EINVAL);
        assert_failed(aloop_create_unix_server(p, NULL, "/x", NULL), ALOOP_EINVAL);
        assert_failed(aloop_create_read_pipe(p, NULL, 0, NULL), ALOOP_EINVAL);
        assert_failed(aloop_create_write_pipe(p, NULL, 1, NULL), ALOOP_EINVAL);
    }
    struct side s = {0};
    aloop_protocol *p = make(false);
    assert_failed(aloop_create_connection(p, &s, "127.0.0.1", 65536, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_connection(p, &s, NULL, 1, (void *)loop), ALOOP_EINVAL);
    assert_failed(aloop_create_server(p, &s, "127.0.0.1", -1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_unix_connection(p, &s, NULL, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_unix_server(p, &s, "", NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_read_pipe(p, &s, -1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_write_pipe(p, &s, -1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_create_read_pipe(p, &s, 0, (void *)loop), ALOOP_EINVAL);
    assert_code(AWAIT(aloop_create_connection(p, &s, "127.0.0.1", 1, NULL)), ALOOP_ECONNREFUSED);
    assert_code(AWAIT(aloop_create_unix_connection(p, &s, "/no/such/path", NULL)), ALOOP_ENOENT);
    aloop_unref(p);
    assert_code(aloop_stream_set_protocol(NULL, NULL, NULL), ALOOP_EINVAL);
    assert_null(aloop_stream_get_protocol(NULL, NULL));
    assert_int_equal(s.made + s.freed, 0); /* no connection, no data */
    return 0;
}

static void test_arguments(void **state) {
    (void)state;
    in_task(arguments);
    aloop_protocol *p = aloop_protocol_new();
    assert_null(aloop_create_connection(p, NULL, NULL, 1, NULL));
    assert_null(aloop_create_server(p, NULL, NULL, 1, NULL));
    assert_null(aloop_create_read_pipe(p, NULL, 0, NULL));
    aloop_unref(p);
}

/* asyncio's order: connection_made an iteration after the connection, the
 * awaiting side one later; connection_lost an iteration after the close. */
static int64_t order(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64];
    snprintf(path, sizeof path, "@asyncloop-protocol-%d", (int)getpid());
    struct side server_side = {.echoes = true}, s = {.traced = true};
    aloop_protocol *p = make(false);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_create_unix_server(p, &server_side, path, NULL),
                            (void **)&server), 0);
    assert_failed(aloop_server_accept(server), ALOOP_EINVAL);
    aloop_stream *transport = NULL;
    begin_trace();
    assert_code(aloop_await(aloop_create_unix_connection(p, &s, path, NULL),
                            (void **)&transport), 0);
    note("awaited");
    assert_trace("made@1 awaited@2 ");
    assert_ptr_equal(transport, s.transport);
    void *data = NULL;
    assert_ptr_equal(aloop_stream_get_protocol(transport, &data), p);
    assert_ptr_equal(data, &s);
    assert_failed(aloop_stream_read(transport, 1), ALOOP_EBUSY);
    assert_failed(aloop_stream_readline(transport), ALOOP_EBUSY);
    assert_code(aloop_stream_write(transport, "ping", 4), 0);
    until(&s.size, 4);
    assert_memory_equal(s.got, "ping", 4);
    begin_trace();
    aloop_stream_close(transport);
    note("closed");
    let_run(2);
    assert_trace("closed@0 lost@1 ");
    assert_code(s.status, 0);
    assert_int_equal(s.freed, 1);
    assert_code(AWAIT(aloop_stream_wait_closed(transport)), 0);
    until(&server_side.lost, 1);
    assert_int_equal(server_side.ended, 1); /* the end was told, and closed it */
    assert_code(server_side.status, 0);
    aloop_unref(transport);
    aloop_server_close(server);
    assert_code(AWAIT(aloop_server_wait_closed(server)), 0);
    aloop_unref(server);
    aloop_unref(p);
    return 0;
}

static void test_order(void **state) {
    (void)state;
    in_task(order);
}

static int64_t endings(void *arg, void **value) {
    (void)arg, (void)value;
    enum { end_closes, end_keeps, reset, abort_here, close_in_made, close_at_data, n_ways };
    for (int how = 0; how < 2 * n_ways; how++) {
        const int way = how / 2;
        struct side s = {.answer_eof = way == end_keeps,
                         .closes_when_made = way == close_in_made,
                         .closes_at_data = way == close_at_data};
        struct peer p = connect_side(&s, (how & 1) != 0);
        if (way == close_in_made) peer_sends(&p, "never seen");
        else peer_sends(&p, "twenty bytes of data");
        if (way == close_at_data && (how & 1) != 0) { /* the first eight came, no more */
            s.transport = p.stream;
            until(&s.size, 20);
            aloop_stream_close(p.stream);
        } else if (way != close_in_made) {
            until(&s.size, 20);
        }
        if (way == end_closes || way == end_keeps) shutdown(p.fd, SHUT_WR);
        if (way == reset) peer_resets(&p);
        if (way == abort_here) aloop_stream_abort(p.stream);
        if (way == end_keeps) {
            until(&s.ended, 1);
            assert_int_equal(s.lost, 0);
            assert_code(aloop_stream_write(p.stream, "half open", 9), 0);
            peer_gets(&p, "half open");
            aloop_stream_close(p.stream);
        }
        until(&s.lost, 1);
        assert_code(s.status, way == reset ? ALOOP_ECONNRESET : 0);
        assert_int_equal(s.ended, way == end_closes || way == end_keeps);
        assert_int_equal(s.size, way == close_in_made ? 0 : 20);
        end_side(&s, &p);
    }
    return 0;
}

static void test_endings(void **state) {
    (void)state;
    in_task(endings);
}

/* What a failing callback does: who hears of it, and whether it ends. */
static int64_t failures(void *arg, void **value) {
    (void)arg, (void)value;
    const int64_t code = ALOOP_EUSER - 3;
    const struct {
        struct side side;
        bool buffered;
        const char *message;
        int64_t status;
    } ways[] = {
        {{.answer_made = code}, false, "Exception in callback", 0},
        {{.answer_data = code}, false, "Fatal error: protocol.data_received() call failed.", code},
        {{.answer_eof = code}, false, "Fatal error: protocol.eof_received() call failed.", code},
        {{.answer_buffer = code}, true, "Fatal error: protocol.get_buffer() call failed.", code},
        {{.empty_buffer = true}, true, "Fatal error: protocol.get_buffer() call failed.",
         ALOOP_EINVAL},
        {{.empty_buffer = true, .buffer_size = 9}, true,
         "Fatal error: protocol.get_buffer() call failed.", ALOOP_EINVAL},
        {{.answer_updated = code}, true, "Fatal error: protocol.buffer_updated() call failed.",
         code},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct reports reports = {0};
        capture_reports(aloop_get_running_loop(), &reports);
        struct side s = ways[i].side;
        struct peer p = connect_side(&s, ways[i].buffered);
        peer_sends(&p, "some");
        peer_ends(&p);
        until(&s.lost, 1);
        assert_int_equal(reports.count, 1);
        assert_string_equal(reports.list[0].message, ways[i].message);
        assert_code(s.status, ways[i].status);
        if (ways[i].status == ALOOP_EINVAL) {
            assert_string_equal(reports.list[0].text, "get_buffer() returned an empty buffer");
        } else {
            assert_code(reports.list[0].code, code);
        }
        if (s.answer_data < 0) assert_string_equal(reports.list[0].text, "no more data");
        end_side(&s, &p);
    }
    return 0;
}

static void test_failures(void **state) {
    (void)state;
    in_task(failures);
}

/* The marks at their edges: told once each way, and always in pairs. */
static int64_t write_much(void *arg) {
    struct side *s = arg;
    static char block[1 << 20];
    begin_trace();
    while (aloop_stream_write(s->transport, block, sizeof block) == 0) {
    }
    note("written");
    return 0;
}

static int64_t marks(void *arg, void **value) {
    (void)arg, (void)value;
    struct side s = {.traced = true};
    struct peer p = connect_side(&s, false);
    static char block[65536];
    int64_t waits = 0, sent = 0;
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 1 << 30, 1 << 29), 0);
    while (waits == 0) {
        waits = aloop_stream_write(p.stream, block, sizeof block);
        sent += sizeof block;
    }
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, waits, 0), 0);
    let_run(2);
    assert_int_equal(s.paused, 0); /* at the mark */
    aloop_stream_write(p.stream, "x", 1);
    let_run(1);
    assert_int_equal(s.paused, 1); /* one above it */
    aloop_stream_write(p.stream, "x", 1);
    let_run(2);
    assert_int_equal(s.paused, 1);
    assert_int_equal(s.resumed, 0);
    for (int64_t left = sent + 2; left > 0;) {
        const ssize_t got = recv(p.fd, block, sizeof block, MSG_DONTWAIT);
        if (got > 0) left -= got;
        else AWAIT(aloop_sleep(0.001));
    }
    until(&s.resumed, 1);
    /* From a callback pause_writing is called within the write. */
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 0, 0), 0);
    assert_true(aloop_loop_call_soon(aloop_get_running_loop(), write_much, &s, NULL) > 0);
    let_run(1);
    until(&s.paused, 2);
    assert_trace("pause@0 written@0 ");
    /* A limit that is raised resumes. */
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 1 << 30, 1 << 29), 0);
    let_run(1);
    assert_int_equal(s.resumed, 2);
    end_side(&s, &p);
    /* Failures of the two are reported, and end nothing. */
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    struct side bad = {.answer_pause = ALOOP_EUSER - 1};
    p = connect_side(&bad, false);
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 0, 0), 0);
    while (aloop_stream_write(p.stream, block, sizeof block) == 0) {
    }
    let_run(1);
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 1 << 30, 1 << 29), 0);
    let_run(1);
    assert_int_equal(reports.count, 2);
    assert_string_equal(reports.list[0].message, "protocol.pause_writing() failed");
    assert_string_equal(reports.list[1].message, "protocol.resume_writing() failed");
    assert_int_equal(bad.lost, 0);
    end_side(&bad, &p);
    return 0;
}

static void test_marks(void **state) {
    (void)state;
    in_task(marks);
}

static int64_t pausing(void *arg, void **value) {
    (void)arg, (void)value;
    struct side s = {0};
    struct peer p = connect_side(&s, false);
    assert_code(aloop_stream_is_reading(p.stream), 1);
    assert_code(aloop_stream_pause_reading(p.stream), 0);
    assert_code(aloop_stream_pause_reading(p.stream), 0);
    assert_code(aloop_stream_is_reading(p.stream), 0);
    peer_sends(&p, "waits");
    AWAIT(aloop_sleep(0.02));
    assert_int_equal(s.size, 0);
    assert_code(aloop_stream_resume_reading(p.stream), 0);
    until(&s.size, 5);
    assert_code(aloop_stream_resume_reading(p.stream), 0);
    /* More than is read at once, all of it, in order. */
    static char block[300000];
    assert_int_equal(send(p.fd, block, sizeof block, 0), sizeof block);
    until(&s.size, 300005);
    end_side(&s, &p);
    return 0;
}

static void test_pausing(void **state) {
    (void)state;
    in_task(pausing);
}

SUITE(CASE(test_arguments), CASE(test_order), CASE(test_endings), CASE(test_failures),
      CASE(test_marks), CASE(test_pausing))
