/*
 * io_scenarios.c: datagrams, plain sockets, files and lookups, for allocation_test.
 *
 * A datagram for which there was no memory is lost, as the network may lose one:
 * so each receipt has a time limit, and its end counts as out of memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scenarios.h"

#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t await_within(aloop_future *f, void **value) {
    const int64_t status = aloop_await(aloop_wait_for(f, 0.1), value);
    return status == ALOOP_ETIMEDOUT ? ALOOP_ENOMEM : status;
}

static int64_t await_dropped(aloop_future *f) {
    void *value = NULL;
    const int64_t status = await_within(f, &value);
    aloop_unref(value);
    return status;
}

/* What always ends, but perhaps not soon: a disk's work. */
static int64_t await_patiently(aloop_future *f) {
    void *value = NULL;
    const int64_t status = aloop_await(f, &value);
    aloop_unref(value);
    return status;
}

static void end_endpoint(aloop_datagram *d) {
    if (d == NULL) return;
    aloop_datagram_abort(d); /* what is queued might wait for ever */
    aloop_await(aloop_datagram_wait_closed(d), NULL);
    aloop_unref(d);
}

static int64_t endpoint(aloop_datagram_options *o, aloop_datagram **out) {
    if (o == NULL) return ALOOP_ENOMEM;
    const int64_t status = aloop_await(aloop_create_datagram_endpoint(o), (void **)out);
    aloop_unref(o);
    return status;
}

/* With a local and a remote path, either may be NULL. */
static int64_t unix_endpoint(const char *local, const char *remote, aloop_datagram **out) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    int64_t status = o == NULL ? ALOOP_ENOMEM : 0;
    if (status == 0 && local != NULL) status = aloop_datagram_options_set_local_path(o, local);
    if (status == 0 && remote != NULL) status = aloop_datagram_options_set_remote_path(o, remote);
    if (status == 0) return endpoint(o, out);
    aloop_unref(o);
    return status;
}

static int64_t fill_and_drain(aloop_datagram *client, aloop_datagram *server) {
    int64_t queued = 0;
    int sent = 0;
    while (queued >= 0 && queued < 27) { /* three wait */
        queued = aloop_datagram_sendto_nowait(client, "x", 1, NULL);
        sent++;
    }
    if (queued < 0) return queued;
    for (int got = 0; got < sent;) {
        aloop_packets *list = NULL;
        const int64_t n = await_within(aloop_datagram_recvmany(server, 4), (void **)&list);
        aloop_unref(list);
        if (n < 0) return n;
        got += (int)n;
    }
    return aloop_await(aloop_datagram_drain(client), NULL);
}

static int64_t datagram_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    char name[64];
    snprintf(name, sizeof name, "@aloop-scenario-%d", (int)getpid());
    aloop_datagram *server = NULL, *client = NULL;
    int64_t status = unix_endpoint(name, NULL, &server);
    if (status >= 0) status = unix_endpoint(NULL, name, &client);
    if (status >= 0) status = await_dropped(aloop_datagram_sendto(client, "hello", 5, NULL));
    if (status >= 0) status = await_dropped(aloop_datagram_recvfrom(server));
    const aloop_buf many[2] = {{"one", 3}, {"two", 3}};
    if (status >= 0) status = await_dropped(aloop_datagram_sendmany(client, many, NULL, 2));
    if (status >= 0) status = await_dropped(aloop_datagram_recvfrom(server));
    if (status >= 0) status = await_dropped(aloop_datagram_recvfrom(server));
    if (status >= 0) status = fill_and_drain(client, server);
    end_endpoint(client);
    end_endpoint(server);
    return status < 0 ? status : 0;
}

static int64_t count_packet(aloop_datagram *d, aloop_packet *packet, void *data) {
    (void)d, (void)packet;
    ++*(int *)data;
    return 0;
}

static int received; /* outlives the endpoint, whatever fails */

static int64_t protocol_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram_protocol *p = aloop_datagram_protocol_new();
    aloop_datagram_options *o = aloop_datagram_options_new();
    aloop_datagram *d = NULL;
    aloop_address *self = NULL;
    received = 0;
    aloop_datagram_protocol_set_datagram_received(p, count_packet);
    int64_t status = p != NULL && o != NULL ? 0 : ALOOP_ENOMEM;
    if (status == 0) status = aloop_datagram_options_set_protocol(o, p, &received, NULL);
    if (status == 0) status = aloop_datagram_options_set_local_address(o, "127.0.0.1", 0);
    if (status == 0) status = endpoint(aloop_ref(o), &d);
    aloop_unref(o);
    aloop_unref(p);
    if (status >= 0) {
        self = aloop_datagram_local_address(d);
        status = self != NULL ? aloop_datagram_sendto_nowait(d, "x", 1, self) : ALOOP_ENOMEM;
    }
    aloop_unref(self);
    if (status >= 0) status = aloop_await(aloop_sleep(0.01), NULL);
    if (status >= 0 && received != 1) status = ALOOP_ENOMEM;
    end_endpoint(d);
    return status < 0 ? status : 0;
}

