/*
 * side.h: one side of a connection with a protocol, which counts its callbacks
 * and answers as the test wants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_SIDE_H
#define TESTS_UNIT_SIDE_H

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "trace.h"

#define AWAIT(future) aloop_await((future), NULL)

/* What a connection of these tests does and has seen. */
struct side {
    char got[256];
    int size;
    int made, ended, lost, paused, resumed, freed;
    int64_t status;     /* of connection_lost */
    int64_t answer_made, answer_data, answer_eof, answer_pause, answer_buffer, answer_updated;
    int64_t buffer_size;
    bool empty_buffer, traced, closes_when_made, closes_at_data, echoes;
    aloop_stream *transport; /* borrowed, while it lasts */
    char buffer[8];
};

static inline int64_t on_made(aloop_stream *transport, void *data) {
    struct side *s = data;
    s->made++;
    s->transport = transport;
    if (s->traced) note("made");
    if (s->closes_when_made) aloop_stream_close(transport);
    return s->answer_made;
}

static inline void take(struct side *s, const void *bytes, size_t n) {
    assert_true(s->made == 1 && s->lost == 0);
    if ((size_t)s->size + n < sizeof s->got) memcpy(s->got + s->size, bytes, n);
    s->size += (int)n;
}

static inline int64_t on_data(aloop_stream *transport, const void *bytes, size_t n,
                              void *data) {
    struct side *s = data;
    take(s, bytes, n);
    if (s->traced) note("data");
    if (s->echoes) aloop_stream_write(transport, bytes, n);
    if (s->closes_at_data) aloop_stream_close(transport);
    return s->answer_data < 0 ? aloop_raise(s->answer_data, "no more data") : 0;
}

static inline int64_t on_get_buffer(aloop_stream *transport, int64_t hint, void **buffer,
                                    void *data) {
    (void)transport;
    struct side *s = data;
    assert_int_equal(hint, -1);
    if (s->answer_buffer < 0) return s->answer_buffer;
    *buffer = s->empty_buffer ? NULL : s->buffer;
    return s->empty_buffer ? s->buffer_size : (int64_t)sizeof s->buffer;
}

static inline int64_t on_updated(aloop_stream *transport, int64_t n, void *data) {
    (void)transport;
    struct side *s = data;
    take(s, s->buffer, (size_t)n);
    return s->answer_updated;
}

static inline int64_t on_eof(aloop_stream *transport, void *data) {
    (void)transport;
    struct side *s = data;
    s->ended++;
    if (s->traced) note("eof");
    return s->answer_eof;
}

static inline int64_t on_pause(aloop_stream *transport, void *data) {
    (void)transport;
    struct side *s = data;
    s->paused++;
    if (s->traced) note("pause");
    return s->answer_pause;
}

static inline int64_t on_resume(aloop_stream *transport, void *data) {
    (void)transport;
    struct side *s = data;
    s->resumed++;
    if (s->traced) note("resume");
    return s->answer_pause;
}

static inline int64_t on_lost(aloop_stream *transport, int64_t status, aloop_error *error,
                              void *data) {
    struct side *s = data;
    s->lost++;
    s->status = status;
    s->transport = NULL;
    if (s->traced) note("lost");
    assert_int_equal(error != NULL, status < 0);
    assert_code(aloop_stream_is_closing(transport), 1);
    if (aloop_stream_can_write_eof(transport) == 1) {
        const int64_t written = aloop_stream_write(transport, "x", 1);
        assert_true(written == status || written == ALOOP_EINVALIDSTATE);
    }
    return 0;
}

static inline int64_t give_side(void *arg, void **data) {
    *data = arg;
    return 0;
}

static inline void count_side(void *data) { ((struct side *)data)->freed++; }

static inline aloop_protocol *make(bool buffered) {
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_connection_made(p, on_made), 0);
    assert_code(aloop_protocol_set_data_received(p, on_data), 0);
    if (buffered) {
        assert_code(aloop_protocol_set_get_buffer(p, on_get_buffer), 0);
        assert_code(aloop_protocol_set_buffer_updated(p, on_updated), 0);
    }
    assert_code(aloop_protocol_set_eof_received(p, on_eof), 0);
    assert_code(aloop_protocol_set_pause_writing(p, on_pause), 0);
    assert_code(aloop_protocol_set_resume_writing(p, on_resume), 0);
    assert_code(aloop_protocol_set_connection_lost(p, on_lost), 0);
    assert_code(aloop_protocol_set_factory(p, give_side), 0);
    assert_code(aloop_protocol_set_data_free(p, count_side), 0);
    return p;
}

/* A connection whose other end is a plain socket in the test's hands. */
static inline struct peer connect_side(struct side *s, bool buffered) {
    struct peer p = {NULL, -1};
    aloop_server *server = NULL;
    aloop_protocol *protocol = make(buffered);
    assert_code(aloop_await(aloop_create_server(protocol, s, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    aloop_unref(protocol);
    p.fd = plain_connection((int)aloop_server_port(server, 0));
    while (s->made == 0) let_run(1);
    aloop_server_close(server);
    aloop_unref(server);
    p.stream = s->transport;
    return p;
}

static inline void until(const int *what, int n) {
    while (*what < n) AWAIT(aloop_sleep(0.001));
    assert_int_equal(*what, n);
}

/* Ends it from here if it is there still; it was lost once, and its data freed once. */
static inline void end_side(struct side *s, struct peer *p) {
    if (s->lost == 0) aloop_stream_abort(s->transport);
    until(&s->lost, 1);
    assert_int_equal(s->made, 1);
    assert_int_equal(s->freed, 1);
    if (p->fd >= 0) close(p->fd);
    let_run(2);
}

#endif
