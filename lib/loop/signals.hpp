// signals.hpp: signals for loops, on one hub for the whole process.
//
// The hub installs one handler per signal that somebody asked for, and nothing
// else. The handler only notes the signal at each loop that subscribed and puts
// that loop's node into its inbox; the callbacks run from the ready queue. The
// handler that was there before is called, too (with its own mask; it may leave by
// longjmp), and is put back with the last
// removal, unless somebody installed another one meanwhile. In a forked child all
// is as if the parent's loops had never subscribed.
//
// What the handler reads of a loop must not go away under it: it counts itself
// in and out, and who takes something out of its reach waits until it is out
// (hub.cpp). The handler never waits for anybody.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "loop.hpp"

namespace aloop {

constexpr int k_signals = 64;

class signal_set;

// What the handler sees of a loop. As a node it stands in the loop's inbox.
struct signal_subscriber : posted {
    std::atomic<signal_subscriber *> following{nullptr};
    std::atomic<uint64_t> wanted{0};   // bit signum - 1
    std::atomic<uint64_t> arrived{0};
    std::atomic<bool> queued{false};
    // A runner answers SIGINT; how many of them it has not seen yet.
    std::atomic<bool> interrupts{false};
    std::atomic<uint32_t> unanswered{0};
    loop *home = nullptr;
    signal_set *set = nullptr;
};

// The hub (hub.cpp).
void subscribe(signal_subscriber *s);
// After this no handler looks at s any more.
void unsubscribe(signal_subscriber *s);
// Counted; -errno where the signal cannot be caught.
int64_t install_signal(int signum);
void uninstall_signal(int signum);
// The process's default action waits for SIGINT, and this is the main thread.
bool interrupt_is_default();

struct signal_callback final : node {
    loop *home;
    aloop_callback_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_cell context;  // what a call sets, the next one finds
    bool scheduled = false;
    bool told = false;     // of a signal: it is to run
    bool removed = false;  // to be freed, once it has run if it was told
};

// The callbacks of one loop.
class signal_set final : public resource {
public:
    static signal_set *of(loop *l);  // made on first use; nullptr: out of memory

    explicit signal_set(loop *l);

    int64_t add(int signum, aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    int64_t remove(int signum);
    // For a runner: fn(data) on the loop's stack for each SIGINT to which no
    // callback of the program listens. The third that comes while the loop does
    // not get round to the first gets the default action.
    int64_t set_interrupt(void (*fn)(void *data), void *data);
    void clear_interrupt();
    // Those that came too late for fn; they count as answered.
    uint32_t take_interrupts() { return subscriber_.unanswered.exchange(0); }

private:
    static void arrive(node *item, action what);
    static void close_all(resource *self);
    void deliver(uint64_t signals, uint32_t interrupts);
    void renew_wishes(int signum);
    void retire(signal_callback *c);
    void uninstall(int signum);
    bool of_parent() const { return forks_ != fork_generation(); }

    signal_subscriber subscriber_;
    loop *home_;
    const uint32_t forks_ = fork_generation();
    void (*interrupt_)(void *) = nullptr;
    void *interrupt_data_ = nullptr;
    bool dead_ = false;  // closed, but its node still stands in the inbox
    signal_callback *callbacks_[k_signals] = {};
};

}  // namespace aloop
