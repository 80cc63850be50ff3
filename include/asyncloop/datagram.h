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
 * Functions on an endpoint borrow it; operations (see future.h) hold a reference
 * of their own. Dropping the last reference closes it; what is queued is still
 * sent. All calls are for the loop's thread, others get ALOOP_EWRONGTHREAD; any
 * call gives ALOOP_EINVAL for what is no endpoint. asyncio's DatagramTransport.
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

/* What was received ---------------------------------------------------------------------
 *
 * Immutable and counted; any thread. The getters borrow. */

/* Never NULL; a NUL byte that is not counted follows the data. */
ALOOP_API const uint8_t *aloop_packet_data(const aloop_packet *packet);
ALOOP_API size_t aloop_packet_size(const aloop_packet *packet);
/* Where it came from; family 0 for an unnamed Unix socket. It may be kept
 * longer than the packet (aloop_ref). NULL for what is no packet. */
ALOOP_API aloop_address *aloop_packet_address(const aloop_packet *packet);
/* 1 if it was longer than what there was room for, and is cut. */
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
/* AF_INET, AF_INET6 or AF_UNIX; needed where no address says it. */
ALOOP_API int64_t aloop_datagram_options_set_family(aloop_datagram_options *options,
                                                    int32_t family);
/* SO_REUSEPORT; SO_BROADCAST (then a remote address is not connected to, as in
 * asyncio); SO_RCVBUF in bytes. */
ALOOP_API int64_t aloop_datagram_options_set_reuse_port(aloop_datagram_options *options,
                                                        int32_t reuse);
ALOOP_API int64_t aloop_datagram_options_set_broadcast(aloop_datagram_options *options,
                                                       int32_t broadcast);
ALOOP_API int64_t aloop_datagram_options_set_receive_buffer(aloop_datagram_options *options,
                                                            int32_t bytes);
/* Takes over a datagram socket; it is made nonblocking and, where the creation
 * succeeds, is the endpoint's. No other address, family or flag beside it. */
ALOOP_API int64_t aloop_datagram_options_set_descriptor(aloop_datagram_options *options,
                                                        int32_t descriptor);
/* The longest datagram, default 65536, at most 1 MiB: longer ones are cut. */
ALOOP_API int64_t aloop_datagram_options_set_max_size(aloop_datagram_options *options,
                                                      size_t bytes);
/* How many datagrams one system call takes and so how many wait in the endpoint,
 * 1 to 32, default 16. All others wait in the kernel, which drops what is more
 * than its receive buffer holds. */
ALOOP_API int64_t aloop_datagram_options_set_batch(aloop_datagram_options *options, int32_t n);

/* Callbacks instead of recvfrom, each called by the loop on its own stack with
 * the endpoint's data, in the context of the creation; a negative answer goes to
 * the exception handler. Made without any; NULL when out of memory; aloop_unref
 * frees; setters: 0, or ALOOP_EINVAL; NULL unsets. asyncio.DatagramProtocol. */
typedef struct aloop_datagram_protocol aloop_datagram_protocol;
typedef int64_t (*aloop_datagram_fn)(aloop_datagram *endpoint, void *data);
/* packet and error are borrowed. */
typedef int64_t (*aloop_datagram_received_fn)(aloop_datagram *endpoint, aloop_packet *packet,
                                              void *data);
typedef int64_t (*aloop_error_received_fn)(aloop_datagram *endpoint, aloop_error *error,
                                           void *data);
/* status and error as in protocol.h; here always 0 and NULL. */
typedef int64_t (*aloop_datagram_lost_fn)(aloop_datagram *endpoint, int64_t status,
                                          aloop_error *error, void *data);
ALOOP_API aloop_datagram_protocol *aloop_datagram_protocol_new(void);
ALOOP_API int64_t aloop_datagram_protocol_set_connection_made(aloop_datagram_protocol *protocol,
                                                              aloop_datagram_fn fn);
ALOOP_API int64_t aloop_datagram_protocol_set_datagram_received(
    aloop_datagram_protocol *protocol, aloop_datagram_received_fn fn);
/* An error of the network that did not come from the call at hand. */
ALOOP_API int64_t aloop_datagram_protocol_set_error_received(aloop_datagram_protocol *protocol,
                                                             aloop_error_received_fn fn);
/* In pairs, as what is queued passes the water marks; in the next iteration. */
ALOOP_API int64_t aloop_datagram_protocol_set_pause_writing(aloop_datagram_protocol *protocol,
                                                            aloop_datagram_fn fn);
ALOOP_API int64_t aloop_datagram_protocol_set_resume_writing(aloop_datagram_protocol *protocol,
                                                             aloop_datagram_fn fn);
/* The last one; until then the endpoint lives without a reference. */
ALOOP_API int64_t aloop_datagram_protocol_set_connection_lost(aloop_datagram_protocol *protocol,
                                                              aloop_datagram_lost_fn fn);
