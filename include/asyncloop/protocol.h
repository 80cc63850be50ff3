/*
 * protocol.h: connections with callbacks: asyncio's transports and protocols. The
 * transport is an aloop_stream. Use write, close, abort, pause_reading, sendfile etc.
 * from stream.h; reads fail with ALOOP_EBUSY, because the protocol gets the data.
 *
 *     static int64_t echo(aloop_stream *transport, const void *bytes, size_t len, void *data) {
 *         return aloop_stream_write(transport, bytes, len);
 *     }
 *     ...
 *     aloop_protocol *protocol = aloop_protocol_new();
 *     aloop_protocol_set_data_received(protocol, echo);
 *     aloop_server *server;
 *     rc = aloop_await(aloop_create_server(protocol, NULL, "127.0.0.1", 8000, NULL),
 *                      (void **)&server);
 *
 * Callbacks run on the loop's own stack, one after the other, in a copy of the context in
 * which the connection or its server was created. Their order is asyncio's: first
 * connection_made, once, in the iteration after the connection; then data_received (or
 * get_buffer and buffer_updated), once per iteration with data; eof_received when the peer
 * ends its sending side; last connection_lost, once, one iteration after a close. No data
 * comes after close or abort. pause_writing is called inside the write that exceeds the
 * high-water mark (if a stackful task writes, right after it), and resume_writing when the
 * low-water mark is reached.
 *
 * A negative result of a callback is reported to the loop's exception handler; from
 * data_received, eof_received, get_buffer and buffer_updated it also ends the connection.
 *
 * A transport lives until connection_lost was called, even without any reference. Call
 * all functions in the loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_PROTOCOL_H
#define ASYNCLOOP_PROTOCOL_H

#include <asyncloop/base.h>
#include <asyncloop/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For connection_made, eof_received (a result > 0 keeps the writing side open), pause_writing
 * and resume_writing. */
typedef int64_t (*aloop_transport_fn)(aloop_stream *transport, void *data);
typedef int64_t (*aloop_data_received_fn)(aloop_stream *transport, const void *bytes, size_t len,
                                          void *data);
/* Returns the size of a buffer for the next data, at least 1, and in *buffer the buffer, which
 * must stay valid until the next call. hint: how many bytes are expected, -1: unknown. */
typedef int64_t (*aloop_get_buffer_fn)(aloop_stream *transport, int64_t hint, void **buffer,
                                       void *data);
/* Tells that n bytes are in the buffer. */
typedef int64_t (*aloop_buffer_updated_fn)(aloop_stream *transport, int64_t n, void *data);
/* status: 0 after a close, an abort or the peer's end, otherwise the code that ended the
 * connection; error (borrowed, may be NULL) has its details. */
typedef int64_t (*aloop_connection_lost_fn)(aloop_stream *transport, int64_t status,
                                            aloop_error *error, void *data);
/* Creates the data of a new connection. */
typedef int64_t (*aloop_protocol_factory_fn)(void *arg, void **data);

/* A protocol is a set of callbacks, which any number of connections may share; it is read when
 * a connection is created. NULL when out of memory; aloop_unref frees it. Setters return 0, or
 * ALOOP_EINVAL for another object; NULL removes a callback. With a get_buffer the protocol is
 * a buffered protocol, and data_received is not called. */
typedef struct aloop_protocol aloop_protocol;
ALOOP_API aloop_protocol *aloop_protocol_new(void);
ALOOP_API int64_t aloop_protocol_set_connection_made(aloop_protocol *protocol,
                                                     aloop_transport_fn fn);
ALOOP_API int64_t aloop_protocol_set_data_received(aloop_protocol *protocol,
                                                   aloop_data_received_fn fn);
ALOOP_API int64_t aloop_protocol_set_get_buffer(aloop_protocol *protocol, aloop_get_buffer_fn fn);
ALOOP_API int64_t aloop_protocol_set_buffer_updated(aloop_protocol *protocol,
                                                    aloop_buffer_updated_fn fn);
ALOOP_API int64_t aloop_protocol_set_eof_received(aloop_protocol *protocol, aloop_transport_fn fn);
ALOOP_API int64_t aloop_protocol_set_pause_writing(aloop_protocol *protocol,
                                                   aloop_transport_fn fn);
ALOOP_API int64_t aloop_protocol_set_resume_writing(aloop_protocol *protocol,
                                                    aloop_transport_fn fn);
ALOOP_API int64_t aloop_protocol_set_connection_lost(aloop_protocol *protocol,
                                                     aloop_connection_lost_fn fn);
/* The factory is called before connection_made, with the data argument of the function that
 * creates the connection or server; its result is the connection's data. If it fails, so does
 * the connection. Without a factory the argument itself is the data. */
ALOOP_API int64_t aloop_protocol_set_factory(aloop_protocol *protocol,
                                             aloop_protocol_factory_fn fn);
/* Frees the data from the factory, once, after connection_lost (or when the loop closes).
 * Other data stays the caller's. */
ALOOP_API int64_t aloop_protocol_set_data_free(aloop_protocol *protocol, aloop_free_fn free_fn);

/* Operations that connect and call connection_made; the value is the transport (a reference).
 * They fail as aloop_open_connection and aloop_open_unix_connection do, or with the factory's
 * code. Cancelling one closes the connection.
 * loop.create_connection, loop.create_unix_connection. */
ALOOP_API aloop_future *aloop_create_connection(aloop_protocol *protocol, void *data,
                                                const char *host, int32_t port,
                                                const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_unix_connection(aloop_protocol *protocol, void *data,
                                                     const char *path,
                                                     const aloop_stream_options *options);
/* The same over pipes, with the descriptors and errors of aloop_connect_read_pipe and
 * aloop_connect_write_pipe. The end of the input closes the transport, whatever eof_received
 * returns. */
ALOOP_API aloop_future *aloop_create_read_pipe(aloop_protocol *protocol, void *data,
                                               int32_t descriptor,
                                               const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_write_pipe(aloop_protocol *protocol, void *data,
                                                int32_t descriptor,
                                                const aloop_stream_options *options);

/* Operations whose value is a server (a reference; see server.h). Each of its connections gets
 * the protocol. They fail as aloop_start_server does. If the factory fails, this is reported,
 * and the connection is closed.
 * loop.create_server, loop.create_unix_server. */
ALOOP_API aloop_future *aloop_create_server(aloop_protocol *protocol, void *data,
                                            const char *host, int32_t port,
                                            const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_unix_server(aloop_protocol *protocol, void *data,
                                                 const char *path,
                                                 const aloop_stream_options *options);

/* Gives an open stream or transport another protocol (borrowed), which gets the events from the
 * next iteration on, but not connection_made. NULL makes it an ordinary stream. No factory is
 * called; data stays the caller's. ALOOP_ESTALE if it is closing, ALOOP_EBUSY while a read
 * waits. */
ALOOP_API int64_t aloop_stream_set_protocol(aloop_stream *transport, aloop_protocol *protocol,
                                            void *data);
/* Its protocol (borrowed), and its data in *data; NULL if it has none. */
ALOOP_API aloop_protocol *aloop_stream_get_protocol(aloop_stream *transport, void **data);

#ifdef __cplusplus
}
#endif

#endif
