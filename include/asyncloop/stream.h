/*
 * stream.h: connections. asyncio's StreamReader and StreamWriter, in one object.
 *
 *     aloop_stream *s;
 *     int64_t rc = aloop_await(aloop_open_connection("example.org", 80, NULL), (void **)&s);
 *     if (rc < 0) return rc;
 *     aloop_stream_write(s, "GET / HTTP/1.0\r\n\r\n", 18);
 *     aloop_bytes *line = NULL;
 *     rc = aloop_await(aloop_stream_readline(s), (void **)&line);
 *     ...
 *     aloop_bytes_unref(line);
 *     aloop_stream_close(s);
 *     aloop_await(aloop_stream_wait_closed(s), NULL);
 *     aloop_unref(s);
 *
 * Functions on a stream borrow it. Functions that wait return operations (see
 * future.h), which hold a reference of their own. Dropping the last reference to an
 * open stream closes it; what was written is still sent. One task may read and one
 * may write at a time. Call all functions in the loop's thread (ALOOP_EWRONGTHREAD
 * otherwise). ALOOP_EINVAL for any object that is not a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_STREAM_H
#define ASYNCLOOP_STREAM_H

#include <asyncloop/base.h>
#include <asyncloop/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_stream aloop_stream;
typedef struct aloop_server aloop_server;

/* Options of connections and servers ----------------------------------------------------
 *
 * They are read when they are passed, and can be used again. aloop_unref frees them.
 * Setters return 0, or ALOOP_EINVAL for NULL or a value out of range. */

typedef struct aloop_stream_options aloop_stream_options;
/* New options with the defaults; NULL when out of memory. */
ALOOP_API aloop_stream_options *aloop_stream_options_new(void);
/* The most bytes that readline and readuntil look through; default 65536. */
ALOOP_API int64_t aloop_stream_options_set_limit(aloop_stream_options *options, size_t bytes);
/* AF_INET or AF_INET6; default 0: both. */
ALOOP_API int64_t aloop_stream_options_set_family(aloop_stream_options *options, int32_t family);
/* The local address of a connection; port 0: any. */
ALOOP_API int64_t aloop_stream_options_set_local_address(aloop_stream_options *options,
                                                         const char *host, int32_t port);
/* Happy eyeballs: tries the next address of a name after this many seconds without an answer
 * from the last (RFC 8305 suggests 0.25); default: negative, one after the other. */
ALOOP_API int64_t aloop_stream_options_set_happy_eyeballs_delay(aloop_stream_options *options,
                                                                double delay);
/* For servers. backlog: the length of the kernel's queue, default 100. With TLS and without a
 * handler, no more connections are let in while this many have finished their handshake and
 * are not accepted (set_max_connections limits those in their handshake). reuse_address:
 * SO_REUSEADDR, default 1. reuse_port: SO_REUSEPORT, default 0. start_serving: whether it
 * listens at once, default 1. */
ALOOP_API int64_t aloop_stream_options_set_backlog(aloop_stream_options *options, int32_t backlog);
ALOOP_API int64_t aloop_stream_options_set_reuse_address(aloop_stream_options *options,
                                                         int32_t reuse);
ALOOP_API int64_t aloop_stream_options_set_reuse_port(aloop_stream_options *options, int32_t reuse);
ALOOP_API int64_t aloop_stream_options_set_start_serving(aloop_stream_options *options,
                                                         int32_t start);
/* For servers. host: one more host to listen on; an address that several hosts share is bound
 * once. max_connections: the most connections at a time (default 0: no limit); others wait
 * in the kernel's queue until one ends, and are refused if that is full. */
ALOOP_API int64_t aloop_stream_options_add_host(aloop_stream_options *options, const char *host);
ALOOP_API int64_t aloop_stream_options_set_max_connections(aloop_stream_options *options,
                                                           int64_t n);
/* Uses a stream socket that the program made: a connected one for a connection, a bound one
 * for a server, with NULL for the host or path and port 0. It becomes nonblocking and
 * belongs to the stream or server once that exists; if it is refused, it stays the program's
 * (ALOOP_EINVAL for another kind of socket, or together with a host or path; ALOOP_EBUSY if
 * it is watched; -errno). asyncio's sock arguments. */
ALOOP_API int64_t aloop_stream_options_set_descriptor(aloop_stream_options *options,
                                                      int32_t descriptor);
/* For servers on Unix sockets: whether the socket's file is removed with the server, unless it
 * has been replaced by then; default 1. */
ALOOP_API int64_t aloop_stream_options_set_cleanup_socket(aloop_stream_options *options,
                                                          int32_t cleanup);
