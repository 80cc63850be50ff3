// SPDX-License-Identifier: MIT
#include "items.hpp"

#include <cstring>

namespace aloop {

void item_store::configure(int32_t kind, aloop_compare_fn compare, void *data) {
    kind_ = kind;
    compare_ = compare;
    compare_data_ = data;
}

bool item_store::reserve(int64_t n) {
    int64_t room = room_ != 0 ? room_ : 16;
    while (room < n) room *= 2;
    return room == room_ || grow(room);
}

bool item_store::grow(int64_t room) {
    void *block = reallocate(slots_, static_cast<size_t>(room) * slot_size());
    if (block == nullptr) return false;
    slots_ = block;
    // What of a full ring stood before its head now follows the old end.
    if (!by_priority() && head_ != 0) {
        std::memcpy(ring() + room_, ring(), static_cast<size_t>(head_) * sizeof(void *));
    }
    room_ = room;
    return true;
}

bool item_store::push_slowly(void *item) {
    if (count_ == room_ && !grow(room_ != 0 ? room_ * 2 : 16)) return false;
    if (by_priority()) {
        push_ranked(item);
    } else {
        ring()[(head_ + count_) & (room_ - 1)] = item;
    }
    count_++;
    return true;
}

void *item_store::pop_last() {
    if (by_priority()) return pop_ranked();
    return ring()[(head_ + count_) & (room_ - 1)];
}

void item_store::take_from(item_store *other) {
    std::swap(slots_, other->slots_);
    std::swap(room_, other->room_);
    std::swap(count_, other->count_);
    std::swap(head_, other->head_);
    configure(other->kind_, other->compare_, other->compare_data_);
}

bool item_store::before(const ranked &a, const ranked &b) const {
    const int64_t order = compare_(a.item, b.item, compare_data_);
    return order != 0 ? order < 0 : a.rank < b.rank;
}

// count_ is the heap's size without the new item.
void item_store::push_ranked(void *item) {
    const ranked added = {item, arrivals_++};
    int64_t at = count_;
    while (at > 0) {
        const int64_t parent = (at - 1) / 2;
        if (!before(added, heap()[parent])) break;
        heap()[at] = heap()[parent];
        at = parent;
    }
    heap()[at] = added;
}

// count_ is the heap's size without the item that goes.
void *item_store::pop_ranked() {
    void *first = heap()[0].item;
    const ranked last = heap()[count_];
    int64_t at = 0;
    for (int64_t child = 1; child < count_; child = 2 * at + 1) {
        if (child + 1 < count_ && before(heap()[child + 1], heap()[child])) child++;
        if (!before(heap()[child], last)) break;
        heap()[at] = heap()[child];
        at = child;
    }
    heap()[at] = last;
    return first;
}

}  // namespace aloop
