/*
 * abandon_test.c: programs of I/O are given up after each of their iterations.
 *
 * Each program runs for k iterations, for every k until it ends by itself. Then its
 * main task is cancelled and the program goes on to its end, or the loop is
 * closed with everything open and under way. Either way nothing crashes (run it
 * under the sanitizers), nothing is left, and no descriptor stays open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asyncloop.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include "../../docs/examples/certificate.h"
#endif

/* What a program holds when it is given up: dropped when its loop is closed, as
 * a garbage collector would. */
#define MOST_HELD 64
static void *held[MOST_HELD];
static int held_count;
static int held_fds[MOST_HELD];
static int fd_count;

static void *hold(void *object) {
    assert_true(held_count < MOST_HELD);
    if (object != NULL) held[held_count++] = object;
    return object;
}

static void drop_all(void) {
    while (held_count > 0) aloop_unref(held[--held_count]);
    while (fd_count > 0) close(held_fds[--fd_count]);
}

/* Awaits a future whose value is an object, which is then held. */
static int64_t get(aloop_future *f, void *object) {
    void *value = NULL;
    const int64_t status = aloop_await(f, &value);
    *(void **)object = hold(value);
    return status;
}

/* The same where nobody looks at the value. */
static int64_t wait_for(aloop_future *f) {
    void *value = NULL;
    const int64_t status = aloop_await(f, &value);
    aloop_unref(value);
    return status;
}

#define TRY(expression)                          \
    do {                                         \
        const int64_t status_ = (expression);    \
        if (status_ < 0) return status_;         \
    } while (0)

/* It fails with that code, as it must. */
static int64_t fails_with(int64_t expected, int64_t status) {
    return status == expected ? 0 : status < 0 ? status : ALOOP_EINVAL;
}

/* Streams and servers ------------------------------------------------------------------------- */

static aloop_stream_options *for_client, *for_server; /* of the program at hand; may be NULL */

static int64_t echo(aloop_stream *client, void *data) {
    (void)data;
    int64_t rc = 1;
    while (rc > 0) {
        aloop_bytes *some = NULL;
        rc = aloop_await(aloop_stream_read(client, 70000), (void **)&some);
        if (rc > 0) rc = aloop_stream_write(client, aloop_bytes_data(some), (size_t)rc) < 0 ? 0 : 1;
        aloop_bytes_unref(some);
        if (rc > 0 && aloop_await(aloop_stream_drain(client), NULL) < 0) rc = 0;
    }
    return 0;
}

static char much[300000];

static int64_t converse(aloop_stream *s) {
    TRY(aloop_stream_write(s, "hello\n", 6));
    TRY(wait_for(aloop_stream_readline(s)));
    TRY(aloop_stream_write(s, much, sizeof much));
    TRY(wait_for(aloop_stream_readexactly(s, 1000)));
    TRY(fails_with(ALOOP_ELIMITOVERRUN, wait_for(aloop_stream_readuntil(s, "\n", 1))));
    TRY(wait_for(aloop_wait_for(aloop_stream_readexactly(s, sizeof much - 1000), 20)));
    return wait_for(aloop_stream_drain(s));
}

static int64_t connect_to(aloop_server *server, aloop_stream **s) {
    const int32_t port = (int32_t)aloop_server_port(server, 0);
    return get(aloop_open_connection("127.0.0.1", port, for_client), s);
}

static int64_t streams(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = NULL;
    aloop_stream *s = NULL, *idle = NULL;
    TRY(get(aloop_start_server(echo, NULL, "127.0.0.1", 0, for_server), &server));
    TRY(connect_to(server, &idle));
    TRY(connect_to(server, &s));
    TRY(converse(s));
    TRY(aloop_stream_close(s));
    TRY(wait_for(aloop_stream_wait_closed(s)));
    TRY(fails_with(ALOOP_ETIMEDOUT, wait_for(aloop_server_shutdown(server, 0.01))));
    TRY(aloop_stream_write(idle, "bye", 3));
    aloop_stream_close(idle);
    return wait_for(aloop_server_wait_closed(server));
}

