/*
 * Streams over the ends of pipes, sockets and devices.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)

static aloop_stream *reader_of(int fd) {
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_connect_read_pipe(fd, NULL), (void **)&s), 0);
    return s;
}

static aloop_stream *writer_of(int fd) {
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_connect_write_pipe(fd, NULL), (void **)&s), 0);
    return s;
}

static void make_pipe(int ends[2]) { assert_int_equal(pipe2(ends, O_CLOEXEC), 0); }

static void sends(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), (long)strlen(text));
}

static int64_t ignore(void *unused) {
    (void)unused;
    return 0;
}

static int64_t arguments(void *arg, void **value) {
    (void)arg, (void)value;
    char name[] = "/tmp/asyncloop-pipe-XXXXXX";
    const int file = mkstemp(name);
    unlink(name);
    int ends[2];
    make_pipe(ends);
    aloop_future *(*const connect[])(int32_t, const aloop_stream_options *) = {
        aloop_connect_read_pipe, aloop_connect_write_pipe};
    const char *texts[] = {"Pipe transport is for pipes/sockets only.",
                           "Pipe transport is only for pipes, sockets and character devices"};
    for (int i = 0; i < 2; i++) {
        assert_failed(connect[i](-1, NULL), ALOOP_EINVAL);
        assert_failed(connect[i](ends[i], (void *)aloop_get_running_loop()), ALOOP_EINVAL);
        assert_code(AWAIT(connect[i](file, NULL)), ALOOP_EINVAL);
        assert_string_equal(aloop_error_message(aloop_last_error()), texts[i]);
        assert_int_equal(fcntl(file, F_GETFL) & O_NONBLOCK, 0); /* and still the caller's */
    }
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_reader(loop, ends[0], ignore, NULL, NULL), 0);
    assert_failed(aloop_connect_read_pipe(ends[0], NULL), ALOOP_EBUSY);
    assert_code(aloop_loop_remove_reader(loop, ends[0]), 1);
    close(file);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void test_arguments(void **state) {
    (void)state;
    in_task(arguments);
    assert_null(aloop_connect_read_pipe(0, NULL));
    assert_null(aloop_connect_write_pipe(1, NULL));
}

static int64_t reading(void *arg, void **value) {
    (void)arg, (void)value;
    int ends[2];
    make_pipe(ends);
    aloop_stream *s = reader_of(ends[0]);
    assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_code(aloop_stream_get_extra_info(s, "fd", NULL, 0), ends[0]);
    assert_code(aloop_stream_get_extra_info(s, "peername", NULL, 0), ALOOP_ENOENT);
    sends(ends[1], "one\ntwo");
    assert_reads(aloop_stream_readline(s), "one\n");
    assert_reads(aloop_stream_readexactly(s, 3), "two");
    aloop_task *waits = aloop_ensure_future(aloop_stream_read(s, 10));
    let_run(2);
    aloop_task_cancel(waits, NULL);
    assert_code(AWAIT(waits), ALOOP_ECANCELED);
    assert_code(aloop_stream_write(s, "x", 1), ALOOP_EINVALIDSTATE);
    assert_code(aloop_stream_can_write_eof(s), 0);
    assert_code(aloop_stream_pause_reading(s), 0);
    sends(ends[1], "three");
    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(s, 9), 0.02)), ALOOP_ETIMEDOUT);
    assert_code(aloop_stream_resume_reading(s), 0);
    close(ends[1]);
    assert_reads(aloop_stream_read(s, -1), "three");
    assert_code(aloop_stream_at_eof(s), 1);
    assert_code(aloop_stream_close(s), 0);
    assert_code(AWAIT(aloop_stream_wait_closed(s)), 0);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    aloop_unref(s);
    return 0;
}

static void test_reading(void **state) {
    (void)state;
    in_task(reading);
}

/* Half a pipe's capacity, all of it, and one byte more. */
static int64_t writing(void *arg, void **value) {
    (void)arg, (void)value;
    int ends[2];
    make_pipe(ends);
    const int room = fcntl(ends[1], F_GETPIPE_SZ);
    char *block = calloc(1, (size_t)room);
    aloop_stream *s = writer_of(ends[1]);
    assert_code(aloop_stream_can_write_eof(s), 1);
    assert_code(aloop_stream_write(s, block, (size_t)room), 0);
    assert_code(aloop_stream_write(s, "last", 4), 4);
    int left = room;
    while (left > 0) left -= (int)read(ends[0], block, (size_t)left);
    while (aloop_stream_get_write_buffer_size(s) > 0) let_run(1);
    assert_int_equal(read(ends[0], block, 100), 4);
    assert_memory_equal(block, "last", 4);
    const aloop_buf parts[] = {{"a", 1}, {"bc", 2}};
    assert_code(aloop_stream_writelines(s, parts, 2), 0);
    assert_int_equal(read(ends[0], block, 100), 3);
    /* The end of what is written is the end of the pipe. */
    aloop_stream_write(s, "end", 3);
    assert_code(aloop_stream_write_eof(s), 0);
    assert_code(aloop_stream_is_closing(s), 1);
    assert_code(AWAIT(aloop_stream_wait_closed(s)), 0);
    assert_int_equal(read(ends[0], block, 100), 3);
    assert_int_equal(read(ends[0], block, 100), 0);
    assert_code(aloop_stream_write(s, "x", 1), 0); /* dropped */
    aloop_unref(s);
    close(ends[0]);
    free(block);
    return 0;
}

static void test_writing(void **state) {
    (void)state;
    in_task(writing);
}

/* The reader goes: in order when nothing is left to send, else a broken pipe,
 * and never a signal, whatever the program does with SIGPIPE. */
