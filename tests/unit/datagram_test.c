/*
 * Datagram endpoints: sending, receiving, batches, limits, errors, closing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datagrams.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

SUITE(CASE(test_there_and_back), CASE(test_connected), CASE(test_refused), CASE(test_batches),
      CASE(test_truncation), CASE(test_overrun), CASE(test_closing), CASE(test_cancelled))