static int64_t serve_for_ever(void *server, void **value) {
    (void)value;
    return aloop_await(aloop_server_serve_forever(server), NULL);
}

/* Without a handler: who accepts, who waits for ever, and who is never accepted. */
static int64_t accepting(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = NULL;
    aloop_stream *s = NULL, *other = NULL, *unmet = NULL;
    TRY(get(aloop_start_server(NULL, NULL, "127.0.0.1", 0, for_server), &server));
    aloop_task *accepts = hold(aloop_ensure_future(aloop_server_accept(server)));
    aloop_task *serves = hold(aloop_create_task(serve_for_ever, server));
    TRY(connect_to(server, &s));
    TRY(get(aloop_ref(accepts), &other));
    TRY(aloop_stream_writelines(other, (aloop_buf[]){{"one ", 4}, {much, 200000}}, 2));
    TRY(wait_for(aloop_stream_readexactly(s, 4)));
    TRY(connect_to(server, &unmet));
    aloop_stream_abort(s);
    TRY(aloop_server_close(server));
    wait_for(aloop_ref(serves));
    wait_for(aloop_stream_wait_closed(other));
    return 0;
}

static int64_t pairs(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream *a = NULL, *b = NULL;
    TRY(aloop_stream_pair(&a, &b, NULL));
    hold(a), hold(b);
    TRY(aloop_stream_set_write_buffer_limits(a, 1000, 10));
    TRY(aloop_stream_write(a, much, sizeof much));
    aloop_task *drains = hold(aloop_ensure_future(aloop_stream_drain(a)));
    TRY(wait_for(aloop_stream_readexactly(b, 100000)));
    TRY(aloop_stream_pause_reading(b));
    aloop_task *reads = hold(aloop_ensure_future(aloop_stream_read(b, 10)));
    TRY(aloop_await(aloop_sleep(0.001), NULL));
    TRY(aloop_stream_resume_reading(b));
    TRY(wait_for(aloop_ref(reads)));
    TRY(wait_for(aloop_stream_readexactly(b, (int64_t)sizeof much - 100010)));
    TRY(wait_for(aloop_ref(drains)));
    TRY(aloop_stream_write_eof(a));
    return wait_for(aloop_stream_read(b, -1));
}

/* A file through a Unix socket, by the kernel and by copying through a pair. */
static int64_t sendfile_to(aloop_stream *from, aloop_stream *to, int file) {
    aloop_task *sends = hold(aloop_ensure_future(aloop_stream_sendfile(from, file, 0, -1)));
    TRY(wait_for(aloop_stream_readexactly(to, (int64_t)sizeof much)));
    return wait_for(aloop_ref(sends));
}

static int64_t files_over_streams(void *arg, void **value) {
    (void)arg, (void)value;
    FILE *file = tmpfile();
    held_fds[fd_count++] = dup(fileno(file));
    const int fd = held_fds[0];
    const bool whole = fwrite(much, sizeof much, 1, file) == 1;
    fclose(file);
    assert_true(whole);
    char path[64];
    snprintf(path, sizeof path, "@aloop-abandon-%d", (int)getpid());
    aloop_server *server = NULL;
    aloop_stream *s = NULL, *peer = NULL, *a = NULL, *b = NULL;
    TRY(get(aloop_start_unix_server(NULL, NULL, path, NULL), &server));
    TRY(get(aloop_open_unix_connection(path, NULL), &s));
    TRY(get(aloop_server_accept(server), &peer));
    TRY(sendfile_to(s, peer, fd));
    TRY(aloop_stream_pair(&a, &b, NULL));
    hold(a), hold(b);
    return sendfile_to(a, b, fd);
}

/* Protocols ----------------------------------------------------------------------------------- */

static int lost;

static int64_t send_back(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)data;
    aloop_stream_write(transport, bytes, n);
    if (n > 0 && *(const char *)bytes == 'q') aloop_stream_close(transport);
    return 0;
}

static int64_t send_much(aloop_stream *transport, void *data) {
    (void)data;
    aloop_stream_write(transport, much, sizeof much);
    return 0;
}

