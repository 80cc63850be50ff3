/*
 * Datagram endpoints: sending, receiving, batches, limits, errors, closing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT(future) aloop_await((future), NULL)

static aloop_datagram *create(aloop_datagram_options *o) {
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    return d;
}

static aloop_datagram_options *bound(const char *host) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_non_null(o);
    assert_code(aloop_datagram_options_set_local_address(o, host, 0), 0);
    return o;
}

static aloop_datagram *on_loopback(void) { return create(bound("127.0.0.1")); }

/* Connected to an endpoint on the loopback. */
static aloop_datagram *connected_to(aloop_datagram *peer) {
    aloop_address *at = aloop_datagram_local_address(peer);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_remote_address(o, "127.0.0.1",
                                                          (int32_t)aloop_address_port(at)), 0);
    aloop_unref(at);
    return create(o);
}

static void finish(aloop_datagram *d) {
    assert_code(aloop_datagram_close(d), 0);
    assert_code(AWAIT(aloop_datagram_wait_closed(d)), 0);
    aloop_unref(d);
}

static void send_text(aloop_datagram *d, const char *text, aloop_address *to) {
    const int64_t n = (int64_t)strlen(text);
    assert_code(AWAIT(aloop_datagram_sendto(d, text, (size_t)n, to)), n);
}

/* The sender, a reference. */
static aloop_address *receive_text(aloop_datagram *d, const char *text) {
    aloop_packet *p = NULL;
    assert_code(aloop_await(aloop_datagram_recvfrom(d), (void **)&p), (int64_t)strlen(text));
    assert_int_equal(aloop_packet_size(p), strlen(text));
    assert_string_equal((const char *)aloop_packet_data(p), text);
    assert_int_equal(aloop_packet_truncated(p), 0);
    aloop_address *from = aloop_ref(aloop_packet_address(p));
    aloop_unref(p);
    return from;
}

static void expect_text(aloop_datagram *d, const char *text) {
    aloop_unref(receive_text(d, text));
}

static int64_t stat_of(aloop_datagram *d, int32_t which) {
    return aloop_datagram_statistic(d, which);
}

static int64_t there_and_back(void *host, void **value) {
    (void)value;
    aloop_datagram *a = create(bound(host)), *b = create(bound(host));
    aloop_address *to_b = aloop_datagram_local_address(b);
    assert_null(aloop_datagram_remote_address(b));
    send_text(a, "hello", to_b);
    aloop_address *from = receive_text(b, "hello");
    aloop_address *own = aloop_datagram_local_address(a);
    assert_int_equal(aloop_address_equal(from, own), 1);
    send_text(b, "", from); /* an empty datagram is one */
    expect_text(a, "");
    assert_int_equal(stat_of(a, ALOOP_DATAGRAM_STAT_SENT), 1);
    assert_int_equal(stat_of(a, ALOOP_DATAGRAM_STAT_RECEIVED), 1);
    assert_int_equal(stat_of(b, ALOOP_DATAGRAM_STAT_RECEIVED), 1);
    assert_int_equal(stat_of(b, ALOOP_DATAGRAM_STAT_LOST), 0);
    char text[64], expected[ALOOP_ADDRESS_TEXT];
    aloop_address_format(own, expected, sizeof expected);
    assert_true(aloop_datagram_get_extra_info(a, "sockname", text, sizeof text) > 0);
    assert_string_equal(text, expected);
    assert_code(aloop_datagram_get_extra_info(a, "peername", text, sizeof text), ALOOP_ENOENT);
    assert_code(aloop_datagram_get_extra_info(a, "cipher", text, sizeof text), ALOOP_ENOENT);
    assert_true(aloop_datagram_get_extra_info(a, "fd", text, sizeof text) == atoi(text));
    aloop_unref(own);
    aloop_unref(from);
    aloop_unref(to_b);
    finish(a);
    finish(b);
    return 0;
}

static void test_there_and_back(void **state) {
    (void)state;
    assert_code(run_virtual(there_and_back, "127.0.0.1", NULL), 0);
    if (has_ipv6()) assert_code(run_virtual(there_and_back, "::1", NULL), 0);
    assert_code(run_virtual(there_and_back, "localhost", NULL), 0);
}

