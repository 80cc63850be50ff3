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
 * Functions on a stream borrow it. Reads and the like are operations (see
 * future.h) and hold a reference of their own. Dropping the last reference to
 * an open stream closes it; what was written is still sent. One task may read
 * at a time and one write; all calls are for the loop's thread, the others get
 * ALOOP_EWRONGTHREAD. Any call gives ALOOP_EINVAL for what is no stream.
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
 * Made with the defaults; NULL when out of memory; aloop_unref frees. They are
 * read when they are passed. Setters return 0, or ALOOP_EINVAL for NULL or a
 * value out of range. */

typedef struct aloop_stream_options aloop_stream_options;
/* New options with the defaults. */
ALOOP_API aloop_stream_options *aloop_stream_options_new(void);
/* The most bytes that readline and readuntil look through; default 65536. */
ALOOP_API int64_t aloop_stream_options_set_limit(aloop_stream_options *options, size_t bytes);
/* AF_INET or AF_INET6; default 0: both. */
ALOOP_API int64_t aloop_stream_options_set_family(aloop_stream_options *options, int32_t family);
/* Where a connection comes from; port 0: any. */
ALOOP_API int64_t aloop_stream_options_set_local_address(aloop_stream_options *options,
                                                         const char *host, int32_t port);
/* Seconds after which the next address of a name is tried while the one before
 * has not answered (RFC 8305: 0.25); default: negative, one after the other. */
ALOOP_API int64_t aloop_stream_options_set_happy_eyeballs_delay(aloop_stream_options *options,
                                                                double delay);
/* Of servers: the length of the kernel's queue, default 100; over TLS without a
 * handler, once so many have shaken hands and are not accepted, no more are let in
 * (those that still shake hands are bounded by set_max_connections). SO_REUSEADDR,
 * default 1; SO_REUSEPORT, default 0; whether it listens at once, default 1. */
ALOOP_API int64_t aloop_stream_options_set_backlog(aloop_stream_options *options, int32_t backlog);
ALOOP_API int64_t aloop_stream_options_set_reuse_address(aloop_stream_options *options,
                                                         int32_t reuse);
ALOOP_API int64_t aloop_stream_options_set_reuse_port(aloop_stream_options *options, int32_t reuse);
ALOOP_API int64_t aloop_stream_options_set_start_serving(aloop_stream_options *options,
                                                         int32_t start);
/* Of servers: more hosts to listen on, beside the one that is given; an address
 * that several have is bound once. How many connections there may be at a time
 * (default 0: any number); others wait in the kernel's queue, and are refused by
 * it when the backlog is full, until one ends. */
ALOOP_API int64_t aloop_stream_options_add_host(aloop_stream_options *options, const char *host);
ALOOP_API int64_t aloop_stream_options_set_max_connections(aloop_stream_options *options,
                                                           int64_t n);
/* A stream socket that the program made: connected, in place of a host or a path
 * (then NULL, and port 0); bound, in place of those of a server. It is made
 * nonblocking and belongs to the stream or the server as soon as there is one:
 * where it is refused it and its file stay the program's (ALOOP_EINVAL for another kind of
 * socket, or with a host or path beside it; ALOOP_EBUSY where it is watched; -errno).
 * asyncio's sock arguments. */
ALOOP_API int64_t aloop_stream_options_set_descriptor(aloop_stream_options *options,
                                                      int32_t descriptor);
/* Of servers on Unix sockets: whether the socket's file is removed with the
 * server, unless it is another's by then; default 1. */
ALOOP_API int64_t aloop_stream_options_set_cleanup_socket(aloop_stream_options *options,
                                                          int32_t cleanup);
/* SO_KEEPALIVE, default 0. */
ALOOP_API int64_t aloop_stream_options_set_keep_alive(aloop_stream_options *options,
                                                      int32_t keep_alive);
/* Frees the data of a server's handler, once, when the server is gone. */
ALOOP_API int64_t aloop_stream_options_set_data_free(aloop_stream_options *options,
                                                     aloop_free_fn free_fn);

/* Connecting ---------------------------------------------------------------------------- */

/* An operation whose value is a stream (a reference). host: a name or an
 * address; NULL is this machine. Names are resolved in threads of their own.
 * Fails with ALOOP_ERESOLVE, with -errno ("Connect call failed ('127.0.0.1',
 * 80): Connection refused"; of several different failures the first one's code
 * and all texts), ALOOP_EINVAL for a port out of range. options may be NULL.
 * asyncio.open_connection. */
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

/* A stream over an end of a pipe, a socket or a character device, which becomes
 * nonblocking and the stream's; on failure it stays the caller's: ALOOP_EINVAL
 * for other files, ALOOP_EBUSY where it is watched, -EPERM for a device that
 * cannot be waited for. Futures that are done at once. A stream that is
 * written to closes when its reader is gone, with -EPIPE if something was still
 * to be sent; its write_eof closes it. Nobody is sent SIGPIPE.
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
/* The same into memory of the caller, which must stay until it is done; the
 * status is the number of bytes, 0 at the end. */
ALOOP_API aloop_future *aloop_stream_read_into(aloop_stream *stream, void *buffer, size_t size);
/* A line with its '\n'; at the end what is left, perhaps nothing. A line that
 * is longer than the limit fails with ALOOP_ELIMITOVERRUN and is dropped. */