static int64_t count_lost(aloop_stream *transport, int64_t status, aloop_error *error, void *data) {
    (void)transport, (void)status, (void)error, (void)data;
    lost++;
    return 0;
}

static int64_t new_data(void *arg, void **data) {
    (void)arg;
    *data = malloc(10);
    return *data != NULL ? 0 : ALOOP_ENOMEM;
}

static int64_t protocols(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_protocol *p = hold(aloop_protocol_new()), *talks = hold(aloop_protocol_new());
    aloop_protocol_set_data_received(p, send_back);
    aloop_protocol_set_connection_lost(p, count_lost);
    aloop_protocol_set_factory(p, new_data);
    aloop_protocol_set_data_free(p, free);
    aloop_protocol_set_connection_made(talks, send_much);
    aloop_protocol_set_connection_lost(talks, count_lost);
    aloop_server *server = NULL;
    aloop_stream *t = NULL;
    TRY(get(aloop_create_server(p, NULL, "127.0.0.1", 0, for_server), &server));
    lost = 0;
    TRY(get(aloop_create_connection(talks, NULL, "127.0.0.1",
                                    (int32_t)aloop_server_port(server, 0), for_client), &t));
    TRY(aloop_await(aloop_sleep(0.05), NULL));
    TRY(aloop_stream_write(t, "quit", 4));
    for (int i = 0; i < 500 && lost < 2; i++) TRY(aloop_await(aloop_sleep(0.01), NULL));
    TRY(aloop_server_close(server));
    return wait_for(aloop_server_wait_closed(server));
}

/* What is no stream --------------------------------------------------------------------------- */

static int64_t endpoint(int32_t to, aloop_datagram **out) {
    aloop_datagram_options *o = hold(aloop_datagram_options_new());
    if (to == 0) aloop_datagram_options_set_local_address(o, "127.0.0.1", 0);
    else aloop_datagram_options_set_remote_address(o, "127.0.0.1", to);
    return get(aloop_create_datagram_endpoint(o), out);
}

static int64_t datagrams(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = NULL, *client = NULL;
    TRY(endpoint(0, &server));
    aloop_address *at = hold(aloop_datagram_local_address(server));
    TRY(endpoint((int32_t)aloop_address_port(at), &client));
    aloop_task *receives = hold(aloop_ensure_future(aloop_datagram_recvfrom(server)));
    TRY(wait_for(aloop_datagram_sendto(client, "one", 3, NULL)));
    TRY(wait_for(aloop_ref(receives)));
    const aloop_buf two[2] = {{"two", 3}, {"three", 5}};
    TRY(wait_for(aloop_datagram_sendmany(client, two, NULL, 2)));
    TRY(wait_for(aloop_datagram_recvmany(server, 1)));
    TRY(aloop_datagram_close(client));
    return wait_for(aloop_datagram_wait_closed(client));
}

static int64_t late_send(void *fd, void **value) {
    (void)value;
    TRY(aloop_await(aloop_sleep(0.001), NULL));
    return wait_for(aloop_sock_sendall(*(int *)fd, much, sizeof much));
}

static int64_t sockets(void *arg, void **value) {
    (void)arg, (void)value;
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assert_int_equal(socketpair(AF_UNIX, type, 0, held_fds), 0);
    fd_count = 2;
    static char into[sizeof much];
    aloop_task *sends = hold(aloop_create_task(late_send, &held_fds[0]));
    for (size_t have = 0; have < sizeof much;) {
        const int64_t got = wait_for(aloop_sock_recv_into(held_fds[1], into, sizeof into));
        TRY(got);
        have += (size_t)got;
    }
    return wait_for(aloop_ref(sends));
}

static int64_t files_and_names(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64];
    snprintf(path, sizeof path, "/tmp/aloop-abandon-%d", (int)getpid());
    aloop_file *file = NULL;
    aloop_file_watch *watch = NULL;
    int64_t rc = get(aloop_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), &file);
    if (rc >= 0) rc = aloop_file_watch_new(&watch, path);
    hold(watch);
    if (rc >= 0) aloop_unref(aloop_file_write(file, much, 100000));
    if (rc >= 0) rc = wait_for(aloop_file_pread(file, 100000, 0));
    if (rc >= 0) rc = wait_for(aloop_file_watch_next(watch));
    if (rc >= 0) rc = wait_for(aloop_file_fsync(file));
    if (rc >= 0) rc = wait_for(aloop_getaddrinfo("localhost", NULL, NULL));
    if (rc >= 0) rc = wait_for(aloop_write_file(path, "whole", 5));
    if (rc >= 0) rc = wait_for(aloop_read_file(path, 5));
    if (rc >= 0) rc = wait_for(aloop_file_close(file));
    unlink(path);
    return rc;
}

