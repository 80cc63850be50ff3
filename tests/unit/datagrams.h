/*
 * datagrams.h: endpoints for tests, and short ways to use them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_DATAGRAMS_H
#define TESTS_UNIT_DATAGRAMS_H

#include "support.h"

#include <string.h>

#define AWAIT(future) aloop_await((future), NULL)

static inline aloop_datagram *create(aloop_datagram_options *o) {
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    return d;
}

static inline aloop_datagram_options *bound(const char *host) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_non_null(o);
    assert_code(aloop_datagram_options_set_local_address(o, host, 0), 0);
    return o;
}

static inline aloop_datagram *on_loopback(void) { return create(bound("127.0.0.1")); }

/* Connected to an endpoint on the loopback. */
static inline aloop_datagram *connected_to(aloop_datagram *peer) {
    aloop_address *at = aloop_datagram_local_address(peer);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_remote_address(o, "127.0.0.1",
                                                          (int32_t)aloop_address_port(at)), 0);
    aloop_unref(at);
    return create(o);
}

static inline void finish(aloop_datagram *d) {
    assert_code(aloop_datagram_close(d), 0);
    assert_code(AWAIT(aloop_datagram_wait_closed(d)), 0);
    aloop_unref(d);
}

static inline void send_text(aloop_datagram *d, const char *text, aloop_address *to) {
    const int64_t n = (int64_t)strlen(text);
    assert_code(AWAIT(aloop_datagram_sendto(d, text, (size_t)n, to)), n);
}

/* The sender, a reference. */
static inline aloop_address *receive_text(aloop_datagram *d, const char *text) {
    aloop_packet *p = NULL;
    assert_code(aloop_await(aloop_datagram_recvfrom(d), (void **)&p), (int64_t)strlen(text));
    assert_int_equal(aloop_packet_size(p), strlen(text));
    assert_string_equal((const char *)aloop_packet_data(p), text);
    assert_int_equal(aloop_packet_truncated(p), 0);
    aloop_address *from = aloop_ref(aloop_packet_address(p));
    aloop_unref(p);
    return from;
}

static inline void expect_text(aloop_datagram *d, const char *text) {
    aloop_unref(receive_text(d, text));
}

static inline int64_t stat_of(aloop_datagram *d, int32_t which) {
    return aloop_datagram_statistic(d, which);
}

static inline aloop_datagram *on_path(const char *local, const char *remote) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    if (local != NULL) assert_code(aloop_datagram_options_set_local_path(o, local), 0);
    if (remote != NULL) assert_code(aloop_datagram_options_set_remote_path(o, remote), 0);
    return create(o);
}

#endif
