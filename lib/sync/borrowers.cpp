// SPDX-License-Identifier: MIT
#include "borrowers.hpp"

#include <cstring>

namespace aloop {

borrowers::~borrowers() {
    for (size_t i = 0; i < size_; i++) {
        while (chains_[i] != nullptr) remove(chains_[i]);
    }
    while (entry *e = spare_) {
        spare_ = e->next;
        destroy(e);
    }
    if (chains_ != &first_) release(chains_);
}

borrowers::entry **borrowers::chain(const void *key) const {
    // Fibonacci hashing: the high bits of the product depend on all of the address.
    const uint64_t mixed = reinterpret_cast<uintptr_t>(key) * 0x9e3779b97f4a7c15u;
    return &chains_[(mixed >> 32) & (size_ - 1)];
}

borrowers::entry *borrowers::find(const void *key) const {
    entry *e = *chain(key);
    while (e != nullptr && e->key != key) e = e->next;
    return e;
}

borrowers::entry *borrowers::add(const void *key, ptr<object> owner) {
    if (count_ >= size_) grow();
    entry *e = spare_;
    if (e != nullptr) {
        spare_ = e->next;
    } else {
        e = create<entry>();
        if (e == nullptr) return nullptr;
    }
    entry **at = chain(key);
    e->next = *at;
    e->key = key;
    e->owner = std::move(owner);
    e->holds = false;
    *at = e;
    count_++;
    return e;
}

void borrowers::remove(entry *e) {
    entry **at = chain(e->key);
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    count_--;
    e->next = spare_;
    spare_ = e;
    e->owner.reset();
}

void borrowers::grow() {
    const size_t more = size_ < 16 ? 16 : size_ * 2;
    auto **room = static_cast<entry **>(allocate(more * sizeof(entry *)));
    if (room == nullptr) return;
    std::memset(room, 0, more * sizeof(entry *));
    entry **old = chains_;
    const size_t old_size = size_;
    chains_ = room;
    size_ = more;
    for (size_t i = 0; i < old_size; i++) {
        while (entry *e = old[i]) {
            old[i] = e->next;
            entry **at = chain(e->key);
            e->next = *at;
            *at = e;
        }
    }
    if (old != &first_) release(old);
}

}  // namespace aloop