/* TLS ----------------------------------------------------------------------------------------- */

#ifdef WITH_TLS
static aloop_tls_context *client_tls, *server_tls; /* made once: that takes its time */

static int64_t make_contexts(const struct certificate *own) {
    TRY(aloop_tls_context_new_client(&client_tls));
    TRY(aloop_tls_context_load_verify_memory(client_tls, own->cert));
    TRY(aloop_tls_context_new_server(&server_tls));
    return aloop_tls_context_load_cert_chain_memory(server_tls, own->cert, own->key, NULL);
}

/* program with TLS on both sides. */
static int64_t secured(aloop_coro_fn program) {
    for_client = hold(aloop_stream_options_new());
    for_server = hold(aloop_stream_options_new());
    TRY(aloop_stream_options_set_tls(for_client, client_tls));
    TRY(aloop_stream_options_set_server_hostname(for_client, "localhost"));
    TRY(aloop_stream_options_set_tls(for_server, server_tls));
    return program(NULL, NULL);
}

static int64_t tls_streams(void *arg, void **value) {
    (void)arg, (void)value;
    return secured(streams);
}

static int64_t tls_accepting(void *arg, void **value) {
    (void)arg, (void)value;
    return secured(accepting);
}

static int64_t tls_protocols(void *arg, void **value) {
    (void)arg, (void)value;
    return secured(protocols);
}

/* An upgrade behind what is still to be sent, over a pair. */
static int64_t upgrades(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_stream_options *o = hold(aloop_stream_options_new());
    TRY(aloop_stream_options_set_server_hostname(o, "localhost"));
    aloop_stream *a = NULL, *b = NULL;
    TRY(aloop_stream_pair(&a, &b, NULL));
    hold(a), hold(b);
    TRY(aloop_stream_write(b, much, 150000));
    TRY(wait_for(aloop_stream_readexactly(a, 150000)));
    aloop_task *other = hold(aloop_ensure_future(aloop_stream_start_tls(b, server_tls, NULL)));
    TRY(wait_for(aloop_stream_start_tls(a, client_tls, o)));
    TRY(wait_for(aloop_ref(other)));
    TRY(aloop_stream_write(a, "over TLS\n", 9));
    TRY(wait_for(aloop_stream_readline(b)));
    TRY(aloop_stream_close(a));
    aloop_task *ends = hold(aloop_ensure_future(aloop_stream_wait_closed(a)));
    TRY(wait_for(aloop_stream_read(b, -1)));
    return wait_for(aloop_ref(ends));
}
#endif

/* Running them -------------------------------------------------------------------------------- */

struct program {
    const char *name;
    aloop_coro_fn main;
    bool simulated;
};

static const struct program programs[] = {
    {"streams", streams, true},
    {"streams of the kernel", streams, false},
    {"accepting", accepting, true},
    {"pairs", pairs, true},
    {"files over streams", files_over_streams, false},
    {"protocols", protocols, true},
    {"datagrams", datagrams, true},
    {"datagrams of the kernel", datagrams, false},
    {"sockets", sockets, false},
    {"files and names", files_and_names, false},
#ifdef WITH_TLS
    {"streams over TLS", tls_streams, true},
    {"accepting over TLS", tls_accepting, true},
    {"protocols over TLS", tls_protocols, true},
    {"upgrades", upgrades, true},
#endif
};

static int entries_of(const char *path) {
    int n = 0;
    DIR *directory = opendir(path);
    while (readdir(directory) != NULL) n++;
    closedir(directory);
    return n;
}

static int descriptors(void) { return entries_of("/proc/self/fd"); }

