/*
 * sock.h: operations on plain sockets, for programs that make their own.
 * asyncio's loop.sock_*.
 *
 *     int64_t rc = aloop_await(aloop_sock_connect(fd, "example.org", 80), NULL);
 *     if (rc >= 0) rc = aloop_await(aloop_sock_sendall(fd, "hello", 5), NULL);
 *     aloop_bytes *answer = NULL;
 *     if (rc >= 0) rc = aloop_await(aloop_sock_recv(fd, 4096), (void **)&answer);
 *
 * The descriptors stay the program's, which closes them, and not while one of
 * these is under way. They must be nonblocking (in debug mode: ALOOP_EINVAL if
 * not). All functions give operations (see future.h), for the loop that runs in
 * this thread; NULL where none does. Each tries at once and takes no iteration
 * where that succeeds; else it watches the descriptor, in the place of any
 * reader (or writer) that was there, and stops when it is cancelled. A second
 * one on the same descriptor and direction takes the place of the first, which
 * fails with ALOOP_EBUSY. A descriptor of a stream or endpoint: ALOOP_EBUSY.
 * Memory that is passed must stay until the operation is done.
 *
 * Errors: -errno; ALOOP_EINVAL, ALOOP_EBADF for bad arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_SOCK_H
#define ASYNCLOOP_SOCK_H

#include <asyncloop/base.h>
#include <asyncloop/datagram.h>
#include <asyncloop/future.h>
#include <asyncloop/resolver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Receiving. A cancelled one has received nothing. ---------------------------------------- */

/* Up to n bytes; the value is an aloop_bytes (a reference), the status its size;
 * 0: the end. */
ALOOP_API aloop_future *aloop_sock_recv(int32_t fd, size_t n);
/* The same into memory of the caller. */
ALOOP_API aloop_future *aloop_sock_recv_into(int32_t fd, void *buffer, size_t n);
/* A datagram of up to n bytes; the value is an aloop_packet (a reference). */
ALOOP_API aloop_future *aloop_sock_recvfrom(int32_t fd, size_t n);
/* The same into memory of the caller; the value is the sender's aloop_address (a
 * reference). */
ALOOP_API aloop_future *aloop_sock_recvfrom_into(int32_t fd, void *buffer, size_t n);

/* Sending ------------------------------------------------------------------------------------ */

/* All n bytes; the status is n. After a failure or a cancellation it is not
 * known how many went. */
ALOOP_API aloop_future *aloop_sock_sendall(int32_t fd, const void *data, size_t n);
/* A datagram; address may be NULL on a connected socket. The status is n. */
ALOOP_API aloop_future *aloop_sock_sendto(int32_t fd, const void *data, size_t n,
                                          aloop_address *address);
/* Sends count bytes of a file from offset on (count < 0: to its end) over a
 * stream socket; the status is how many, and the file's position is behind them,
 * also after a failure or a cancellation. By sendfile(2), or else by reading in
 * the default executor and sending. ALOOP_EINVAL for a negative offset, a count
 * of 0, another kind of socket. */
ALOOP_API aloop_future *aloop_sock_sendfile(int32_t fd, int32_t file, int64_t offset,
                                            int64_t count);
/* The same by sendfile(2) alone: ALOOP_ENOSENDFILE where it cannot be used. */
ALOOP_API aloop_future *aloop_sock_sendfile_native(int32_t fd, int32_t file, int64_t offset,
                                                   int64_t count);

/* Connecting --------------------------------------------------------------------------------- */

/* host: a name or an address (of the socket's family; looked up as by
 * aloop_getaddrinfo, the first answer counts), or a path for a Unix socket
 * ("@name" is abstract; port is ignored). "Connect call failed (...): ..." is the
 * text of its errors. Cancelled, the attempt goes on in the kernel. */
ALOOP_API aloop_future *aloop_sock_connect(int32_t fd, const char *host, int32_t port);
/* The status is the new descriptor, nonblocking and close-on-exec, which is the
 * caller's; the value is the peer's aloop_address (a reference). Cancelled, it
 * has accepted nothing. */
ALOOP_API aloop_future *aloop_sock_accept(int32_t fd);

/* Descriptors over a Unix socket ----------------------------------------------------------- */

/* Sends n bytes, at least one, and count descriptors with them, 1 to 253; they
 * stay the caller's, too. The status is how many bytes went (all descriptors go
 * with the first one). */
ALOOP_API aloop_future *aloop_sock_send_fds(int32_t fd, const void *data, size_t n,
                                            const int32_t *fds, size_t count);
/* Up to n bytes and as many descriptors as come with them, at most 253: an
 * aloop_packet (a reference); truncated if there were more. They are
 * close-on-exec; what is not taken out of the packet is closed with it. */
ALOOP_API aloop_future *aloop_sock_recv_fds(int32_t fd, size_t n);
/* How many descriptors came with a packet. */
ALOOP_API int64_t aloop_packet_fd_count(const aloop_packet *packet);
/* Number index becomes the caller's; ALOOP_EBADF if it was taken, ALOOP_EINVAL
 * out of range. One thread at a time. */
ALOOP_API int64_t aloop_packet_take_fd(aloop_packet *packet, int64_t index);

#ifdef __cplusplus
}
#endif

#endif
