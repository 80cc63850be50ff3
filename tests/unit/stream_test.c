/*
 * Reading from and closing streams: every function, its errors, the limits at
 * their edges, cancellation. Writing is in stream_write_test.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)

static aloop_stream_options *with_limit(size_t limit) {
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_limit(o, limit), 0);
    return o;
}

/* Arguments --------------------------------------------------------------------------- */

static int64_t bad_arguments(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream *none = NULL;
    aloop_future *future = aloop_loop_create_future(aloop_get_running_loop());
    aloop_stream *wrong = (aloop_stream *)future;
    for (int i = 0; i < 2; i++) {
        aloop_stream *s = i == 0 ? none : wrong;
        assert_failed(aloop_stream_read(s, 1), ALOOP_EINVAL);
        assert_failed(aloop_stream_read_into(s, &i, 1), ALOOP_EINVAL);
        assert_failed(aloop_stream_readline(s), ALOOP_EINVAL);
        assert_failed(aloop_stream_readexactly(s, 1), ALOOP_EINVAL);
        assert_failed(aloop_stream_readuntil(s, "x", 1), ALOOP_EINVAL);
        assert_failed(aloop_stream_drain(s), ALOOP_EINVAL);
        assert_failed(aloop_stream_wait_closed(s), ALOOP_EINVAL);
        assert_code(aloop_stream_at_eof(s), ALOOP_EINVAL);
        assert_code(aloop_stream_write(s, "x", 1), ALOOP_EINVAL);
        assert_code(aloop_stream_writelines(s, NULL, 0), ALOOP_EINVAL);
        assert_code(aloop_stream_write_eof(s), ALOOP_EINVAL);
        assert_code(aloop_stream_can_write_eof(s), ALOOP_EINVAL);
        assert_code(aloop_stream_set_write_buffer_limits(s, -1, -1), ALOOP_EINVAL);
        assert_code(aloop_stream_get_write_buffer_size(s), ALOOP_EINVAL);
        assert_code(aloop_stream_pause_reading(s), ALOOP_EINVAL);
        assert_code(aloop_stream_resume_reading(s), ALOOP_EINVAL);
        assert_code(aloop_stream_close(s), ALOOP_EINVAL);
        assert_code(aloop_stream_abort(s), ALOOP_EINVAL);
        assert_code(aloop_stream_is_closing(s), ALOOP_EINVAL);
        assert_code(aloop_stream_get_extra_info(s, "fd", NULL, 0), ALOOP_EINVAL);
    }
    aloop_unref(future);

    struct peer p = connect_peer(NULL);
    assert_failed(aloop_stream_readexactly(p.stream, -1), ALOOP_EINVAL);
    assert_failed(aloop_stream_readuntil(p.stream, "", 0), ALOOP_EINVAL);
    assert_failed(aloop_stream_readuntil(p.stream, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_stream_readuntil_any(p.stream, NULL, 0), ALOOP_EINVAL);
    assert_failed(aloop_stream_read_into(p.stream, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_write(p.stream, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_write(p.stream, "", SIZE_MAX), ALOOP_EINVAL);
    assert_code(aloop_stream_writelines(p.stream, NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_stream_set_write_buffer_limits(p.stream, 1, 2), ALOOP_EINVAL);
    assert_code(aloop_stream_get_extra_info(p.stream, NULL, NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_stream_get_extra_info(p.stream, "cipher", NULL, 0), ALOOP_ENOENT);
    drop_peer(&p);

    assert_failed(aloop_open_connection("127.0.0.1", -1, NULL), ALOOP_EINVAL);
    assert_failed(aloop_open_connection("127.0.0.1", 65536, NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_limit(NULL, 1), ALOOP_EINVAL);
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_limit(o, 0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_family(o, 12345), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_backlog(o, -1), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_happy_eyeballs_delay(o, 0.0 / 0.0), ALOOP_EINVAL);
    assert_code(aloop_stream_options_set_local_address(o, "x", 70000), ALOOP_EINVAL);
    assert_failed(aloop_open_connection(NULL, 1, (void *)aloop_get_running_loop()), ALOOP_EINVAL);
    aloop_unref(o);
    return 0;
}

static void test_bad_arguments(void **state) {
    (void)state;
    in_task(bad_arguments);
    assert_null(aloop_open_connection("127.0.0.1", 1, NULL));
}

static int64_t write_from_elsewhere(void *stream) { return aloop_stream_write(stream, "x", 1); }

static int64_t foreign_thread(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    assert_code(on_foreign_thread(write_from_elsewhere, p.stream), ALOOP_EWRONGTHREAD);
    drop_peer(&p);
    return 0;
}

static void test_foreign_thread(void **state) {
    (void)state;
    in_task(foreign_thread);
}

/* Reading ------------------------------------------------------------------------------- */

static int64_t reads(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    assert_reads(aloop_stream_read(s, 0), "");
    peer_sends(&p, "hello world");
    assert_reads(aloop_stream_read(s, 5), "hello");
    assert_reads(aloop_stream_read(s, 0), "");
    assert_reads(aloop_stream_read(s, 100), " world");
    peer_sends(&p, "line one\nline two\nexact");
    assert_reads(aloop_stream_readline(s), "line one\n");
    assert_reads(aloop_stream_readline(s), "line two\n");
    assert_reads(aloop_stream_readexactly(s, 5), "exact");
    assert_reads(aloop_stream_readexactly(s, 0), "");
    char into[8] = "";
    peer_sends(&p, "abcdef");
    assert_code(AWAIT(aloop_stream_read_into(s, into, 4)), 4);
    assert_string_equal(into, "abcd");
    assert_code(AWAIT(aloop_stream_read_into(s, into, 0)), 0);
    assert_code(AWAIT(aloop_stream_read_into(s, into, sizeof into)), 2);
    assert_code(aloop_stream_at_eof(s), 0);
    peer_sends(&p, "the rest\nof it");
    peer_ends(&p);
    assert_reads(aloop_stream_readline(s), "the rest\n");
    assert_reads(aloop_stream_read(s, -1), "of it");
    assert_code(aloop_stream_at_eof(s), 1);
    assert_reads(aloop_stream_read(s, -1), "");
    assert_reads(aloop_stream_read(s, 1), "");
    assert_reads(aloop_stream_readline(s), "");
    assert_code(AWAIT(aloop_stream_read_into(s, into, 1)), 0);
    drop_peer(&p);
    return 0;
}

static void test_reads(void **state) {
    (void)state;
    in_task(reads);
}

static int64_t incomplete(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    peer_sends(&p, "abc");
    peer_ends(&p);
    assert_code(AWAIT(aloop_stream_readexactly(p.stream, 4)), ALOOP_EINCOMPLETEREAD);
    const aloop_error *e = aloop_last_error();
    assert_string_equal(aloop_error_message(e), "3 bytes read on a total of 4 expected bytes");
    assert_string_equal((const char *)aloop_bytes_data(aloop_error_partial(e)), "abc");
    assert_code(aloop_error_expected(e), 4);
    assert_code(aloop_error_consumed(e), ALOOP_EWRONGTYPE);
    assert_code(AWAIT(aloop_stream_readexactly(p.stream, 1)), ALOOP_EINCOMPLETEREAD);
    assert_int_equal(aloop_bytes_size(aloop_error_partial(aloop_last_error())), 0);
    assert_code(AWAIT(aloop_stream_readuntil(p.stream, "\n", 1)), ALOOP_EINCOMPLETEREAD);
    assert_code(aloop_error_expected(aloop_last_error()), -1);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "0 bytes read on a total of undefined expected bytes");
    assert_null(aloop_error_partial(NULL));
    drop_peer(&p);
    return 0;
}

static void test_incomplete(void **state) {
    (void)state;
    in_task(incomplete);
}

static int64_t separators(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    peer_sends(&p, "GET /\r\nHost: x\r\n\r\nbody");
    assert_reads(aloop_stream_readuntil(s, "\r\n\r\n", 4), "GET /\r\nHost: x\r\n\r\n");
    assert_reads(aloop_stream_readexactly(s, 4), "body");
    peer_sends(&p, "one;two,three|;end");
    const aloop_buf any[] = {{"|;", 2}, {",", 1}, {";", 1}};
    assert_reads(aloop_stream_readuntil_any(s, any, 3), "one;");
    assert_reads(aloop_stream_readuntil_any(s, any, 3), "two,");
    assert_reads(aloop_stream_readuntil_any(s, any, 3), "three|;");
    /* A separator that comes in pieces. */
    aloop_task *reader = aloop_ensure_future(aloop_stream_readuntil(s, "<>", 2));
    let_run(3);
    peer_sends(&p, "more<");
    AWAIT(aloop_sleep(0.01));
    peer_sends(&p, ">x");
    assert_reads(reader, "endmore<>");
    drop_peer(&p);
    return 0;
}

static void test_separators(void **state) {
    (void)state;
    in_task(separators);
}

/* The limit counts what stands before the separator. */
static int64_t limits(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(with_limit(4));
    aloop_stream *s = p.stream;
    peer_sends(&p, "abc\nabcd\nabcde\nnext\n");
    assert_reads(aloop_stream_readline(s), "abc\n");
    assert_reads(aloop_stream_readline(s), "abcd\n");
    assert_code(AWAIT(aloop_stream_readuntil(s, "\n", 1)), ALOOP_ELIMITOVERRUN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "Separator is found, but chunk is longer than limit");
    assert_code(aloop_error_consumed(aloop_last_error()), 5);
    assert_code(aloop_error_expected(aloop_last_error()), ALOOP_EWRONGTYPE);
    assert_code(AWAIT(aloop_stream_readline(s)), ALOOP_ELIMITOVERRUN); /* and dropped */
    assert_reads(aloop_stream_readline(s), "next\n");
    peer_sends(&p, "0123456789");
    assert_code(AWAIT(aloop_stream_readuntil(s, "\r\n", 2)), ALOOP_ELIMITOVERRUN);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "Separator is not found, and chunk exceed the limit");
    assert_code(aloop_error_consumed(aloop_last_error()), 9);
    assert_reads(aloop_stream_read(s, 100), "0123456789"); /* the data stayed */
    peer_sends(&p, "0123456789");
    assert_code(AWAIT(aloop_stream_readline(s)), ALOOP_ELIMITOVERRUN);
    peer_sends(&p, "new\n"); /* the old data are gone */
    assert_reads(aloop_stream_readline(s), "new\n");
    peer_sends(&p, "0123456789"); /* other reads have no limit */
    assert_reads(aloop_stream_readexactly(s, 10), "0123456789");
    drop_peer(&p);
    return 0;
}

static void test_limits(void **state) {
    (void)state;
    in_task(limits);
}

static int64_t one_reader(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    aloop_task *first = aloop_ensure_future(aloop_stream_readline(s));
    let_run(1);
    assert_code(AWAIT(aloop_stream_read(s, 1)), ALOOP_EBUSY);
    assert_string_equal(
        aloop_error_message(aloop_last_error()),
        "read() called while another coroutine is already waiting for incoming data");
    assert_code(AWAIT(aloop_stream_readexactly(s, 1)), ALOOP_EBUSY);
    assert_string_equal(
        aloop_error_message(aloop_last_error()),
        "readexactly() called while another coroutine is already waiting for incoming data");
    peer_sends(&p, "half");
    AWAIT(aloop_sleep(0.01));
    assert_code(aloop_task_cancel(first, NULL), 1);
    assert_code(AWAIT(first), ALOOP_ECANCELED);
    peer_sends(&p, " and half\n");
    assert_reads(aloop_stream_readline(s), "half and half\n");

    /* Cancelled in the iteration in which the data came: nothing is lost. */
    aloop_task *second = aloop_ensure_future(aloop_stream_readexactly(s, 4));
    let_run(1);
    peer_sends(&p, "data");
    while (aloop_task_state(second) == ALOOP_TASK_WAITING) let_run(1);
    aloop_task_cancel(second, NULL);
    assert_code(AWAIT(second), ALOOP_ECANCELED);
    assert_reads(aloop_stream_readexactly(s, 4), "data");

    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(s, 1), 0.01)), ALOOP_ETIMEDOUT);
    drop_peer(&p);
    return 0;
}

static void test_one_reader(void **state) {
    (void)state;
    in_task(one_reader);
}

static int64_t pausing(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    assert_code(aloop_stream_pause_reading(p.stream), 0);
    assert_code(aloop_stream_pause_reading(p.stream), 0);
    peer_sends(&p, "x");
    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(p.stream, 1), 0.02)), ALOOP_ETIMEDOUT);
    aloop_task *reader = aloop_ensure_future(aloop_stream_read(p.stream, 1));
    let_run(2);
    assert_code(aloop_stream_resume_reading(p.stream), 0);
    assert_code(aloop_stream_resume_reading(p.stream), 0);
    assert_reads(reader, "x");
    drop_peer(&p);
    return 0;
}

