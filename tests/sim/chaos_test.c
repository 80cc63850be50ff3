/*
 * chaos_test.c: random calls on both ends of connections, from a seed.
 *
 * Sockets of a simulated world, Unix sockets of the kernel and pairs in memory,
 * with TLS begun on them now and then. Nobody checks what the calls answer, but that
 * nothing crashes (run it under the sanitizers), that everything ends, and that
 * nothing is left.
 *
 *     chaos_test [RUNS [FIRST_SEED]]
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include "../../docs/examples/certificate.h"
#endif

enum { ENDS = 4, OPERATIONS = 12, CALLS = 120 };

static uint64_t number;

static unsigned draw(unsigned n) {
    number = number * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(number >> 33) % n;
}

static char much[100000];
static aloop_tls_context *client_tls, *server_tls;
static aloop_stream_options *named;
static aloop_protocol *protocol;
static int file;

static aloop_stream *ends[ENDS];
static aloop_task *under_way[OPERATIONS];
static char into[OPERATIONS][5000]; /* memory that read_into may use */

/* The callbacks call back now and then. */
static void one_call(void);

static int64_t on_data(aloop_stream *transport, const void *bytes, size_t n, void *data) {
    (void)transport, (void)data;
    volatile unsigned char last = n > 0 ? ((const unsigned char *)bytes)[n - 1] : 0;
    if (draw(3) == 0) one_call();
    if (n > 0 && last != ((const unsigned char *)bytes)[n - 1]) abort(); /* it was read over */
    return draw(20) == 0 ? ALOOP_EUSER - 1 : 0;
}

static int64_t on_event(aloop_stream *transport, void *data) {
    (void)transport, (void)data;
    if (draw(3) == 0) one_call();
    return (int64_t)draw(2);
}

static int64_t on_lost(aloop_stream *transport, int64_t status, aloop_error *error, void *data) {
    (void)transport, (void)status, (void)error, (void)data;
    if (draw(3) == 0) one_call();
    return 0;
}

static void keep(int slot, aloop_future *f) {
    if (f == NULL) return;
    if (under_way[slot] != NULL) aloop_task_cancel(under_way[slot], NULL);
    aloop_unref(under_way[slot]);
    under_way[slot] = aloop_ensure_future(f);
}

static aloop_future *reading(aloop_stream *s, int slot) {
    switch (draw(6)) {
    case 0: return aloop_stream_read(s, (int64_t)draw(5000));
    case 1: return aloop_stream_read(s, -1);
    case 2: return aloop_stream_read_into(s, into[slot], sizeof into[slot]);
    case 3: return aloop_stream_readline(s);
    case 4: return aloop_stream_readexactly(s, (int64_t)draw(100000));
    default: return aloop_stream_readuntil(s, "aab", 3);
    }
}

static void waiting(aloop_stream *s) {
    const int slot = (int)draw(OPERATIONS);
    /* The memory of a read that was cancelled is the caller's again when it is done. */
    if (under_way[slot] != NULL && aloop_future_done(under_way[slot]) == 0) {
        aloop_task_cancel(under_way[slot], NULL);
        return;
    }
    switch (draw(8)) {
    case 0: keep(slot, aloop_stream_drain(s)); break;
    case 1: keep(slot, aloop_stream_sendfile(s, file, draw(1000), draw(2) ? -1 : 50000)); break;
    case 2: keep(slot, aloop_stream_wait_closed(s)); break;
    case 3:
        if (client_tls != NULL && draw(3) == 0) {
            keep(slot, aloop_stream_start_tls(s, draw(2) ? client_tls : server_tls, named));
        }
        break;
    default: keep(slot, reading(s, slot)); break;
    }
}

static void one_call(void) {
    const unsigned which = draw(ENDS);
    aloop_stream *s = ends[which];
    const aloop_buf parts[2] = {{much, draw(10)}, {much, draw(30000)}};
    switch (draw(24)) {
    case 0: aloop_stream_writelines(s, parts, 2); break;
    case 1: case 2: case 3: aloop_stream_write(s, much, draw(50000)); break;
    case 4: aloop_stream_pause_reading(s); break;
    case 5: case 6: aloop_stream_resume_reading(s); break;
    case 7: aloop_stream_set_write_buffer_limits(s, draw(1000), -1); break;
    case 8: aloop_stream_set_protocol(s, draw(2) ? protocol : NULL, NULL); break;
    case 9: if (draw(4) == 0) aloop_stream_write_eof(s); break;
    case 10: if (draw(6) == 0) aloop_stream_close(s); break;
    case 11: if (draw(6) == 0) aloop_stream_abort(s); break;
    case 12:
        aloop_task_cancel(under_way[draw(OPERATIONS)], NULL);
        break;
    case 13: if (draw(8) == 0) { aloop_unref(s); ends[which] = NULL; } break;
    default: waiting(s); break;
    }
}

static int64_t over_tcp(aloop_stream **a, aloop_stream **b) {
    aloop_server *server = NULL;
    int64_t rc = aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, NULL),
                             (void **)&server);
    if (rc < 0) return rc;
    rc = aloop_await(aloop_open_connection("127.0.0.1", (int32_t)aloop_server_port(server, 0),
                                           NULL), (void **)a);
    if (rc >= 0) rc = aloop_await(aloop_server_accept(server), (void **)b);
    aloop_server_close(server);
    aloop_unref(server);
    return rc;
}

static int64_t over_unix(aloop_stream **a, aloop_stream **b) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    aloop_stream **const both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        aloop_stream_options *o = aloop_stream_options_new();
        aloop_stream_options_set_descriptor(o, pair[i]);
        aloop_await(aloop_open_unix_connection(NULL, o), (void **)both[i]);
        aloop_unref(o);
    }
    return 0;
}

