// sim_datagrams.cpp: the datagrams of a simulated world. Each arrives after a delay
// of its own, so that later ones may be there before, unless it is lost: by chance,
// because nobody has its port, or because the receiver's buffer is full.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "sim_world.hpp"

namespace aloop {

namespace {

constexpr size_t k_longest = 65507;  // of UDP over IPv4

size_t size_of(const iovec *parts, size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) size += parts[i].iov_len;
    return size;
}

// Behind those that arrive no later.
void insert(sim_socket *s, sim_segment *g) {
    sim_segment **at = &s->first;
    while (*at != nullptr && (*at)->arrives <= g->arrives) at = &(*at)->next;
    g->next = *at;
    *at = g;
    if (g->next == nullptr) s->last = g;
    s->queued += g->size;
}

void remove_first(sim_socket *s) {
    sim_segment *g = s->first;
    s->first = g->next;
    if (s->first == nullptr) s->last = nullptr;
    s->queued -= g->size;
    release(g);
}

}  // namespace

int64_t sim_world::deliver(sim_socket *from, sim_socket *to, const iovec *parts, size_t size) {
    auto *g = static_cast<sim_segment *>(allocate(sizeof(sim_segment) + size));
    if (g == nullptr) return -ENOMEM;
    *g = {nullptr, now + delay(), from->port, size, 0, {}};
    uint8_t *at = g->data;
    for (size_t left = size; left > 0; parts++) {
        if (parts->iov_len > 0) std::memcpy(at, parts->iov_base, parts->iov_len);
        at += parts->iov_len;
        left -= parts->iov_len;
    }
    insert(to, g);
    touch(to);
    return static_cast<int64_t>(size);
}

int64_t sim_world::send(sim_socket *s, uint16_t to, const iovec *parts, size_t n) {
    if (chance(conditions_.interrupt_per_mille)) return -EINTR;
    if (s->refused) {
        s->refused = false;
        return -ECONNREFUSED;
    }
    if (to == 0) to = s->peer_port;
    if (to == 0) return -EDESTADDRREQ;
    const size_t size = size_of(parts, n);
    if (size > k_longest) return -EMSGSIZE;
    if (s->port == 0) bind(s, 0);
    if (chance(conditions_.lost_per_mille)) return static_cast<int64_t>(size);
    sim_socket *other = *place(s, to);
    const bool takes = other != nullptr && (other->peer_port == 0 || other->peer_port == s->port);
    if (!takes) {
        s->refused = s->peer_port != 0;  // others are not told
        if (s->refused) touch(s);
        return static_cast<int64_t>(size);
    }
    if (other->queued + size > conditions_.buffer) return static_cast<int64_t>(size);
    return deliver(s, other, parts, size);
}

int64_t sim_world::receive(sim_socket *s, const iovec *parts, size_t n, sim_arrival *out) {
    if (chance(conditions_.interrupt_per_mille)) return -EINTR;
    if (s->refused) {
        s->refused = false;
        return -ECONNREFUSED;
    }
    sim_segment *g = s->first;
    if (g == nullptr || g->arrives > now) return -EAGAIN;
    const uint8_t *data = g->data;
    size_t moved = 0;
    for (size_t i = 0; i < n && moved < g->size; i++) {
        const size_t left = g->size - moved;
        const size_t part = parts[i].iov_len < left ? parts[i].iov_len : left;
        if (part > 0) std::memcpy(parts[i].iov_base, data + moved, part);
        moved += part;
    }
    *out = {g->from, moved < g->size};
    remove_first(s);
    if (s->first != nullptr) touch(s);  // there, or to be waited for
    return static_cast<int64_t>(moved);
}

}  // namespace aloop