static void test_pausing(void **state) {
    (void)state;
    in_task(pausing);
}

/* What stands behind data that came at once with it: an end or a reset, seen by
 * a reader that writes in between, and by one that does not. */
static int64_t behind_the_data(void *arg, void **value) {
    (void)arg, (void)value;
    for (int i = 0; i < 4; i++) {
        const bool writes = (i & 1) != 0, resets = (i & 2) != 0;
        struct peer p = connect_peer(NULL);
        peer_sends(&p, "data");
        if (resets) peer_resets(&p);
        else peer_ends(&p);
        assert_reads(aloop_stream_read(p.stream, 100), "data");
        if (writes) aloop_stream_write(p.stream, "x", 1);
        aloop_bytes *end = NULL;
        const int64_t status = aloop_await(
            aloop_wait_for(aloop_stream_read(p.stream, 100), k_hang), (void **)&end);
        if (!resets) assert_true(status == 0 || (writes && status == ALOOP_ECONNRESET));
        else assert_true(status == ALOOP_ECONNRESET || (writes && status == ALOOP_EPIPE));
        aloop_bytes_unref(end);
        drop_peer(&p);
    }
    return 0;
}

static void test_behind_the_data(void **state) {
    (void)state;
    in_task(behind_the_data);
}

/* A reset behind the end changes nothing for who only reads: what came before the
 * end can be read, and then the end. */
