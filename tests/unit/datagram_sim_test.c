/*
 * Datagrams in a simulated world: late, overtaken, lost, refused, dropped, and the
 * same each time for the same seed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "support.h"

#define AWAIT(future) aloop_await((future), NULL)

static aloop_loop *world(uint64_t seed, double delay, double loss) {
    aloop_loop_options *o = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_simulated_loss(o, loss), 0);
    assert_code(aloop_loop_options_set_simulator(o, seed, delay), 0);
    aloop_loop *loop = NULL;
    assert_code(aloop_loop_new(&loop, o), 0);
    aloop_unref(o);
    return loop;
}

static void in_world(aloop_coro_fn fn, void *arg, uint64_t seed, double delay, double loss) {
    aloop_loop *loop = world(seed, delay, loss);
    assert_code(run_on(loop, fn, arg), 0);
    close_loop(loop);
}

/* Bound to a port of host, or with that port as its only peer. */
static aloop_datagram *endpoint(const char *host, int32_t local, int32_t remote) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    if (remote != 0) assert_code(aloop_datagram_options_set_remote_address(o, host, remote), 0);
    else assert_code(aloop_datagram_options_set_local_address(o, host, local), 0);
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    return d;
}

static void drop(aloop_datagram *d) {
    aloop_datagram_abort(d);
    AWAIT(aloop_datagram_wait_closed(d));
    aloop_unref(d);
}

static int64_t receive(aloop_datagram *d, double limit, aloop_packet **packet) {
    return aloop_await(aloop_wait_for(aloop_datagram_recvfrom(d), limit), (void **)packet);
}

/* Order and loss ------------------------------------------------------------------------------ */

enum { SENT = 200 };

struct run {
    int got[SENT]; /* in the order of arrival */
    int count;
    double last; /* when the last one came */
};

static int64_t flood(void *arg, void **value) {
    (void)value;
    struct run *run = arg;
    aloop_datagram *server = endpoint("127.0.0.1", 7000, 0), *client = endpoint("::1", 0, 7000);
    for (int i = 0; i < SENT; i++) {
        assert_code(AWAIT(aloop_datagram_sendto(client, &i, sizeof i, NULL)), sizeof i);
        AWAIT(aloop_sleep(0.0001));
    }
    for (;;) {
        aloop_packet *p = NULL;
        if (receive(server, 1, &p) < 0) break;
        assert_int_equal(aloop_packet_size(p), sizeof(int));
        memcpy(&run->got[run->count++], aloop_packet_data(p), sizeof(int));
        run->last = aloop_loop_time(aloop_get_running_loop());
        aloop_unref(p);
    }
    drop(server);
    drop(client);
    return 0;
}

static struct run flood_in(uint64_t seed, double delay, double loss) {
    struct run run = {.count = 0};
    in_world(flood, &run, seed, delay, loss);
    return run;
}

static int overtaken(const struct run *run) {
    int n = 0;
    for (int i = 1; i < run->count; i++) n += run->got[i] < run->got[i - 1];
    return n;
}

static void a_seed_is_one_order(void **state) {
    (void)state;
    const struct run first = flood_in(3, 0.01, 0), again = flood_in(3, 0.01, 0);
    const struct run other = flood_in(4, 0.01, 0), at_once = flood_in(3, 0, 0);
    assert_int_equal(first.count, SENT);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(overtaken(&first) > 10);
    assert_memory_not_equal(first.got, other.got, sizeof first.got);
    assert_int_equal(at_once.count, SENT);
    assert_int_equal(overtaken(&at_once), 0); /* without a delay none overtakes another */
    bool seen[SENT] = {false}; /* each comes once */
    for (int i = 0; i < SENT; i++) {
        assert_false(seen[first.got[i]]);
        seen[first.got[i]] = true;
    }
}

