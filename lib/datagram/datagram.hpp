// datagram.hpp: an endpoint for datagrams, over one descriptor.
//
// The descriptor is registered once, edge-triggered, and `state` keeps the readiness
// that the kernel reported as bits, as a stream does. Nothing is read before
// somebody asks, or a protocol is set: the kernel's receive buffer is the bounded
// queue, and the datagrams that it dropped are counted. A receive reads a batch with
// one system call; those not taken yet are in `received`, never more than a batch.
//
// A datagram is sent at once, or queued as a whole if the kernel does not accept it.
// Above the high-water mark senders wait.
//
// Errors of the network (a refused datagram of a connected socket) do not close an
// endpoint: the next receive or send fails with them, or the protocol is told.
//
// As with asyncio's transports, close() stops receiving and sends what is queued,
// and abort() drops it. Both lead to `over`, at least one iteration later.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/datagram.h>

#include "../loop/alarm.hpp"
#include "../stream/waiting.hpp"
#include "options.hpp"
#include "packet.hpp"

namespace aloop {

enum datagram_flags : uint16_t {
    d_closing = 0x1,
    d_over = 0x2,         // the descriptor is closed
    d_queued = 0x4,       // the node stands in a queue and holds a reference
    d_io_due = 0x8,
    d_over_due = 0x10,
    d_made_due = 0x20,    // connection_made is to be called
    d_told_paused = 0x40,  // what the protocol knows
    d_paused = 0x80,      // above the high-water mark
    d_connected = 0x100,  // the kernel knows the peer
    d_self = 0x200,       // holds a reference to itself: flushing, or a protocol's
};

struct outgoing {
    outgoing *next;
    address_object *to;  // a reference; nullptr: the peer
    size_t size;
    uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};

struct datagram final : loop_object, io, node, self_held {
    address_object *peer = nullptr;  // a reference; nullptr: none was given
    size_t max_size;
    int32_t batch;
    // Receiving.
    packet *received = nullptr;
    packet *received_tail = nullptr;
    int64_t received_count = 0;
    future *reading = nullptr;  // what the one receiver waits on; its operation owns it
    error *trouble = nullptr;   // an error that nobody was told of yet
    int64_t pulled_in = -1;     // how much was received in this iteration
    int64_t pulled = 0;
    // Sending.
    outgoing *queue = nullptr;
    outgoing *queue_tail = nullptr;
    size_t queued_bytes = 0;
    size_t high = 65536;
    size_t low = 16384;
    aloop::alarm retry;
    ring waiters;  // ring_waiter: for room, for the end
    // The callback level.
    datagram_callbacks protocol;
    void *data = nullptr;
    aloop_free_fn data_free = nullptr;
    var_map *context = nullptr;
    bool has_protocol = false;
    int64_t counts[k_datagram_stats] = {};

    datagram(domain *d, const datagram_options &o)
        : loop_object(kind::datagram, d), max_size(o.max_size), batch(o.batch) {}

    bool is(datagram_flags f) const { return (flags & f) != 0; }
    void on(datagram_flags f) { flags |= f; }
    void off(datagram_flags f) { flags &= static_cast<uint16_t>(~f); }
    uint8_t &ready_bits() { return state; }
};

inline datagram *from_c(aloop_datagram *d) { return reinterpret_cast<datagram *>(d); }
inline aloop_datagram *to_c(datagram *d) { return reinterpret_cast<aloop_datagram *>(d); }

// Making. fd is nonblocking and becomes the endpoint's on success. 0 or -errno.
int64_t adopt_datagram(loop *l, int fd, const datagram_options &options, datagram **out);
void free_datagram(void *d);
// An operation whose value is an endpoint. Takes the options over.
future *make_create_endpoint(loop *l, datagram_options *options);

// The node shall run: from the poller, or in the next iteration.
void enqueue(datagram *d, bool from_poll);
// Looks at the descriptor again in 10 ms, whatever the kernel says.
void retry_soon(datagram *d);
// A failure to be told by whoever comes next. Adopts; nullptr: lost for want of memory.
void note_trouble(datagram *d, error *adopted);
// The code of what is noted, which is raised on op; 0: nothing.
int64_t take_trouble(datagram *d, operation *op);

// Receiving (receive.cpp). Takes a batch from the kernel into `received`; how
// many, -EAGAIN: none, or the network's error.
int64_t pull(datagram *d);
packet *take_received(datagram *d);
void drop_received(datagram *d);
void wake_receiver(datagram *d);
future *make_receive(datagram *d, int64_t most);  // most 0: a packet, not a list

// Sending (send.cpp). Queued bytes after it, or why not.
int64_t send_or_queue(datagram *d, const void *data, size_t n, address_object *to);
// 0, or why `to` is no place to send to, with its error.
int64_t check_target(datagram *d, const address_object *to, error **why);
void flush(datagram *d);
void drop_queue(datagram *d);
int64_t set_water_marks(datagram *d, int64_t high, int64_t low);
future *make_send(datagram *d, const void *data, size_t n, address_object *to);
struct outgoing_list {
    const aloop_buf *data;
    aloop_address *const *to;  // nullptr: the peer
    size_t n;
};
future *make_send_many(datagram *d, const outgoing_list &list);

// Waiting.
future *make_drain(datagram *d);
future *make_wait_closed(datagram *d);

// Whether the address is known.
bool local_of(datagram *d, address *out);
bool remote_of(datagram *d, address *out);

// Ending.
void close_endpoint(datagram *d);
void abort_endpoint(datagram *d);

// The callback level (protocol.cpp): all on the loop's own stack.
void tell_made(datagram *d);
void tell_received(datagram *d);
void tell_error(datagram *d);
void tell_paused(datagram *d);
void tell_lost(datagram *d);

}  // namespace aloop