static int64_t reset_after_the_end(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 3; how++) {
        const bool data = how > 0, read_before = how > 1;
        struct peer p = connect_peer(NULL);
        if (data) peer_sends(&p, "data");
        assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
        if (read_before) assert_reads(aloop_stream_read(p.stream, -1), "data");
        peer_resets(&p);
        AWAIT(aloop_sleep(0.01)); /* nobody reads meanwhile */
        assert_code(aloop_stream_is_closing(p.stream), 0);
        assert_reads(aloop_stream_read(p.stream, -1), data && !read_before ? "data" : "");
        assert_int_equal(aloop_stream_at_eof(p.stream), 1);
        assert_code(aloop_stream_close(p.stream), 0);
        assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), 0);
        drop_peer(&p);
    }
    return 0;
}

static void test_reset_after_the_end(void **state) {
    (void)state;
    in_task(reset_after_the_end);
}

static int64_t reset(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    aloop_task *reader = aloop_ensure_future(aloop_stream_readline(s));
    let_run(1);
    peer_sends(&p, "part");
    AWAIT(aloop_sleep(0.01));
    peer_resets(&p);
    assert_code(AWAIT(reader), ALOOP_ECONNRESET);
    assert_code(AWAIT(aloop_stream_read(s, 1)), ALOOP_ECONNRESET);
    assert_code(AWAIT(aloop_stream_readexactly(s, 1)), ALOOP_ECONNRESET);
    assert_code(AWAIT(aloop_stream_drain(s)), ALOOP_ECONNRESET);
    assert_code(AWAIT(aloop_stream_wait_closed(s)), ALOOP_ECONNRESET);
    assert_code(aloop_stream_write(s, "x", 1), ALOOP_ECONNRESET);
    assert_code(aloop_stream_is_closing(s), 1);
    assert_code(aloop_stream_close(s), 0);
    assert_code(aloop_stream_get_extra_info(s, "fd", NULL, 0), ALOOP_ENOENT);
    drop_peer(&p);
    return 0;
}

