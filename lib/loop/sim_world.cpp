// SPDX-License-Identifier: MIT
#include "sim_world.hpp"

#include <cerrno>
#include <cstring>

#include "poller.hpp"

namespace aloop {

namespace {

thread_local sim_world *t_world = nullptr;

// Doubles an array of T; a test that runs out of memory has no use for more.
template <typename T>
void grow(T *&list, int &room, int needed) {
    if (needed <= room) return;
    int more = room != 0 ? room * 2 : 64;
    while (more < needed) more *= 2;
    void *block = reallocate(list, static_cast<size_t>(more) * sizeof(T));
    if (block == nullptr) __builtin_trap();
    list = static_cast<T *>(block);
    room = more;
}

}  // namespace

sim_world::sim_world(const sim_conditions &conditions)
    : random_(conditions.seed * 2654435761u + 1), conditions_(conditions) {
    constexpr size_t k_size = size_t{2} * 65536 * sizeof(sim_socket *);
    ports_ = static_cast<sim_socket **>(allocate(k_size));
    if (ports_ == nullptr) __builtin_trap();
    std::memset(static_cast<void *>(ports_), 0, k_size);
    t_world = this;
}

sim_world::~sim_world() {
    for (int i = 0; i < used_; i++) {
        if (sockets_[i] != nullptr) close(sockets_[i]);
    }
    release(static_cast<void *>(sockets_));
    release(static_cast<void *>(ports_));
    release(free_);
    release(touched_);
    if (t_world == this) t_world = nullptr;
}

sim_world *sim_world::current() { return t_world; }

uint64_t sim_world::random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
}

bool sim_world::chance(uint32_t per_mille) {
    return per_mille != 0 && random() % 1000 < per_mille;
}

int64_t sim_world::delay() {
    const int64_t spread = conditions_.most_delay - conditions_.least_delay;
    if (spread <= 0) return conditions_.least_delay;
    return conditions_.least_delay +
           static_cast<int64_t>(random() % static_cast<uint64_t>(spread + 1));
}

sim_socket *sim_world::find(int fd) const {
    const int i = fd - k_first;
    return i >= 0 && i < used_ ? sockets_[i] : nullptr;
}

sim_socket *sim_world::make(int64_t *code) {
    sim_socket *s = create<sim_socket>();
    if (s == nullptr) {
        *code = -ENOMEM;
        return nullptr;
    }
    int i;
    if (free_count_ > 0) {
        i = free_[--free_count_];
    } else {
        i = used_;
        grow(sockets_, room_, used_ + 1);
        void *block = reallocate(free_, static_cast<size_t>(room_) * sizeof(int));
        if (block == nullptr) __builtin_trap();
        free_ = static_cast<int *>(block);
        used_++;
    }
    s->fd = k_first + i;
    sockets_[i] = s;
    open_++;
    return s;
}

void sim_world::touch(sim_socket *s) {
    if (s->watched == 0) return;
    grow(touched_, touched_room_, touched_count_ + 1);
    touched_[touched_count_++] = s->fd;
}

int sim_world::take_touched() {
    // From a seeded place, so that no order of readiness is relied upon.
    if (touched_count_ == 0) return -1;
    const int i = static_cast<int>(random() % static_cast<uint64_t>(touched_count_));
    const int fd = touched_[i];
    touched_[i] = touched_[--touched_count_];
    return fd;
}

// Readiness ------------------------------------------------------------------------------

uint8_t sim_world::readiness(const sim_socket *s) const {
    if (s->role == sim_socket::listening) return s->pending_count > 0 ? k_readable : 0;
    if (s->role == sim_socket::connecting) return s->connect_due <= now ? k_writable : 0;
    if (s->role == sim_socket::datagrams) {
        const bool any = s->first != nullptr && s->first->arrives <= now;
        return any || s->refused ? k_readable | k_writable : k_writable;
    }
    if (s->role != sim_socket::connected) return 0;
    uint8_t bits = 0;
    const bool data = s->first != nullptr && s->first->arrives <= now;
    const bool end = s->first == nullptr && s->peer_finished && s->finish_arrives <= now;
    if (data || end || s->reset) bits |= k_readable;
    const sim_socket *peer = find(s->peer);
    if (s->reset || peer == nullptr || peer->queued < conditions_.buffer) bits |= k_writable;
    return bits;
}

