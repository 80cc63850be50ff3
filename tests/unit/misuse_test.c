/*
 * misuse_test.c: each function on a stream, a server, an endpoint, a file and a watch
 * with what it cannot use: nothing, another object, on another thread, of a loop
 * that is closed, of a loop that is not the running one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "support.h"

#define NO_LOOP 1 /* what stands for a future that could not be made */
#define THE_END 2 /* there is no such function */

static char memory[16];
static int64_t numbers[1];
static const aloop_buf parts[] = {{"\n", 1}};

/* Of a future that must have its outcome already; consumed. */
static int64_t outcome(aloop_future *f) {
    if (f == NULL) return NO_LOOP;
    const int64_t status = aloop_future_done(f) == 1 ? aloop_future_result(f, NULL) : 0;
    aloop_unref(f);
    return status;
}

static int64_t call_stream(int which, void *o) {
    switch (which) {
    case 0: return outcome(aloop_stream_read(o, 1));
    case 1: return outcome(aloop_stream_read(o, -1));
    case 2: return outcome(aloop_stream_read_into(o, memory, 1));
    case 3: return outcome(aloop_stream_readline(o));
    case 4: return outcome(aloop_stream_readexactly(o, 1));
    case 5: return outcome(aloop_stream_readuntil(o, "\n", 1));
    case 6: return outcome(aloop_stream_readuntil_any(o, parts, 1));
    case 7: return outcome(aloop_stream_drain(o));
    case 8: return outcome(aloop_stream_sendfile(o, 0, 0, 1));
    case 9: return outcome(aloop_stream_sendfile_native(o, 0, 0, 1));
    case 10: return outcome(aloop_stream_wait_closed(o));
    case 11: return aloop_stream_at_eof(o);
    case 12: return aloop_stream_pause_reading(o);
    case 13: return aloop_stream_resume_reading(o);
    case 14: return aloop_stream_is_reading(o);
    case 15: return aloop_stream_write(o, "x", 1);
    case 16: return aloop_stream_writelines(o, parts, 1);
    case 17: return aloop_stream_write_eof(o);
    case 18: return aloop_stream_can_write_eof(o);
    case 19: return aloop_stream_set_write_buffer_limits(o, 1, 1);
    case 20: return aloop_stream_get_write_buffer_limits(o, numbers, numbers);
    case 21: return aloop_stream_get_write_buffer_size(o);
    case 22: return aloop_stream_is_closing(o);
    case 23: return aloop_stream_get_extra_info(o, "fd", NULL, 0);
    case 24: return aloop_stream_set_protocol(o, NULL, NULL);
    case 25: return aloop_stream_close(o);
    case 26: return aloop_stream_abort(o);
    default: return THE_END;
    }
}

static int64_t call_server(int which, void *o) {
    switch (which) {
    case 0: return outcome(aloop_server_accept(o));
    case 1: return outcome(aloop_server_start_serving(o));
    case 2: return outcome(aloop_server_serve_forever(o));
    case 3: return outcome(aloop_server_wait_closed(o));
    case 4: return outcome(aloop_server_shutdown(o, 1));
    case 5: return aloop_server_sockets(o, NULL, 0);
    case 6: return aloop_server_port(o, 0);
    case 7: return aloop_server_is_serving(o);
    case 8: return aloop_server_connections(o, NULL, 0);
    case 9: return aloop_server_close_clients(o);
    case 10: return aloop_server_abort_clients(o);
    case 11: return aloop_server_close(o);
    default: return THE_END;
    }
}

static int64_t call_datagram(int which, void *o) {
    switch (which) {
    case 0: return outcome(aloop_datagram_wait_closed(o));
    case 1: return outcome(aloop_datagram_recvfrom(o));
    case 2: return outcome(aloop_datagram_recvmany(o, 1));
    case 3: return outcome(aloop_datagram_sendto(o, "x", 1, NULL));
    case 4: return outcome(aloop_datagram_sendmany(o, parts, NULL, 1));
    case 5: return outcome(aloop_datagram_drain(o));
    case 6: return aloop_datagram_sendto_nowait(o, "x", 1, NULL);
    case 7: return aloop_datagram_is_closing(o);
    case 8: return aloop_datagram_set_write_buffer_limits(o, 1, 1);
    case 9: return aloop_datagram_get_write_buffer_size(o);
    case 10: return aloop_datagram_get_extra_info(o, "fd", NULL, 0);
    case 11: return aloop_datagram_statistic(o, 0);
    case 12: return aloop_datagram_close(o);
    case 13: return aloop_datagram_abort(o);
    default: return THE_END;
    }
}

