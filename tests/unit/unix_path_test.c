/*
 * Unix sockets with the longest path that the kernel takes: it fills its place, and
 * the kernel counts a NUL behind it for which there is no room.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serving.h"

enum { LONGEST = 108 };

static char path[LONGEST + 1];

/* A socket that is bound there. */
static int bound(int type) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int n = snprintf(path, sizeof path, "/tmp/aloop-%d-", (int)getpid());
    memset(path + n, 'p', (size_t)(LONGEST - n));
    memcpy(at.sun_path, path, LONGEST);
    const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void drop(int fd) {
    close(fd);
    assert_int_equal(unlink(path), 0);
}

static void assert_there(const aloop_address *a) {
    char text[200];
    assert_code(aloop_address_format(a, text, sizeof text), LONGEST);
    assert_string_equal(text, path);
}

/* Connects it to an abstract name. */
static void connect_plain(int fd, const char *name) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path + 1, name + 1, strlen(name) - 1);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, size), 0);
}

static const char *own_name(void) {
    static char name[64];
    snprintf(name, sizeof name, "@aloop-path-%d", (int)getpid());
    return name;
}

/* Who sends can be answered. */
static int64_t datagrams(void *arg, void **value) {
    (void)arg, (void)value;
    const int sender = bound(SOCK_DGRAM);
    aloop_datagram_options *o = aloop_datagram_options_new();
    assert_code(aloop_datagram_options_set_local_path(o, own_name()), 0);
    aloop_datagram *d = NULL;
    assert_code(aloop_await(aloop_create_datagram_endpoint(o), (void **)&d), 0);
    aloop_unref(o);
    connect_plain(sender, own_name());
    assert_int_equal(send(sender, "hi", 2, 0), 2);
    aloop_packet *p = NULL;
    assert_code(aloop_await(aloop_datagram_recvfrom(d), (void **)&p), 2);
    assert_there(aloop_packet_address(p));
    assert_code(AWAIT(aloop_datagram_sendto(d, "ho", 2, aloop_packet_address(p))), 2);
    char got[8];
    assert_int_equal(recv(sender, got, sizeof got, 0), 2);
    aloop_unref(p);
    aloop_datagram_close(d);
    aloop_unref(d);
    let_run(2);
    drop(sender);
    return 0;
}

static int64_t sockets(void *arg, void **value) {
    (void)arg, (void)value;
    const int sender = bound(SOCK_DGRAM);
    const int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const char *name = own_name();
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path + 1, name + 1, strlen(name) - 1);
    assert_int_equal(bind(receiver, (const struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
    connect_plain(sender, name);
    for (int into = 0; into < 2; into++) {
        assert_int_equal(send(sender, "hi", 2, 0), 2);
        char got[8];
        aloop_packet *p = NULL;
        aloop_address *from = NULL;
        if (into) {
            assert_code(aloop_await(aloop_sock_recvfrom_into(receiver, got, sizeof got),
                                    (void **)&from), 2);
        } else {
            assert_code(aloop_await(aloop_sock_recvfrom(receiver, 8), (void **)&p), 2);
            from = aloop_packet_address(p);
        }
        assert_there(from);
        assert_code(AWAIT(aloop_sock_sendto(receiver, "ho", 2, from)), 2);
        assert_int_equal(recv(sender, got, sizeof got, 0), 2);
        aloop_unref(into ? (void *)from : (void *)p);
    }
    drop(sender);
    close(receiver);
    return 0;
}

/* Who connects is known by the path. */
static int64_t streams(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_unix_server(NULL, NULL, own_name(), NULL),
                            (void **)&server), 0);
    const int client = bound(SOCK_STREAM);
    connect_plain(client, own_name());
    aloop_stream *s = NULL;
    char text[200];
    assert_code(aloop_await(aloop_server_accept(server), (void **)&s), 0);
    assert_code(aloop_stream_get_extra_info(s, "peername", text, sizeof text), LONGEST);
    assert_string_equal(text, path);
    aloop_unref(s);
    end(server);
    drop(client);
    return 0;
}

/* A server on the program's own socket there: its file is the program's affair, and a
 * file whose name is the beginning of that one is nobody's. */
static int64_t given(void *arg, void **value) {
    (void)arg, (void)value;
    const int listening = bound(SOCK_STREAM);
    char shorter[LONGEST] = "";
    memcpy(shorter, path, LONGEST - 1);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, shorter, sizeof shorter);
    const int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listening, 5), 0);
    aloop_stream_options *o = aloop_stream_options_new();
    assert_code(aloop_stream_options_set_descriptor(o, listening), 0);
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_unix_server(NULL, NULL, NULL, o), (void **)&server), 0);
    aloop_unref(o);
    end(server);
    assert_int_equal(unlink(shorter), 0);
    assert_int_equal(unlink(path), 0);
    close(other);
    return 0;
}

static void test_datagrams(void **state) {
    (void)state;
    in_task(datagrams);
}

static void test_sockets(void **state) {
    (void)state;
    in_task(sockets);
}

static void test_streams(void **state) {
    (void)state;
    in_task(streams);
}

static void test_given(void **state) {
    (void)state;
    in_task(given);
}

SUITE(CASE(test_datagrams), CASE(test_sockets), CASE(test_streams), CASE(test_given))
