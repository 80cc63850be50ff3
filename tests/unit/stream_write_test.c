/*
 * Writing to streams: what waits, back-pressure, half close, and what becomes of
 * what waits when the stream ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)

static int64_t writes(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    assert_code(aloop_stream_write(s, "hello", 5), 0);
    assert_code(aloop_stream_write(s, NULL, 0), 0);
    peer_gets(&p, "hello");
    const aloop_buf parts[] = {{"a", 1}, {NULL, 0}, {"bc", 2}, {"def", 3}};
    assert_code(aloop_stream_writelines(s, parts, 4), 0);
    peer_gets(&p, "abcdef");
    assert_code(AWAIT(aloop_stream_drain(s)), 0);
    assert_code(aloop_stream_can_write_eof(s), 1);
    assert_code(aloop_stream_write_eof(s), 0);
    assert_code(aloop_stream_write_eof(s), 0);
    char end;
    assert_int_equal(recv(p.fd, &end, 1, 0), 0);
    assert_code(aloop_stream_write(s, "x", 1), ALOOP_EINVALIDSTATE);
    peer_sends(&p, "still read");
    assert_reads(aloop_stream_read(s, 100), "still read");
    drop_peer(&p);
    return 0;
}

static void test_writes(void **state) {
    (void)state;
    in_task(writes);
}

static void swallow(int fd, size_t n) {
    static char scratch[65536];
    while (n > 0) {
        const ssize_t got = recv(fd, scratch, n < sizeof scratch ? n : sizeof scratch, 0);
        assert_true(got > 0);
        n -= (size_t)got;
    }
}

/* Writes until bytes wait in the stream, which the kernel does not take. */
static size_t fill(aloop_stream *s, size_t *sent) {
    static char block[65536];
    int64_t waits = 0;
    while (waits == 0) {
        waits = aloop_stream_write(s, block, sizeof block);
        assert_true(waits >= 0);
        *sent += sizeof block;
    }
    return (size_t)waits;
}

static int64_t back_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    size_t sent = 0;
    const size_t waits = fill(s, &sent);
    assert_code(aloop_stream_get_write_buffer_size(s), (int64_t)waits);
    /* At the mark drain does not wait, one byte above it does. */
    assert_code(aloop_stream_set_write_buffer_limits(s, (int64_t)waits + 1, 0), 0);
    assert_code(aloop_stream_write(s, "x", 1), (int64_t)waits + 1);
    aloop_task *free_to_go = aloop_ensure_future(aloop_stream_drain(s));
    let_run(2);
    assert_code(aloop_future_done(free_to_go), 1);
    assert_code(AWAIT(free_to_go), 0);
    assert_code(aloop_stream_write(s, "y", 1), (int64_t)waits + 2);
    aloop_task *drains[3];
    for (int i = 0; i < 3; i++) drains[i] = aloop_ensure_future(aloop_stream_drain(s));
    let_run(3);
    for (int i = 0; i < 3; i++) assert_code(aloop_future_done(drains[i]), 0);
    aloop_task_cancel(drains[1], NULL);
    assert_code(AWAIT(drains[1]), ALOOP_ECANCELED);
    swallow(p.fd, sent - waits);
    assert_code(AWAIT(drains[0]), 0);
    assert_code(AWAIT(drains[2]), 0);
    assert_code(aloop_stream_get_write_buffer_size(s), 0);
    swallow(p.fd, waits + 2);
    drop_peer(&p);
    return 0;
}

static void test_back_pressure(void **state) {
    (void)state;
    in_task(back_pressure);
}

/* Half close and close wait for what is queued; abort does not. */
static int64_t flushes(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 4; how++) {
        struct peer p = connect_peer(NULL);
        size_t sent = 0;
        fill(p.stream, &sent);
        if (how == 0) {
            assert_code(aloop_stream_write_eof(p.stream), 0);
        } else if (how == 1) {
            assert_code(aloop_stream_close(p.stream), 0);
            assert_code(aloop_stream_close(p.stream), 0);
            assert_code(aloop_stream_is_closing(p.stream), 1);
            assert_code(aloop_stream_write(p.stream, "dropped", 7), 0);
        } else if (how == 2) {
            aloop_unref(p.stream); /* sends what it was given all the same */
        } else {
            assert_code(aloop_stream_abort(p.stream), 0);
            assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), 0);
            assert_code(aloop_stream_get_write_buffer_size(p.stream), 0);
            drop_peer(&p);
            continue;
        }
        size_t got = 0;
        static char scratch[65536];
        for (;;) {
            const ssize_t n = recv(p.fd, scratch, sizeof scratch, MSG_DONTWAIT);
            if (n > 0) got += (size_t)n;
            if (n == 0) break;
            if (n < 0) AWAIT(aloop_sleep(0.001));
        }
        assert_int_equal(got, sent);
        if (how == 1) assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), 0);
        if (how == 2) close(p.fd);
        else drop_peer(&p);
    }
    return 0;
}

static void test_flushes(void **state) {
    (void)state;
    in_task(flushes);
}