static int64_t connected(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = on_loopback(), *client = connected_to(server);
    aloop_address *remote = aloop_datagram_remote_address(client);
    char text[160], peer[64];
    assert_true(aloop_datagram_get_extra_info(client, "peername", peer, sizeof peer) > 0);
    send_text(client, "one", NULL);
    send_text(client, "two", remote); /* the same one */
    expect_text(server, "one");
    aloop_address *from = receive_text(server, "two");
    aloop_address *other = NULL;
    assert_code(aloop_address_new(&other, "127.0.0.1", 1), 0);
    aloop_future *f = aloop_datagram_sendto(client, "x", 1, other);
    assert_code(AWAIT(f), ALOOP_EINVAL);
    snprintf(text, sizeof text, "Invalid address: must be None or ('127.0.0.1', %d)",
             (int)aloop_address_port(remote));
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    assert_code(aloop_datagram_sendto_nowait(client, "x", 1, other), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendto(server, "x", 1, NULL), -EDESTADDRREQ);
    send_text(server, "three", from);
    expect_text(client, "three");
    aloop_unref(other);
    aloop_unref(from);
    aloop_unref(remote);
    finish(server);
    finish(client);
    return 0;
}

static void test_connected(void **state) {
    (void)state;
    in_task(connected);
}

/* Nobody listens: the kernel tells so later, and the endpoint goes on. */
static int64_t refused(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = on_loopback(), *client = connected_to(server);
    aloop_address *at = aloop_datagram_local_address(server);
    finish(server);
    send_text(client, "lost", NULL);
    assert_code(AWAIT(aloop_datagram_recvfrom(client)), ALOOP_ECONNREFUSED);
    send_text(client, "lost", NULL);
    assert_code(AWAIT(aloop_datagram_sendto(client, "x", 1, NULL)), ALOOP_ECONNREFUSED);
    assert_int_equal(stat_of(client, ALOOP_DATAGRAM_STAT_SEND_ERRORS), 1);
    /* One that waits is told, too. */
    aloop_future *waits = aloop_ensure_future(aloop_datagram_recvfrom(client));
    let_run(2);
    send_text(client, "lost", NULL);
    assert_code(AWAIT(waits), ALOOP_ECONNREFUSED);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1",
                                                         (int32_t)aloop_address_port(at)), 0);
    server = create(o);
    send_text(client, "found", NULL);
    expect_text(server, "found");
    aloop_unref(at);
    finish(server);
    finish(client);
    return 0;
}

static void test_refused(void **state) {
    (void)state;
    in_task(refused);
}

static int64_t batches(void *arg, void **value) {
    (void)arg, (void)value;
    enum { N = 100 };
    aloop_datagram *server = on_loopback(), *client = connected_to(server);
    char texts[N][8];
    aloop_buf all[N];
    for (int i = 0; i < N; i++) {
        all[i] = (aloop_buf){texts[i], (size_t)snprintf(texts[i], sizeof texts[i], "%d", i)};
    }
    assert_code(AWAIT(aloop_datagram_sendmany(client, all, NULL, N)), N);
    assert_code(AWAIT(aloop_datagram_sendmany(client, NULL, NULL, 0)), 0);
    int next = 0;
    while (next < N) {
        aloop_packets *list = NULL;
        const int64_t n = aloop_await(aloop_datagram_recvmany(server, 10), (void **)&list);
        assert_true(n >= 1 && n <= 10);
        assert_int_equal(aloop_packets_count(list), n);
        assert_null(aloop_packets_at(list, n));
        assert_null(aloop_packets_at(list, -1));
        for (int64_t i = 0; i < n; i++) {
            aloop_packet *p = aloop_packets_at(list, i);
            assert_string_equal((const char *)aloop_packet_data(p), texts[next++]);
        }
        aloop_packet *kept = aloop_ref(aloop_packets_at(list, n - 1));
        aloop_unref(list);
        assert_string_equal((const char *)aloop_packet_data(kept), texts[next - 1]);
        aloop_unref(kept);
    }
    /* With addresses, some to one that refuses them. */
    aloop_address *to = aloop_datagram_local_address(server), *broadcast = NULL;
    assert_code(aloop_address_new(&broadcast, "255.255.255.255", 9), 0);
    aloop_address *targets[3] = {to, broadcast, to};
    assert_code(AWAIT(aloop_datagram_sendmany(server, all, targets, 3)), 1);
    assert_code(AWAIT(aloop_datagram_sendmany(server, all + 1, targets + 1, 2)), -EACCES);
    expect_text(server, "0");
    assert_failed(aloop_datagram_sendmany(client, all, targets, 2), ALOOP_EINVAL);
    targets[1] = NULL;
    assert_failed(aloop_datagram_sendmany(server, all, targets, 2), -EDESTADDRREQ);
    aloop_unref(broadcast);
    aloop_unref(to);
    finish(server);
    finish(client);
    return 0;
}

