/*
 * serving.h: servers of this machine and connections to them, for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_SERVING_H
#define TESTS_UNIT_SERVING_H

#include "peer.h"

#define AWAIT(future) aloop_await((future), NULL)

static inline aloop_server *serve(aloop_client_fn handler, void *data,
                                  aloop_stream_options *options) {
    aloop_server *server = NULL;
    assert_code(aloop_await(aloop_start_server(handler, data, "127.0.0.1", 0, options),
                            (void **)&server), 0);
    return server;
}

static inline int32_t port_of(aloop_server *server) {
    return (int32_t)aloop_server_port(server, 0);
}

static inline aloop_stream *connect_to(aloop_server *server) {
    aloop_stream *s = NULL;
    assert_code(aloop_await(aloop_open_connection("127.0.0.1", port_of(server), NULL),
                            (void **)&s), 0);
    return s;
}

/* Closes it and waits for its last connection. */
static inline void end(aloop_server *server) {
    assert_code(aloop_server_close(server), 0);
    assert_code(AWAIT(aloop_wait_for(aloop_server_wait_closed(server), k_hang)), 0);
    aloop_unref(server);
}

static inline int64_t echo_lines(aloop_stream *client, void *served) {
    for (;;) {
        aloop_bytes *line = NULL;
        int64_t rc = aloop_await(aloop_stream_readline(client), (void **)&line);
        if (rc <= 0) {
            aloop_bytes_unref(line);
            ++*(int *)served;
            return rc;
        }
        aloop_stream_write(client, aloop_bytes_data(line), aloop_bytes_size(line));
        aloop_bytes_unref(line);
        rc = AWAIT(aloop_stream_drain(client));
        if (rc < 0) return rc;
    }
}

#endif
