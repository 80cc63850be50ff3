// SPDX-License-Identifier: MIT
#include "packet.hpp"

#include <cstring>

namespace aloop {

namespace {

// The block goes with the address, which may be held by others.
void destroy_packet(object *o) {
    packet *p = static_cast<packet *>(o);
    for (int32_t i = 0; i < p->fd_count; i++) {
        if (p->fds[i] >= 0) p->sys->close(p->fds[i]);
    }
    count_live(kind::packet, -1);
    unref(&p->from);
}

void destroy_list(object *o) { destroy(static_cast<packets *>(o)); }

const register_kind g_packet(kind::packet, {"datagram", destroy_packet});
const register_kind g_list(kind::packets, {"datagrams", destroy_list});

}  // namespace

packet *make_packet(const packet_source &source) {
    constexpr size_t k_align = alignof(int32_t);
    const size_t at = (source.size + 1 + k_align - 1) / k_align * k_align;
    const size_t fds = static_cast<size_t>(source.fd_count) * sizeof(int32_t);
    void *block = allocate(sizeof(packet) + at + fds);
    if (block == nullptr) {
        for (int32_t i = 0; i < source.fd_count; i++) source.sys->close(source.fds[i]);
        return nullptr;
    }
    packet *p = new (block) packet(*source.from, source.size);
    uint8_t *to = p->data;
    if (source.size > 0) std::memcpy(to, source.data, source.size);
    to[source.size] = 0;
    p->truncated = source.truncated;
    p->sys = source.sys;
    p->fd_count = source.fd_count;
    p->fds = reinterpret_cast<int32_t *>(to + at);
    for (int32_t i = 0; i < source.fd_count; i++) p->fds[i] = source.fds[i];
    return p;
}

void free_packet(void *p) { unref(static_cast<packet *>(p)); }

packets::~packets() {
    count_live(kind::packets, -1);
    packet **all = entries;
    for (int64_t i = 0; i < count; i++) unref(all[i]);
}

packets *make_packets(int64_t room) {
    void *block = allocate(sizeof(packets) + static_cast<size_t>(room) * sizeof(packet *));
    return block != nullptr ? new (block) packets : nullptr;
}

void free_packets(void *list) { unref(static_cast<packets *>(list)); }

}  // namespace aloop