static void test_batches(void **state) {
    (void)state;
    in_task(batches);
}

static int64_t truncation(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_options *o = bound("127.0.0.1");
    assert_code(aloop_datagram_options_set_max_size(o, 4), 0);
    assert_code(aloop_datagram_options_set_batch(o, 1), 0);
    aloop_datagram *server = create(o), *client = connected_to(server);
    static const char *const texts[] = {"123", "1234", "12345"};
    for (int i = 0; i < 3; i++) send_text(client, texts[i], NULL);
    for (int i = 0; i < 3; i++) {
        aloop_packet *p = NULL;
        assert_code(aloop_await(aloop_datagram_recvfrom(server), (void **)&p), i == 0 ? 3 : 4);
        assert_int_equal(aloop_packet_truncated(p), i == 2);
        assert_memory_equal(aloop_packet_data(p), "1234", i == 0 ? 3 : 5 - (i > 0));
        aloop_unref(p);
    }
    assert_int_equal(stat_of(server, ALOOP_DATAGRAM_STAT_TRUNCATED), 1);
    /* The longest that IPv4 carries passes whole through a default endpoint. */
    static char big[65507];
    memset(big, 'b', sizeof big);
    aloop_datagram *wide = on_loopback();
    aloop_address *to = aloop_datagram_local_address(wide);
    aloop_datagram *sender = connected_to(wide);
    assert_code(AWAIT(aloop_datagram_sendto(sender, big, sizeof big, NULL)), sizeof big);
    aloop_packet *p = NULL;
    assert_code(aloop_await(aloop_datagram_recvfrom(wide), (void **)&p), sizeof big);
    assert_memory_equal(aloop_packet_data(p), big, sizeof big);
    aloop_unref(p);
    char *bigger = calloc(1, 65508);
    assert_code(AWAIT(aloop_datagram_sendto(sender, bigger, 65508, NULL)), -EMSGSIZE);
    free(bigger);
    aloop_unref(to);
    finish(sender);
    finish(wide);
    finish(server);
    finish(client);
    return 0;
}

static void test_truncation(void **state) {
    (void)state;
    in_task(truncation);
}

/* What the kernel's buffer does not hold is dropped, and counted. */
static int64_t overrun(void *arg, void **value) {
    (void)arg, (void)value;
    enum { N = 1000 };
    aloop_datagram_options *o = bound("127.0.0.1");
    assert_code(aloop_datagram_options_set_receive_buffer(o, 4096), 0);
    aloop_datagram *server = create(o), *client = connected_to(server);
    static char block[1000];
    for (int i = 0; i < N; i++) {
        assert_int_equal(aloop_datagram_sendto_nowait(client, block, sizeof block, NULL), 0);
    }
    aloop_packets *list = NULL;
    int64_t got = 0;
    while (aloop_await(aloop_wait_for(aloop_datagram_recvmany(server, 1000), k_hang),
                       (void **)&list) > 0) {
        got += aloop_packets_count(list);
        aloop_unref(list);
        send_text(client, "after", NULL); /* brings the count along */
        aloop_unref(receive_text(server, "after"));
        if (stat_of(server, ALOOP_DATAGRAM_STAT_DROPPED) + got >= N) break;
    }
    assert_true(got > 0 && got < N);
    assert_int_equal(stat_of(server, ALOOP_DATAGRAM_STAT_DROPPED) + got, N);
    finish(server);
    finish(client);
    return 0;
}

static void test_overrun(void **state) {
    (void)state;
    in_task(overrun);
}

static aloop_datagram *on_path(const char *local, const char *remote) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    if (local != NULL) assert_code(aloop_datagram_options_set_local_path(o, local), 0);
    if (remote != NULL) assert_code(aloop_datagram_options_set_remote_path(o, remote), 0);
    return create(o);
}

