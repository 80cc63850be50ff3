// busy_poll.hpp: for how long a loop looks again and again before it sleeps.
//
// Waking a sleeper takes the kernel some 40 us; a loop that looks on instead has
// what comes within microseconds, at the price of the processor. The option names
// the longest time that may take before one sleep; how much of it is used follows
// what the waits were like: a sleep that was over soon doubles the time, one that
// was long halves it, down to a sixteenth of the limit, so that a loop with little
// to do keeps sleeping and one that is asked at short intervals does not.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace aloop {

class busy_poll {
public:
    explicit busy_poll(int64_t limit) : limit_(limit), window_(limit) {}

    bool wanted() const { return limit_ > 0; }
    int64_t window() const { return window_; }
    // A wait took so many ns, the looking on included.
    void learn(int64_t waited) {
        if (waited <= window_) return;
        if (waited <= limit_ + k_waking) {
            window_ = std::min(limit_, window_ * 2);
        } else {
            window_ = std::max(window_ / 2, limit_ / 16);
        }
    }

private:
    // A sleep that took this much longer than what it waited for is nothing special.
    static constexpr int64_t k_waking = 50000;

    int64_t limit_;
    int64_t window_;
};

}  // namespace aloop