/* The functions are copied. free_fn(data) runs once, when the endpoint is gone,
 * and not at all where none was created. */
ALOOP_API int64_t aloop_datagram_options_set_protocol(aloop_datagram_options *options,
                                                      const aloop_datagram_protocol *protocol,
                                                      void *data, aloop_free_fn free_fn);

/* Life ------------------------------------------------------------------------------------ */

/* An operation whose value is an endpoint (a reference). Fails with -errno and
 * a text with the address, ALOOP_ERESOLVE, ALOOP_EBUSY for a descriptor that is
 * watched, ALOOP_EINVAL. loop.create_datagram_endpoint. */
ALOOP_API aloop_future *aloop_create_datagram_endpoint(const aloop_datagram_options *options);
/* Receives no more, sends what is queued, then closes. Again: 0. */
ALOOP_API int64_t aloop_datagram_close(aloop_datagram *endpoint);
/* The same without sending. */
ALOOP_API int64_t aloop_datagram_abort(aloop_datagram *endpoint);
ALOOP_API int64_t aloop_datagram_is_closing(aloop_datagram *endpoint);
/* An operation: done when the descriptor is closed. */
ALOOP_API aloop_future *aloop_datagram_wait_closed(aloop_datagram *endpoint);

/* Receiving ---------------------------------------------------------------------------------
 *
 * One may wait at a time: ALOOP_EBUSY. A cancelled one loses nothing. They fail
 * with ALOOP_ESTALE once the endpoint is closed, with ALOOP_EINVALIDSTATE where
 * a protocol receives, and with -errno for an error that the kernel keeps for
 * the socket (ALOOP_ECONNREFUSED: a datagram sent before found nobody); the
 * endpoint goes on after that. */

/* An operation whose value is an aloop_packet (a reference) and whose status is
 * its size, which may be 0. */
ALOOP_API aloop_future *aloop_datagram_recvfrom(aloop_datagram *endpoint);
/* Waits for one and gives up to n that are there: an aloop_packets (a
 * reference); the status is their number. n < 1: ALOOP_EINVAL. */
ALOOP_API aloop_future *aloop_datagram_recvmany(aloop_datagram *endpoint, int64_t n);

/* Sending -------------------------------------------------------------------------------------
 *
 * address: borrowed; NULL where the endpoint has a remote one (-EDESTADDRREQ
 * else), which it must equal otherwise (ALOOP_EINVAL). -errno for what the
 * kernel refuses, also for an earlier datagram; ALOOP_ESTALE once closed. */

/* An operation: waits while more than the high-water mark is queued, then sends
 * or queues; the status is n. data must stay until it is done. Cancelled: not
 * sent. */
ALOOP_API aloop_future *aloop_datagram_sendto(aloop_datagram *endpoint, const void *data, size_t n,
                                              aloop_address *address);
/* Sends or queues (copies) at once, whatever is queued; how many bytes now wait, 8
 * more for each datagram. transport.sendto. */
ALOOP_API int64_t aloop_datagram_sendto_nowait(aloop_datagram *endpoint, const void *data,
                                               size_t len, aloop_address *address);
/* n datagrams with as few system calls as may be; addresses may be NULL, as may
 * each. The arrays are copied, the data must stay until it is done. An operation;
 * the status is how many were sent or queued: fewer than n where one was
 * refused, whose error comes if that is the first. */
ALOOP_API aloop_future *aloop_datagram_sendmany(aloop_datagram *endpoint, const aloop_buf *data,
                                                aloop_address *const *addresses, size_t n);
/* Done at once unless more than the high-water mark waits; then when it has
 * come down to the low one. An operation. */
ALOOP_API aloop_future *aloop_datagram_drain(aloop_datagram *endpoint);
/* Negative: by asyncio's rule (65536; low is a quarter of high). */
ALOOP_API int64_t aloop_datagram_set_write_buffer_limits(aloop_datagram *endpoint, int64_t high,
                                                         int64_t low);
ALOOP_API int64_t aloop_datagram_get_write_buffer_size(aloop_datagram *endpoint);

/* Information ---------------------------------------------------------------------------------- */

/* "peername" or "sockname" as text, "fd": as aloop_stream_get_extra_info. */
ALOOP_API int64_t aloop_datagram_get_extra_info(aloop_datagram *endpoint, const char *name,
                                                char *buffer, size_t size);
/* Its own address, or its remote one: a reference, NULL where there is none. */
ALOOP_API aloop_address *aloop_datagram_local_address(aloop_datagram *endpoint);
ALOOP_API aloop_address *aloop_datagram_remote_address(aloop_datagram *endpoint);

/* Datagrams received; sent; dropped by the kernel because its receive buffer was
 * full (as of the last one received); cut; refused when sending; lost here for
 * want of memory. ALOOP_EINVAL for any other number. */
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