/* SO_KEEPALIVE, default 0. */
ALOOP_API int64_t aloop_stream_options_set_keep_alive(aloop_stream_options *options,
                                                      int32_t keep_alive);
/* A function that frees the data of a server's handler, once, when the server is gone. */
ALOOP_API int64_t aloop_stream_options_set_data_free(aloop_stream_options *options,
                                                     aloop_free_fn free_fn);

/* Connecting ---------------------------------------------------------------------------- */

/* An operation that connects; its value is a stream (a reference). host: a name or an
 * address; NULL is this machine. Names are resolved in a thread. options may be NULL. Fails
 * with ALOOP_ERESOLVE, ALOOP_EINVAL for a port out of range, or -errno ("Connect call failed
 * ('127.0.0.1', 80): Connection refused"; if several addresses failed differently, with the
 * first code and all messages). asyncio.open_connection. */
ALOOP_API aloop_future *aloop_open_connection(const char *host, int32_t port,
                                              const aloop_stream_options *options);

/* The same to a Unix socket; "@name" is an abstract one. -errno, and
 * ALOOP_EINVAL for a path that is too long. */
ALOOP_API aloop_future *aloop_open_unix_connection(const char *path,
                                                   const aloop_stream_options *options);

/* Two connected streams in memory: what one writes the other reads, in the next
 * iteration at the earliest. 0, ALOOP_EINVAL, ALOOP_ENORUNNINGLOOP, ALOOP_ENOMEM. */
ALOOP_API int64_t aloop_stream_pair(aloop_stream **a, aloop_stream **b,
                                    const aloop_stream_options *options);

/* A stream over one end of a pipe, a socket or a character device. The future is done at once.
 * The descriptor becomes nonblocking and belongs to the stream; on failure it stays the
 * caller's: ALOOP_EINVAL for other files, ALOOP_EBUSY if it is watched, -EPERM for a device
 * that cannot be waited for. A write pipe closes when its reader is gone, with -EPIPE if
 * something was still to be sent, and on write_eof. There is no SIGPIPE.
 * loop.connect_read_pipe, loop.connect_write_pipe. */
ALOOP_API aloop_future *aloop_connect_read_pipe(int32_t descriptor,
                                                const aloop_stream_options *options);
ALOOP_API aloop_future *aloop_connect_write_pipe(int32_t descriptor,
                                                 const aloop_stream_options *options);

/* Reading -----------------------------------------------------------------------------------
 *
 * Operations whose value is an aloop_bytes (a reference) and whose status is
 * its size. A second read while one waits fails with ALOOP_EBUSY. A cancelled
 * read loses nothing. After a reset every read fails with its code. */

/* Up to n bytes, at least one; n < 0: all until the end. No bytes: the end. */
ALOOP_API aloop_future *aloop_stream_read(aloop_stream *stream, int64_t n);
/* The same into the caller's memory, which must stay valid until it is done; the status is the
 * number of bytes, 0 at the end. */
ALOOP_API aloop_future *aloop_stream_read_into(aloop_stream *stream, void *buffer, size_t size);
/* A line with its '\n'; at the end of the stream what is left, perhaps no bytes. A line that is
 * longer than the limit is dropped, and the read fails with ALOOP_ELIMITOVERRUN. */
ALOOP_API aloop_future *aloop_stream_readline(aloop_stream *stream);
/* n bytes. ALOOP_EINCOMPLETEREAD if the stream ends before. */
ALOOP_API aloop_future *aloop_stream_readexactly(aloop_stream *stream, int64_t n);
/* Everything up to and including the separator. ALOOP_EINCOMPLETEREAD if the stream ends
 * before; ALOOP_ELIMITOVERRUN if the separator does not begin within the limit, and then
 * the data stays in the stream. */
ALOOP_API aloop_future *aloop_stream_readuntil(aloop_stream *stream, const void *separator,
                                               size_t len);
/* The same with several separators; the one that ends first counts. */
ALOOP_API aloop_future *aloop_stream_readuntil_any(aloop_stream *stream,
                                                   const aloop_buf *separators, size_t count);
/* 1 when the end was read and nothing is left, else 0. */
ALOOP_API int64_t aloop_stream_at_eof(aloop_stream *stream);
/* While reading is paused, reads wait. Both may be called repeatedly. */
ALOOP_API int64_t aloop_stream_pause_reading(aloop_stream *stream);
ALOOP_API int64_t aloop_stream_resume_reading(aloop_stream *stream);
/* 1 unless it is paused or closing, else 0. */
ALOOP_API int64_t aloop_stream_is_reading(aloop_stream *stream);

