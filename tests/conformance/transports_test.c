/*
 * Transports and protocols as asyncio's test_selector_events and test_unix_events
 * have them: over a pair in memory, to the iteration.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../unit/side.h"
#include "conform.h"

/* A transport, its protocol's counts, and what is at the other end. */
struct link {
    struct side side;
    aloop_stream *transport, *other;
};

static void begin(struct link *l, bool buffered) {
    memset(l, 0, sizeof *l);
    l->side.made = 1;
    l->side.traced = true;
    assert_code(aloop_stream_pair(&l->transport, &l->other, NULL), 0);
    aloop_protocol *p = make(buffered);
    assert_code(aloop_stream_set_protocol(l->transport, p, &l->side), 0);
    aloop_unref(p);
    l->side.transport = l->transport;
    let_run(1);
    begin_trace();
}

static void end(struct link *l) {
    aloop_stream_abort(l->transport);
    aloop_stream_abort(l->other);
    let_run(3);
    assert_int_equal(l->side.lost, 1);
    aloop_unref(l->transport);
    aloop_unref(l->other);
}

static void put(struct link *l, const char *text) {
    assert_true(aloop_stream_write(l->other, text, strlen(text)) >= 0);
}

/* One read an iteration: what came meanwhile comes together. */
TEST(reading) {
    struct link l;
    begin(&l, false);
    put(&l, "one");
    put(&l, "two");
    let_run(2);
    put(&l, "three");
    let_run(2);
    assert_trace("data@1 data@3 ");
    assert_memory_equal(l.side.got, "onetwothree", 11);
    end(&l);
    begin(&l, true);
    put(&l, "twenty bytes of data");
    let_run(4);
    assert_int_equal(l.side.size, 20);
    assert_memory_equal(l.side.got, "twenty bytes of data", 20);
    end(&l);
    return 0;
}

TEST(pausing_and_resuming) {
    struct link l;
    begin(&l, false);
    assert_code(aloop_stream_pause_reading(l.transport), 0);
    assert_code(aloop_stream_pause_reading(l.transport), 0);
    put(&l, "x");
    let_run(3);
    assert_int_equal(l.side.size, 0);
    begin_trace();
    assert_code(aloop_stream_resume_reading(l.transport), 0);
    let_run(1);
    assert_trace("data@1 ");
    /* Paused between the data's arrival and its turn. */
    put(&l, "y");
    assert_code(aloop_stream_pause_reading(l.transport), 0);
    let_run(3);
    assert_int_equal(l.side.size, 1);
    aloop_stream_close(l.transport);
    assert_code(aloop_stream_resume_reading(l.transport), 0);
    let_run(3);
    assert_int_equal(l.side.size, 1); /* closing: no data any more */
    assert_code(aloop_stream_pause_reading(l.transport), 0);
    end(&l);
    return 0;
}

TEST(the_peers_end) {
    struct link l;
    for (int how = 0; how < 4; how++) {
        begin(&l, (how & 2) != 0);
        l.side.answer_eof = how & 1;
        aloop_stream_write_eof(l.other);
        let_run(4);
        assert_trace((how & 1) != 0 ? "eof@1 " : "eof@1 lost@2 ");
        assert_code(aloop_stream_is_closing(l.transport), (how & 1) == 0);
        if ((how & 1) != 0) {
            assert_code(aloop_stream_write(l.transport, "half open", 9), 0);
            assert_reads(aloop_stream_read(l.other, 20), "half open");
        }
        end(&l);
    }
    return 0;
}

TEST(writing) {
    struct link l;
    static char block[65536];
    begin(&l, false);
    assert_code(aloop_stream_write(l.transport, "", 0), 0);
    assert_code(aloop_stream_write(l.transport, "data", 4), 0);
    const aloop_buf parts[] = {{"a", 1}, {"b", 1}};
    assert_code(aloop_stream_writelines(l.transport, parts, 2), 0);
    assert_reads(aloop_stream_readexactly(l.other, 6), "dataab");
    /* In part at once, the rest as there is room. */
    assert_code(aloop_stream_write(l.transport, block, sizeof block - 2), 0);
    assert_code(aloop_stream_write(l.transport, "12345", 5), 3);
    assert_code(aloop_stream_write(l.transport, "6", 1), 4);
    assert_code(aloop_stream_get_write_buffer_size(l.transport), 4);
    assert_code(outcome(aloop_stream_readexactly(l.other, sizeof block - 2)), sizeof block - 2);
    let_run(2);
    assert_code(aloop_stream_get_write_buffer_size(l.transport), 0);
    assert_reads(aloop_stream_readexactly(l.other, 6), "123456");
    end(&l);
    return 0;
}