static int64_t lost_while_draining(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 3; how++) {
        struct peer p = connect_peer(NULL);
        size_t sent = 0;
        while (sent < 1 << 17 || aloop_stream_get_write_buffer_size(p.stream) <= 65536) {
            fill(p.stream, &sent);
        }
        aloop_task *drain = aloop_ensure_future(aloop_stream_drain(p.stream));
        aloop_task *closed = aloop_ensure_future(aloop_stream_wait_closed(p.stream));
        let_run(3);
        assert_code(aloop_future_done(drain), 0);
        if (how == 0) peer_resets(&p);
        else aloop_stream_abort(p.stream);
        const int64_t expected = how == 0 ? ALOOP_ECONNRESET : 0;
        assert_code(AWAIT(drain), expected);
        assert_code(AWAIT(closed), expected);
        if (how > 0) {
            assert_code(AWAIT(aloop_stream_drain(p.stream)), ALOOP_ECONNRESET);
            assert_string_equal(aloop_error_message(aloop_last_error()), "Connection lost");
        }
        drop_peer(&p);
    }
    return 0;
}

static void test_lost_while_draining(void **state) {
    (void)state;
    in_task(lost_while_draining);
}

/* Much data through small buffers, and in one piece. */
#define MUCH ((size_t)3 << 20)
static int64_t send_much(void *arg, void **value) {
    (void)value;
    aloop_stream *s = arg;
    char *block = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++) block[i] = (char)(i * 7 + i / 251);
    int64_t rc = 0;
    for (size_t at = 0; at < MUCH && rc >= 0; at += 100000) {
        rc = aloop_stream_write(s, block + at, MUCH - at < 100000 ? MUCH - at : 100000);
        if (rc >= 0) rc = AWAIT(aloop_stream_drain(s));
        assert_true(aloop_stream_get_write_buffer_size(s) <= 65536);
    }
    free(block);
    aloop_stream_close(s);
    return rc;
}

static int64_t much(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 2; how++) {
        aloop_server *server = NULL;
        assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                                (void **)&server), 0);
        aloop_stream *in = NULL, *out = NULL;
        assert_code(aloop_await(aloop_open_connection("localhost",
                                                      (int)aloop_server_port(server, 0), NULL),
                                (void **)&out), 0);
        assert_code(aloop_await(aloop_server_accept(server), (void **)&in), 0);
        aloop_server_close(server);
        aloop_unref(server);
        aloop_task *sender = aloop_create_task(send_much, out);
        aloop_bytes *all = NULL;
        assert_code(aloop_await(how == 0 ? aloop_stream_read(in, -1)
                                         : aloop_stream_readexactly(in, MUCH),
                                (void **)&all), (int64_t)MUCH);
        const uint8_t *data = aloop_bytes_data(all);
        for (size_t i = 0; i < MUCH; i++) assert_int_equal(data[i], (uint8_t)(i * 7 + i / 251));
        aloop_bytes_unref(all);
        assert_code(AWAIT(sender), 0);
        aloop_unref(in);
        aloop_unref(out);
        let_run(3);
    }
    return 0;
}

static void test_much(void **state) {
    (void)state;
    in_task(much);
}

/* A protocol that writes when it is told of room, in the middle of a write of many parts:
 * those stay together. */
enum { k_parts = 200 };
static aloop_stream *teller;

static int64_t write_when_resumed(aloop_stream *transport, void *resumed) {
    if (++*(int *)resumed > 1) return 0;
    return aloop_stream_write(transport, "!", 1) < 0 ? ALOOP_EUSER : 0;
}

static int64_t fill_up(void *unused) {
    (void)unused;
    static const char much[200000];
    assert_code(aloop_stream_set_write_buffer_limits(teller, 120000, 110000), 0);
    assert_true(aloop_stream_write(teller, much, sizeof much) > 120000);
    return 0;
}

static int64_t write_many_parts(void *resumed) {
    aloop_buf parts[k_parts];
    for (int i = 0; i < k_parts; i++) parts[i] = (aloop_buf){"ab", 2};
    assert_int_equal(*(int *)resumed, 0);
    assert_true(aloop_stream_writelines(teller, parts, k_parts) > 0);
    assert_int_equal(*(int *)resumed, 1);
    return 0;
}

static int64_t parts_stay_together(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_stream *reader = NULL;
    aloop_protocol *p = aloop_protocol_new();
    int resumed = 0;
    assert_code(aloop_stream_pair(&teller, &reader, NULL), 0);
    assert_code(aloop_protocol_set_resume_writing(p, write_when_resumed), 0);
    assert_code(aloop_stream_set_protocol(teller, p, &resumed), 0);
    aloop_loop_call_soon(loop, fill_up, NULL, NULL);
    let_run(2);
    /* The read makes room, and the parts come before the protocol is told of that. */
    aloop_loop_call_soon(loop, write_many_parts, &resumed, NULL);
    assert_code(AWAIT(aloop_stream_readexactly(reader, 65536)), 65536);
    assert_code(AWAIT(aloop_stream_readexactly(reader, 200000 - 65536)), 200000 - 65536);
    for (int i = 0; i < k_parts; i++) assert_reads(aloop_stream_read(reader, 2), "ab");
    assert_reads(aloop_stream_read(reader, 2), "!");
    aloop_stream_abort(teller);
    aloop_stream_abort(reader);
    let_run(3);
    aloop_unref(teller);
    aloop_unref(reader);
    aloop_unref(p);
    return 0;
}

static void test_parts_stay_together(void **state) {
    (void)state;
    in_task(parts_stay_together);
}

SUITE(CASE(test_writes), CASE(test_back_pressure), CASE(test_flushes),
      CASE(test_lost_while_draining), CASE(test_much), CASE(test_parts_stay_together))
