/*
 * Servers under load from a second process: connections held by the thousand,
 * connections made and closed by the thousand, more than there are descriptors for,
 * a client that never reads, one that sends a byte now and then. Every connection is
 * accounted for at both ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/peer.h"

#define AWAIT(future) aloop_await((future), NULL)

enum { k_held = 9000, k_short = 20000 };

/* A process of clients: plain system calls, no loop. It reads its orders from
 * one pipe and answers through another. */
struct clients {
    pid_t pid;
    int orders;
    aloop_stream *answers;
};

static void must(bool what) {
    if (!what) {
        perror("client");
        _exit(1);
    }
}

static int connect_plainly(int port) {
    const int fd = plain_connection(port);
    must(fd >= 0);
    return fd;
}

/* Closes with a reset, so that no port lingers. */
static void close_hard(int fd) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) == 0);
    close(fd);
}

static void answer(int to) { must(write(to, "\n", 1) == 1); }

static struct clients fork_clients(void (*work)(int port, int orders, int answers), int port) {
    struct clients c = {0};
    int down[2], up[2];
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        must(dup2(down[0], 3) == 3 && dup2(up[1], 4) == 4);
        syscall(SYS_close_range, 5, ~0U, 0);
        work(port, 3, 4);
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    c.orders = down[1];
    assert_code(aloop_await(aloop_connect_read_pipe(up[0], NULL), (void **)&c.answers), 0);
    return c;
}

static void await_answer(struct clients *c) {
    assert_reads(aloop_stream_readline(c->answers), "\n");
}

static void go_on(struct clients *c) { assert_int_equal(write(c->orders, "\n", 1), 1); }

static void end_clients(struct clients *c) {
    assert_reads(aloop_stream_read(c->answers, -1), "");
    aloop_stream_close(c->answers);
    AWAIT(aloop_stream_wait_closed(c->answers));
    aloop_unref(c->answers);
    close(c->orders);
    int status;
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static aloop_server *serve(aloop_client_fn handler, void *data) {
    aloop_stream_options *o = aloop_stream_options_new();
    aloop_stream_options_set_backlog(o, 4096);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(handler, data, "127.0.0.1", 0, o),
                            (void **)&server), 0);
    aloop_unref(o);
    return server;
}

static int port_of(aloop_server *server) { return (int)aloop_server_port(server, 0); }

static void end_server(aloop_server *server) {
    assert_code(AWAIT(aloop_server_shutdown(server, k_hang)), 0);
    aloop_unref(server);
}

static int64_t echo(aloop_stream *client, void *served) {
    int64_t rc = 1;
    while (rc > 0) {
        aloop_bytes *got = NULL;
        rc = aloop_await(aloop_stream_read(client, 4096), (void **)&got);
        if (rc > 0) {
            aloop_stream_write(client, aloop_bytes_data(got), aloop_bytes_size(got));
            aloop_bytes_unref(got);
            rc = AWAIT(aloop_stream_drain(client)) < 0 ? -1 : 1;
        } else {
            aloop_bytes_unref(got);
        }
    }
    ++*(int *)served;
    return 0; /* resets are what these clients do */
}

/* All at once ---------------------------------------------------------------------------- */

static void hold(int port, int orders, int answers) {
    static int fds[k_held];
    char byte = 'x';
    for (int i = 0; i < k_held; i++) fds[i] = connect_plainly(port);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < k_held; i++) must(send(fds[i], &byte, 1, 0) == 1);
        for (int i = 0; i < k_held; i++) must(recv(fds[i], &byte, 1, 0) == 1);
        answer(answers);
        must(read(orders, &byte, 1) == 1);
    }
    for (int i = 0; i < k_held; i++) close_hard(fds[i]);
}

static int64_t held(void *arg, void **value) {
    (void)arg, (void)value;
    int served = 0;
    aloop_server *server = serve(echo, &served);
    struct clients c = fork_clients(hold, port_of(server));
    for (int round = 0; round < 2; round++) {
        await_answer(&c);
        assert_code(aloop_server_connections(server, NULL, 0), k_held);
        go_on(&c);
    }
    end_clients(&c);
    end_server(server);
    assert_int_equal(served, k_held);
    return 0;
}

static void on_real_loop(aloop_coro_fn fn) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, fn, NULL), 0);
    close_loop(loop);
}

static void test_held(void **state) {
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = k_held + 200;
    if (limit.rlim_max < limit.rlim_cur) limit.rlim_max = limit.rlim_cur;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    on_real_loop(held);
}