/* close sends what is queued, abort does not; connection_lost an iteration
 * after the last byte went, or after the abort. */
TEST(closing) {
    struct link l;
    static char block[65537];
    begin(&l, false);
    assert_code(aloop_stream_close(l.transport), 0);
    assert_code(aloop_stream_close(l.transport), 0);
    let_run(2);
    assert_trace("lost@1 ");
    end(&l);
    for (int how = 0; how < 2; how++) {
        begin(&l, false);
        assert_code(aloop_stream_write(l.transport, block, sizeof block), 1);
        if (how == 0) aloop_stream_close(l.transport);
        else aloop_stream_abort(l.transport);
        put(&l, "not for a closing one");
        let_run(3);
        assert_int_equal(l.side.lost, how);
        assert_int_equal(l.side.size, 0);
        assert_code(outcome(aloop_stream_read(l.other, -1)), 65537 - how);
        let_run(2);
        assert_int_equal(l.side.lost, 1);
        assert_code(l.side.status, 0);
        assert_code(aloop_stream_write(l.transport, "x", 1), 0);
        end(&l);
    }
    return 0;
}

TEST(half_closing) {
    struct link l;
    static char block[65537];
    begin(&l, false);
    assert_code(aloop_stream_can_write_eof(l.transport), 1);
    assert_code(aloop_stream_write(l.transport, block, sizeof block), 1);
    assert_code(aloop_stream_write_eof(l.transport), 0);
    assert_code(aloop_stream_write(l.transport, "x", 1), ALOOP_EINVALIDSTATE);
    assert_code(outcome(aloop_stream_read(l.other, -1)), sizeof block);
    put(&l, "still read");
    let_run(2);
    assert_int_equal(l.side.size, 10);
    aloop_stream_close(l.transport);
    assert_code(aloop_stream_write_eof(l.transport), 0);
    end(&l);
    return 0;
}

/* A write into a connection whose peer is gone: lost with what the write said. */
TEST(failing_writes) {
    struct link l;
    begin(&l, false);
    l.side.answer_eof = 1;
    aloop_stream_close(l.other);
    let_run(3);
    assert_code(aloop_stream_write(l.transport, "x", 1), ALOOP_EPIPE);
    begin_trace();
    let_run(1);
    assert_trace("lost@1 ");
    assert_code(l.side.status, ALOOP_EPIPE);
    struct reports reports = {0};
    capture_reports(here(), &reports);
    for (int i = 0; i < 10; i++) aloop_stream_write(l.transport, "x", 1);
    let_run(1); /* handlers run on the loop's own stack */
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].message, "socket.send() raised exception.");
    end(&l);
    return 0;
}

/* From within its own callbacks: each takes effect when asyncio's would. */
static int64_t swap(aloop_stream *transport, const void *bytes UNUSED, size_t n UNUSED,
                    void *data) {
    note("swap");
    aloop_protocol *p = make(true);
    assert_code(aloop_stream_set_protocol(transport, p, data), 0);
    aloop_unref(p);
    return 0;
}

TEST(another_protocol) {
    struct link l;
    begin(&l, false);
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_data_received(p, swap), 0);
    assert_code(aloop_stream_set_protocol(l.transport, p, &l.side), 0);
    aloop_unref(p);
    put(&l, "for the first");
    let_run(2);
    put(&l, "second");
    let_run(2);
    assert_trace("swap@1 ");
    assert_int_equal(l.side.size, 6);
    assert_memory_equal(l.side.got, "second", 6);
    end(&l);
    return 0;
}

TEST(limits_of_the_buffer) {
    struct link l;
    begin(&l, false);
    int64_t high, low;
    const int64_t good[][4] = {{1024, 128, 1024, 128}, {256, -1, 256, 64}, {-1, 256, 1024, 256},
                               {0, -1, 0, 0},          {-1, -1, 65536, 16384}, {5, 5, 5, 5}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_code(aloop_stream_set_write_buffer_limits(l.transport, good[i][0], good[i][1]), 0);
        assert_code(aloop_stream_get_write_buffer_limits(l.transport, &high, &low), 0);
        assert_true(high == good[i][2] && low == good[i][3]);
    }
    assert_code(aloop_stream_set_write_buffer_limits(l.transport, 256, 257), ALOOP_EINVAL);
    end(&l);
    return 0;
}

SUITE(CASE(reading), CASE(pausing_and_resuming), CASE(the_peers_end), CASE(writing),
      CASE(closing), CASE(half_closing), CASE(failing_writes), CASE(another_protocol),
      CASE(limits_of_the_buffer))
