/*
 * Sending files over streams: by the kernel and by copying, whole and in part,
 * with the edges of offset and count, and what a failure leaves.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)
#define SIZE ((int64_t)1 << 20)

static char byte_at(int64_t i) { return (char)(i * 7 + i / 251); }

/* A file of SIZE known bytes. */
static int make_file(void) {
    char name[] = "/tmp/asyncloop-file-XXXXXX";
    const int fd = mkostemp(name, O_CLOEXEC);
    unlink(name);
    char *all = malloc(SIZE);
    for (int64_t i = 0; i < SIZE; i++) all[i] = byte_at(i);
    assert_int_equal(write(fd, all, SIZE), SIZE);
    free(all);
    return fd;
}

static int64_t position(int fd) { return lseek(fd, 0, SEEK_CUR); }

/* Reads n bytes of the file from offset on, and asserts that they are those. */
static int64_t check_part(aloop_stream *from, int64_t offset, int64_t n) {
    aloop_bytes *all = NULL;
    assert_code(aloop_await(aloop_stream_readexactly(from, n), (void **)&all), n);
    const char *data = (const char *)aloop_bytes_data(all);
    for (int64_t i = 0; i < n; i++) assert_int_equal(data[i], byte_at(offset + i));
    aloop_bytes_unref(all);
    return 0;
}

/* Two connected streams: over TCP, a Unix socket's pair of pipes, or memory. */
struct two {
    aloop_stream *out, *in;
};

static struct two connected(bool in_memory) {
    struct two t = {NULL, NULL};
    if (in_memory) {
        assert_code(aloop_stream_pair(&t.out, &t.in, NULL), 0);
        return t;
    }
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                            (void **)&server), 0);
    assert_code(aloop_await(aloop_open_connection("127.0.0.1",
                                                  (int)aloop_server_port(server, 0), NULL),
                            (void **)&t.out), 0);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&t.in), 0);
    aloop_server_close(server);
    aloop_unref(server);
    return t;
}

static void drop_two(struct two *t) {
    aloop_stream *all[] = {t->out, t->in};
    for (int i = 0; i < 2; i++) {
        aloop_stream_abort(all[i]);
        let_run(2);
        aloop_unref(all[i]);
    }
}

static int64_t arguments(void *arg, void **value) {
    (void)arg, (void)value;
    const int fd = make_file();
    struct two t = connected(false);
    aloop_future *(*const send[])(aloop_stream *, int32_t, int64_t, int64_t) = {
        aloop_stream_sendfile, aloop_stream_sendfile_native};
    for (int i = 0; i < 2; i++) {
        assert_failed(send[i](NULL, fd, 0, -1), ALOOP_EINVAL);
        assert_failed(send[i](t.out, -1, 0, -1), ALOOP_EINVAL);
        assert_failed(send[i](t.out, fd, -1, -1), ALOOP_EINVAL);
        assert_failed(send[i](t.out, fd, 0, 0), ALOOP_EINVAL);
        /* An offset at the end, and behind it. */
        assert_code(AWAIT(send[i](t.out, fd, SIZE, -1)), 0);
        assert_code(AWAIT(send[i](t.out, fd, SIZE + 1, 5)), 0);
    }
    /* No file: by its own name, or as what the kernel cannot send. */
    const int gone = dup(fd);
    close(gone);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, gone, 0, -1)), -EBADF);
    assert_code(AWAIT(aloop_stream_sendfile_native(t.out, gone, 0, -1)), ALOOP_ENOSENDFILE);
    const int folder = open("/tmp", O_RDONLY | O_CLOEXEC);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, folder, 0, -1)), -EISDIR);
    assert_code(AWAIT(aloop_stream_sendfile_native(t.out, folder, 0, -1)), ALOOP_ENOSENDFILE);
    close(folder);
    const int out_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, out_only, 0, -1)), -EBADF);
    close(out_only);
    /* A stream that has ended its side, and one that is closing. */
    assert_code(aloop_stream_write_eof(t.out), 0);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, fd, 0, -1)), ALOOP_EINVALIDSTATE);
    aloop_stream_close(t.out);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, fd, 0, -1)), ALOOP_EINVALIDSTATE);
    assert_string_equal(aloop_error_message(aloop_last_error()), "Transport is closing");
    drop_two(&t);
    close(fd);
    return 0;
}

static void test_arguments(void **state) {
    (void)state;
    in_task(arguments);
    assert_null(aloop_stream_sendfile(NULL, 0, 0, -1));
}