static void test_reset(void **state) {
    (void)state;
    in_task(reset);
}

/* A reset that comes while nobody reads or writes, with data before it or not. */
static int64_t unwatched_reset(void *arg, void **value) {
    (void)arg, (void)value;
    for (int how = 0; how < 3; how++) {
        struct peer p = connect_peer(NULL);
        aloop_task *closed = aloop_ensure_future(aloop_stream_wait_closed(p.stream));
        let_run(2);
        if (how == 1) peer_sends(&p, "unread");
        if (how == 1) AWAIT(aloop_sleep(0.01));
        assert_code(aloop_stream_is_closing(p.stream), 0);
        if (how == 2) assert_code(aloop_stream_pause_reading(p.stream), 0);
        peer_resets(&p);
        assert_code(AWAIT(aloop_wait_for(closed, k_hang)), ALOOP_ECONNRESET);
        assert_code(aloop_stream_is_closing(p.stream), 1);
        assert_code(aloop_stream_get_extra_info(p.stream, "fd", NULL, 0), ALOOP_ENOENT);
        assert_code(AWAIT(aloop_stream_read(p.stream, 1)), ALOOP_ECONNRESET);
        assert_code(AWAIT(aloop_stream_drain(p.stream)), ALOOP_ECONNRESET);
        drop_peer(&p);
    }
    return 0;
}