static int64_t call_file(int which, void *o) {
    switch (which) {
    case 0: return outcome(aloop_file_read(o, 1));
    case 1: return outcome(aloop_file_pread(o, 1, 0));
    case 2: return outcome(aloop_file_write(o, "x", 1));
    case 3: return outcome(aloop_file_pwrite(o, "x", 1, 0));
    case 4: return outcome(aloop_file_seek(o, 0, 0));
    case 5: return outcome(aloop_file_fstat(o));
    case 6: return outcome(aloop_file_fsync(o));
    case 7: return outcome(aloop_file_fdatasync(o));
    case 8: return outcome(aloop_file_truncate(o, 0));
    case 9: return outcome(aloop_file_close(o));
    case 10: return aloop_file_descriptor(o);
    default: return THE_END;
    }
}

static int64_t call_watch(int which, void *o) {
    switch (which) {
    case 0: return outcome(aloop_file_watch_next(o));
    case 1: return aloop_file_watch_close(o);
    default: return THE_END;
    }
}

/* One of each, of one loop. */
struct objects {
    void *all[5]; /* as in the table below */
};

static int64_t (*const calls[5])(int, void *) = {call_stream, call_server, call_datagram,
                                                 call_file, call_watch};

static int64_t make_all(void *arg, void **value) {
    (void)value;
    struct objects *made = arg;
    aloop_stream *a = NULL, *b = NULL;
    assert_code(aloop_stream_pair(&a, &b, NULL), 0);
    made->all[0] = a;
    aloop_stream_abort(b);
    aloop_unref(b);
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL), &made->all[1]),
                0);
    aloop_datagram_options *o = aloop_datagram_options_new();
    aloop_datagram_options_set_local_address(o, "127.0.0.1", 0);
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), &made->all[2]), 0);
    aloop_unref(o);
    assert_code(aloop_await(aloop_file_open("/dev/null", O_RDWR, 0), &made->all[3]), 0);
    return aloop_file_watch_new((aloop_file_watch **)&made->all[4], "/tmp");
}

static void drop_all(struct objects *made) {
    for (int i = 0; i < 5; i++) aloop_unref(made->all[i]);
}

/* Each function answers with the code; where it makes a future and there is no
 * running loop, with none. */
static void expect(const struct objects *with, int64_t code, bool running) {
    for (int kind = 0; kind < 5; kind++) {
        for (int i = 0;; i++) {
            const int64_t got = calls[kind](i, with->all[kind]);
            if (got == THE_END) break;
            if (got == code || (got == NO_LOOP && !running)) continue;
            print_error("function %d of table %d: %ld (%s)\n", i, kind, (long)got,
                        aloop_errname(got));
            assert_code(got, code);
        }
    }
}

static int64_t with_others(void *arg, void **value) {
    (void)value;
    const struct objects none = {{NULL}};
    expect(&none, ALOOP_EINVAL, true);
    struct objects turned;
    for (int i = 0; i < 5; i++) turned.all[i] = ((struct objects *)arg)->all[(i + 1) % 5];
    expect(&turned, ALOOP_EINVAL, true);
    return 0;
}

static void nothing_and_other_objects(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    struct objects made;
    assert_code(run_on(loop, make_all, &made), 0);
    assert_code(run_on(loop, with_others, &made), 0);
    drop_all(&made);
    close_loop(loop);
}

static int64_t elsewhere(void *made) {
    expect(made, ALOOP_EWRONGTHREAD, false);
    return 0;
}

static void other_threads(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    struct objects made;
    assert_code(run_on(loop, make_all, &made), 0);
    assert_code(on_foreign_thread(elsewhere, &made), 0);
    drop_all(&made);
    close_loop(loop);
}

static int64_t of_the_closed(void *made, void **value) {
    (void)value;
    expect(made, ALOOP_ESTALE, true);
    return 0;
}

static void closed_loops(void **state) {
    (void)state;
    aloop_loop *loop = real_loop(), *other = real_loop();
    struct objects made;
    assert_code(run_on(loop, make_all, &made), 0);
    close_loop(loop);
    expect(&made, ALOOP_ESTALE, false);
    assert_code(run_on(other, of_the_closed, &made), 0);
    drop_all(&made);
    close_loop(other);
}

/* Its operations belong to its own loop. */
static int64_t of_another(void *made, void **value) {
    (void)value;
    const struct objects *m = made;
    assert_code(aloop_await(aloop_stream_read(m->all[0], 1), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_await(aloop_server_accept(m->all[1]), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_await(aloop_datagram_recvfrom(m->all[2]), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_await(aloop_file_read(m->all[3], 1), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_await(aloop_file_watch_next(m->all[4]), NULL), ALOOP_EWRONGLOOP);
    return 0;
}

static void other_loops(void **state) {
    (void)state;
    aloop_loop *loop = real_loop(), *other = real_loop();
    struct objects made;
    assert_code(run_on(loop, make_all, &made), 0);
    assert_code(run_on(other, of_another, &made), 0);
    drop_all(&made);
    close_loop(loop);
    close_loop(other);
}

SUITE(CASE(nothing_and_other_objects), CASE(other_threads), CASE(closed_loops), CASE(other_loops))
