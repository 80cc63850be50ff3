// options.hpp: the options of a datagram endpoint.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/datagram.h>

#include <sys/socket.h>

#include "../base/options.hpp"

namespace aloop {

constexpr int k_datagram_stats = 6;
constexpr int32_t k_most_batch = 32;
constexpr size_t k_most_size = 1024 * 1024;  // of one datagram

struct datagram_callbacks {
    aloop_datagram_fn connection_made = nullptr;
    aloop_datagram_received_fn datagram_received = nullptr;
    aloop_error_received_fn error_received = nullptr;
    aloop_datagram_fn pause_writing = nullptr;
    aloop_datagram_fn resume_writing = nullptr;
    aloop_datagram_lost_fn connection_lost = nullptr;
};

struct datagram_protocol final : options_of<datagram_protocol>, datagram_callbacks {};

struct datagram_options final : options_of<datagram_options> {
    // A host, or a path where the family is AF_UNIX; nullptr: none.
    char *local = nullptr;
    char *remote = nullptr;
    int32_t local_port = 0;
    int32_t remote_port = 0;
    int32_t family = 0;
    int32_t reuse_port = 0;
    int32_t broadcast = 0;
    int32_t descriptor = -1;
    int32_t receive_buffer = 0;  // 0: the kernel's default
    int32_t batch = 16;
    size_t max_size = 65536;
    datagram_callbacks protocol;
    bool has_protocol = false;
    void *data = nullptr;
    aloop_free_fn data_free = nullptr;

    ~datagram_options() {
        release(local);
        release(remote);
    }
};

// nullptr: out of memory.
inline datagram_options *copy_options(const datagram_options &from) {
    datagram_options *o = create<datagram_options>();
    if (o == nullptr) return nullptr;
    o->local_port = from.local_port;
    o->remote_port = from.remote_port;
    o->family = from.family;
    o->reuse_port = from.reuse_port;
    o->broadcast = from.broadcast;
    o->descriptor = from.descriptor;
    o->receive_buffer = from.receive_buffer;
    o->batch = from.batch;
    o->max_size = from.max_size;
    o->protocol = from.protocol;
    o->has_protocol = from.has_protocol;
    o->data = from.data;
    o->data_free = from.data_free;
    o->local = from.local != nullptr ? copy_string(from.local) : nullptr;
    o->remote = from.remote != nullptr ? copy_string(from.remote) : nullptr;
    const bool whole = (from.local == nullptr || o->local != nullptr) &&
                       (from.remote == nullptr || o->remote != nullptr);
    if (whole) return o;
    destroy(o);
    return nullptr;
}

}  // namespace aloop
