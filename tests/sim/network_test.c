/*
 * network_test.c: servers and clients in a simulated world.
 *
 * Every client sends lines of random length and checks what comes back, while
 * delays, short reads and writes and interruptions are drawn from the seed. The
 * same seed must give the same run, to the nanosecond of virtual time; no byte
 * may be lost; a hundred thousand connections fit into one process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asyncloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t echo(aloop_stream *stream, void *data) {
    (void)data;
    for (;;) {
        aloop_bytes *some = NULL;
        int64_t status = aloop_await(aloop_stream_read(stream, 65536), (void **)&some);
        if (status > 0) {
            status = aloop_stream_write(stream, aloop_bytes_data(some), aloop_bytes_size(some));
        } else if (status == 0) {
            status = ALOOP_ESTOPITERATION;
        }
        aloop_bytes_unref(some);
        if (status >= 0) status = aloop_await(aloop_stream_drain(stream), NULL);
        if (status < 0) break;
    }
    return 0;
}

struct world {
    int clients;
    int lines;
    uint32_t random;
    int port;
    int finished;
    int64_t bytes;
    double time; /* at the end */
};

static uint32_t next_random(struct world *w) {
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 8;
}

/* One line there and back: equal, or a failed test. */
static int64_t send_line(struct world *w, aloop_stream *stream, size_t length) {
    char *line = malloc(length + 1);
    memset(line, 'a' + (int)(next_random(w) % 26), length);
    line[length] = '\n';
    int64_t status = aloop_stream_write(stream, line, length + 1);
    if (status >= 0) status = aloop_await(aloop_stream_drain(stream), NULL);
    aloop_bytes *back = NULL;
    if (status >= 0) status = aloop_await(aloop_stream_readline(stream), (void **)&back);
    if (status >= 0) {
        assert_int_equal(aloop_bytes_size(back), length + 1);
        assert_memory_equal(aloop_bytes_data(back), line, length + 1);
        w->bytes += status;
    }
    aloop_bytes_unref(back);
    free(line);
    return status;
}

static int64_t client(void *arg, void **value) {
    struct world *w = arg;
    (void)value;
    aloop_stream *stream = NULL;
    int64_t status =
        aloop_await(aloop_open_connection("127.0.0.1", w->port, NULL), (void **)&stream);
    for (int i = 0; i < w->lines && status >= 0; i++) {
        status = send_line(w, stream, next_random(w) % (w->clients > 1000 ? 100 : 20000));
    }
    if (stream != NULL) {
        aloop_stream_close(stream);
        const int64_t closed = aloop_await(aloop_stream_wait_closed(stream), NULL);
        if (status >= 0) status = closed;
        aloop_unref(stream);
    }
    if (status >= 0) w->finished++;
    return status;
}

static int64_t run_world(void *arg, void **value) {
    struct world *w = arg;
    (void)value;
    aloop_stream_options *options = aloop_stream_options_new();
    aloop_stream_options_set_backlog(options, w->clients);
    aloop_server *server = NULL;
    int64_t status = aloop_await(aloop_start_server(echo, NULL, "127.0.0.1", 0, options),
                                 (void **)&server);
    aloop_unref(options);
    if (status < 0) return status;
    w->port = (int)aloop_server_port(server, 0);
    aloop_task_group *group = NULL;
    status = aloop_task_group_enter(&group);
    for (int i = 0; i < w->clients && status >= 0; i++) {
        status = aloop_task_group_spawn(group, client, w);
    }
    status = aloop_task_group_exit(group, status);
    w->time = aloop_loop_time(aloop_get_running_loop());
    aloop_server_close(server);
    const int64_t closed = aloop_await(aloop_server_wait_closed(server), NULL);
    aloop_unref(server);
    return status < 0 ? status : closed;
}

static struct world simulate(uint64_t seed, int clients, int lines) {
    struct world w = {.clients = clients, .lines = lines, .random = (uint32_t)seed};
    aloop_loop_options *options = aloop_loop_options_new();
    assert_int_equal(aloop_loop_options_set_simulator(options, seed, 0.02), 0);
    aloop_runner *runner = NULL;
    assert_int_equal(aloop_runner_new(&runner, options), 0);
    aloop_unref(options);
    const int64_t status = aloop_runner_run(runner, run_world, &w, NULL);
    aloop_runner_close(runner);
    aloop_unref(runner);
    if (status < 0) fail_msg("seed %lu: %s", (unsigned long)seed, aloop_errname(status));
    assert_int_equal(w.finished, clients);
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        assert_int_equal(aloop_debug_stats(i), 0);
    }
    return w;
}

static void many_seeds_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) simulate(seed, 10, 5);
}

static void a_seed_is_one_run(void **state) {
    (void)state;
    const struct world first = simulate(7, 50, 10);
    const struct world second = simulate(7, 50, 10);
    const struct world other = simulate(8, 50, 10);
    assert_true(first.time == second.time);
    assert_int_equal(first.bytes, second.bytes);
    assert_true(first.time != other.time);
}

static void a_hundred_thousand_connections(void **state) {
    (void)state;
    const struct world w = simulate(1, 100000, 1);
    print_message("100,000 connections in %.3f s of virtual time\n", w.time);
}

static void nothing_left_to_happen_ends_the_run(void **state) {
    (void)state;
    /* See run_until_complete: a loop on which nothing can ever happen stops. */
    aloop_loop_options *options = aloop_loop_options_new();
    aloop_loop_options_set_simulator(options, 1, 0);
    aloop_loop *loop = NULL;
    assert_int_equal(aloop_loop_new(&loop, options), 0);
    aloop_unref(options);
    aloop_future *never = aloop_loop_create_future(loop);
    assert_int_equal(aloop_loop_run_until_complete(loop, never, NULL), ALOOP_ELOOPSTOPPED);
    aloop_loop_close(loop);
    aloop_unref(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_seeds_lose_nothing),
        cmocka_unit_test(a_seed_is_one_run),
        cmocka_unit_test(a_hundred_thousand_connections),
        cmocka_unit_test(nothing_left_to_happen_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
