/*
 * server.h: servers of streams. asyncio.start_server and its Server.
 *
 *     static int64_t greet(aloop_stream *client, void *data) {
 *         aloop_stream_write(client, "hello\n", 6);
 *         return aloop_await(aloop_stream_drain(client), NULL);
 *     }
 *     ...
 *     aloop_server *server;
 *     rc = aloop_await(aloop_start_server(greet, NULL, "127.0.0.1", 8000, NULL),
 *                      (void **)&server);
 *     if (rc >= 0) rc = aloop_await(aloop_server_serve_forever(server), NULL);
 *
 * Functions on a server borrow it; all are for the loop's thread. A server
 * lives until it is closed, also when its last reference is dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_SERVER_H
#define ASYNCLOOP_SERVER_H

#include <asyncloop/base.h>
#include <asyncloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs as a task for each connection, in a copy of the context in which the
 * server was started. The stream is borrowed: the task drops it, and so closes
 * it, when the handler has returned (aloop_ref keeps it). A failure is
 * reported to the loop's exception handler. */
typedef int64_t (*aloop_client_fn)(aloop_stream *stream, void *data);

/* An operation whose value is a server (a reference). host: a name or an
 * address; NULL or "": every address of this machine. port 0: any. Without a
 * handler the connections are taken with aloop_server_accept. Fails with
 * ALOOP_ERESOLVE, or -errno ("error while attempting to bind on address
 * ('127.0.0.1', 80): permission denied"); data stays the caller's then. */
ALOOP_API aloop_future *aloop_start_server(aloop_client_fn handler, void *data, const char *host,
                                           int32_t port, const aloop_stream_options *options);

/* The same on a Unix socket; "@name" is an abstract one. A socket file that was
 * left there is replaced, ours is removed with the server. */
ALOOP_API aloop_future *aloop_start_unix_server(aloop_client_fn handler, void *data,
                                                const char *path,
                                                const aloop_stream_options *options);

/* The next connection of a server without a handler: an operation whose value
 * is a stream. ALOOP_ESTALE once the server is closed. */
ALOOP_API aloop_future *aloop_server_accept(aloop_server *server);

/* How many sockets listen; copies up to n descriptors. 0 once it is closed. */
ALOOP_API int64_t aloop_server_sockets(aloop_server *server, int32_t *descriptors, int64_t n);
/* The port of socket index; ALOOP_EINVAL out of range. */
ALOOP_API int64_t aloop_server_port(aloop_server *server, int64_t index);
/* 1 while it listens, else 0. */
ALOOP_API int64_t aloop_server_is_serving(aloop_server *server);
/* An operation. Again: 0. */
ALOOP_API aloop_future *aloop_server_start_serving(aloop_server *server);
/* An operation that lasts until the server is closed or it is cancelled: both
 * close the server, wait as wait_closed does and end with ALOOP_ECANCELED.
 * ALOOP_EBUSY if somebody awaits it already, ALOOP_ESTALE if it is closed. */
ALOOP_API aloop_future *aloop_server_serve_forever(aloop_server *server);
/* Listens no more; the connections stay. Again: 0. */
ALOOP_API int64_t aloop_server_close(aloop_server *server);
/* An operation: done when it is closed and its last connection is. */
ALOOP_API aloop_future *aloop_server_wait_closed(aloop_server *server);
/* Closes it and waits for its connections, timeout seconds at most (<= 0: not at
 * all): 0, or ALOOP_ETIMEDOUT with a message that names those still open ("2
 * connections are still open: 127.0.0.1:4711, 127.0.0.1:4712"). They stay so: call
 * it again, or abort them. ALOOP_EINVAL for NaN. An operation. */
ALOOP_API aloop_future *aloop_server_shutdown(aloop_server *server, double timeout);
/* How many connections it has; copies up to n of them (borrowed), oldest first. */
ALOOP_API int64_t aloop_server_connections(aloop_server *server, aloop_stream **streams,
                                           int64_t n);
/* Closes or aborts every connection that came from the server. */
ALOOP_API int64_t aloop_server_close_clients(aloop_server *server);
ALOOP_API int64_t aloop_server_abort_clients(aloop_server *server);

#ifdef __cplusplus
}
#endif

#endif
