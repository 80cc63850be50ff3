/*
 * Streams as asyncio's test_streams has them: over a pair in memory, so that what
 * is there when, and the iteration of each event, is known exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../unit/peer.h"
#include "conform.h"

/* A reader, and the writer that feeds it. */
struct fed {
    aloop_stream *in, *out;
};

static struct fed with_limit(size_t limit) {
    struct fed f;
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_limit(o, limit), 0);
    assert_code(aloop_stream_pair(&f.in, &f.out, o), 0);
    aloop_unref(o);
    return f;
}

static struct fed fed(void) { return with_limit(65536); }

static void feed(struct fed *f, const char *text) {
    assert_code(aloop_stream_write(f->out, text, strlen(text)), 0);
    let_run(2);
}

static void feed_eof(struct fed *f) { assert_code(aloop_stream_write_eof(f->out), 0); }

static void drop_fed(struct fed *f) {
    aloop_stream_abort(f->in);
    aloop_stream_abort(f->out);
    let_run(3);
    aloop_unref(f->in);
    aloop_unref(f->out);
}

/* What is left is text, and then the end. */
static void left(struct fed *f, const char *text) {
    feed_eof(f);
    assert_reads(aloop_stream_read(f->in, -1), text);
    drop_fed(f);
}

#define UNTIL(f, text) aloop_stream_readuntil((f).in, (text), strlen(text))

TEST(nothing_fed) {
    struct fed f = fed();
    feed(&f, "");
    aloop_task *waits = aloop_ensure_future(aloop_stream_read(f.in, 5));
    let_run(3);
    assert_code(aloop_future_done(waits), 0);
    feed(&f, "x");
    assert_reads(waits, "x");
    left(&f, "");
    return 0;
}

TEST(some_and_all) {
    struct fed f = fed();
    feed(&f, "line1\nline2\nline3\n");
    assert_reads(aloop_stream_read(f.in, 0), "");
    assert_reads(aloop_stream_read(f.in, 5), "line1");
    assert_reads(aloop_stream_read(f.in, 30), "\nline2\nline3\n"); /* line breaks are data */
    aloop_task *waits = aloop_ensure_future(aloop_stream_read(f.in, 30));
    feed_eof(&f);
    assert_reads(waits, "");
    left(&f, "");
    f = fed();
    aloop_task *all = aloop_ensure_future(aloop_stream_read(f.in, -1));
    feed(&f, "chunk1\n");
    feed(&f, "chunk2");
    assert_code(aloop_future_done(all), 0);
    feed_eof(&f);
    assert_reads(all, "chunk1\nchunk2");
    left(&f, "");
    f = with_limit(3); /* which does not concern read */
    feed(&f, "chunk");
    assert_reads(aloop_stream_read(f.in, 5), "chunk");
    left(&f, "");
    return 0;
}

TEST(lines) {
    struct fed f = fed();
    aloop_task *line = aloop_ensure_future(aloop_stream_readline(f.in));
    feed(&f, "chunk1 ");
    feed(&f, "chunk2 ");
    assert_code(aloop_future_done(line), 0);
    feed(&f, "chunk3 \n chunk4");
    assert_reads(line, "chunk1 chunk2 chunk3 \n");
    left(&f, " chunk4");
    f = fed();
    feed(&f, "line1\n");
    feed(&f, "line2\nline3\n");
    assert_reads(aloop_stream_readline(f.in), "line1\n");
    assert_reads(aloop_stream_read(f.in, 7), "line2\nl");
    assert_reads(aloop_stream_readline(f.in), "ine3\n");
    feed(&f, "some data");
    feed_eof(&f);
    assert_reads(aloop_stream_readline(f.in), "some data");
    assert_reads(aloop_stream_readline(f.in), "");
    left(&f, "");
    return 0;
}

TEST(lines_too_long) {
    /* There already, with its end and without. */
    struct fed f = with_limit(3);
    feed(&f, "li");
    feed(&f, "ne1\nline2\n");
    assert_code(outcome(aloop_stream_readline(f.in)), ALOOP_ELIMITOVERRUN);
    left(&f, "line2\n");
    f = with_limit(3);
    feed(&f, "li");
    feed(&f, "ne1");
    feed(&f, "li");
    assert_code(outcome(aloop_stream_readline(f.in)), ALOOP_ELIMITOVERRUN);
    left(&f, "");
    /* Coming while it is awaited. */
    for (int how = 0; how < 2; how++) {
        f = with_limit(7);
        aloop_task *line = aloop_ensure_future(aloop_stream_readline(f.in));
        let_run(1);
        const aloop_buf chunks[] = {
            {"chunk1", 6}, {how == 0 ? "chunk2" : "chunk2\n", 6 + (size_t)how}, {"chunk3\n", 7}};
        assert_code(aloop_stream_writelines(f.out, chunks, 3), 0);
        assert_code(outcome(line), ALOOP_ELIMITOVERRUN);
        left(&f, how == 0 ? "" : "chunk3\n");
    }
    /* The limit to the byte. */
    f = with_limit(7);
    feed(&f, "123456\n1234567\n12345678\n");
    assert_reads(aloop_stream_readline(f.in), "123456\n");
    assert_reads(aloop_stream_readline(f.in), "1234567\n");
    assert_code(outcome(aloop_stream_readline(f.in)), ALOOP_ELIMITOVERRUN);
    feed(&f, "12345678");
    assert_code(outcome(aloop_stream_readline(f.in)), ALOOP_ELIMITOVERRUN);
    left(&f, "");
    return 0;
}

