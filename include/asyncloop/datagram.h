/*
 * datagram.h: endpoints for UDP and Unix datagrams.
 *
 *     aloop_datagram_options *o = aloop_datagram_options_new();
 *     aloop_datagram_options_set_local_address(o, "127.0.0.1", 9999);
 *     aloop_datagram *endpoint = NULL;
 *     int64_t rc = aloop_await(aloop_create_datagram_endpoint(o), (void **)&endpoint);
 *     aloop_unref(o);
 *     while (rc >= 0) {
 *         aloop_packet *p = NULL;
 *         rc = aloop_await(aloop_datagram_recvfrom(endpoint), (void **)&p);
 *         if (rc >= 0) {
 *             rc = aloop_await(aloop_datagram_sendto(endpoint, aloop_packet_data(p), (size_t)rc,
 *                                                    aloop_packet_address(p)), NULL);
 *         }
 *         aloop_unref(p);
 *     }
 *     aloop_datagram_close(endpoint);
 *     aloop_unref(endpoint);
 *
 * Functions on an endpoint borrow it; operations (see future.h) hold a reference of their
 * own. Dropping the last reference closes it; what is queued is still sent. Call all
 * functions in the loop's thread (ALOOP_EWRONGTHREAD otherwise). ALOOP_EINVAL for any object
 * that is not an endpoint. asyncio's DatagramTransport.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_DATAGRAM_H
#define ASYNCLOOP_DATAGRAM_H

#include <asyncloop/base.h>
#include <asyncloop/future.h>
#include <asyncloop/resolver.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aloop_datagram aloop_datagram;
typedef struct aloop_packet aloop_packet;
typedef struct aloop_packets aloop_packets;

/* Received datagrams ---------------------------------------------------------------------
 *
 * Immutable and counted; any thread. The getters borrow. */

/* The data, never NULL; a NUL byte follows it and is not counted in the size. */
ALOOP_API const uint8_t *aloop_packet_data(const aloop_packet *packet);
ALOOP_API size_t aloop_packet_size(const aloop_packet *packet);
/* The sender; its family is 0 for an unnamed Unix socket. aloop_ref keeps it longer than the
 * packet. NULL for another object. */
ALOOP_API aloop_address *aloop_packet_address(const aloop_packet *packet);
/* 1 if there was no room for all of it, so that it is truncated, else 0. */
ALOOP_API int64_t aloop_packet_truncated(const aloop_packet *packet);
ALOOP_API int64_t aloop_packets_count(const aloop_packets *list);
ALOOP_API aloop_packet *aloop_packets_at(const aloop_packets *list, int64_t index);

/* Options -----------------------------------------------------------------------------------
 *
 * Made with the defaults; NULL when out of memory; aloop_unref frees. Read when
 * they are passed. Setters: 0, ALOOP_ENOMEM, or ALOOP_EINVAL for NULL or a value
 * out of range. */

typedef struct aloop_datagram_options aloop_datagram_options;
ALOOP_API aloop_datagram_options *aloop_datagram_options_new(void);
/* Where it is bound: a name or an address; NULL: every address. Port 0: any. */
ALOOP_API int64_t aloop_datagram_options_set_local_address(aloop_datagram_options *options,
                                                           const char *host, int32_t port);
/* Its only peer. */
ALOOP_API int64_t aloop_datagram_options_set_remote_address(aloop_datagram_options *options,
                                                            const char *host, int32_t port);
/* The same for Unix datagrams; "@name" is abstract. A stale socket file in the
 * way of the local one is removed. Both kinds in one endpoint: ALOOP_EINVAL. */
ALOOP_API int64_t aloop_datagram_options_set_local_path(aloop_datagram_options *options,
                                                        const char *path);
ALOOP_API int64_t aloop_datagram_options_set_remote_path(aloop_datagram_options *options,
                                                         const char *path);
/* AF_INET, AF_INET6 or AF_UNIX; needed if there is no address. */
ALOOP_API int64_t aloop_datagram_options_set_family(aloop_datagram_options *options,
                                                    int32_t family);
/* SO_REUSEPORT; SO_BROADCAST (the socket is then not connected to the remote address, as in
 * asyncio); SO_RCVBUF in bytes. */
ALOOP_API int64_t aloop_datagram_options_set_reuse_port(aloop_datagram_options *options,
                                                        int32_t reuse);
ALOOP_API int64_t aloop_datagram_options_set_broadcast(aloop_datagram_options *options,
                                                       int32_t broadcast);