static int64_t whole_and_part(void *arg, void **value) {
    (void)arg, (void)value;
    const int fd = make_file();
    /* offset, count, what comes of it */
    const int64_t parts[][3] = {{0, -1, SIZE},        {1, -1, SIZE - 1},
                                {0, SIZE - 1, SIZE - 1}, {0, SIZE, SIZE},
                                {0, SIZE + 1, SIZE},  {1000, 2000, 2000},
                                {5, 1, 1},            {SIZE - 1, -1, 1},
                                {0, 65535, 65535},    {0, 65536, 65536},
                                {0, 65537, 65537}};
    for (int how = 0; how < 3; how++) {
        struct two t = connected(how == 2);
        if (how == 2) {
            assert_code(AWAIT(aloop_stream_sendfile_native(t.out, fd, 0, -1)),
                        ALOOP_ENOSENDFILE);
        }
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            const int64_t *p = parts[i];
            assert_code(lseek(fd, 3, SEEK_SET), 3);
            aloop_task *sends = aloop_ensure_future(
                how == 0 ? aloop_stream_sendfile_native(t.out, fd, p[0], p[1])
                         : aloop_stream_sendfile(t.out, fd, p[0], p[1]));
            check_part(t.in, p[0], p[2]);
            assert_code(AWAIT(sends), p[2]);
            assert_int_equal(position(fd), p[0] + p[2]);
        }
        drop_two(&t);
    }
    close(fd);
    return 0;
}

static void test_whole_and_part(void **state) {
    (void)state;
    in_task(whole_and_part);
}

/* What was written before comes first, and nothing else in between. */
static int64_t in_order(void *arg, void **value) {
    (void)arg, (void)value;
    const int fd = make_file();
    for (int how = 0; how < 2; how++) {
        struct two t = connected(how == 1);
        static char block[65536];
        int64_t before = 0;
        while (aloop_stream_write(t.out, block, sizeof block) == 0) before += sizeof block;
        before += sizeof block;
        aloop_task *sends = aloop_ensure_future(aloop_stream_sendfile(t.out, fd, 0, -1));
        let_run(2);
        assert_code(aloop_stream_write(t.out, "x", 1), ALOOP_EBUSY);
        assert_code(aloop_stream_write_eof(t.out), ALOOP_EBUSY);
        assert_code(AWAIT(aloop_stream_sendfile(t.out, fd, 0, -1)), ALOOP_EBUSY);
        assert_code(AWAIT(aloop_stream_readexactly(t.in, before)), before);
        check_part(t.in, 0, SIZE);
        assert_code(AWAIT(sends), SIZE);
        assert_code(aloop_stream_write(t.out, "after", 5), 0);
        assert_reads(aloop_stream_readexactly(t.in, 5), "after");
        drop_two(&t);
    }
    close(fd);
    return 0;
}

static void test_in_order(void **state) {
    (void)state;
    in_task(in_order);
}

/* Nor does a protocol get in between that is told to pause in the middle of it. */
struct intruder {
    int64_t written;
    int pauses;
};

static int64_t intrude(aloop_stream *transport, void *data) {
    struct intruder *i = data;
    i->pauses++;
    i->written = aloop_stream_write(transport, "INTRUDER", 8);
    return 0;
}

static int64_t intruded(void *arg, void **value) {
    (void)arg, (void)value;
    struct intruder i = {0, 0};
    aloop_protocol *p = aloop_protocol_new();
    assert_code(aloop_protocol_set_pause_writing(p, intrude), 0);
    const int fd = make_file();
    struct two t = connected(true);
    assert_code(aloop_stream_set_write_buffer_limits(t.out, 1000, 10), 0);
    assert_code(aloop_stream_set_protocol(t.out, p, &i), 0);
    aloop_task *sends = aloop_ensure_future(aloop_stream_sendfile(t.out, fd, 0, -1));
    while (i.pauses == 0) AWAIT(aloop_sleep(0.001));
    assert_code(i.written, ALOOP_EBUSY);
    check_part(t.in, 0, SIZE);
    assert_code(AWAIT(sends), SIZE);
    assert_code(aloop_stream_write(t.out, "after", 5), 0);
    assert_reads(aloop_stream_readexactly(t.in, 5), "after");
    drop_two(&t);
    close(fd);
    aloop_unref(p);
    return 0;
}

static void test_intruded(void **state) {
    (void)state;
    in_task(intruded);
}

/* Ended in the middle: cancelled, closed from here, reset from there. The
 * file's position tells how much went. */