static int threads(void) { return entries_of("/proc/self/task"); }

/* A lookup that was given up goes on in its thread, and has files and sockets of its own open
 * until that ends. */
static void let_threads_end(int before) {
    while (threads() > before) usleep(1000);
}

static void quiet(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

static aloop_loop *make_loop(bool simulated) {
    aloop_loop_options *o = aloop_loop_options_new();
    if (simulated) assert_int_equal(aloop_loop_options_set_simulator(o, 7, 0.001), 0);
    aloop_loop *loop = NULL;
    assert_int_equal(aloop_loop_new(&loop, o), 0);
    aloop_unref(o);
    aloop_loop_set_exception_handler(loop, quiet, NULL, NULL);
    return loop;
}

static int64_t at_rest[64]; /* what there is between two runs: the contexts */

static void assert_clean(const char *what) {
    bool clean = true;
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (aloop_debug_stats(i) == at_rest[i]) continue;
        print_error("%s: %ld %s left\n", what, (long)aloop_debug_stats(i),
                    aloop_debug_stats_name(i));
        clean = false;
    }
    assert_true(clean);
}

enum way { CANCEL, CLOSE };

/* Whether it had ended by itself before the k-th iteration. */
static bool give_up_after(const struct program *p, int k, enum way how) {
    char what[100];
    snprintf(what, sizeof what, "%s, %s after %d", p->name,
             how == CANCEL ? "cancelled" : "closed", k);
    const int before = descriptors(), threads_before = threads();
    for_client = for_server = NULL;
    aloop_loop *loop = make_loop(p->simulated);
    aloop_set_event_loop(loop);
    aloop_task_options *o = aloop_task_options_new();
    aloop_task_options_set_coro(o, p->main, NULL, NULL);
    aloop_task *main_task = aloop_task_new(loop, o);
    aloop_unref(o);
    for (int i = 0; i < k && aloop_future_done(main_task) == 0; i++) {
        assert_true(aloop_loop_run_once(loop, 1) >= 0);
    }
    const bool ended = aloop_future_done(main_task) == 1;
    if (how == CANCEL && !ended) {
        aloop_task_cancel(main_task, "given up");
        const int64_t rc = aloop_loop_run_until_complete(loop, aloop_ref(main_task), NULL);
        if (rc != ALOOP_ECANCELED && rc != 0) fail_msg("%s: %s", what, aloop_errname(rc));
        while (held_count > 0) aloop_unref(held[--held_count]);
        for (int i = 0; i < 3; i++) aloop_loop_run_once(loop, 0);
    } else if (ended && aloop_future_result(main_task, NULL) < 0) {
        fail_msg("%s: %s", what, aloop_errname(aloop_future_result(main_task, NULL)));
    }
    aloop_unref(main_task);
    aloop_set_event_loop(NULL);
    assert_int_equal(aloop_loop_close(loop), 0);
    aloop_loop_unref(loop);
    drop_all();
    assert_clean(what);
    let_threads_end(threads_before);
    if (descriptors() != before) fail_msg("%s: a descriptor is left", what);
    return ended;
}

static void give_up_everywhere(enum way how) {
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        int k = 0;
        while (k < 3000 && !give_up_after(&programs[i], k, how)) k++;
        print_message("%s: %d\n", programs[i].name, k);
        assert_in_range(k, 2, 2999);
    }
}

static void cancelled_after_each_iteration(void **state) {
    (void)state;
    give_up_everywhere(CANCEL);
}

static void closed_after_each_iteration(void **state) {
    (void)state;
    give_up_everywhere(CLOSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cancelled_after_each_iteration),
                                       cmocka_unit_test(closed_after_each_iteration)};
#ifdef WITH_TLS
    struct certificate own = make_certificate(
        (struct certificate_wish){.name = "localhost", .for_names = "DNS:localhost"}, NULL);
    if (make_contexts(&own) < 0) return 1;
    drop_certificate(&own);
#endif
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) at_rest[i] = aloop_debug_stats(i);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
#ifdef WITH_TLS
    aloop_unref(client_tls);
    aloop_unref(server_tls);
#endif
    return failed;
}