/* Details of an ALOOP_EINCOMPLETEREAD: the bytes that came (borrowed), and how many were
 * expected (-1: unknown); and of an ALOOP_ELIMITOVERRUN: how many bytes can be consumed.
 * NULL and ALOOP_EWRONGTYPE for other errors. */
ALOOP_API aloop_bytes *aloop_error_partial(const aloop_error *error);
ALOOP_API int64_t aloop_error_expected(const aloop_error *error);
ALOOP_API int64_t aloop_error_consumed(const aloop_error *error);

/* Writing ------------------------------------------------------------------------------------- */

/* Sends bytes, or queues a copy of those that the kernel does not take; returns how many bytes
 * are queued. Never blocks: await aloop_stream_drain now and then. After close it drops the
 * data and returns 0; after the connection was lost it returns that code; after write_eof
 * ALOOP_EINVALIDSTATE. */
ALOOP_API int64_t aloop_stream_write(aloop_stream *stream, const void *data, size_t len);
ALOOP_API int64_t aloop_stream_writelines(aloop_stream *stream, const aloop_buf *parts,
                                          size_t count);
/* An operation that waits, if more than the high-water mark is queued, until no more than the
 * low-water mark is. Fails with the code that ended the connection. */
ALOOP_API aloop_future *aloop_stream_drain(aloop_stream *stream);
/* Ends the sending side when everything is sent; the peer then reads the end. */
ALOOP_API int64_t aloop_stream_write_eof(aloop_stream *stream);
/* 1 if the sending side can be ended separately, else 0. */
ALOOP_API int64_t aloop_stream_can_write_eof(aloop_stream *stream);
/* The water marks in bytes. Negative: asyncio's defaults (high 65536, low a quarter of high).
 * More than 4 GiB counts as 4 GiB. ALOOP_EINVAL if low > high. */
ALOOP_API int64_t aloop_stream_set_write_buffer_limits(aloop_stream *stream, int64_t high,
                                                       int64_t low);
ALOOP_API int64_t aloop_stream_get_write_buffer_limits(aloop_stream *stream, int64_t *high,
                                                       int64_t *low);
ALOOP_API int64_t aloop_stream_get_write_buffer_size(aloop_stream *stream);

/* An operation that sends count bytes of a file, starting at offset (count < 0: up to its
 * end), behind everything written before. The status is the number of bytes sent, and the
 * position of the file is behind them, also after a failure or a cancellation. Until it is
 * done, writes fail with ALOOP_EBUSY. Uses sendfile(2), or, if that is impossible (not a
 * regular file, TLS), reads in the default executor. The file stays open and the caller's.
 * Errors: ALOOP_EINVAL for a negative file or offset and a count of 0; ALOOP_EINVALIDSTATE
 * if the stream is closing; ALOOP_EBUSY while another sendfile runs; the code that ended the
 * connection; -errno of the file. loop.sendfile. */
ALOOP_API aloop_future *aloop_stream_sendfile(aloop_stream *stream, int32_t file, int64_t offset,
                                              int64_t count);
/* The same with sendfile(2) only: ALOOP_ENOSENDFILE if it cannot be used. */
ALOOP_API aloop_future *aloop_stream_sendfile_native(aloop_stream *stream, int32_t file,
                                                     int64_t offset, int64_t count);

/* Closing -------------------------------------------------------------------------------------- */

/* Sends what is queued, then closes. Again: 0. */
ALOOP_API int64_t aloop_stream_close(aloop_stream *stream);
/* Closes at once; what is queued is dropped. */
ALOOP_API int64_t aloop_stream_abort(aloop_stream *stream);
/* 1 once it was closed, aborted or lost, else 0. */
ALOOP_API int64_t aloop_stream_is_closing(aloop_stream *stream);
/* An operation that waits until the descriptor is closed; fails with the code that ended the
 * connection. */
ALOOP_API aloop_future *aloop_stream_wait_closed(aloop_stream *stream);

/* Information by name: "peername" or "sockname" ("127.0.0.1:80", "[::1]:80", "/path") copies
 * the text, truncated to size and with a NUL, and returns its length; "fd" returns the
 * descriptor, and copies it as text. tls.h has more names. ALOOP_ENOENT for an unknown name
 * or value. */
ALOOP_API int64_t aloop_stream_get_extra_info(aloop_stream *stream, const char *name, char *buffer,
                                              size_t size);

#ifdef __cplusplus
}
#endif

#endif