ALOOP_API int64_t aloop_datagram_options_set_receive_buffer(aloop_datagram_options *options,
                                                            int32_t bytes);
/* Uses a datagram socket that the program made. It becomes nonblocking and, if the creation
 * succeeds, belongs to the endpoint. Not together with an address, a family or a flag. */
ALOOP_API int64_t aloop_datagram_options_set_descriptor(aloop_datagram_options *options,
                                                        int32_t descriptor);
/* The longest datagram, default 65536, at most 1 MiB; longer ones are truncated. */
ALOOP_API int64_t aloop_datagram_options_set_max_size(aloop_datagram_options *options,
                                                      size_t bytes);
/* How many datagrams one system call receives, and so how many can wait in the endpoint, 1 to
 * 32, default 16. Others wait in the kernel, which drops those that do not fit into its
 * receive buffer. */
ALOOP_API int64_t aloop_datagram_options_set_batch(aloop_datagram_options *options, int32_t n);

/* A set of callbacks, in place of recvfrom. The loop calls them on its own stack with the
 * endpoint's data, in the context of the creation; a negative result goes to the exception
 * handler. A new one is empty; NULL when out of memory; aloop_unref frees it. Setters return 0,
 * or ALOOP_EINVAL; NULL removes a callback. asyncio.DatagramProtocol. */
typedef struct aloop_datagram_protocol aloop_datagram_protocol;
typedef int64_t (*aloop_datagram_fn)(aloop_datagram *endpoint, void *data);
/* packet and error are borrowed. */
typedef int64_t (*aloop_datagram_received_fn)(aloop_datagram *endpoint, aloop_packet *packet,
                                              void *data);
typedef int64_t (*aloop_error_received_fn)(aloop_datagram *endpoint, aloop_error *error,
                                           void *data);
/* status and error are as in protocol.h; here they are always 0 and NULL. */
typedef int64_t (*aloop_datagram_lost_fn)(aloop_datagram *endpoint, int64_t status,
                                          aloop_error *error, void *data);
ALOOP_API aloop_datagram_protocol *aloop_datagram_protocol_new(void);
ALOOP_API int64_t aloop_datagram_protocol_set_connection_made(aloop_datagram_protocol *protocol,
                                                              aloop_datagram_fn fn);
ALOOP_API int64_t aloop_datagram_protocol_set_datagram_received(
    aloop_datagram_protocol *protocol, aloop_datagram_received_fn fn);
/* Called for an error of the network that no call can return. */
ALOOP_API int64_t aloop_datagram_protocol_set_error_received(aloop_datagram_protocol *protocol,
                                                             aloop_error_received_fn fn);
/* Called in pairs, as the queue passes the water marks, in the next iteration. */
ALOOP_API int64_t aloop_datagram_protocol_set_pause_writing(aloop_datagram_protocol *protocol,
                                                            aloop_datagram_fn fn);
ALOOP_API int64_t aloop_datagram_protocol_set_resume_writing(aloop_datagram_protocol *protocol,
                                                             aloop_datagram_fn fn);
/* Called last; until then the endpoint lives even without a reference. */
ALOOP_API int64_t aloop_datagram_protocol_set_connection_lost(aloop_datagram_protocol *protocol,
                                                              aloop_datagram_lost_fn fn);
/* The callbacks of the endpoint, which are copied, and their data. free_fn(data) runs once, when
 * the endpoint is gone; not if none was created. */
ALOOP_API int64_t aloop_datagram_options_set_protocol(aloop_datagram_options *options,
                                                      const aloop_datagram_protocol *protocol,
                                                      void *data, aloop_free_fn free_fn);

/* Life ------------------------------------------------------------------------------------ */

/* An operation that creates an endpoint, its value (a reference). Fails with -errno and a message
 * with the address, ALOOP_ERESOLVE, ALOOP_EBUSY for a descriptor that is watched, or
 * ALOOP_EINVAL. loop.create_datagram_endpoint. */
ALOOP_API aloop_future *aloop_create_datagram_endpoint(const aloop_datagram_options *options);
/* Stops receiving, sends what is queued, then closes. Again: 0. */
ALOOP_API int64_t aloop_datagram_close(aloop_datagram *endpoint);
/* Closes at once; what is queued is dropped. */
ALOOP_API int64_t aloop_datagram_abort(aloop_datagram *endpoint);
ALOOP_API int64_t aloop_datagram_is_closing(aloop_datagram *endpoint);
/* An operation that waits until the descriptor is closed. */
ALOOP_API aloop_future *aloop_datagram_wait_closed(aloop_datagram *endpoint);