/* One after the other ------------------------------------------------------------------- */

/* How connections ended, as their handlers saw it. */
struct ends {
    int whole, reset, other;
};

static void note_end(struct ends *ends, int64_t status) {
    if (status >= 0) ends->whole++;
    else if (status == ALOOP_ECONNRESET || status == ALOOP_EPIPE) ends->reset++;
    else ends->other++;
}

/* Greets, and answers one line. */
static int64_t greet(aloop_stream *client, void *ends) {
    aloop_bytes *line = NULL;
    int64_t rc = aloop_stream_write(client, "hello\n", 6);
    if (rc >= 0) rc = aloop_await(aloop_stream_readline(client), (void **)&line);
    if (rc >= 0) rc = aloop_stream_write(client, aloop_bytes_data(line), aloop_bytes_size(line));
    if (rc >= 0) rc = AWAIT(aloop_stream_drain(client));
    aloop_bytes_unref(line);
    note_end(ends, rc);
    return 0;
}

static void receive(int fd, const char *text) {
    char got[8];
    const ssize_t n = (ssize_t)strlen(text);
    must(recv(fd, got, (size_t)n, MSG_WAITALL) == n && memcmp(got, text, (size_t)n) == 0);
}

/* The first of four resets at once, and may do so before it is let in. The second
 * does when it was greeted, so that the server knows of it, the third in the middle
 * of a line; the last one is served to its end. */
static void come_and_go(int port, int orders, int answers) {
    (void)orders, (void)answers;
    for (int i = 0; i < k_short; i++) {
        const int fd = connect_plainly(port);
        const int kind = i % 4;
        char byte;
        if (kind > 0) receive(fd, "hello\n");
        if (kind == 2) must(send(fd, "x", 1, 0) == 1);
        if (kind == 3) {
            must(send(fd, "x\n", 2, 0) == 2);
            receive(fd, "x\n");
            must(recv(fd, &byte, 1, 0) == 0);
        }
        close_hard(fd);
    }
}

static int64_t churn(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = {0};
    struct reports reports = {0};
    capture_reports(aloop_get_running_loop(), &reports);
    aloop_server *server = serve(greet, &ends);
    struct clients c = fork_clients(come_and_go, port_of(server));
    end_clients(&c);
    end_server(server);
    assert_int_equal(ends.whole, k_short / 4);
    assert_true(ends.reset >= k_short / 2 && ends.reset <= k_short / 4 * 3);
    assert_int_equal(ends.other, 0);
    assert_int_equal(reports.count, 0);
    return 0;
}

static void test_churn(void **state) {
    (void)state;
    on_real_loop(churn);
}

/* More than there are descriptors for ----------------------------------------------------- */

enum { k_crowd = 300, k_places = 100 };

/* Each comes to its end: greeted, and then served when it asks; or sent away. How
 * many were, it answers when all are settled. */
static void crowd_in(int port, int orders, int answers) {
    static int fds[k_crowd];
    int greeted = 0;
    char line[8];
    for (int i = 0; i < k_crowd; i++) fds[i] = connect_plainly(port);
    for (int i = 0; i < k_crowd; i++) {
        const ssize_t n = recv(fds[i], line, 6, MSG_WAITALL);
        must(n == 6 ? memcmp(line, "hello\n", 6) == 0 : n == 0 || errno == ECONNRESET);
        if (n == 6) fds[greeted++] = fds[i];
        else close(fds[i]);
    }
    char text[16];
    must(snprintf(text, sizeof text, "%d\n", greeted) > 0);
    must(write(answers, text, strlen(text)) > 0);
    must(read(orders, line, 1) == 1);
    for (int i = 0; i < greeted; i++) {
        must(send(fds[i], "x\n", 2, 0) == 2);
        receive(fds[i], "x\n");
        must(recv(fds[i], line, 1, 0) == 0);
        close_hard(fds[i]);
    }
    const int late = connect_plainly(port);
    receive(late, "hello\n");
    close_hard(late);
}