TEST(separators_in_pieces) {
    struct fed f = fed();
    feed(&f, "lineAAAxxx");
    assert_reads(UNTIL(f, "AAA"), "lineAAA");
    assert_reads(aloop_stream_read(f.in, 9), "xxx");
    const char *const pieces[][5] = {{"QWEaa", "XYaa", "a", "", ""},
                                     {"QWEaa", "XYa", "aa", "", ""},
                                     {"aaa", "", "", "", ""},
                                     {"Xaaa", "", "", "", ""},
                                     {"XXX", "a", "a", "a", ""}};
    const char *const whole[] = {"QWEaaXYaaa", "QWEaaXYaaa", "aaa", "Xaaa", "XXXaaa"};
    for (int i = 0; i < 10; i++) { /* there before, and while it waits */
        aloop_future *until = UNTIL(f, "aaa");
        if (i >= 5) until = aloop_ensure_future(until);
        if (i >= 5) let_run(1);
        for (int k = 0; k < 5; k++) feed(&f, pieces[i % 5][k]);
        assert_reads(until, whole[i % 5]);
    }
    left(&f, "");
    return 0;
}

TEST(separators_and_the_end) {
    struct fed f = fed();
    feed(&f, "some dataAA");
    feed_eof(&f);
    assert_code(outcome(UNTIL(f, "AAA")), ALOOP_EINCOMPLETEREAD);
    assert_last_message("11 bytes read on a total of undefined expected bytes");
    assert_string_equal((const char *)aloop_bytes_data(aloop_error_partial(aloop_last_error())),
                        "some dataAA");
    assert_code(aloop_error_expected(aloop_last_error()), -1);
    left(&f, "");
    f = with_limit(3);
    feed(&f, "some dataAA");
    assert_code(outcome(UNTIL(f, "AAA")), ALOOP_ELIMITOVERRUN);
    assert_last_message("Separator is not found, and chunk exceed the limit");
    left(&f, "some dataAA");
    f = with_limit(3);
    feed(&f, "some dataAAA");
    assert_code(outcome(UNTIL(f, "AAA")), ALOOP_ELIMITOVERRUN);
    assert_last_message("Separator is found, but chunk is longer than limit");
    left(&f, "some dataAAA");
    return 0;
}

TEST(several_separators) {
    struct fed f = fed();
    feed(&f, "line 1\nline 2\r");
    const aloop_buf ends[] = {{"\r", 1}, {"\n", 1}};
    assert_reads(aloop_stream_readuntil_any(f.in, ends, 2), "line 1\n");
    assert_reads(aloop_stream_readuntil_any(f.in, ends, 2), "line 2\r");
    feed(&f, "ABCDEFG"); /* the one that ends first, although it is longer */
    const aloop_buf longer[] = {{"DEF", 3}, {"BCDE", 4}};
    assert_reads(aloop_stream_readuntil_any(f.in, longer, 2), "ABCDE");
    left(&f, "FG");
    f = with_limit(3);
    feed(&f, "some dataA");
    const aloop_buf same[] = {{"A", 1}, {"ome dataA", 9}};
    assert_code(outcome(aloop_stream_readuntil_any(f.in, same, 2)), ALOOP_ELIMITOVERRUN);
    assert_last_message("Separator is found, but chunk is longer than limit");
    left(&f, "some dataA");
    f = fed();
    feed(&f, "data");
    const aloop_buf uneven[] = {{"A", 1}, {"long sep", 8}};
    aloop_task *until = aloop_ensure_future(aloop_stream_readuntil_any(f.in, uneven, 2));
    feed(&f, "Z");
    feed(&f, "Aaaa");
    assert_reads(until, "dataZA");
    left(&f, "aaa");
    return 0;
}

TEST(exactly_so_many) {
    struct fed f = with_limit(3); /* which does not concern readexactly */
    feed(&f, "line1\n");
    assert_reads(aloop_stream_readexactly(f.in, 0), "");
    assert_failed(aloop_stream_readexactly(f.in, -1), ALOOP_EINVAL);
    aloop_task *waits = aloop_ensure_future(aloop_stream_readexactly(f.in, 18));
    feed(&f, "line2\n");
    assert_code(aloop_future_done(waits), 0);
    feed(&f, "line3\nmore");
    assert_reads(waits, "line1\nline2\nline3\n");
    waits = aloop_ensure_future(aloop_stream_readexactly(f.in, 10));
    feed_eof(&f);
    assert_code(outcome(waits), ALOOP_EINCOMPLETEREAD);
    assert_last_message("4 bytes read on a total of 10 expected bytes");
    assert_code(aloop_error_expected(aloop_last_error()), 10);
    left(&f, "");
    return 0;
}

