// packet.hpp: a received datagram: its data, where it came from, and the
// descriptors that came with it, in one block.
//
// The sender's address is an object inside the block, so that it can be passed
// to sendto as it is, and kept longer than the data. The packet holds one
// reference to it; the last one frees the block (address_object.hpp).
// Descriptors that nobody took are closed with the packet.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/datagram.h>

#include "../base/sys.hpp"
#include "../resolver/address_object.hpp"

namespace aloop {

struct packet final : object {
    address_object from;
    packet *next = nullptr;  // in an endpoint's queue
    const sys_table *sys = nullptr;  // closes descriptors
    bool truncated = false;
    size_t size;
    int32_t fd_count = 0;
    int32_t *fds = nullptr;  // behind the data; -1: taken
    uint8_t data[8];         // size bytes and a NUL; the block is as long as needed

    packet(const address &sender, size_t n) : object(kind::packet), from(sender), size(n) {
        count_live(kind::packet, 1);
        from.within = this;
    }
};

// What a datagram brings along.
struct packet_source {
    const void *data;
    size_t size;
    const address *from;
    bool truncated;
    const int *fds;  // adopted, also when there is no memory
    int32_t fd_count;
    const sys_table *sys;
};

// nullptr: out of memory.
packet *make_packet(const packet_source &source);
void free_packet(void *p);  // the destructor of a future's value

struct packets final : object {
    int64_t count = 0;
    packet *entries[1];  // as many as count; the block is as long as needed

    packets() : object(kind::packets), entries{} { count_live(kind::packets, 1); }
    ~packets();
};

packets *make_packets(int64_t room);
void free_packets(void *list);

inline packet *from_c(aloop_packet *p) { return reinterpret_cast<packet *>(p); }
inline aloop_packet *to_c(packet *p) { return reinterpret_cast<aloop_packet *>(p); }

}  // namespace aloop