static int64_t unix_datagrams(void *arg, void **value) {
    (void)arg, (void)value;
    char path[64], name[64];
    snprintf(path, sizeof path, "/tmp/aloop-datagram-%d", (int)getpid());
    snprintf(name, sizeof name, "@aloop-datagram-%d", (int)getpid());
    aloop_datagram *server = on_path(path, NULL);
    finish(server); /* leaves its file */
    struct stat what;
    assert_int_equal(stat(path, &what), 0);
    server = on_path(path, NULL); /* which is in nobody's way */
    aloop_datagram *client = on_path(name, path);
    send_text(client, "over a path", NULL);
    aloop_address *from = receive_text(server, "over a path");
    char text[ALOOP_ADDRESS_TEXT];
    aloop_address_format(from, text, sizeof text);
    assert_string_equal(text, name);
    send_text(server, "back", from);
    expect_text(client, "back");
    aloop_unref(from);
    finish(client);
    /* An unnamed sender. */
    client = on_path(NULL, path);
    send_text(client, "who", NULL);
    from = receive_text(server, "who");
    aloop_address_format(from, text, sizeof text);
    assert_string_equal(text, "");
    aloop_unref(from);
    finish(client);
    /* Without any address, only a family. */
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_family(o, AF_UNIX), 0);
    client = create(o);
    aloop_address *to = NULL;
    assert_code(aloop_address_new_unix(&to, path), 0);
    send_text(client, "no peer", to);
    expect_text(server, "no peer");
    aloop_unref(to);
    finish(client);
    finish(server);
    unlink(path);
    /* A file that is no socket is left alone. */
    FILE *file = fopen(path, "w");
    fclose(file);
    o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_path(o, path), 0);
    assert_code(AWAIT(aloop_create_datagram_endpoint(o)), -EADDRINUSE);
    aloop_unref(o);
    unlink(path);
    return 0;
}

static void test_unix_datagrams(void **state) {
    (void)state;
    in_task(unix_datagrams);
}

static int64_t send_one_more(void *endpoint, void **value) {
    (void)value;
    return AWAIT(aloop_datagram_sendto(endpoint, "more", 4, NULL));
}

/* A Unix receiver's queue is full: datagrams are queued, then senders wait. */
static int64_t back_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-pressure-%d", (int)getpid());
    aloop_datagram *server = on_path(name, NULL), *client = on_path(NULL, name);
    assert_code(aloop_datagram_set_write_buffer_limits(client, 64, 24), 0);
    static char block[16];
    int sent = 0;
    while (aloop_datagram_sendto_nowait(client, block, sizeof block, NULL) == 0) sent++;
    assert_true(sent > 0);
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 16 + 8);
    assert_code(AWAIT(aloop_datagram_drain(client)), 0);
    assert_code(AWAIT(aloop_datagram_sendto(client, block, 16, NULL)), 16); /* 48 wait */
    assert_code(AWAIT(aloop_datagram_sendto(client, block, 8, NULL)), 8);   /* 64: the mark */
    assert_code(AWAIT(aloop_datagram_drain(client)), 0);
    assert_code(AWAIT(aloop_datagram_sendto(client, NULL, 0, NULL)), 0); /* 72 */
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 72);
    aloop_task *blocked = aloop_create_task(send_one_more, client);
    aloop_task *given_up = aloop_create_task(send_one_more, client);
    aloop_task *drained = aloop_ensure_future(aloop_datagram_drain(client));
    let_run(3);
    assert_int_equal(aloop_future_done(blocked), 0);
    aloop_task_cancel(given_up, NULL);
    assert_code(AWAIT(given_up), ALOOP_ECANCELED);
    int64_t got = 0;
    while (!aloop_future_done(blocked) || !aloop_future_done(drained)) {
        assert_true(AWAIT(aloop_datagram_recvfrom(server)) >= 0);
        got++;
        let_run(2);
    }
    assert_code(AWAIT(blocked), 4);
    assert_code(AWAIT(drained), 0);
    for (; got < sent + 5; got++) assert_true(AWAIT(aloop_datagram_recvfrom(server)) >= 0);
    assert_int_equal(aloop_datagram_get_write_buffer_size(client), 0);
    assert_int_equal(stat_of(client, ALOOP_DATAGRAM_STAT_SENT), sent + 5);
    /* A batch is sent as far as there is room, and the rest when there is more. */
    aloop_buf all[40];
    for (int i = 0; i < 40; i++) all[i] = (aloop_buf){block, sizeof block};
    aloop_task *many = aloop_ensure_future(aloop_datagram_sendmany(client, all, NULL, 40));
    let_run(3);
    assert_int_equal(aloop_future_done(many), 0);
    for (int i = 0; i < 40; i++) assert_code(AWAIT(aloop_datagram_recvfrom(server)), 16);
    assert_code(AWAIT(many), 40);
    /* Closing sends what is queued. */
    for (sent = 0; aloop_datagram_get_write_buffer_size(client) == 0; sent++) {
        assert_true(aloop_datagram_sendto_nowait(client, block, sizeof block, NULL) >= 0);
    }
    assert_code(aloop_datagram_close(client), 0);
    let_run(3);
    for (int i = 0; i < sent; i++) assert_code(AWAIT(aloop_datagram_recvfrom(server)), 16);
    assert_code(AWAIT(aloop_datagram_wait_closed(client)), 0);
    aloop_unref(client);
    finish(server);
    return 0;
}