static int64_t reader_goes(void *arg, void **value) {
    (void)arg, (void)value;
    static char block[1 << 20];
    for (int how = 0; how < 6; how++) {
        const bool sockets = (how & 1) != 0;
        int ends[2];
        if (sockets) assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        else make_pipe(ends);
        aloop_stream *s = writer_of(ends[1]);
        aloop_task *closed = aloop_ensure_future(aloop_stream_wait_closed(s));
        let_run(2);
        if (how >= 4) { /* noticed by a write before the loop could */
            close(ends[0]);
            assert_code(aloop_stream_write(s, "x", 1), ALOOP_EPIPE);
        } else {
            if (how >= 2) assert_true(aloop_stream_write(s, block, sizeof block) > 0);
            if (sockets && how < 2) sends(ends[0], "nobody reads this");
            AWAIT(aloop_sleep(0.01));
            assert_code(aloop_stream_is_closing(s), 0);
            close(ends[0]);
        }
        assert_code(AWAIT(aloop_wait_for(closed, k_hang)), how >= 2 ? ALOOP_EPIPE : 0);
        aloop_unref(s);
    }
    return 0;
}

static void test_reader_goes(void **state) {
    (void)state;
    in_task(reader_goes);
    /* One that is blocked and pending already stays as it is. */
    sigset_t pipe, old, waiting;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &old);
    raise(SIGPIPE);
    in_task(reader_goes);
    sigpending(&waiting);
    assert_int_equal(sigismember(&waiting, SIGPIPE), 1);
    int got;
    sigwait(&pipe, &got);
    in_task(reader_goes);
    sigpending(&waiting);
    assert_int_equal(sigismember(&waiting, SIGPIPE), 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int64_t devices(void *arg, void **value) {
    (void)arg, (void)value;
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC), again = dup(null);
    assert_failed(aloop_connect_read_pipe(null, NULL), -EPERM);
    aloop_stream *s = writer_of(null);
    assert_code(aloop_stream_write(s, "gone", 4), 0);
    assert_code(AWAIT(aloop_stream_drain(s)), 0);
    aloop_stream_close(s);
    assert_code(AWAIT(aloop_stream_wait_closed(s)), 0);
    aloop_unref(s);
    close(again);
    /* A terminal, both ends in this program. */
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    aloop_stream *in = reader_of(master), *out = writer_of(slave);
    aloop_stream_write(out, "hello\n", 6);
    assert_reads(aloop_stream_readline(in), "hello\r\n");
    aloop_stream_close(out);
    assert_code(AWAIT(aloop_stream_wait_closed(out)), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_stream_read(in, 1), k_hang)), -EIO);
    assert_code(AWAIT(aloop_stream_wait_closed(in)), -EIO);
    aloop_unref(in);
    aloop_unref(out);
    return 0;
}

static void test_devices(void **state) {
    (void)state;
    in_task(devices);
}

/* A named pipe open for both: it is its own reader and never ends. */
static int64_t both_ways(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "/tmp/asyncloop-fifo-%d", (int)getpid());
    assert_int_equal(mkfifo(name, 0600), 0);
    const int fd = open(name, O_RDWR | O_CLOEXEC), other = open(name, O_RDONLY | O_CLOEXEC);
    unlink(name);
    aloop_stream *s = writer_of(fd);
    aloop_stream_write(s, "x", 1);
    AWAIT(aloop_sleep(0.01));
    assert_code(aloop_stream_is_closing(s), 0);
    close(other);
    AWAIT(aloop_sleep(0.01));
    assert_code(aloop_stream_is_closing(s), 0);
    aloop_stream_abort(s);
    assert_code(AWAIT(aloop_stream_wait_closed(s)), 0);
    aloop_unref(s);
    return 0;
}

static void test_both_ways(void **state) {
    (void)state;
    in_task(both_ways);
}

/* A terminal's master, read by one stream and written by another. */
static int64_t terminal(void *arg, void **value) {
    (void)arg, (void)value;
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    aloop_stream *in = reader_of(dup(master)), *out = writer_of(master);
    aloop_stream_write(out, "typed\n", 6);
    char line[16] = "";
    assert_int_equal(read(slave, line, sizeof line), 6);
    assert_string_equal(line, "typed\n");
    assert_reads(aloop_stream_readline(in), "typed\r\n"); /* its echo */
    sends(slave, "shown\n");
    assert_reads(aloop_stream_readline(in), "shown\r\n");
    aloop_stream_close(out);
    assert_code(AWAIT(aloop_stream_wait_closed(out)), 0);
    aloop_stream_close(in);
    assert_code(AWAIT(aloop_stream_wait_closed(in)), 0);
    aloop_unref(in);
    aloop_unref(out);
    close(slave);
    return 0;
}

static void test_both_ways_of_a_terminal(void **state) {
    (void)state;
    in_task(terminal);
}

/* Pipes that are open when the loop closes. */
static int64_t leave(void *arg, void **value) {
    (void)value;
    int ends[2];
    make_pipe(ends);
    aloop_stream **left = arg;
    left[0] = reader_of(ends[0]);
    left[1] = writer_of(ends[1]);
    return 0;
}

static void test_left_open(void **state) {
    (void)state;
    aloop_stream *left[2];
    assert_code(run_virtual(leave, left, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_stream_close(left[i]), ALOOP_ESTALE);
        aloop_unref(left[i]);
    }
}

SUITE(CASE(test_arguments), CASE(test_reading), CASE(test_writing), CASE(test_reader_goes),
      CASE(test_devices), CASE(test_both_ways), CASE(test_both_ways_of_a_terminal),
      CASE(test_left_open))