static int64_t late_write(void *fd, void **value) {
    (void)value;
    return aloop_await(aloop_sock_sendall(*(int *)fd, "late", 4), NULL);
}

static int late_fd;

static int64_t socket_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        return ALOOP_ENOMEM;
    }
    const int32_t passed = pair[0];
    int64_t status = await_dropped(aloop_sock_sendall(pair[0], "hello", 5));
    if (status >= 0) status = await_dropped(aloop_sock_recv(pair[1], 100));
    if (status >= 0) status = await_dropped(aloop_sock_send_fds(pair[0], "x", 1, &passed, 1));
    if (status >= 0) status = await_dropped(aloop_sock_recv_fds(pair[1], 100));
    late_fd = pair[0];
    aloop_task *writes = status >= 0 ? aloop_create_task(late_write, &late_fd) : NULL;
    if (status >= 0) status = await_dropped(aloop_sock_recv(pair[1], 100)); /* waits */
    const int64_t written = writes != NULL ? aloop_await(writes, NULL) : 0;
    close(pair[0]);
    close(pair[1]);
    return status < 0 ? status : written < 0 ? written : 0;
}

static int64_t use_file(const char *path) {
    aloop_file *file = NULL;
    int64_t status = aloop_await(aloop_file_open(path, O_RDWR | O_CREAT, 0600), (void **)&file);
    if (status < 0) return status;
    aloop_unref(aloop_file_write(file, "in line", 7));
    status = await_patiently(aloop_file_write(file, "hello", 5));
    if (status >= 0) status = await_patiently(aloop_file_pread(file, 5, 0));
    if (status >= 0) status = await_patiently(aloop_file_fstat(file));
    const int64_t closed = await_patiently(aloop_file_close(file));
    aloop_unref(file);
    return status < 0 ? status : closed;
}

static int64_t file_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    char directory[] = "/tmp/aloop-scenario-XXXXXX", path[64], other[64];
    if (mkdtemp(directory) == NULL) return ALOOP_ENOMEM;
    snprintf(path, sizeof path, "%s/a", directory);
    snprintf(other, sizeof other, "%s/b", directory);
    aloop_file_watch *watch = NULL;
    int64_t status = aloop_file_watch_new(&watch, directory);
    if (status >= 0) status = use_file(path);
    if (status >= 0) status = await_dropped(aloop_file_watch_next(watch));
    if (status >= 0) status = await_patiently(aloop_write_file(other, "whole", 5));
    if (status >= 0) status = await_patiently(aloop_read_file(other, 100));
    if (status >= 0) status = await_patiently(aloop_list_directory(directory));
    if (status >= 0) status = await_patiently(aloop_stat_file(other, 1));
    aloop_unref(watch);
    unlink(path);
    unlink(other);
    rmdir(directory);
    return status < 0 ? status : 0;
}

static int64_t lookup_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_addresses *list = NULL;
    int64_t status = aloop_await(aloop_getaddrinfo("127.0.0.1", "80", NULL), (void **)&list);
    aloop_host_name *name = NULL;
    if (status >= 0) {
        aloop_address *first = aloop_addresses_at(list, 0);
        status = aloop_await(aloop_getnameinfo(first, NI_NUMERICHOST), (void **)&name);
        if (status >= 0 && strcmp(aloop_host_name_host(name), "127.0.0.1") != 0) {
            status = ALOOP_EWRONGTYPE;
        }
    }
    aloop_unref(name);
    aloop_unref(list);
    if (status >= 0) status = await_patiently(aloop_getaddrinfo("localhost", "80", NULL));
    return status < 0 ? status : 0;
}

/* What writes took is read, or the writer is told why it was not. */
static int64_t queue_scenario(void *arg, void **value) {
    (void)arg, (void)value;
    static const char much[65536 + 10000];
    aloop_stream *a = NULL, *b = NULL;
    int64_t status = aloop_stream_pair(&a, &b, NULL);
    size_t taken = 0;
    for (size_t n = 65536; status >= 0 && n > 0; n = n == 65536 ? 10000 : 0) {
        status = aloop_stream_write(a, much + taken, n);
        if (status >= 0) taken += n;
    }
    if (a != NULL) aloop_stream_close(a);
    if (status >= 0) {
        status = await_patiently(aloop_stream_readexactly(b, (int64_t)taken));
        aloop_stream_close(b);
        const int64_t told = aloop_await(aloop_stream_wait_closed(a), NULL);
        if (status == ALOOP_EINCOMPLETEREAD && told < 0) status = told;
    }
    aloop_unref(a);
    aloop_unref(b);
    return status < 0 ? status : 0;
}

const struct scenario io_scenarios[] = {
    {"datagrams", datagram_scenario}, {"datagram callbacks", protocol_scenario},
    {"sockets", socket_scenario},     {"files", file_scenario},
    {"lookups", lookup_scenario},     {"queued writes", queue_scenario},
    {NULL, NULL},
};