static void test_back_pressure(void **state) {
    (void)state;
    in_task(back_pressure);
}

/* Full of another one's datagrams: the kernel would never wake an unconnected
 * sender. */
static int64_t foreign_pressure(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-foreign-%d", (int)getpid());
    aloop_datagram *server = on_path(name, NULL), *first = on_path(NULL, name);
    int filled = 0;
    while (aloop_datagram_sendto_nowait(first, "x", 1, NULL) == 0) filled++;
    assert_code(aloop_datagram_abort(first), 0);
    aloop_unref(first);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_family(o, AF_UNIX), 0);
    aloop_datagram *second = create(o);
    aloop_address *to = NULL;
    assert_code(aloop_address_new_unix(&to, name), 0);
    assert_int_equal(aloop_datagram_sendto_nowait(second, "late", 4, to), 4 + 8);
    aloop_unref(to);
    for (int i = 0; i < filled; i++) expect_text(server, "x");
    expect_text(server, "late");
    finish(second);
    finish(server);
    return 0;
}

static void test_foreign_pressure(void **state) {
    (void)state;
    in_task(foreign_pressure);
}

/* One that waits in the queue is refused: who comes next is told. */
static int64_t queued_refused(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-queued-%d", (int)getpid());
    for (int i = 0; i < 2; i++) {
        aloop_datagram *server = on_path(name, NULL), *client = on_path(NULL, name);
        while (aloop_datagram_sendto_nowait(client, "x", 1, NULL) == 0) continue;
        assert_int_equal(aloop_datagram_get_write_buffer_size(client), 1 + 8);
        aloop_future *waits = i == 0 ? aloop_ensure_future(aloop_datagram_recvfrom(client)) : NULL;
        assert_code(aloop_datagram_abort(server), 0);
        assert_code(AWAIT(aloop_datagram_wait_closed(server)), 0);
        aloop_unref(server);
        for (int n = 0; n < 100 && aloop_datagram_get_write_buffer_size(client) > 0; n++) {
            let_run(1);
        }
        if (waits == NULL) waits = aloop_datagram_sendto(client, "y", 1, NULL);
        const int64_t code = AWAIT(waits);
        assert_true(code == ALOOP_ECONNREFUSED || code == ALOOP_ECONNRESET);
        assert_int_equal(stat_of(client, ALOOP_DATAGRAM_STAT_SEND_ERRORS), 1);
        finish(client);
    }
    return 0;
}

static void test_a_queued_one_is_refused(void **state) {
    (void)state;
    in_task(queued_refused);
}

