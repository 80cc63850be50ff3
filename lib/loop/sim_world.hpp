// sim_world.hpp: a world of simulated descriptors on a virtual clock, for tests.
//
// It stands in for the kernel behind a loop's system-call table: stream sockets
// (connect, listen, accept, a byte stream each way), pairs and pipes, datagrams.
// What is sent arrives after a delay drawn from the seed, so that datagrams overtake
// each other; calls may come back short or interrupted, and datagrams be lost, as
// often as the test asks. The same seed gives the same run, and a hundred thousand
// connections need no descriptor of the kernel's.
//
// One world per thread. Descriptors start at k_first, so that real ones pass
// through to the kernel.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/clock.hpp"
#include "../base/memory.hpp"
#include "../base/sys.hpp"

namespace aloop {

struct sim_conditions {
    uint64_t seed = 0;
    int64_t least_delay = 0;         // ns from sent to readable
    int64_t most_delay = 0;
    uint32_t short_per_mille = 0;    // reads and writes that move less than they could
    uint32_t interrupt_per_mille = 0;  // calls that fail with EINTR first
    uint32_t lost_per_mille = 0;     // datagrams that never arrive
    size_t buffer = 65536;           // bytes under way in one direction
};

// One direction of a connection: a queue of segments with the time of arrival. Of
// datagrams each is one.
struct sim_segment {
    sim_segment *next;
    int64_t arrives;
    uint16_t from;  // the port of a datagram's sender
    size_t size;
    size_t taken;
    uint8_t data[8];
};

struct sim_socket {
    enum : uint8_t { fresh, listening, connecting, connected, datagrams } role = fresh;
    bool of_six = false;         // IPv6
    bool refused = false;        // a datagram was, which the next call tells
    int fd;
    int peer = -1;               // -1: none, or gone
    uint16_t port = 0;
    uint16_t peer_port = 0;      // of datagrams: the only one, or 0
    uint8_t watched = 0;         // io_bits that the poller wants
    bool peer_finished = false;  // after the last segment: end of file
    bool reset = false;
    bool finished = false;       // shutdown for writing
    int64_t finish_arrives = 0;
    int64_t connect_due = 0;
    int backlog = 0;
    sim_segment *first = nullptr;
    sim_segment *last = nullptr;
    size_t queued = 0;           // bytes on their way to this one
    // Listening: the descriptors of connections nobody has accepted yet.
    int *pending = nullptr;
    int pending_head = 0;
    int pending_count = 0;
    int pending_room = 0;
};

// What is known of a datagram that was received.
struct sim_arrival {
    uint16_t from;
    bool cut;
};

class sim_world {
public:
    static constexpr int k_first = 1 << 20;

    explicit sim_world(const sim_conditions &conditions);
    ~sim_world();
    sim_world(const sim_world &) = delete;
    sim_world &operator=(const sim_world &) = delete;

    // The world of this thread; nullptr outside simulations.
    static sim_world *current();
    static const sys_table *sys();

    int64_t now = 0;
    int64_t open_descriptors() const { return open_; }
    sim_socket *find(int fd) const;
    uint64_t random();

    // Whether fd is readable or writable now, and when that may next change by
    // time alone (k_never: only through calls).
    uint8_t readiness(const sim_socket *s) const;
    int64_t next_change(const sim_socket *s) const;

    // The calls; each returns what the kernel's would, or -errno.
    int64_t socket(bool of_datagrams, bool of_six);
    int64_t pair(int *out);
    int64_t bind(sim_socket *s, uint16_t port);
    int64_t listen(sim_socket *s, int backlog);
    int64_t connect(sim_socket *s, uint16_t port);
    int64_t connect_result(sim_socket *s);
    int64_t accept(sim_socket *s);
    int64_t read(sim_socket *s, void *buffer, size_t n, bool peek);
    int64_t write(sim_socket *s, const void *data, size_t n);
    int64_t shutdown(sim_socket *s);
    int64_t close(sim_socket *s);
    // Of datagrams: as many bytes as were moved (sim_datagrams.cpp).
    int64_t send(sim_socket *s, uint16_t to, const iovec *parts, size_t n);
    int64_t receive(sim_socket *s, const iovec *parts, size_t n, sim_arrival *out);

    // The poller looks only at descriptors that calls or time have touched.
    void touch(sim_socket *s);
    int take_touched();  // -1: none

private:
    int64_t delay();
    bool chance(uint32_t per_mille);
    sim_socket *make(int64_t *code);
    void drop_segments(sim_socket *s);
    sim_socket *listener(uint16_t port) const;
    sim_socket **place(const sim_socket *s, uint16_t port) const;
    int64_t deliver(sim_socket *from, sim_socket *to, const iovec *parts, size_t size);

    uint64_t random_;
    sim_conditions conditions_;
    sim_socket **sockets_ = nullptr;  // by fd - k_first
    int room_ = 0;
    int *free_ = nullptr;             // a stack of numbers to use again
    int free_count_ = 0;
    int used_ = 0;
    int64_t open_ = 0;
    uint16_t next_port_ = 40000;
    sim_socket **ports_ = nullptr;    // 65536 for streams, as many for datagrams
    int *touched_ = nullptr;
    int touched_count_ = 0;
    int touched_room_ = 0;
};

}  // namespace aloop
