/*
 * Two streams over memory: everything that a stream does, without the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "peer.h"
#include "trace.h"

#define AWAIT(future) aloop_await((future), NULL)

struct two {
    aloop_stream *a, *b;
};

static struct two pair(aloop_stream_options *options) {
    struct two p;
    assert_code(aloop_stream_pair(&p.a, &p.b, options), 0);
    aloop_unref(options);
    return p;
}

static void drop_pair(struct two *p) {
    aloop_stream *all[] = {p->a, p->b};
    for (int i = 0; i < 2; i++) {
        aloop_stream_abort(all[i]);
        assert_code(AWAIT(aloop_stream_wait_closed(all[i])), 0);
        aloop_unref(all[i]);
    }
    let_run(1);
}

static int64_t arguments(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream *s;
    assert_code(aloop_stream_pair(NULL, &s, NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_pair(&s, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_pair(&s, &s, (void *)aloop_get_running_loop()), ALOOP_EINVAL);
    struct two p = pair(NULL);
    char text[16];
    assert_code(aloop_stream_get_extra_info(p.a, "fd", text, sizeof text), ALOOP_ENOENT);
    assert_code(aloop_stream_get_extra_info(p.a, "peername", text, sizeof text), ALOOP_ENOENT);
    assert_code(aloop_stream_get_extra_info(p.a, "sockname", text, sizeof text), ALOOP_ENOENT);
    drop_pair(&p);
    return 0;
}

static void test_arguments(void **state) {
    (void)state;
    aloop_stream *a, *b;
    assert_code(aloop_stream_pair(&a, &b, NULL), ALOOP_ENORUNNINGLOOP);
    in_task(arguments);
}

static int64_t both_ways(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = aloop_stream_options_new();
    aloop_stream_options_set_limit(o, 4);
    struct two p = pair(o);
    assert_code(aloop_stream_write(p.a, "abcd\nabcde\n", 11), 0);
    assert_code(aloop_stream_write(p.b, "back", 4), 0);
    assert_reads(aloop_stream_readline(p.b), "abcd\n");
    assert_code(AWAIT(aloop_stream_readline(p.b)), ALOOP_ELIMITOVERRUN);
    assert_reads(aloop_stream_readexactly(p.a, 4), "back");
    const aloop_buf parts[] = {{"o", 1}, {NULL, 0}, {"ne", 2}};
    assert_code(aloop_stream_writelines(p.b, parts, 3), 0);
    assert_reads(aloop_stream_read(p.a, 100), "one");
    /* Half closed, the other way goes on. */
    assert_code(aloop_stream_can_write_eof(p.a), 1);
    assert_code(aloop_stream_write_eof(p.a), 0);
    assert_code(aloop_stream_write(p.a, "x", 1), ALOOP_EINVALIDSTATE);
    assert_reads(aloop_stream_read(p.b, -1), "");
    assert_code(aloop_stream_at_eof(p.b), 1);
    assert_code(aloop_stream_write(p.b, "still", 5), 0);
    assert_code(aloop_stream_close(p.b), 0);
    assert_reads(aloop_stream_read(p.a, -1), "still");
    drop_pair(&p);
    return 0;
}

static void test_both_ways(void **state) {
    (void)state;
    in_task(both_ways);
}

/* Waiting readers wake in the next iteration but one, as after any future. */
static int64_t note_read(void *stream, void **value) {
    (void)value;
    const int64_t got = AWAIT(aloop_stream_read(stream, 1));
    note_end("read", got);
    return got;
}

static int64_t iterations(void *arg, void **value) {
    (void)arg, (void)value;
    begin_trace();
    struct two p = pair(NULL);
    aloop_task *reader = aloop_create_task(note_read, p.b);
    let_run(1);
    aloop_stream_write(p.a, "x", 1);
    note("written");
    assert_code(AWAIT(reader), 1);
    assert_trace("written@1 read:1@3 ");
    drop_pair(&p);
    return 0;
}

static void test_iterations(void **state) {
    (void)state;
    in_task(iterations);
}