static int64_t closing(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *d = on_loopback();
    aloop_future *waits = aloop_ensure_future(aloop_datagram_recvfrom(d));
    aloop_future *second = aloop_ensure_future(aloop_datagram_recvfrom(d));
    let_run(2);
    assert_code(AWAIT(second), ALOOP_EBUSY);
    aloop_future *closed = aloop_ensure_future(aloop_datagram_wait_closed(d));
    aloop_future *given_up = aloop_ensure_future(aloop_datagram_wait_closed(d));
    let_run(2);
    assert_int_equal(aloop_future_cancel(given_up, NULL), 1);
    assert_code(AWAIT(given_up), ALOOP_ECANCELED);
    assert_int_equal(aloop_datagram_is_closing(d), 0);
    assert_code(aloop_datagram_close(d), 0);
    assert_code(aloop_datagram_close(d), 0);
    assert_int_equal(aloop_datagram_is_closing(d), 1);
    assert_code(AWAIT(waits), ALOOP_ESTALE);
    assert_code(AWAIT(closed), 0);
    assert_code(AWAIT(aloop_datagram_recvfrom(d)), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_datagram_recvmany(d, 1)), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_datagram_drain(d)), ALOOP_ESTALE);
    aloop_address *to = NULL;
    assert_code(aloop_address_new(&to, "127.0.0.1", 9), 0);
    const aloop_buf one = {"x", 1};
    assert_code(AWAIT(aloop_datagram_sendto(d, "x", 1, to)), ALOOP_ESTALE);
    assert_code(AWAIT(aloop_datagram_sendmany(d, &one, &to, 1)), ALOOP_ESTALE);
    assert_code(aloop_datagram_sendto_nowait(d, "x", 1, to), ALOOP_ESTALE);
    assert_code(aloop_datagram_abort(d), 0);
    assert_code(aloop_datagram_get_extra_info(d, "fd", NULL, 0), ALOOP_ENOENT);
    assert_code(aloop_datagram_get_extra_info(d, "sockname", NULL, 0), ALOOP_ENOENT);
    assert_null(aloop_datagram_local_address(d));
    aloop_unref(to);
    aloop_unref(d);
    /* Dropped open, and left to the loop's close. */
    aloop_unref(on_loopback());
    let_run(2);
    *(aloop_datagram **)arg = on_loopback();
    return 0;
}

static void test_closing(void **state) {
    (void)state;
    aloop_datagram *left = NULL;
    assert_code(run_virtual(closing, &left, NULL), 0);
    assert_code(aloop_datagram_close(left), ALOOP_ESTALE);
    aloop_unref(left);
}

static int64_t cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = on_loopback(), *client = connected_to(server);
    aloop_task *waits = aloop_ensure_future(aloop_datagram_recvfrom(server));
    let_run(2);
    send_text(client, "kept", NULL); /* arrives in the iteration of the cancel */
    aloop_task_cancel(waits, NULL);
    assert_code(AWAIT(waits), ALOOP_ECANCELED);
    expect_text(server, "kept");
    assert_code(AWAIT(aloop_wait_for(aloop_datagram_recvfrom(server), 0.01)), ALOOP_ETIMEDOUT);
    send_text(client, "still", NULL);
    expect_text(server, "still");
    aloop_future *unstarted = aloop_create_datagram_endpoint(NULL);
    assert_failed(unstarted, ALOOP_EINVAL);
    aloop_datagram_options *o = bound("127.0.0.1");
    unstarted = aloop_create_datagram_endpoint(o);
    assert_int_equal(aloop_future_cancel(unstarted, NULL), 1);
    assert_code(AWAIT(unstarted), ALOOP_ECANCELED);
    assert_code(AWAIT(aloop_create_datagram_endpoint(o)), 0); /* nobody takes it */
    aloop_unref(o);
    o = bound("localhost");
    aloop_task *resolving = aloop_ensure_future(aloop_create_datagram_endpoint(o));
    let_run(1);
    aloop_task_cancel(resolving, NULL);
    assert_code(AWAIT(resolving), ALOOP_ECANCELED);
    aloop_unref(o);
    finish(server);
    finish(client);
    return 0;
}

static void test_cancelled(void **state) {
    (void)state;
    in_task(cancelled);
}

static int64_t create_fails(aloop_datagram_options *o) {
    const int64_t rc = AWAIT(aloop_create_datagram_endpoint(o));
    aloop_unref(o);
    return rc;
}

static int64_t failing_creations(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(create_fails(o), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()), "unexpected address family");
    aloop_datagram *taken = on_loopback();
    aloop_address *at = aloop_datagram_local_address(taken);
    o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1",
                                                         (int32_t)aloop_address_port(at)), 0);
    assert_code(create_fails(o), -EADDRINUSE);
    char text[128];
    snprintf(text, sizeof text,
             "error while attempting to bind on address ('127.0.0.1', %d): "
             "Address already in use", (int)aloop_address_port(at));
    assert_string_equal(aloop_error_message(aloop_last_error()), text);
    aloop_unref(at);
    finish(taken);
    o = bound("127.0.0.1"); /* no family in common */
    assert_code(aloop_datagram_options_set_remote_address(o, "::1", 9), 0);
    assert_code(create_fails(o), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()),
                        "can not get address information");
    o = bound("::1");
    assert_code(aloop_datagram_options_set_family(o, AF_INET), 0);
    assert_code(create_fails(o), ALOOP_ERESOLVE);
    o = aloop_datagram_options_new(); /* broadcast needs its option to be connected to */
    assert_code(aloop_datagram_options_set_remote_address(o, "127.255.255.255", 9), 0);
    assert_code(create_fails(o), -EACCES);
    assert_non_null(strstr(aloop_error_message(aloop_last_error()), "Connect call failed"));
    return 0;
}