/* Drops what is there; the last ones may be left to the loop's close. */
static void end_all(bool in_order) {
    for (int i = 0; i < ENDS; i++) {
        if (in_order) aloop_stream_abort(ends[i]);
        aloop_unref(ends[i]);
        ends[i] = NULL;
    }
    for (int i = 0; i < OPERATIONS; i++) {
        if (in_order && under_way[i] != NULL) aloop_task_cancel(under_way[i], NULL);
        if (in_order && under_way[i] != NULL) aloop_await(aloop_ref(under_way[i]), NULL);
        aloop_unref(under_way[i]);
        under_way[i] = NULL;
    }
}

static int64_t chaos(void *arg, void **value) {
    (void)value;
    const bool simulated = *(const bool *)arg;
    int64_t rc = simulated ? over_tcp(&ends[0], &ends[1]) : over_unix(&ends[0], &ends[1]);
    if (rc >= 0) rc = aloop_stream_pair(&ends[2], &ends[3], NULL);
    if (rc < 0) return rc;
    for (int i = 0; i < CALLS; i++) {
        one_call();
        if (draw(3) == 0) aloop_await(aloop_sleep(draw(4) == 0 ? 0.002 : 0), NULL);
    }
    if (draw(4) != 0) end_all(true);
    return 0;
}

static void quiet(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

static int64_t at_rest[64];

/* Kinds of which something is left. */
static int dirty_kinds(uint64_t seed, bool say) {
    int kinds = 0;
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (aloop_debug_stats(i) == at_rest[i]) continue;
        if (say) {
            fprintf(stderr, "seed %lu: %ld %s left\n", (unsigned long)seed,
                    (long)(aloop_debug_stats(i) - at_rest[i]), aloop_debug_stats_name(i));
        }
        kinds++;
    }
    return kinds;
}

/* A thread that reads a file for a loop that is closed may be late. */
static bool is_clean(uint64_t seed) {
    for (int i = 0; i < 100000 && dirty_kinds(seed, false) != 0; i++) usleep(1000);
    return dirty_kinds(seed, true) == 0;
}

static bool run(uint64_t seed, bool simulated) {
    number = seed * 2 + simulated;
    aloop_loop_options *o = aloop_loop_options_new();
    if (simulated) aloop_loop_options_set_simulator(o, seed, 0.001);
    aloop_loop *loop = NULL;
    int64_t rc = aloop_loop_new(&loop, o);
    aloop_unref(o);
    if (rc < 0) return false;
    aloop_loop_set_exception_handler(loop, quiet, NULL, NULL);
    aloop_set_event_loop(loop);
    aloop_task_options *t = aloop_task_options_new();
    aloop_task_options_set_coro(t, chaos, &simulated, NULL);
    rc = aloop_loop_run_until_complete(loop, aloop_task_new(loop, t), NULL);
    aloop_unref(t);
    for (int i = 0; i < 5; i++) aloop_loop_run_once(loop, 0);
    aloop_set_event_loop(NULL);
    aloop_loop_close(loop);
    end_all(false);
    aloop_loop_unref(loop);
    if (rc < 0) fprintf(stderr, "seed %lu: %s\n", (unsigned long)seed, aloop_errname(rc));
    return is_clean(seed) && rc >= 0;
}

#ifdef WITH_TLS
static int64_t make_contexts(void) {
    struct certificate own = make_certificate(
        (struct certificate_wish){.name = "localhost", .for_names = "DNS:localhost"}, NULL);
    int64_t rc = aloop_tls_context_new_client(&client_tls);
    if (rc == 0) rc = aloop_tls_context_load_verify_memory(client_tls, own.cert);
    if (rc == 0) rc = aloop_tls_context_new_server(&server_tls);
    if (rc == 0) {
        rc = aloop_tls_context_load_cert_chain_memory(server_tls, own.cert, own.key, NULL);
    }
    drop_certificate(&own);
    return rc;
}
#endif

static int prepare(void) {
    char path[] = "/tmp/aloop-chaos-XXXXXX";
    memset(much, 'a', sizeof much);
    for (size_t i = 0; i < sizeof much; i += 777) much[i] = 'b';
    for (size_t i = 0; i < sizeof much; i += 9999) much[i] = '\n';
    file = mkstemp(path);
    unlink(path);
    if (write(file, much, sizeof much) != (ssize_t)sizeof much) return 1;
    protocol = aloop_protocol_new();
    aloop_protocol_set_data_received(protocol, on_data);
    aloop_protocol_set_eof_received(protocol, on_event);
    aloop_protocol_set_pause_writing(protocol, on_event);
    aloop_protocol_set_resume_writing(protocol, on_event);
    aloop_protocol_set_connection_lost(protocol, on_lost);
#ifdef WITH_TLS
    if (make_contexts() < 0) return 1;
    named = aloop_stream_options_new();
    aloop_stream_options_set_server_hostname(named, "localhost");
    aloop_stream_options_set_tls_shutdown_timeout(named, 0.05);
    aloop_stream_options_set_tls_handshake_timeout(named, 0.05);
#endif
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) at_rest[i] = aloop_debug_stats(i);
    return 0;
}

int main(int argc, char **argv) {
    const uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : 300;
    const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (prepare() != 0) return 1;
    for (uint64_t seed = first; seed < first + runs; seed++) {
        if (!run(seed, true) || !run(seed, false)) return 1;
    }
    printf("%lu seeds\n", (unsigned long)runs);
    aloop_unref(client_tls);
    aloop_unref(server_tls);
    aloop_unref(named);
    aloop_unref(protocol);
    close(file);
    return 0;
}