/* 65536 bytes fit, one more waits; then the marks of the writer count. */
static int64_t capacity(void *arg, void **value) {
    (void)arg, (void)value;
    struct two p = pair(NULL);
    static char block[65536];
    assert_code(aloop_stream_write(p.a, block, 65535), 0);
    assert_code(aloop_stream_write(p.a, block, 1), 0);
    assert_code(aloop_stream_write(p.a, block, 1), 1);
    int64_t high = 0, low = 0;
    assert_code(aloop_stream_set_write_buffer_limits(p.a, 10, 5), 0);
    assert_code(aloop_stream_get_write_buffer_limits(p.a, &high, &low), 0);
    assert_true(high == 10 && low == 5);
    assert_code(aloop_stream_write(p.a, block, 9), 10);
    assert_code(AWAIT(aloop_stream_drain(p.a)), 0); /* at the mark */
    assert_code(aloop_stream_write(p.a, block, 1), 11);
    aloop_task *drain = aloop_ensure_future(aloop_stream_drain(p.a));
    let_run(3);
    assert_code(aloop_future_done(drain), 0); /* above it */
    assert_code(AWAIT(aloop_stream_readexactly(p.b, 5)), 5);
    let_run(3);
    assert_code(aloop_stream_get_write_buffer_size(p.a), 6);
    assert_code(aloop_future_done(drain), 0); /* one above the low mark */
    assert_code(AWAIT(aloop_stream_readexactly(p.b, 1)), 1);
    assert_code(AWAIT(drain), 0);
    assert_code(aloop_stream_get_write_buffer_size(p.a), 5);
    assert_code(AWAIT(aloop_stream_readexactly(p.b, 65541)), 65541);
    /* Negative marks: asyncio's rule. */
    const int64_t rules[][4] = {{-1, -1, 65536, 16384}, {100, -1, 100, 25}, {-1, 100, 400, 100},
                                {0, -1, 0, 0}, {7, 7, 7, 7}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        assert_code(aloop_stream_set_write_buffer_limits(p.a, rules[i][0], rules[i][1]), 0);
        assert_code(aloop_stream_get_write_buffer_limits(p.a, &high, &low), 0);
        assert_int_equal(high, rules[i][2]);
        assert_int_equal(low, rules[i][3]);
    }
    assert_code(aloop_stream_set_write_buffer_limits(p.a, 7, 8), ALOOP_EINVAL);
    assert_code(aloop_stream_set_write_buffer_limits(p.a, INT64_MAX, INT64_MAX), 0);
    assert_code(aloop_stream_get_write_buffer_limits(p.a, &high, NULL), 0);
    assert_int_equal(high, UINT32_MAX);
    assert_code(aloop_stream_get_write_buffer_limits(NULL, &high, &low), ALOOP_EINVAL);
    drop_pair(&p);
    return 0;
}

static void test_capacity(void **state) {
    (void)state;
    in_task(capacity);
}

/* A close sends what is queued first; the other side's end ends writes. */
static int64_t endings(void *arg, void **value) {
    (void)arg, (void)value;
    static char block[200000];
    for (int how = 0; how < 3; how++) {
        struct two p = pair(NULL);
        aloop_stream_write(p.a, block, sizeof block);
        aloop_task *closed = aloop_ensure_future(aloop_stream_wait_closed(p.a));
        if (how == 0) {
            aloop_stream_close(p.a);
            assert_code(AWAIT(aloop_stream_read(p.b, -1)), sizeof block);
            assert_code(AWAIT(closed), 0);
        } else if (how == 1) {
            aloop_stream_abort(p.a);
            assert_code(AWAIT(closed), 0);
            assert_code(AWAIT(aloop_stream_read(p.b, -1)), 65536); /* what it held already */
            assert_code(aloop_stream_write(p.b, "x", 1), ALOOP_EPIPE);
            assert_code(AWAIT(aloop_stream_wait_closed(p.b)), ALOOP_EPIPE);
            aloop_unref(p.a);
            aloop_unref(p.b);
            let_run(1);
            continue;
        } else {
            aloop_stream_close(p.b); /* the reader goes: the rest cannot be sent */
            assert_code(AWAIT(closed), ALOOP_EPIPE);
            assert_code(AWAIT(aloop_stream_drain(p.a)), ALOOP_EPIPE);
            assert_code(AWAIT(aloop_stream_wait_closed(p.b)), 0);
            aloop_unref(p.a);
            aloop_unref(p.b);
            let_run(1);
            continue;
        }
        drop_pair(&p);
    }
    return 0;
}

static void test_endings(void **state) {
    (void)state;
    in_task(endings);
}

static int64_t pausing(void *arg, void **value) {
    (void)arg, (void)value;
    struct two p = pair(NULL);
    assert_code(aloop_stream_is_reading(p.a), 1);
    assert_code(aloop_stream_is_reading(NULL), ALOOP_EINVAL);
    assert_code(aloop_stream_pause_reading(p.a), 0);
    assert_code(aloop_stream_pause_reading(p.a), 0);
    assert_code(aloop_stream_is_reading(p.a), 0);
    aloop_stream_write(p.b, "x", 1);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(p.a, 1), 1)), ALOOP_ETIMEDOUT);
    assert_code(aloop_stream_resume_reading(p.a), 0);
    assert_code(aloop_stream_resume_reading(p.a), 0);
    assert_code(aloop_stream_is_reading(p.a), 1);
    assert_reads(aloop_stream_read(p.a, 1), "x");
    aloop_stream_close(p.a);
    assert_code(aloop_stream_is_reading(p.a), 0);
    assert_code(aloop_stream_resume_reading(p.a), 0);
    assert_code(aloop_stream_is_reading(p.a), 0);
    drop_pair(&p);
    return 0;
}

static void test_pausing(void **state) {
    (void)state;
    in_task(pausing);
}

/* Pairs that outlive their loop, one side or both still open. */
static int64_t leave(void *arg, void **value) {
    (void)value;
    struct two *p = arg;
    *p = pair(NULL);
    aloop_stream_write(p->a, "unread", 6);
    aloop_unref(p->b); /* closes in order */
    return 0;
}

static void test_left_behind(void **state) {
    (void)state;
    struct two p;
    assert_code(run_virtual(leave, &p, NULL), 0);
    assert_code(aloop_stream_write(p.a, "x", 1), ALOOP_ESTALE);
    aloop_unref(p.a);
}

SUITE(CASE(test_arguments), CASE(test_both_ways), CASE(test_iterations), CASE(test_capacity),
      CASE(test_endings), CASE(test_pausing), CASE(test_left_behind))
