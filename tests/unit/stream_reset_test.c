/*
 * What the kernel tells of at once: data, the peer's end and its reset, behind one
 * another, while a stream reads, writes, both or neither. What comes out is what
 * asyncio's streams give, which read as soon as there is something.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serving.h"

/* More than the kernel takes for a peer that does not read. */
static void fill(aloop_stream *s) {
    const size_t n = 32 << 20;
    char *much = calloc(1, n);
    assert_true(aloop_stream_write(s, much, n) > 0);
    free(much);
}

/* A server that has had enough answers and closes while the request is still being
 * sent: the answer is for who waits for it. */
static int64_t answer_and_reset(void *arg, void **value) {
    (void)arg, (void)value;
    for (int ends = 0; ends < 2; ends++) {
        struct peer p = connect_peer(NULL);
        fill(p.stream);
        aloop_task *reader = aloop_ensure_future(aloop_stream_readline(p.stream));
        aloop_task *drain = aloop_ensure_future(aloop_stream_drain(p.stream));
        let_run(2);
        peer_sends(&p, "too much\n");
        if (ends) assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
        peer_resets(&p);
        assert_reads(reader, "too much\n");
        const int64_t code = ends ? ALOOP_EPIPE : ALOOP_ECONNRESET;
        assert_code(AWAIT(drain), code);
        assert_code(AWAIT(aloop_stream_read(p.stream, 1)), code);
        assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), code);
        drop_peer(&p);
    }
    return 0;
}

static void an_answer_before_a_reset(void **state) {
    (void)state;
    in_task(answer_and_reset);
}

/* Writes what stays in the kernel: the peer takes only a part of it. */
static void write_into_kernel(struct peer *p) {
    static const char much[200000];
    const int fd = (int)aloop_stream_get_extra_info(p->stream, "fd", NULL, 0);
    const int big = sizeof much, small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big), 0);
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_code(aloop_stream_write(p->stream, much, sizeof much), 0);
}

/* Both sides have ended, though what we sent did not arrive: who reads is not told. */
static int64_t reset_after_both_ends(void *arg, void **value) {
    (void)arg, (void)value;
    for (int reads = 0; reads < 2; reads++) {
        struct peer p = connect_peer(NULL);
        peer_sends(&p, "data");
        assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
        if (reads) assert_reads(aloop_stream_read(p.stream, -1), "data");
        else let_arrive(&p, 4);
        let_run(2);
        write_into_kernel(&p);
        assert_code(aloop_stream_write_eof(p.stream), 0);
        peer_resets(&p);
        AWAIT(aloop_sleep(0.01));
        assert_code(aloop_stream_is_closing(p.stream), 0);
        assert_reads(aloop_stream_read(p.stream, -1), reads ? "" : "data");
        assert_code(aloop_stream_close(p.stream), 0);
        assert_code(AWAIT(aloop_stream_wait_closed(p.stream)), 0);
        drop_peer(&p);
    }
    return 0;
}

static void a_reset_after_both_ends(void **state) {
    (void)state;
    in_task(reset_after_both_ends);
}

/* A reader takes the data and does not come back: who waits for the end learns of the
 * reset behind them, whether he came before or after. */
static int64_t reset_behind_a_reader(void *arg, void **value) {
    (void)arg, (void)value;
    for (int early = 0; early < 2; early++) {
        struct peer p = connect_peer(NULL);
        aloop_task *closed = NULL;
        if (early) closed = aloop_ensure_future(aloop_stream_wait_closed(p.stream));
        aloop_task *reader = aloop_ensure_future(aloop_stream_readline(p.stream));
        let_run(2);
        peer_sends(&p, "data\n");
        peer_resets(&p);
        assert_reads(reader, "data\n");
        if (!early) closed = aloop_ensure_future(aloop_stream_wait_closed(p.stream));
        assert_code(AWAIT(aloop_wait_for(closed, k_hang)), ALOOP_ECONNRESET);
        drop_peer(&p);
    }
    return 0;
}

static void a_reset_behind_a_reader(void **state) {
    (void)state;
    in_task(reset_behind_a_reader);
}

/* A Unix socket hands out no more than what came with one message that carries
 * descriptors, whatever stands behind it. */
static void send_with_fd(int to, const char *text, int fd) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    m.msg_control = &control;
    m.msg_controllen = sizeof control;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    assert_int_equal(sendmsg(to, &m, MSG_NOSIGNAL), (long)strlen(text));
}

static int64_t message_with_fd(void *arg, void **value) {
    (void)arg, (void)value;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    struct peer p = {NULL, pair[1]};
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_descriptor(o, pair[0]), 0);
    assert_code(aloop_await(aloop_open_unix_connection(NULL, o), (void **)&p.stream), 0);
    aloop_unref(o);
    send_with_fd(p.fd, "one", p.fd);
    peer_sends(&p, "two");
    assert_reads(aloop_stream_read(p.stream, 100), "one");
    assert_code(aloop_stream_write(p.stream, "answer", 6), 0);
    assert_reads(aloop_wait_for(aloop_stream_read(p.stream, 100), k_hang), "two");
    peer_gets(&p, "answer");
    drop_peer(&p);
    return 0;
}

static void a_message_with_a_descriptor(void **state) {
    (void)state;
    in_task(message_with_fd);
}

SUITE(CASE(an_answer_before_a_reset), CASE(a_reset_after_both_ends),
      CASE(a_reset_behind_a_reader), CASE(a_message_with_a_descriptor))