static void test_failing_creations(void **state) {
    (void)state;
    in_task(failing_creations);
}

static int64_t flags(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_options *o = bound("127.0.0.1");
    assert_code(aloop_datagram_options_set_reuse_port(o, 1), 0);
    aloop_datagram *a = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&a), 0);
    aloop_address *at = aloop_datagram_local_address(a);
    assert_code(aloop_datagram_options_set_local_address(o, "127.0.0.1",
                                                         (int32_t)aloop_address_port(at)), 0);
    finish(create(o));
    aloop_unref(at);
    finish(a);
    /* Not connected, but it has a remote address all the same. */
    o = bound("127.0.0.1");
    assert_code(aloop_datagram_options_set_broadcast(o, 1), 0);
    assert_code(aloop_datagram_options_set_remote_address(o, "127.255.255.255", 9), 0);
    a = create(o);
    send_text(a, "to all", NULL);
    char text[64];
    aloop_datagram_get_extra_info(a, "peername", text, sizeof text);
    assert_string_equal(text, "127.255.255.255:9");
    finish(a);
    o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_family(o, AF_INET6), 0);
    finish(create(o));
    return 0;
}

static void test_flags(void **state) {
    (void)state;
    in_task(flags);
}

static aloop_datagram_options *adopting(int fd) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_descriptor(o, fd), 0);
    return o;
}

static int64_t ignore(void *data) {
    (void)data;
    return 0;
}

static int64_t adopted(void *arg, void **value) {
    (void)arg, (void)value;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_add_reader(loop, pair[0], ignore, NULL, NULL), 0);
    assert_code(create_fails(adopting(pair[0])), ALOOP_EBUSY);
    assert_code(aloop_loop_remove_reader(loop, pair[0]), 1);
    aloop_datagram *d = create(adopting(pair[0]));
    assert_code(aloop_loop_add_reader(loop, pair[0], ignore, NULL, NULL), ALOOP_EBUSY);
    assert_int_equal(write(pair[1], "hi", 2), 2);
    expect_text(d, "hi");
    send_text(d, "ho", NULL);
    char got[8] = "";
    assert_int_equal(read(pair[1], got, sizeof got), 2);
    assert_string_equal(got, "ho");
    finish(d);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_code(create_fails(adopting(pair[0])), ALOOP_EINVAL);
    assert_string_equal(aloop_error_message(aloop_last_error()), "a datagram socket was expected");
    aloop_datagram_options *o = adopting(pair[0]);
    assert_code(aloop_datagram_options_set_reuse_port(o, 1), 0);
    assert_code(create_fails(o), ALOOP_EINVAL);
    close(pair[0]);
    close(pair[1]);
    assert_code(create_fails(adopting(pair[0])), ALOOP_EBADF);
    return 0;
}

static void test_adopted(void **state) {
    (void)state;
    in_task(adopted);
}

static int64_t use_elsewhere(void *endpoint) { return aloop_datagram_close(endpoint); }