TEST(where_it_ends) {
    struct fed f = fed();
    assert_code(aloop_stream_at_eof(f.in), 0);
    feed(&f, "some data\n");
    assert_code(aloop_stream_at_eof(f.in), 0);
    assert_reads(aloop_stream_readline(f.in), "some data\n");
    assert_code(aloop_stream_at_eof(f.in), 0);
    feed(&f, "some data\n");
    feed_eof(&f);
    assert_code(aloop_stream_at_eof(f.in), 0);
    assert_reads(aloop_stream_readline(f.in), "some data\n");
    assert_reads(aloop_stream_readline(f.in), "");
    assert_code(aloop_stream_at_eof(f.in), 1);
    drop_fed(&f);
    return 0;
}

/* After a failure each way of reading fails with it, also one that waits, and
 * a cancelled one does not see it. */
TEST(failed_connections) {
    for (int how = 0; how < 2; how++) {
        struct peer p = connect_peer(NULL);
        aloop_task *waits = aloop_ensure_future(aloop_stream_readline(p.stream));
        let_run(2);
        if (how == 1) aloop_task_cancel(waits, NULL);
        peer_resets(&p);
        assert_code(outcome(waits), how == 1 ? ALOOP_ECANCELED : ALOOP_ECONNRESET);
        while (aloop_stream_is_closing(p.stream) == 0) nap(0.001);
        assert_code(outcome(aloop_stream_read(p.stream, 2)), ALOOP_ECONNRESET);
        assert_code(outcome(aloop_stream_read(p.stream, -1)), ALOOP_ECONNRESET);
        assert_code(outcome(aloop_stream_readline(p.stream)), ALOOP_ECONNRESET);
        assert_code(outcome(aloop_stream_readexactly(p.stream, 2)), ALOOP_ECONNRESET);
        assert_code(outcome(aloop_stream_readuntil(p.stream, "x", 1)), ALOOP_ECONNRESET);
        assert_code(outcome(aloop_stream_drain(p.stream)), ALOOP_ECONNRESET);
        drop_peer(&p);
    }
    return 0;
}

/* Several drains wait for one mark, and wake in their order. */
static int64_t drain_and_note(void *stream, void **value UNUSED) {
    const int64_t status = outcome(aloop_stream_drain(stream));
    note_end("drain", status);
    return status;
}

TEST(drains) {
    struct fed f = fed();
    static char block[131073];
    assert_code(aloop_stream_write(f.out, block, sizeof block), 65537);
    aloop_task *drains[3];
    for (int i = 0; i < 3; i++) drains[i] = aloop_create_task(drain_and_note, f.out);
    let_run(3);
    for (int i = 0; i < 3; i++) assert_code(aloop_future_done(drains[i]), 0);
    begin_trace();
    assert_code(outcome(aloop_stream_readexactly(f.in, 65536)), 65536);
    let_run(2);
    assert_trace("drain:0@2 drain:0@2 drain:0@2 ");
    for (int i = 0; i < 3; i++) aloop_unref(drains[i]);
    assert_code(outcome(aloop_stream_readexactly(f.in, 65537)), 65537);
    left(&f, "");
    return 0;
}

/* close: an iteration later it is over; a drain on a closing stream yields once. */
static int64_t wait_closed_and_note(void *stream, void **value UNUSED) {
    const int64_t status = outcome(aloop_stream_wait_closed(stream));
    note_end("closed", status);
    return status;
}

TEST(closing_step_by_step) {
    struct fed f = fed();
    aloop_task *closed = aloop_create_task(wait_closed_and_note, f.in);
    let_run(1);
    begin_trace();
    assert_code(aloop_stream_close(f.in), 0);
    note_end("drain", outcome(aloop_stream_drain(f.in)));
    note_end("drain", outcome(aloop_stream_drain(f.in)));
    assert_code(outcome(closed), 0);
    assert_trace("drain:ECONNRESET@1 closed:0@2 drain:ECONNRESET@2 ");
    assert_code(aloop_stream_write_eof(f.in), 0);
    assert_reads(aloop_stream_read(f.out, -1), "");
    drop_fed(&f);
    return 0;
}

/* The end comes to a writer that closes while data are unread. */
TEST(unread_when_closed) {
    struct fed f = fed();
    feed(&f, "never read");
    assert_code(aloop_stream_close(f.in), 0);
    assert_code(outcome(aloop_stream_wait_closed(f.in)), 0);
    assert_reads(aloop_stream_read(f.out, -1), "");
    drop_fed(&f);
    return 0;
}

SUITE(CASE(nothing_fed), CASE(some_and_all), CASE(lines), CASE(lines_too_long),
      CASE(separators_in_pieces), CASE(separators_and_the_end), CASE(several_separators),
      CASE(exactly_so_many), CASE(where_it_ends), CASE(failed_connections), CASE(drains),
      CASE(closing_step_by_step), CASE(unread_when_closed))
