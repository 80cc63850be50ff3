/*
 * Making datagram endpoints: options, flags, sockets of the program, what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "datagrams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

SUITE(CASE(test_failing_creations), CASE(test_flags), CASE(test_adopted), CASE(test_bad_calls))