static int64_t bad_calls(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *d = on_loopback();
    aloop_datagram *const wrong[] = {NULL, (aloop_datagram *)aloop_get_running_loop()};
    const aloop_buf one = {NULL, 1};
    aloop_address *to = aloop_datagram_local_address(d);
    for (int i = 0; i < 2; i++) {
        aloop_datagram *w = wrong[i];
        assert_code(aloop_datagram_close(w), ALOOP_EINVAL);
        assert_code(aloop_datagram_abort(w), ALOOP_EINVAL);
        assert_code(aloop_datagram_is_closing(w), ALOOP_EINVAL);
        assert_failed(aloop_datagram_wait_closed(w), ALOOP_EINVAL);
        assert_failed(aloop_datagram_recvfrom(w), ALOOP_EINVAL);
        assert_failed(aloop_datagram_recvmany(w, 1), ALOOP_EINVAL);
        assert_failed(aloop_datagram_sendto(w, "x", 1, to), ALOOP_EINVAL);
        assert_code(aloop_datagram_sendto_nowait(w, "x", 1, to), ALOOP_EINVAL);
        assert_failed(aloop_datagram_sendmany(w, &one, NULL, 1), ALOOP_EINVAL);
        assert_failed(aloop_datagram_drain(w), ALOOP_EINVAL);
        assert_code(aloop_datagram_set_write_buffer_limits(w, 1, 1), ALOOP_EINVAL);
        assert_code(aloop_datagram_get_write_buffer_size(w), ALOOP_EINVAL);
        assert_code(aloop_datagram_get_extra_info(w, "fd", NULL, 0), ALOOP_EINVAL);
        assert_code(aloop_datagram_statistic(w, 0), ALOOP_EINVAL);
        assert_null(aloop_datagram_local_address(w));
        assert_null(aloop_datagram_remote_address(w));
        aloop_packet *p = (aloop_packet *)w;
        assert_int_equal(aloop_packet_size(p), 0);
        assert_string_equal((const char *)aloop_packet_data(p), "");
        assert_null(aloop_packet_address(p));
        assert_code(aloop_packet_truncated(p), ALOOP_EINVAL);
        assert_code(aloop_packets_count((aloop_packets *)w), ALOOP_EINVAL);
        assert_null(aloop_packets_at((aloop_packets *)w, 0));
    }
    assert_failed(aloop_datagram_recvmany(d, 0), ALOOP_EINVAL);
    assert_failed(aloop_datagram_recvmany(d, -1), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendto(d, NULL, 1, to), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendto(d, "x", SIZE_MAX, to), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendto(d, "x", 1, (aloop_address *)d), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendmany(d, NULL, NULL, 1), ALOOP_EINVAL);
    assert_failed(aloop_datagram_sendmany(d, &one, &to, 1), ALOOP_EINVAL);
    assert_code(aloop_datagram_set_write_buffer_limits(d, 1, 2), ALOOP_EINVAL);
    assert_code(aloop_datagram_get_extra_info(d, NULL, NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_datagram_statistic(d, -1), ALOOP_EINVAL);
    assert_code(aloop_datagram_statistic(d, 6), ALOOP_EINVAL);
    assert_code(on_foreign_thread(use_elsewhere, d), ALOOP_EWRONGTHREAD);
    aloop_unref(to);
    finish(d);
    return 0;
}

static void bad_options(void) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_address(o, "x", 65536), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_remote_address(o, "x", -1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_local_path(o, ""), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_remote_path(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_family(o, AF_PACKET), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_max_size(o, 0), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_max_size(o, 1024 * 1024 + 1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_max_size(o, 1024 * 1024), 0);
    assert_code(aloop_datagram_options_set_batch(o, 0), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_batch(o, 33), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_batch(o, 32), 0);
    assert_code(aloop_datagram_options_set_receive_buffer(o, 0), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_descriptor(o, -1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_protocol(o, NULL, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_local_path(o, "@x"), 0);
    assert_code(aloop_datagram_options_set_remote_address(o, "::1", 1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_family(o, AF_INET), ALOOP_EINVAL);
    aloop_unref(o);
    o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_address(o, NULL, 0), 0);
    assert_code(aloop_datagram_options_set_remote_path(o, "@x"), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_family(o, AF_UNIX), ALOOP_EINVAL);
    aloop_unref(o);
    assert_code(aloop_datagram_options_set_reuse_port(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_broadcast(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_datagram_options_set_family(NULL, AF_INET), ALOOP_EINVAL);
}

static void test_bad_calls(void **state) {
    (void)state;
    bad_options();
    in_task(bad_calls);
    assert_null(aloop_create_datagram_endpoint(NULL)); /* no loop */
    assert_null(aloop_datagram_recvfrom(NULL));
}

SUITE(CASE(test_there_and_back), CASE(test_connected), CASE(test_refused), CASE(test_batches),
      CASE(test_truncation), CASE(test_overrun), CASE(test_unix_datagrams),
      CASE(test_back_pressure), CASE(test_foreign_pressure),
      CASE(test_a_queued_one_is_refused), CASE(test_closing),
      CASE(test_cancelled), CASE(test_failing_creations), CASE(test_flags), CASE(test_adopted),
      CASE(test_bad_calls))
