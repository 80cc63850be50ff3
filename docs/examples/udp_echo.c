/*
 * A UDP server that sends back what it gets, and a client that asks it three
 * times; then the client asks where nobody listens.
 *
 * SPDX-License-Identifier: MIT
 */
#include <asyncloop.h>
#include <stdio.h>

/* Until the endpoint is closed. */
static int64_t serve(void *endpoint, void **value) {
    (void)value;
    int64_t rc = 0;
    while (rc >= 0) {
        aloop_packet *packet = NULL;
        rc = aloop_await(aloop_datagram_recvfrom(endpoint), (void **)&packet);
        if (rc < 0) break;
        printf("Server: %lld bytes\n", (long long)rc);
        rc = aloop_await(aloop_datagram_sendto(endpoint, aloop_packet_data(packet), (size_t)rc,
                                               aloop_packet_address(packet)), NULL);
        aloop_unref(packet);
    }
    return rc == ALOOP_ESTALE ? 0 : rc;
}

static int64_t ask(aloop_datagram *client, const char *text, size_t size) {
    int64_t rc = aloop_await(aloop_datagram_sendto(client, text, size, NULL), NULL);
    if (rc < 0) return rc;
    aloop_packet *answer = NULL;
    rc = aloop_await(aloop_wait_for(aloop_datagram_recvfrom(client), 5), (void **)&answer);
    if (rc >= 0) printf("Client: got '%s'\n", (const char *)aloop_packet_data(answer));
    aloop_unref(answer);
    return rc;
}

static int64_t endpoint_at(int32_t local, int32_t remote, aloop_datagram **endpoint) {
    aloop_datagram_options *o = aloop_datagram_options_new();
    if (local >= 0) aloop_datagram_options_set_local_address(o, "127.0.0.1", local);
    if (remote >= 0) aloop_datagram_options_set_remote_address(o, "127.0.0.1", remote);
    const int64_t rc = aloop_await(aloop_create_datagram_endpoint(o), (void **)endpoint);
    aloop_unref(o);
    return rc;
}

static int64_t run(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_datagram *server = NULL, *client = NULL;
    int64_t rc = endpoint_at(0, -1, &server);
    if (rc < 0) return rc;
    aloop_address *at = aloop_datagram_local_address(server);
    rc = endpoint_at(-1, (int32_t)aloop_address_port(at), &client);
    aloop_unref(at);
    aloop_task *serving = aloop_create_task(serve, server);
    if (rc >= 0) rc = ask(client, "one", 3);
    if (rc >= 0) rc = ask(client, "two", 3);
    if (rc >= 0) rc = ask(client, "", 0);
    aloop_datagram_close(server);
    aloop_await(serving, NULL);
    aloop_await(aloop_datagram_wait_closed(server), NULL);
    aloop_unref(server);
    if (rc >= 0) {
        rc = ask(client, "anybody there?", 14);
        printf("Client: %s\n", aloop_strerror(rc));
        rc = rc == ALOOP_ECONNREFUSED ? 0 : rc;
    }
    aloop_datagram_close(client);
    aloop_unref(client);
    return rc;
}

int main(void) { return aloop_main(run, NULL); }
