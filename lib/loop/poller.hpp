// poller.hpp: what a loop needs from the world outside: descriptors that become
// ready, and a way to wait for them.
//
// Two implementations: poller_libevent (the kernel, through libevent) and
// poller_sim (simulated descriptors on a virtual clock, for tests). A poller
// only reports: it calls io::ready, which appends nodes to the loop's queue;
// no code of the program runs inside wait().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

struct event_base;

namespace aloop {

struct loop_options;

// k_hangup: the peer ended its side. Reported with k_readable, and only to who
// watches for it; where it is missing from a report, more may still follow.
enum io_bits : uint8_t { k_readable = 1, k_writable = 2, k_hangup = 4 };

// One registration of a descriptor.
struct io {
    // libevent's struct event lives here, so that watching needs no allocation.
    static constexpr size_t k_backend_size = 128;

    void (*ready)(io *self, uint8_t bits) = nullptr;
    int fd = -1;
    uint8_t bits = 0;     // what is watched
    bool edge = false;    // edge triggered: reported once per change
    bool added = false;
    alignas(8) char backend[k_backend_size];
};

class poller {
public:
    poller() = default;
    poller(const poller &) = delete;
    poller &operator=(const poller &) = delete;
    virtual ~poller() = default;

    // fd, bits, edge and ready are set. -errno on failure.
    virtual int64_t add(io *watch) = 0;
    virtual void remove(io *watch) = 0;
    // Waits until something is ready, or until deadline of the real monotonic
    // clock (k_never: without limit; 0: does not wait). 0 or -errno.
    virtual int64_t wait(int64_t deadline) = 0;
    // Ends a wait() that is under way, or the next one. Any thread, and signal
    // handlers.
    virtual void wake() = 0;
    // A descriptor that is readable when wait() has something to report.
    virtual int64_t backend_fd() = 0;
    virtual event_base *base() const { return nullptr; }
    // Registrations of the loop's users, the poller's own not counted.
    int64_t watched() const { return watched_; }
    // A simulator goes by the loop's virtual clock and is asked with advance()
    // instead of wait(): it lets time pass from now until something is ready, at
    // most to deadline, and returns the new time; -1: nothing can ever happen.
    // While something is pinned outside it waits for wake() in real time.
    virtual bool simulated() const { return false; }
    virtual int64_t advance(int64_t now, int64_t deadline, bool pinned) {
        (void)deadline;
        (void)pinned;
        return now;
    }
    // Renews what a fork has broken.
    virtual int64_t after_fork() = 0;

protected:
    int64_t watched_ = 0;
};

// nullptr: out of memory or descriptors; *code says which.
poller *make_libevent_poller(const loop_options &options, int64_t *code);

}  // namespace aloop
