/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int plain_connection(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

struct peer connect_peer(aloop_stream_options *options) {
    struct peer peer = {NULL, -1};
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(NULL, NULL, "127.0.0.1", 0, options),
                            (void **)&server), 0);
    aloop_unref(options);
    peer.fd = plain_connection((int)aloop_server_port(server, 0));
    assert_true(peer.fd >= 0);
    assert_code(aloop_await(aloop_server_accept(server), (void **)&peer.stream), 0);
    assert_code(aloop_server_close(server), 0);
    aloop_unref(server);
    return peer;
}

void drop_peer(struct peer *peer) {
    if (peer->fd >= 0) close(peer->fd);
    aloop_stream_abort(peer->stream);
    let_run(2);
    aloop_unref(peer->stream);
}

void peer_sends(struct peer *peer, const char *text) {
    assert_int_equal(send(peer->fd, text, strlen(text), MSG_NOSIGNAL), (long)strlen(text));
}

void let_arrive(const struct peer *peer, int n) {
    const int fd = (int)aloop_stream_get_extra_info(peer->stream, "fd", NULL, 0);
    for (int there = 0; there < n;) {
        assert_code(aloop_await(aloop_sleep(0.001), NULL), 0);
        assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
    }
}

void peer_ends(struct peer *peer) {
    close(peer->fd);
    peer->fd = -1;
}

void peer_resets(struct peer *peer) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    peer_ends(peer);
}

void peer_gets(struct peer *peer, const char *text) {
    char got[256] = "";
    assert_int_equal(recv(peer->fd, got, strlen(text), MSG_WAITALL), (long)strlen(text));
    assert_string_equal(got, text);
}

void check_reads(aloop_future *future, const char *text, const char *file, int line) {
    aloop_bytes *bytes = NULL;
    const int64_t status = aloop_await(future, (void **)&bytes);
    const char *got = (const char *)aloop_bytes_data(bytes);
    if (status != (int64_t)strlen(text) || strcmp(got, text) != 0) {
        fprintf(stderr, "%s:%d: read gave %lld (%s): \"%s\", not \"%s\"\n", file, line,
                (long long)status, aloop_errname(status), got, text);
        fail();
    }
    aloop_bytes_unref(bytes);
}
