// items.hpp: what a queue holds: items in the order in which they are to leave.
//
// First-in-first-out and last-in-first-out keep a ring whose size is a power of
// two; by priority it is a binary heap that breaks ties by the order of
// arrival, which makes it stable. Room is reserved when the queue is made, up
// to k_reserve items, and doubles beyond that; it never shrinks, so that a
// queue in steady state allocates nothing.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/queue.h>

#include "../base/memory.hpp"

namespace aloop {

class item_store {
public:
    static constexpr int64_t k_reserve = 1024;

    item_store() = default;
    item_store(const item_store &) = delete;
    item_store &operator=(const item_store &) = delete;
    ~item_store() { release(slots_); }

    // kind: ALOOP_QUEUE_...; compare only for ALOOP_QUEUE_PRIORITY.
    void configure(int32_t kind, aloop_compare_fn compare, void *data);
    // Room for n items: whether there is.
    bool reserve(int64_t n);
    // nullptr is an item, too. push: false when out of memory.
    bool push(void *item) {
        if (by_priority() || count_ == room_) [[unlikely]] return push_slowly(item);
        ring()[(head_ + count_++) & (room_ - 1)] = item;
        return true;
    }
    // Whether push and pop need neither memory nor the program's comparison.
    bool ready_for_push() const { return !by_priority() && count_ < room_; }
    bool ready_for_pop() const { return !by_priority() && count_ > 0; }
    void *pop() {  // the store is not empty
        count_--;
        if (kind_ != ALOOP_QUEUE_FIFO) [[unlikely]] return pop_last();
        void *item = ring()[head_];
        head_ = (head_ + 1) & (room_ - 1);
        return item;
    }
    // What pop would give; of a FIFO that is not empty.
    void *first() { return ring()[head_]; }
    int64_t count() const { return count_; }
    // All of other, which is of the same kind; the store is empty.
    void take_from(item_store *other);

private:
    struct ranked {
        void *item;
        uint64_t rank;
    };

    bool by_priority() const { return kind_ == ALOOP_QUEUE_PRIORITY; }
    size_t slot_size() const { return by_priority() ? sizeof(ranked) : sizeof(void *); }
    bool grow(int64_t room);
    bool push_slowly(void *item);
    void *pop_last();
    void **ring() { return static_cast<void **>(slots_); }
    ranked *heap() { return static_cast<ranked *>(slots_); }
    bool before(const ranked &a, const ranked &b) const;
    void push_ranked(void *item);
    void *pop_ranked();

    void *slots_ = nullptr;
    int64_t room_ = 0;  // 0 or a power of two
    int64_t count_ = 0;
    int64_t head_ = 0;  // the ring's oldest
    uint64_t arrivals_ = 0;
    aloop_compare_fn compare_ = nullptr;
    void *compare_data_ = nullptr;
    int32_t kind_ = ALOOP_QUEUE_FIFO;
};

}  // namespace aloop
