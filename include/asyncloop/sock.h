/*
 * sock.h: operations on sockets that the program made. asyncio's loop.sock_*.
 *
 *     int64_t rc = aloop_await(aloop_sock_connect(fd, "example.org", 80), NULL);
 *     if (rc >= 0) rc = aloop_await(aloop_sock_sendall(fd, "hello", 5), NULL);
 *     aloop_bytes *answer = NULL;
 *     if (rc >= 0) rc = aloop_await(aloop_sock_recv(fd, 4096), (void **)&answer);
 *
 * The descriptors stay the program's, which must not close them while an operation is in
 * progress. They must be nonblocking (debug mode checks this: ALOOP_EINVAL). All functions
 * return operations (see future.h) of the loop that runs in this thread; NULL if none does.
 * Memory that is passed must stay valid until the operation is done.
 *
 * Each operation tries its system call at once, and takes no iteration if that succeeds.
 * Otherwise it watches the descriptor until the call succeeds, or it is cancelled. This
 * replaces any reader (or writer) of the descriptor. A second operation on the same
 * descriptor and direction replaces the first, which fails with ALOOP_EBUSY. A descriptor
 * that belongs to a stream or endpoint: ALOOP_EBUSY.
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

/* Receiving. A cancelled operation has received nothing. ----------------------------------- */

/* Receives up to n bytes; the value is an aloop_bytes (a reference), the status its size, 0 at
 * the end. */
ALOOP_API aloop_future *aloop_sock_recv(int32_t fd, size_t n);
/* The same into memory of the caller. */
ALOOP_API aloop_future *aloop_sock_recv_into(int32_t fd, void *buffer, size_t n);
/* Receives a datagram of up to n bytes; the value is an aloop_packet (a reference). */
ALOOP_API aloop_future *aloop_sock_recvfrom(int32_t fd, size_t n);
/* The same into memory of the caller; the value is the sender's aloop_address (a
 * reference). */
ALOOP_API aloop_future *aloop_sock_recvfrom_into(int32_t fd, void *buffer, size_t n);

/* Sending ------------------------------------------------------------------------------------ */

/* Sends all n bytes; the status is n. After a failure or a cancellation it is not known how many
 * were sent. */
ALOOP_API aloop_future *aloop_sock_sendall(int32_t fd, const void *data, size_t n);
/* Sends a datagram; address may be NULL on a connected socket. The status is n. */
ALOOP_API aloop_future *aloop_sock_sendto(int32_t fd, const void *data, size_t n,
                                          aloop_address *address);
/* Sends count bytes of a file, starting at offset (count < 0: up to its end), over a stream
 * socket. The status is the number of bytes sent, and the position of the file is behind them,
 * also after a failure or a cancellation. Uses sendfile(2), or, if that is impossible, reads
 * in the default executor. ALOOP_EINVAL for a negative offset, a count of 0, or another kind
 * of socket. */
ALOOP_API aloop_future *aloop_sock_sendfile(int32_t fd, int32_t file, int64_t offset,
                                            int64_t count);
/* The same with sendfile(2) only: ALOOP_ENOSENDFILE if it cannot be used. */
ALOOP_API aloop_future *aloop_sock_sendfile_native(int32_t fd, int32_t file, int64_t offset,
                                                   int64_t count);

/* Connecting --------------------------------------------------------------------------------- */

/* Connects a socket. host: an address, a name (looked up as by aloop_getaddrinfo, in the family
 * of the socket; the first answer is used), or the path of a Unix socket ("@name" is an
 * abstract one; port is ignored). Its errors have the message "Connect call failed (...):
 * ...". After a cancellation the attempt continues in the kernel. */
ALOOP_API aloop_future *aloop_sock_connect(int32_t fd, const char *host, int32_t port);
/* Accepts a connection. The status is the new descriptor, nonblocking and close-on-exec, which is
 * the caller's; the value is the peer's aloop_address (a reference). A cancelled operation has
 * accepted nothing. */
ALOOP_API aloop_future *aloop_sock_accept(int32_t fd);

/* Descriptors over a Unix socket ----------------------------------------------------------- */

/* Sends n bytes, at least one, together with count descriptors, 1 to 253, which stay the
 * caller's. The status is the number of bytes sent (all descriptors go with the first). */
ALOOP_API aloop_future *aloop_sock_send_fds(int32_t fd, const void *data, size_t n,
                                            const int32_t *fds, size_t count);
/* Receives up to n bytes and the descriptors that come with them, at most 253. The value is an
 * aloop_packet (a reference), which is truncated if there were more. The descriptors are
 * close-on-exec; those that are not taken out of the packet are closed with it. */
ALOOP_API aloop_future *aloop_sock_recv_fds(int32_t fd, size_t n);
/* The number of descriptors that came with a packet. */
ALOOP_API int64_t aloop_packet_fd_count(const aloop_packet *packet);
/* Takes a descriptor out of the packet; it is then the caller's. ALOOP_EBADF if it was taken
 * already, ALOOP_EINVAL out of range. One thread at a time. */
ALOOP_API int64_t aloop_packet_take_fd(aloop_packet *packet, int64_t index);

#ifdef __cplusplus
}
#endif

#endif
