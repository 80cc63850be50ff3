/*
 * protocol.h: connections told by callbacks instead of awaited: asyncio's
 * transports and protocols. The transport is an aloop_stream: write, close,
 * abort, pause_reading, sendfile and the like are those of stream.h; its reads
 * are refused with ALOOP_EBUSY, because the data go to the protocol.
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
 * Callbacks run on the loop's own stack, one after the other, in a copy of the
 * context in which the connection or its server was made. The order is asyncio's:
 * connection_made once, in the iteration after the connection came; then
 * data_received (or get_buffer and buffer_updated), once an iteration;
 * eof_received; connection_lost once, as the last, one iteration after a close.
 * No data come after close or abort. pause_writing is called from within the
 * write that exceeds the high-water mark (from a stackful task: right after it),
 * resume_writing when the low one is reached. A callback's negative answer is
 * reported to the loop's exception handler; from data_received, eof_received,
 * get_buffer and buffer_updated it ends the connection too, with that code.
 *
 * A transport lives until connection_lost has been called, also without any
 * reference. All is for the loop's thread.
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

/* connection_made, eof_received (more than 0: keep the writing side open),
 * pause_writing, resume_writing. */
typedef int64_t (*aloop_transport_fn)(aloop_stream *transport, void *data);
typedef int64_t (*aloop_data_received_fn)(aloop_stream *transport, const void *bytes, size_t len,
                                          void *data);
/* Where to put up to how many bytes: gives the buffer's size, at least 1, and
 * the buffer, which stays until the next call. hint: how many are expected, -1:
 * unknown. */
typedef int64_t (*aloop_get_buffer_fn)(aloop_stream *transport, int64_t hint, void **buffer,
                                       void *data);
/* n bytes are in the buffer. */
typedef int64_t (*aloop_buffer_updated_fn)(aloop_stream *transport, int64_t n, void *data);
/* status: 0 after a close, an abort or the peer's end, else what ended it; error
 * (borrowed) is its detail, perhaps NULL. */
typedef int64_t (*aloop_connection_lost_fn)(aloop_stream *transport, int64_t status,
                                            aloop_error *error, void *data);
/* Makes the data of a new connection. */
typedef int64_t (*aloop_protocol_factory_fn)(void *arg, void **data);

/* A protocol: a set of callbacks, which any number of connections may share; it
 * is read when a connection is made. NULL when out of memory; aloop_unref frees.
 * Setters give 0, or ALOOP_EINVAL for what is no protocol; NULL unsets. With a
 * get_buffer the protocol is a buffered one, and data_received is not called. */
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
/* Called before connection_made, with the data argument of the function that
 * made the connection or the server; what it gives is the connection's data. If
 * it fails so does the connection. Without it the argument itself is the data. */
ALOOP_API int64_t aloop_protocol_set_factory(aloop_protocol *protocol,
                                             aloop_protocol_factory_fn fn);
/* Frees what the factory made, once, after connection_lost (or when the loop
 * closes). Data that no factory made stay the caller's. */
ALOOP_API int64_t aloop_protocol_set_data_free(aloop_protocol *protocol, aloop_free_fn free_fn);

/* Operations whose value is the transport (a reference), once connection_made
 * was called. They fail as open_connection and open_unix_connection do, and with
 * the factory's code; a cancelled one closes what it had made.
 * loop.create_connection, loop.create_unix_connection. */
ALOOP_API aloop_future *aloop_create_connection(aloop_protocol *protocol, void *data,
                                                const char *host, int32_t port,
                                                const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_unix_connection(aloop_protocol *protocol, void *data,
                                                     const char *path,
                                                     const aloop_stream_options *options);
/* The same over pipes; descriptors and errors are those of
 * aloop_connect_read_pipe and aloop_connect_write_pipe. The end of what is read
 * closes the transport, whatever eof_received answers. */
ALOOP_API aloop_future *aloop_create_read_pipe(aloop_protocol *protocol, void *data,
                                               int32_t descriptor,
                                               const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_write_pipe(aloop_protocol *protocol, void *data,
                                                int32_t descriptor,
                                                const aloop_stream_options *options);

/* Operations whose value is a server (a reference; see server.h), every
 * connection of which gets the protocol. Errors as aloop_start_server's; a
 * connection whose factory fails is reported and closed.
 * loop.create_server, loop.create_unix_server. */
ALOOP_API aloop_future *aloop_create_server(aloop_protocol *protocol, void *data,
                                            const char *host, int32_t port,
                                            const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_create_unix_server(aloop_protocol *protocol, void *data,
                                                 const char *path,
                                                 const aloop_stream_options *options);

/* Gives an open stream or transport another protocol (borrowed), which is told
 * of what comes from the next iteration on, but not of connection_made; NULL
 * makes it a stream that is read. No factory is called: the data are the given
 * ones, and stay the caller's. ALOOP_ESTALE once it is closing, ALOOP_EBUSY while
 * a read waits. */
ALOOP_API int64_t aloop_stream_set_protocol(aloop_stream *transport, aloop_protocol *protocol,
                                            void *data);
/* Its protocol (borrowed), and its data in *data; NULL if it has none. */
ALOOP_API aloop_protocol *aloop_stream_get_protocol(aloop_stream *transport, void **data);

#ifdef __cplusplus
}
#endif

#endif