static void as_many_are_lost_as_are_wanted(void **state) {
    (void)state;
    const struct run some = flood_in(3, 0.01, 0.25), again = flood_in(3, 0.01, 0.25);
    assert_in_range(some.count, 120, 180);
    assert_memory_equal(&some, &again, sizeof some);
    assert_int_equal(flood_in(3, 0.01, 1).count, 0);
    aloop_loop_options *o = aloop_loop_options_new();
    assert_code(aloop_loop_options_set_simulated_loss(o, -0.1), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_simulated_loss(o, 1.1), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_simulated_loss(o, 0.0 / 0.0), ALOOP_EINVAL);
    assert_code(aloop_loop_options_set_simulated_loss(NULL, 0), ALOOP_EINVAL);
    aloop_unref(o);
}

/* What such a world is for: a protocol that sends again until it is answered. */
static int64_t answer(void *arg, void **value) {
    (void)value;
    for (;;) {
        aloop_packet *p = NULL;
        const int64_t n = aloop_await(aloop_datagram_recvfrom(arg), (void **)&p);
        if (n < 0) return n;
        const int64_t sent = AWAIT(aloop_datagram_sendto(arg, aloop_packet_data(p), (size_t)n,
                                                         aloop_packet_address(p)));
        aloop_unref(p);
        if (sent < 0) return sent;
    }
}

static int64_t insist(void *tries, void **value) {
    (void)value;
    aloop_datagram *server = endpoint("127.0.0.1", 7000, 0);
    aloop_datagram *client = endpoint("127.0.0.1", 0, 7000);
    aloop_task *answers = aloop_create_task(answer, server);
    for (int i = 0; i < 50; i++) {
        for (int got = -1; got != i;) {
            ++*(int *)tries;
            assert_code(AWAIT(aloop_datagram_sendto(client, &i, sizeof i, NULL)), sizeof i);
            aloop_packet *p = NULL;
            while (got != i && receive(client, 0.05, &p) > 0) { /* an old answer may come late */
                memcpy(&got, aloop_packet_data(p), sizeof got);
                aloop_unref(p);
            }
        }
    }
    aloop_task_cancel(answers, NULL);
    AWAIT(answers);
    drop(server);
    drop(client);
    return 0;
}

static void who_sends_again_gets_through(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        int tries = 0;
        in_world(insist, &tries, seed, 0.02, 0.3);
        assert_in_range(tries, 60, 300);
    }
}

/* As the kernel does --------------------------------------------------------------------------- */

static int64_t refused(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *client = endpoint("127.0.0.1", 0, 7000);
    assert_code(AWAIT(aloop_datagram_sendto(client, "x", 1, NULL)), 1);
    assert_code(AWAIT(aloop_datagram_recvfrom(client)), -ECONNREFUSED);
    aloop_datagram *server = endpoint("127.0.0.1", 7000, 0);
    assert_code(AWAIT(aloop_datagram_sendto(client, "x", 1, NULL)), 1);
    assert_code(AWAIT(aloop_datagram_recvfrom(server)), 1);
    /* One that is not connected is not told; and a port is had by one. */
    aloop_address *nobody = NULL;
    assert_code(aloop_address_new(&nobody, "127.0.0.1", 7001), 0);
    assert_code(AWAIT(aloop_datagram_sendto(server, "x", 1, nobody)), 1);
    assert_code(AWAIT(aloop_datagram_sendto(server, "x", 1, nobody)), 1);
    assert_code(AWAIT(aloop_datagram_sendto(server, "x", 1, NULL)), -EDESTADDRREQ);
    aloop_datagram_options *o = aloop_datagram_options_new();
    aloop_datagram_options_set_local_address(o, "127.0.0.1", 7000);
    assert_code(AWAIT(aloop_create_datagram_endpoint(o)), -EADDRINUSE);
    aloop_unref(o);
    aloop_unref(nobody);
    drop(server);
    drop(client);
    return 0;
}

static void nobody_there_is_refused(void **state) {
    (void)state;
    in_world(refused, NULL, 1, 0.001, 0);
}