static int64_t in_the_middle(void *arg, void **value) {
    (void)arg, (void)value;
    const int fd = make_file();
    assert_int_equal(ftruncate(fd, (off_t)64 << 20), 0);
    for (int how = 0; how < 8; how++) {
        const bool in_memory = (how & 1) != 0;
        struct two t = connected(in_memory);
        aloop_task *sends = aloop_ensure_future(aloop_stream_sendfile(t.out, fd, 0, -1));
        check_part(t.in, 0, 100000);
        AWAIT(aloop_sleep(0.01));
        assert_code(aloop_future_done(sends), 0);
        int64_t expected = ALOOP_ECONNRESET;
        if (how < 2) {
            aloop_task_cancel(sends, NULL);
            expected = ALOOP_ECANCELED;
        } else if (how < 4) {
            aloop_stream_close(t.out);
        } else if (how < 6) {
            aloop_stream_abort(t.out);
        } else {
            aloop_stream_abort(t.in);
        }
        const int64_t got = AWAIT(sends);
        if (how < 6) assert_code(got, expected);
        else assert_true(got == ALOOP_ECONNRESET || got == ALOOP_EPIPE);
        assert_true(position(fd) >= 100000 && position(fd) < (int64_t)64 << 20);
        if (how < 2) { /* the stream goes on behind what was sent */
            const int64_t went = position(fd);
            assert_code(aloop_stream_write(t.out, "x", 1) >= 0, 1);
            assert_code(AWAIT(aloop_stream_readexactly(t.in, went - 100000)), went - 100000);
            assert_reads(aloop_stream_readexactly(t.in, 1), "x");
        }
        drop_two(&t);
    }
    close(fd);
    return 0;
}

static void test_in_the_middle(void **state) {
    (void)state;
    in_task(in_the_middle);
}

/* A pipe as the source: what comes until its end; it has no positions. */
static int64_t from_a_pipe(void *arg, void **value) {
    (void)arg, (void)value;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct two t = connected(false);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, ends[0], 1, -1)), -ESPIPE);
    assert_int_equal(write(ends[1], "abcdef", 6), 6);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, ends[0], 0, 4)), 4);
    assert_reads(aloop_stream_readexactly(t.in, 4), "abcd");
    close(ends[1]);
    assert_code(AWAIT(aloop_stream_sendfile(t.out, ends[0], 0, -1)), 2);
    assert_reads(aloop_stream_readexactly(t.in, 2), "ef");
    assert_code(AWAIT(aloop_stream_sendfile_native(t.out, ends[0], 0, -1)), ALOOP_ENOSENDFILE);
    close(ends[0]);
    drop_two(&t);
    return 0;
}

static void test_from_a_pipe(void **state) {
    (void)state;
    in_task(from_a_pipe);
}

/* Into a connection that is gone: an error, and never a signal. */
static int64_t into_nothing(void *arg, void **value) {
    (void)arg, (void)value;
    const int fd = make_file();
    for (int i = 0; i < 3; i++) {
        struct two t = connected(false);
        aloop_stream_abort(t.in);
        do AWAIT(aloop_sleep(0.001));
        while (aloop_stream_write(t.out, "x", 1) >= 0 && aloop_stream_is_closing(t.out) == 0);
        /* The answer was a reset. */
        const int64_t status = AWAIT(aloop_stream_sendfile(t.out, fd, 0, -1));
        assert_true(status == ALOOP_EPIPE || status == ALOOP_ECONNRESET ||
                    status == ALOOP_EINVALIDSTATE);
        aloop_unref(t.out);
        aloop_unref(t.in);
        let_run(2);
        /* Ended here, and not noticed by the loop yet. */
        struct peer p = connect_peer(NULL);
        shutdown((int)aloop_stream_get_extra_info(p.stream, "fd", NULL, 0), SHUT_WR);
        assert_code(AWAIT(aloop_stream_sendfile(p.stream, fd, 0, -1)), ALOOP_EPIPE);
        drop_peer(&p);
    }
    close(fd);
    return 0;
}

static void test_into_nothing(void **state) {
    (void)state;
    in_task(into_nothing);
}

/* Left under way when the loop closes. */
static int64_t leave(void *arg, void **value) {
    (void)value;
    const int fd = *(int *)arg;
    for (int i = 0; i < 2; i++) {
        struct two t = connected(i == 1);
        aloop_unref(aloop_ensure_future(aloop_stream_sendfile(t.out, fd, 0, -1)));
        let_run(3);
        aloop_unref(t.out);
        aloop_unref(t.in);
    }
    return 0;
}

static void test_left_behind(void **state) {
    (void)state;
    int fd = make_file();
    assert_code(run_virtual(leave, &fd, NULL), 0);
    close(fd);
}

SUITE(CASE(test_arguments), CASE(test_whole_and_part), CASE(test_in_order),
      CASE(test_intruded), CASE(test_in_the_middle), CASE(test_from_a_pipe),
      CASE(test_into_nothing),
      CASE(test_left_behind))