int64_t sim_world::next_change(const sim_socket *s) const {
    if (s->role == sim_socket::connecting) return s->connect_due > now ? s->connect_due : k_never;
    if (s->role != sim_socket::connected && s->role != sim_socket::datagrams) return k_never;
    if (s->first != nullptr) return s->first->arrives > now ? s->first->arrives : k_never;
    return s->peer_finished && s->finish_arrives > now ? s->finish_arrives : k_never;
}

// The calls --------------------------------------------------------------------------------

int64_t sim_world::socket(bool of_datagrams, bool of_six) {
    int64_t code = 0;
    sim_socket *s = make(&code);
    if (s == nullptr) return code;
    if (of_datagrams) s->role = sim_socket::datagrams;
    s->of_six = of_six;
    return s->fd;
}

// Who has a port among those of its kind.
sim_socket **sim_world::place(const sim_socket *s, uint16_t port) const {
    return ports_ + (s->role == sim_socket::datagrams ? 65536 : 0) + port;
}

int64_t sim_world::pair(int *out) {
    int64_t code = 0;
    sim_socket *a = make(&code);
    sim_socket *b = a != nullptr ? make(&code) : nullptr;
    if (b == nullptr) return code;
    a->role = b->role = sim_socket::connected;
    a->peer = b->fd;
    b->peer = a->fd;
    out[0] = a->fd;
    out[1] = b->fd;
    return 0;
}

sim_socket *sim_world::listener(uint16_t port) const {
    sim_socket *s = ports_[port];
    return s != nullptr && s->role == sim_socket::listening ? s : nullptr;
}

int64_t sim_world::bind(sim_socket *s, uint16_t port) {
    if (port == 0) {
        while (*place(s, next_port_) != nullptr) next_port_++;
        port = next_port_++;
    }
    if (*place(s, port) != nullptr) return -EADDRINUSE;
    *place(s, port) = s;
    s->port = port;
    return 0;
}

int64_t sim_world::listen(sim_socket *s, int backlog) {
    if (s->port == 0) bind(s, 0);
    s->role = sim_socket::listening;
    s->backlog = backlog;
    return 0;
}

int64_t sim_world::connect(sim_socket *s, uint16_t port) {
    if (s->role == sim_socket::datagrams) {
        if (s->port == 0) bind(s, 0);
        s->peer_port = port;
        return 0;
    }
    if (s->role == sim_socket::connected) return -EISCONN;
    if (s->role != sim_socket::fresh) return -EALREADY;
    sim_socket *to = listener(port);
    s->role = sim_socket::connecting;
    s->connect_due = now + delay();
    if (to != nullptr) {
        int64_t code = 0;
        sim_socket *other = make(&code);
        if (other == nullptr) return code;
        other->role = sim_socket::connected;
        other->peer = s->fd;
        other->port = port;
        s->peer = other->fd;
        const int end = to->pending_head + to->pending_count++;
        grow(to->pending, to->pending_room, end + 1);
        to->pending[end] = other->fd;
        touch(to);
    }
    touch(s);
    return -EINPROGRESS;
}

// SO_ERROR of a connection attempt that has come to its end.
int64_t sim_world::connect_result(sim_socket *s) {
    if (s->role == sim_socket::connecting && s->connect_due <= now) {
        if (s->peer < 0) {
            s->role = sim_socket::fresh;
            return ECONNREFUSED;
        }
        s->role = sim_socket::connected;
        touch(s);
    }
    return s->reset ? ECONNRESET : 0;
}

int64_t sim_world::accept(sim_socket *s) {
    if (s->role != sim_socket::listening) return -EINVAL;
    if (s->pending_count == 0) return -EAGAIN;
    const int fd = s->pending[s->pending_head++];
    s->pending_count--;
    if (s->pending_count == 0) s->pending_head = 0;
    if (s->pending_count > 0) touch(s);
    return fd;
}