static void test_unwatched_reset(void **state) {
    (void)state;
    in_task(unwatched_reset);
}

/* Closing with unread data in the kernel: no reset that would destroy what the
 * peer has not read yet, up to what asyncio would have read. */
static int64_t unread_at_close(void *arg, void **value) {
    (void)arg, (void)value;
    static char much[131071];
    for (int how = 0; how < 2; how++) {
        struct peer p = connect_peer(NULL);
        aloop_stream_write(p.stream, "the answer", 10);
        if (how == 0) peer_sends(&p, "never read");
        else assert_int_equal(send(p.fd, much, sizeof much, 0), sizeof much);
        AWAIT(aloop_sleep(0.01));
        assert_code(aloop_stream_close(p.stream), 0);
        assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), 0);
        peer_gets(&p, "the answer");
        char end;
        assert_int_equal(recv(p.fd, &end, 1, 0), 0);
        drop_peer(&p);
    }
    return 0;
}

static void test_unread_at_close(void **state) {
    (void)state;
    in_task(unread_at_close);
}

/* Ending -------------------------------------------------------------------------------------- */

static int64_t closing(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    aloop_stream *s = p.stream;
    aloop_task *reader = aloop_ensure_future(aloop_stream_readline(s));
    aloop_task *closed = aloop_ensure_future(aloop_stream_wait_closed(s));
    aloop_task *given_up = aloop_ensure_future(aloop_stream_wait_closed(s));
    let_run(2);
    aloop_task_cancel(given_up, NULL);
    assert_code(AWAIT(given_up), ALOOP_ECANCELED);
    assert_code(aloop_stream_close(s), 0);
    assert_code(aloop_future_done(closed), 0);
    assert_code(AWAIT(closed), 0);
    assert_reads(reader, "");
    assert_reads(aloop_stream_read(s, 1), "");
    assert_code(aloop_stream_at_eof(s), 1);
    for (int i = 0; i < 4; i++) assert_code(aloop_stream_write(s, "x", 1), 0);
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    assert_code(aloop_stream_write(s, "x", 1), 0);
    let_run(1); /* handlers run on the loop's own stack */
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "socket.send() raised exception.");
    assert_code(aloop_stream_pause_reading(s), 0);
    assert_code(aloop_stream_write_eof(s), 0);
    drop_peer(&p);
    return 0;
}