/* Receiving ---------------------------------------------------------------------------------
 *
 * Only one receive may wait at a time (ALOOP_EBUSY). Cancelling it loses nothing. It fails with
 * ALOOP_ESTALE once the endpoint is closed, with ALOOP_EINVALIDSTATE if a protocol receives, and
 * with -errno for an error that the kernel has kept for the socket (ALOOP_ECONNREFUSED: nobody
 * received an earlier datagram); the endpoint can be used after that. */

/* An operation that receives a datagram; its value is an aloop_packet (a reference), its status
 * the size, which may be 0. */
ALOOP_API aloop_future *aloop_datagram_recvfrom(aloop_datagram *endpoint);
/* An operation that waits for a datagram and receives up to n that are there; its value is an
 * aloop_packets (a reference), its status their number. ALOOP_EINVAL if n < 1. */
ALOOP_API aloop_future *aloop_datagram_recvmany(aloop_datagram *endpoint, int64_t n);

/* Sending -------------------------------------------------------------------------------------
 *
 * address is borrowed. It may be NULL if the endpoint has a remote address (otherwise
 * -EDESTADDRREQ); any other address must equal that one (ALOOP_EINVAL). -errno if the kernel
 * refuses this datagram, or has refused an earlier one; ALOOP_ESTALE once closed. */

/* An operation that waits while more than the high-water mark is queued, and then sends or queues
 * a datagram; its status is n. data must stay valid until it is done. If it is cancelled,
 * nothing was sent. */
ALOOP_API aloop_future *aloop_datagram_sendto(aloop_datagram *endpoint, const void *data, size_t n,
                                              aloop_address *address);
/* Sends or queues (copies) a datagram at once, however much is queued; returns how many bytes are
 * queued, plus 8 for each datagram. transport.sendto. */
ALOOP_API int64_t aloop_datagram_sendto_nowait(aloop_datagram *endpoint, const void *data,
                                               size_t len, aloop_address *address);
/* An operation that sends n datagrams with as few system calls as possible. addresses, and each
 * of them, may be NULL. The arrays are copied; the data must stay valid until it is done. The
 * status is the number of datagrams sent or queued. If one is refused, it is fewer than n; if
 * that is the first one, the operation fails with its error. */
ALOOP_API aloop_future *aloop_datagram_sendmany(aloop_datagram *endpoint, const aloop_buf *data,
                                                aloop_address *const *addresses, size_t n);
/* An operation that waits, if more than the high-water mark is queued, until no more than the
 * low-water mark is. */
ALOOP_API aloop_future *aloop_datagram_drain(aloop_datagram *endpoint);
/* The water marks in bytes. Negative: asyncio's defaults (high 65536, low a quarter of high). */
ALOOP_API int64_t aloop_datagram_set_write_buffer_limits(aloop_datagram *endpoint, int64_t high,
                                                         int64_t low);
ALOOP_API int64_t aloop_datagram_get_write_buffer_size(aloop_datagram *endpoint);

/* Information ---------------------------------------------------------------------------------- */

/* "peername", "sockname" and "fd", like aloop_stream_get_extra_info. */
ALOOP_API int64_t aloop_datagram_get_extra_info(aloop_datagram *endpoint, const char *name,
                                                char *buffer, size_t size);
/* Its own address, and its remote one: a reference, or NULL if there is none. */
ALOOP_API aloop_address *aloop_datagram_local_address(aloop_datagram *endpoint);
ALOOP_API aloop_address *aloop_datagram_remote_address(aloop_datagram *endpoint);

/* The number of datagrams received; sent; dropped by the kernel because its receive buffer was
 * full (as of the last one received); truncated; refused when sending; lost because the
 * library was out of memory. ALOOP_EINVAL for any other number. */
#define ALOOP_DATAGRAM_STAT_RECEIVED 0
#define ALOOP_DATAGRAM_STAT_SENT 1
#define ALOOP_DATAGRAM_STAT_DROPPED 2
#define ALOOP_DATAGRAM_STAT_TRUNCATED 3
#define ALOOP_DATAGRAM_STAT_SEND_ERRORS 4
#define ALOOP_DATAGRAM_STAT_LOST 5
ALOOP_API int64_t aloop_datagram_statistic(aloop_datagram *endpoint, int32_t which);

#ifdef __cplusplus
}
#endif

#endif