int64_t sim_world::read(sim_socket *s, void *buffer, size_t n, bool peek) {
    if (s->role != sim_socket::connected) return -ENOTCONN;
    if (chance(conditions_.interrupt_per_mille)) return -EINTR;
    if (s->reset) {
        s->reset = false;
        s->peer_finished = true;
        return -ECONNRESET;
    }
    if (s->first == nullptr) return s->peer_finished && s->finish_arrives <= now ? 0 : -EAGAIN;
    if (s->first->arrives > now) return -EAGAIN;
    if (n > 1 && chance(conditions_.short_per_mille)) n = 1 + random() % n;
    size_t moved = 0;
    for (sim_segment *g = s->first; g != nullptr && moved < n && g->arrives <= now;) {
        size_t part = g->size - g->taken;
        if (part > n - moved) part = n - moved;
        const uint8_t *data = g->data;
        std::memcpy(static_cast<uint8_t *>(buffer) + moved, data + g->taken, part);
        moved += part;
        if (peek) {
            g = g->next;
            continue;
        }
        g->taken += part;
        s->queued -= part;
        if (g->taken < g->size) break;
        s->first = g->next;
        if (s->first == nullptr) s->last = nullptr;
        release(g);
        g = s->first;
    }
    if (sim_socket *peer = find(s->peer); peer != nullptr && !peek) touch(peer);
    if (!peek && readiness(s) != 0) touch(s);
    return static_cast<int64_t>(moved);
}

int64_t sim_world::write(sim_socket *s, const void *data, size_t n) {
    if (s->role != sim_socket::connected) return -ENOTCONN;
    if (chance(conditions_.interrupt_per_mille)) return -EINTR;
    if (s->finished) return -EPIPE;
    sim_socket *peer = find(s->peer);
    if (peer == nullptr || s->reset) return s->reset ? -ECONNRESET : -EPIPE;
    if (n == 0) return 0;
    const size_t room = conditions_.buffer > peer->queued ? conditions_.buffer - peer->queued : 0;
    if (room == 0) return -EAGAIN;
    if (n > room) n = room;
    if (n > 1 && chance(conditions_.short_per_mille)) n = 1 + random() % n;
    auto *g = static_cast<sim_segment *>(allocate(sizeof(sim_segment) + n));
    if (g == nullptr) return -ENOMEM;
    int64_t arrives = now + delay();
    if (peer->last != nullptr && peer->last->arrives > arrives) arrives = peer->last->arrives;
    *g = {nullptr, arrives, 0, n, 0, {}};
    uint8_t *to = g->data;
    std::memcpy(to, data, n);
    if (peer->last != nullptr) peer->last->next = g;
    else peer->first = g;
    peer->last = g;
    peer->queued += n;
    touch(peer);
    if (readiness(s) != 0) touch(s);
    return static_cast<int64_t>(n);
}

int64_t sim_world::shutdown(sim_socket *s) {
    if (s->role != sim_socket::connected) return -ENOTCONN;
    s->finished = true;
    if (sim_socket *peer = find(s->peer)) {
        peer->peer_finished = true;
        peer->finish_arrives = peer->last != nullptr ? peer->last->arrives : now + delay();
        touch(peer);
    }
    return 0;
}

void sim_world::drop_segments(sim_socket *s) {
    while (sim_segment *g = s->first) {
        s->first = g->next;
        release(g);
    }
    s->last = nullptr;
}

int64_t sim_world::close(sim_socket *s) {
    if (*place(s, s->port) == s) *place(s, s->port) = nullptr;
    const bool unread = s->first != nullptr;
    if (sim_socket *peer = find(s->peer)) {
        if (unread) {
            peer->reset = true;  // as the kernel does: data was lost
        } else if (!s->finished) {
            shutdown(s);
        }
        peer->peer = -1;
        touch(peer);
    }
    for (int i = 0; i < s->pending_count; i++) {
        if (sim_socket *waiting = find(s->pending[s->pending_head + i])) close(waiting);
    }
    release(s->pending);
    drop_segments(s);
    sockets_[s->fd - k_first] = nullptr;
    free_[free_count_++] = s->fd - k_first;
    open_--;
    destroy(s);
    return 0;
}

}  // namespace aloop
