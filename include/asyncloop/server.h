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
 * Functions on a server borrow it, and must be called in the loop's thread. A server
 * lives until it is closed, even if its last reference is dropped.
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

/* An operation that starts a server; its value is the server (a reference). host: a name or
 * an address; NULL or "": every address of this machine. port 0: any free port. If handler is
 * NULL, take the connections with aloop_server_accept. Fails with ALOOP_ERESOLVE, or with
 * -errno ("error while attempting to bind on address ('127.0.0.1', 80): permission denied");
 * data then stays the caller's. */
ALOOP_API aloop_future *aloop_start_server(aloop_client_fn handler, void *data, const char *host,
                                           int32_t port, const aloop_stream_options *options);

/* The same on a Unix socket; "@name" is an abstract one. Replaces an old socket file, and
 * removes its own with the server. */
ALOOP_API aloop_future *aloop_start_unix_server(aloop_client_fn handler, void *data,
                                                const char *path,
                                                const aloop_stream_options *options);

/* The next connection of a server without a handler: an operation whose value
 * is a stream. ALOOP_ESTALE once the server is closed. */
ALOOP_API aloop_future *aloop_server_accept(aloop_server *server);

/* Copies up to n descriptors of its sockets; returns how many sockets listen, 0 once it is
 * closed. */
ALOOP_API int64_t aloop_server_sockets(aloop_server *server, int32_t *descriptors, int64_t n);
/* The port of one of its sockets; ALOOP_EINVAL out of range. */
ALOOP_API int64_t aloop_server_port(aloop_server *server, int64_t index);
/* 1 while it listens, else 0. */
ALOOP_API int64_t aloop_server_is_serving(aloop_server *server);
/* An operation that begins to listen, for a server with set_start_serving(options, 0). Again:
 * 0. */
ALOOP_API aloop_future *aloop_server_start_serving(aloop_server *server);
/* An operation that lasts until the server is closed or the operation is cancelled. In both
 * cases it closes the server, waits as wait_closed does, and fails with ALOOP_ECANCELED.
 * ALOOP_EBUSY if somebody awaits it already, ALOOP_ESTALE if it is closed. */
ALOOP_API aloop_future *aloop_server_serve_forever(aloop_server *server);
/* Stops listening; open connections stay. Again: 0. */
ALOOP_API int64_t aloop_server_close(aloop_server *server);
/* An operation that waits until the server and all its connections are closed. */
ALOOP_API aloop_future *aloop_server_wait_closed(aloop_server *server);
/* An operation that closes the server and waits for its connections, for up to timeout seconds
 * (<= 0: not at all). ALOOP_ETIMEDOUT if some are still open, with a message that names them
 * ("2 connections are still open: 127.0.0.1:4711, 127.0.0.1:4712"); call it again, or abort
 * them. ALOOP_EINVAL for NaN. */
ALOOP_API aloop_future *aloop_server_shutdown(aloop_server *server, double timeout);
/* Copies up to n of its connections (borrowed), oldest first; returns how many it has. */
ALOOP_API int64_t aloop_server_connections(aloop_server *server, aloop_stream **streams,
                                           int64_t n);
/* Closes or aborts every connection that came from the server. */
ALOOP_API int64_t aloop_server_close_clients(aloop_server *server);
ALOOP_API int64_t aloop_server_abort_clients(aloop_server *server);

#ifdef __cplusplus
}
#endif

#endif
