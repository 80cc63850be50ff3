// timers.hpp: the timers of a loop, in exact (deadline, arming) order.
//
// A radix wheel over nanoseconds: 11 levels of 64 slots, 6 bits of the deadline
// each. A timer stands on the level of the highest digit in which its deadline
// differs from `elapsed_`, in the slot of that digit. Arming and cancelling are
// O(1); the bet is that most timers are cancelled before they are due.
//
// Invariant: the place of a timer is a function of (deadline, elapsed_) alone.
// So equal deadlines always share a slot, in arming order, and a stable sort of
// what is due in each slot gives the exact order. When time advances, only the
// slot that contains the new time is taken apart; slots before it are due as a
// whole. Timers that were due when armed wait in `overdue_`, before all others.
//
// A timer is a node whose third word holds the deadline until it is due; then
// the word becomes the function that the tag stands for.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/clock.hpp"
#include "../base/list.hpp"

namespace aloop {

enum class timer_tag : uint8_t { handle, sleep, internal, count };

// What a due node of that tag runs.
extern void (*g_timer_fire[static_cast<int>(timer_tag::count)])(node *, action);

class timers {
public:
    // item is in no list. deadline: +-k_never.
    void arm(node *item, int64_t deadline, timer_tag tag);
    void cancel(node *item);

    bool empty() const { return count_ == 0; }
    int64_t count() const { return count_; }
    bool any_overdue() const { return !overdue_.empty(); }
    // Whether, since the last expire, something was armed that is due at now.
    bool may_be_due(int64_t now) const { return cached_next_ <= now; }
    // The earliest deadline; k_never without timers.
    int64_t next();
    // As early or earlier, and cheap: it may be that of a timer that was cancelled since.
    int64_t next_at_earliest() { return bounded_ ? cached_next_ : next(); }
    // Appends what is due at now to due; returns how many.
    int64_t expire(int64_t now, fifo &due);
    // Takes every timer out, in no order, as nodes ready to be dropped.
    void drain(fifo &out);

    static bool is_armed(const node *item) { return item->prev != nullptr; }
    static int64_t deadline_of(const node *item) { return item->key >> 2; }

private:
    static constexpr int k_levels = 11;
    static constexpr int k_slots = 64;

    struct place {
        int level;  // -1: overdue
        int slot;
    };
    place place_of(int64_t deadline) const;
    void insert(node *item);
    bool first_slot(place *at) const;
    int64_t slot_start(place at) const;
    void take_slot(place at, int64_t now, fifo &due);

    ring slots_[k_levels][k_slots];
    uint64_t occupied_[k_levels] = {};
    ring overdue_;
    int64_t elapsed_ = 0;
    int64_t count_ = 0;
    int64_t cached_next_ = k_never;
    bool cache_valid_ = true;  // cached_next_ is the earliest deadline
    bool bounded_ = true;      // none is earlier
};

}  // namespace aloop