ALOOP_API aloop_future *aloop_stream_readline(aloop_stream *stream);
/* n bytes. ALOOP_EINCOMPLETEREAD if the stream ends before. */
ALOOP_API aloop_future *aloop_stream_readexactly(aloop_stream *stream, int64_t n);
/* Up to and including the separator. ALOOP_EINCOMPLETEREAD; ALOOP_ELIMITOVERRUN
 * if it does not begin within the limit: the data stay where they are. */
ALOOP_API aloop_future *aloop_stream_readuntil(aloop_stream *stream, const void *separator,
                                               size_t len);
/* The same with several separators; the one that ends first counts. */
ALOOP_API aloop_future *aloop_stream_readuntil_any(aloop_stream *stream,
                                                   const aloop_buf *separators, size_t count);
/* 1 when the end was read and nothing is left, else 0. */
ALOOP_API int64_t aloop_stream_at_eof(aloop_stream *stream);
/* Reads wait until resume; 0. Both may be repeated. */
ALOOP_API int64_t aloop_stream_pause_reading(aloop_stream *stream);
ALOOP_API int64_t aloop_stream_resume_reading(aloop_stream *stream);
/* 1 unless it is paused or closing. */
ALOOP_API int64_t aloop_stream_is_reading(aloop_stream *stream); /* not paused, not closing */

/* What an ALOOP_EINCOMPLETEREAD carries: the bytes that came (borrowed), and
 * how many were expected (-1: unknown); and an ALOOP_ELIMITOVERRUN: how many
 * bytes may be consumed. NULL and ALOOP_EWRONGTYPE on other errors. */
ALOOP_API aloop_bytes *aloop_error_partial(const aloop_error *error);
ALOOP_API int64_t aloop_error_expected(const aloop_error *error);
ALOOP_API int64_t aloop_error_consumed(const aloop_error *error);

/* Writing ------------------------------------------------------------------------------------- */

/* Sends, or queues, len bytes (copied); returns how many bytes now wait. Never
 * blocks: await drain now and then. After close the data are dropped: 0. After
 * the connection was lost: its code; after write_eof: ALOOP_EINVALIDSTATE. */
ALOOP_API int64_t aloop_stream_write(aloop_stream *stream, const void *data, size_t len);
ALOOP_API int64_t aloop_stream_writelines(aloop_stream *stream, const aloop_buf *parts,
                                          size_t count);
/* Done at once unless more than the high-water mark waits; then when it has
 * come down to the low one. Fails with what ended the connection. An operation. */
ALOOP_API aloop_future *aloop_stream_drain(aloop_stream *stream);
/* Ends the sending side once everything is sent; the peer reads the end. */
ALOOP_API int64_t aloop_stream_write_eof(aloop_stream *stream);
/* 1 if it has a sending side that can end by itself. */
ALOOP_API int64_t aloop_stream_can_write_eof(aloop_stream *stream);
/* Negative: by asyncio's rule (65536; low is a quarter of high). More than 4 GiB
 * is taken as that. ALOOP_EINVAL if low is above high. */
ALOOP_API int64_t aloop_stream_set_write_buffer_limits(aloop_stream *stream, int64_t high,
                                                       int64_t low);
ALOOP_API int64_t aloop_stream_get_write_buffer_limits(aloop_stream *stream, int64_t *high,
                                                       int64_t *low);
ALOOP_API int64_t aloop_stream_get_write_buffer_size(aloop_stream *stream);

/* Sends count bytes of a file from offset on (count < 0: to its end); the status
 * is how many, and the file's position is behind them, also after a failure or a
 * cancellation. What was written before goes first; until it is done a write is
 * ALOOP_EBUSY. By sendfile(2), or else (no regular file, another layer) by
 * reading in the default executor and writing. The file stays the caller's and
 * open. ALOOP_EINVAL for a negative file or offset and a count of 0;
 * ALOOP_EINVALIDSTATE on a stream that closes; ALOOP_EBUSY while another runs; what
 * ended the connection; -errno of the file. An operation. loop.sendfile. */
ALOOP_API aloop_future *aloop_stream_sendfile(aloop_stream *stream, int32_t file, int64_t offset,
                                              int64_t count);
/* The same by sendfile(2) alone: ALOOP_ENOSENDFILE where it cannot be used. */
ALOOP_API aloop_future *aloop_stream_sendfile_native(aloop_stream *stream, int32_t file,
                                                     int64_t offset, int64_t count);

/* Closing -------------------------------------------------------------------------------------- */

/* Sends what waits, then closes; again: 0. */
ALOOP_API int64_t aloop_stream_close(aloop_stream *stream);
/* Closes at once; what waits is dropped. */
ALOOP_API int64_t aloop_stream_abort(aloop_stream *stream);
/* 1 once it was closed, aborted or lost. */
ALOOP_API int64_t aloop_stream_is_closing(aloop_stream *stream);
/* Done when the descriptor is closed; fails with what ended the connection. An
 * operation. */
ALOOP_API aloop_future *aloop_stream_wait_closed(aloop_stream *stream);

/* "peername" or "sockname" ("127.0.0.1:80", "[::1]:80", "/path"): the length of
 * the text; copies it, cut to size with a NUL. "fd": the descriptor, as the
 * result and as text. ALOOP_ENOENT for another name, or where it is not known. */
ALOOP_API int64_t aloop_stream_get_extra_info(aloop_stream *stream, const char *name, char *buffer,
                                              size_t size);

#ifdef __cplusplus
}
#endif

#endif