/* A connected one hears its peer alone, and knows the names of both ends. */
static int64_t one_peer(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = endpoint("127.0.0.1", 7000, 0), *other = endpoint("127.0.0.1", 0, 0);
    aloop_datagram *client = endpoint("127.0.0.1", 0, 7000);
    aloop_address *self = aloop_datagram_local_address(client);
    char text[64];
    assert_true(aloop_datagram_get_extra_info(client, "peername", text, sizeof text) > 0);
    assert_string_equal(text, "127.0.0.1:7000");
    assert_code(AWAIT(aloop_datagram_sendto(other, "stranger", 8, self)), 8);
    assert_code(AWAIT(aloop_datagram_sendto(server, "friend", 6, self)), 6);
    aloop_packet *p = NULL;
    assert_code(receive(client, 1, &p), 6);
    assert_int_equal(aloop_address_port(aloop_packet_address(p)), 7000);
    aloop_unref(p);
    assert_code(receive(client, 1, &p), ALOOP_ETIMEDOUT);
    aloop_unref(self);
    drop(server), drop(other), drop(client);
    return 0;
}

static void a_connected_one_hears_its_peer(void **state) {
    (void)state;
    in_world(one_peer, NULL, 1, 0.001, 0);
}

static char big[70000];

static int64_t sizes(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_options *o = aloop_datagram_options_new();
    aloop_datagram_options_set_local_address(o, "127.0.0.1", 7000);
    aloop_datagram_options_set_max_size(o, 100);
    aloop_datagram *server = NULL, *client = endpoint("127.0.0.1", 0, 7000);
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&server), 0);
    aloop_unref(o);
    assert_code(AWAIT(aloop_datagram_sendto(client, big, 65508, NULL)), -EMSGSIZE);
    const size_t lengths[] = {0, 99, 100, 101, 65507};
    for (int i = 0; i < 5; i++) {
        const size_t n = lengths[i];
        assert_code(AWAIT(aloop_datagram_sendto(client, big, n, NULL)), (int64_t)n);
        aloop_packet *p = NULL;
        assert_code(receive(server, 1, &p), (int64_t)(n < 100 ? n : 100));
        assert_code(aloop_packet_truncated(p), n > 100);
        aloop_unref(p);
    }
    /* What the receiver's buffer cannot hold is dropped: 64 KiB of it. */
    for (int i = 0; i < 10; i++) {
        assert_code(AWAIT(aloop_datagram_sendto(client, big, 10000, NULL)), 10000);
    }
    AWAIT(aloop_sleep(1));
    aloop_packets *list = NULL;
    assert_code(aloop_await(aloop_datagram_recvmany(server, 16), (void **)&list), 6);
    aloop_unref(list);
    drop(server), drop(client);
    return 0;
}

static void sizes_have_their_limits(void **state) {
    (void)state;
    in_world(sizes, NULL, 1, 0.001, 0);
}

static int64_t batches(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = endpoint("::1", 7000, 0), *client = endpoint("::1", 0, 7000);
    const aloop_buf three[] = {{"one", 3}, {"two", 3}, {"three", 5}};
    for (int sent = 0; sent < 3;) { /* interrupted, it goes as far as it goes */
        const int64_t n = AWAIT(aloop_datagram_sendmany(client, three + sent, NULL,
                                                        (size_t)(3 - sent)));
        assert_in_range(n, 1, 3);
        sent += (int)n;
    }
    AWAIT(aloop_sleep(1));
    size_t bytes = 0;
    for (int64_t got = 0; got < 3;) {
        aloop_packets *list = NULL;
        const int64_t n = aloop_await(aloop_datagram_recvmany(server, 3), (void **)&list);
        assert_in_range(n, 1, 3);
        for (int64_t i = 0; i < n; i++) {
            const aloop_packet *p = aloop_packets_at(list, i);
            bytes += aloop_packet_size(p);
            assert_int_equal(aloop_address_family(aloop_packet_address(p)), AF_INET6);
        }
        got += n;
        aloop_unref(list);
    }
    assert_int_equal(bytes, 11);
    drop(server), drop(client);
    return 0;
}

static void batches_go_through(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) in_world(batches, NULL, seed, 0.001, 0);
}

SUITE(CASE(a_seed_is_one_order), CASE(as_many_are_lost_as_are_wanted),
      CASE(who_sends_again_gets_through), CASE(nobody_there_is_refused),
      CASE(a_connected_one_hears_its_peer), CASE(sizes_have_their_limits), CASE(batches_go_through))