static int64_t crowded(void *arg, void **value) {
    (void)arg, (void)value;
    struct ends ends = {0};
    struct reports reports = {0};
    aloop_loop *loop = aloop_get_running_loop();
    capture_reports(loop, &reports);
    aloop_server *server = serve(greet, &ends);
    struct clients c = fork_clients(crowd_in, port_of(server));
    limit_descriptors(k_places);
    const int64_t begun = aloop_loop_iteration(loop);
    aloop_bytes *line = NULL;
    assert_true(aloop_await(aloop_stream_readline(c.answers), (void **)&line) > 0);
    const int greeted = atoi((const char *)aloop_bytes_data(line));
    aloop_bytes_unref(line);
    assert_int_equal(greeted, k_places);
    assert_code(aloop_server_connections(server, NULL, 0), k_places);
    /* It did not spin meanwhile, and said once what was the matter. */
    assert_true(aloop_loop_iteration(loop) - begun < 20 * k_crowd);
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.list[0].message, "out of system resource"));
    go_on(&c);
    end_clients(&c);
    end_server(server);
    limit_descriptors(-1);
    assert_int_equal(ends.whole, k_places);
    assert_int_equal(ends.reset, 1);
    assert_int_equal(ends.other, 0);
    assert_int_equal(reports.count, 1);
    return 0;
}

static void test_crowded(void **state) {
    (void)state;
    on_real_loop(crowded);
}

/* One that never reads ---------------------------------------------------------------------- */

static void never_read(int port, int orders, int answers) {
    const int fd = connect_plainly(port);
    char byte;
    answer(answers);
    must(read(orders, &byte, 1) == 1);
    close_hard(fd);
}

static int64_t most_queued, written;

static int64_t pour(aloop_stream *client, void *unused) {
    (void)unused;
    static char block[10000];
    int64_t rc = 0;
    while (rc >= 0) {
        rc = aloop_stream_write(client, block, sizeof block);
        if (rc > most_queued) most_queued = rc;
        if (rc >= 0) written += sizeof block;
        if (rc >= 0) rc = AWAIT(aloop_stream_drain(client));
    }
    return 0;
}

static int64_t deaf(void *arg, void **value) {
    (void)arg, (void)value;
    most_queued = written = 0;
    aloop_server *server = serve(pour, NULL);
    struct clients c = fork_clients(never_read, port_of(server));
    await_answer(&c);
    for (int64_t before = -1; before != written || most_queued <= 65536;) { /* it stands still */
        before = written;
        AWAIT(aloop_sleep(0.1));
    }
    assert_true(most_queued > 65536 && most_queued <= 65536 + 10000);
    go_on(&c);
    end_clients(&c);
    end_server(server);
    return 0;
}

static void test_deaf(void **state) {
    (void)state;
    on_real_loop(deaf);
}

/* One that sends a byte now and then, among others ------------------------------------------ */

static void drip_among_others(int port, int orders, int answers) {
    (void)orders;
    enum { k_others = 50, k_rounds = 100 };
    const int slow = connect_plainly(port);
    int fds[k_others];
    char byte = 'x';
    for (int i = 0; i < k_others; i++) fds[i] = connect_plainly(port);
    for (int round = 0; round < k_rounds; round++) {
        if (round % 10 == 0) must(send(slow, &byte, 1, 0) == 1);
        for (int i = 0; i < k_others; i++) must(send(fds[i], "request\n", 8, 0) == 8);
        for (int i = 0; i < k_others; i++) {
            char line[8];
            must(recv(fds[i], line, 8, MSG_WAITALL) == 8 && memcmp(line, "request\n", 8) == 0);
        }
    }
    answer(answers);
    must(send(slow, "\n", 1, 0) == 1); /* the line of the slow one is whole now */
    char line[11];
    must(recv(slow, line, 11, MSG_WAITALL) == 11);
}

static int64_t echo_lines(aloop_stream *client, void *unused) {
    (void)unused;
    for (;;) {
        aloop_bytes *line = NULL;
        const int64_t rc = aloop_await(aloop_stream_readline(client), (void **)&line);
        if (rc > 0) aloop_stream_write(client, aloop_bytes_data(line), aloop_bytes_size(line));
        aloop_bytes_unref(line);
        if (rc <= 0) return 0;
    }
}

static int64_t dripping(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = serve(echo_lines, NULL);
    struct clients c = fork_clients(drip_among_others, port_of(server));
    await_answer(&c); /* the others are done, and the slow one's first line is not whole */
    end_clients(&c);
    end_server(server);
    return 0;
}

static void test_dripping(void **state) {
    (void)state;
    on_real_loop(dripping);
}

SUITE(CASE(test_churn), CASE(test_crowded), CASE(test_deaf), CASE(test_dripping), CASE(test_held))