static void test_closing(void **state) {
    (void)state;
    in_task(closing);
}

static int64_t never(void *unused) {
    (void)unused;
    fail();
    return 0;
}

static int64_t extra_info(void *arg, void **value) {
    (void)arg, (void)value;
    struct peer p = connect_peer(NULL);
    char text[64], again[8];
    const int64_t n = aloop_stream_get_extra_info(p.stream, "peername", text, sizeof text);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(text, "127.0.0.1:", 10);
    assert_code(aloop_stream_get_extra_info(p.stream, "peername", again, sizeof again), n);
    assert_string_equal(again, "127.0.0");
    assert_true(aloop_stream_get_extra_info(p.stream, "sockname", text, sizeof text) > 10);
    const int64_t fd = aloop_stream_get_extra_info(p.stream, "fd", text, sizeof text);
    assert_int_equal(fd, atoi(text));
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_reader(loop, (int32_t)fd, never, NULL, NULL), ALOOP_EBUSY);
    drop_peer(&p);
    return 0;
}

static void test_extra_info(void **state) {
    (void)state;
    in_task(extra_info);
}

/* One that is dropped while it is open closes itself; a loop in debug mode says so. */
static int64_t drop_open(void *arg, void **value) {
    (void)arg, (void)value;
    struct reports reports = {0};
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 1e6), 0); /* that is another report */
    for (int debug = 0; debug < 2; debug++) {
        assert_code(aloop_loop_set_debug(loop, debug), 0);
        struct peer p = connect_peer(NULL);
        aloop_stream_write(p.stream, "sent all the same", 17);
        aloop_unref(p.stream);
        let_run(2);
        peer_gets(&p, "sent all the same");
        char byte;
        assert_int_equal(recv(p.fd, &byte, 1, 0), 0);
        close(p.fd);
        assert_int_equal(reports.count, debug);
    }
    assert_string_equal(reports.list[0].message, "unclosed stream");
    aloop_loop_set_debug(loop, 0);
    return 0;
}

static void test_left_unclosed(void **state) {
    (void)state;
    in_task(drop_open);
}

/* Streams that outlive their loop. */
static int64_t leave_open(void *arg, void **value) {
    (void)value;
    *(struct peer *)arg = connect_peer(NULL);
    return 0;
}

static void test_after_the_loop(void **state) {
    (void)state;
    struct peer p;
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, leave_open, &p), 0);
    close_loop(loop);
    char end;
    assert_int_equal(recv(p.fd, &end, 1, 0), 0);
    assert_code(aloop_stream_write(p.stream, "x", 1), ALOOP_ESTALE);
    assert_code(aloop_stream_close(p.stream), ALOOP_ESTALE);
    assert_null(aloop_stream_read(p.stream, 1));
    aloop_unref(p.stream);
    close(p.fd);
}

SUITE(CASE(test_bad_arguments), CASE(test_foreign_thread), CASE(test_reads),
      CASE(test_incomplete), CASE(test_separators), CASE(test_limits), CASE(test_one_reader),
      CASE(test_pausing), CASE(test_behind_the_data), CASE(test_reset_after_the_end),
      CASE(test_reset), CASE(test_unwatched_reset), CASE(test_unread_at_close),
      CASE(test_closing), CASE(test_extra_info), CASE(test_left_unclosed),
      CASE(test_after_the_loop))
