// SPDX-License-Identifier: MIT
#include "timers.hpp"

#include <bit>

namespace aloop {

void (*g_timer_fire[static_cast<int>(timer_tag::count)])(node *, action);

namespace {

// Sorts a chain (next order, nullptr at its end) by deadline, stably: runs of
// doubling length are merged as they come, as in a binary counter.
node *merge(node *a, node *b) {
    link head;
    link *tail = &head;
    while (a != nullptr && b != nullptr) {
        node *&smaller = timers::deadline_of(b) < timers::deadline_of(a) ? b : a;
        tail->next = smaller;
        tail = smaller;
        smaller = static_cast<node *>(smaller->next);
    }
    tail->next = a != nullptr ? a : b;
    return static_cast<node *>(head.next);
}

node *sort(node *chain) {
    node *runs[64] = {};
    int used = 0;
    while (chain != nullptr) {
        node *one = chain;
        chain = static_cast<node *>(chain->next);
        one->next = nullptr;
        int i = 0;
        for (; i < used && runs[i] != nullptr; i++) {
            one = merge(runs[i], one);
            runs[i] = nullptr;
        }
        if (i == used) used++;
        runs[i] = one;
    }
    node *all = nullptr;
    for (int i = 0; i < used; i++) {
        if (runs[i] != nullptr) all = all != nullptr ? merge(runs[i], all) : runs[i];
    }
    return all;
}

void make_ready(node *item) {
    item->prev = nullptr;
    item->fn = g_timer_fire[item->key & 3];
}

// Hands on a chain that is in order.
void make_all_ready(node *chain, fifo &out) {
    while (chain != nullptr) {
        node *item = chain;
        chain = static_cast<node *>(chain->next);
        make_ready(item);
        out.push(item);
    }
}

// What is due, with what is known of it.
struct due_list {
    fifo items;
    int64_t count = 0;
    int64_t last = INT64_MIN;
    bool sorted = true;

    void push(node *item) {
        const int64_t deadline = timers::deadline_of(item);
        sorted = sorted && deadline >= last;
        last = deadline;
        count++;
        items.push(item);
    }
};

// Hands on what was in a slot of that level, in order. Many are dealt by the next
// digit first, which costs the same for each however many there are.
void hand_on(due_list &due, int level, fifo &out) {
    constexpr int64_t k_few = 64;
    if (due.sorted || due.count <= k_few || level <= 0) {
        make_all_ready(due.sorted ? due.items.head() : sort(due.items.head()), out);
        return;
    }
    due_list digits[64];
    while (node *item = due.items.pop()) {
        const uint64_t deadline = static_cast<uint64_t>(timers::deadline_of(item));
        digits[(deadline >> ((level - 1) * 6)) & 63].push(item);
    }
    for (due_list &digit : digits) hand_on(digit, level - 1, out);
}

}  // namespace

timers::place timers::place_of(int64_t deadline) const {
    if (deadline <= elapsed_) return {-1, 0};
    const uint64_t differs = static_cast<uint64_t>(deadline) ^ static_cast<uint64_t>(elapsed_);
    const int level = (63 - std::countl_zero(differs)) / 6;
    return {level, static_cast<int>((static_cast<uint64_t>(deadline) >> (level * 6)) & 63)};
}

void timers::insert(node *item) {
    const place at = place_of(deadline_of(item));
    if (at.level < 0) {
        overdue_.push(item);
        return;
    }
    slots_[at.level][at.slot].push(item);
    occupied_[at.level] |= uint64_t{1} << at.slot;
}

void timers::arm(node *item, int64_t deadline, timer_tag tag) {
    item->key = deadline * 4 + static_cast<int64_t>(tag);
    insert(item);
    count_++;
    if (deadline < cached_next_) cached_next_ = deadline;
}

void timers::cancel(node *item) {
    const int64_t deadline = deadline_of(item);
    const place at = place_of(deadline);
    if (at.level < 0) {
        overdue_.remove(item);
    } else {
        ring &slot = slots_[at.level][at.slot];
        slot.remove(item);
        if (slot.empty()) occupied_[at.level] &= ~(uint64_t{1} << at.slot);
    }
    count_--;
    if (count_ == 0) {
        cached_next_ = k_never;
        cache_valid_ = bounded_ = true;
    } else if (deadline <= cached_next_) {
        cache_valid_ = false;
    }
}

// The slot with the earliest timers: the lowest level's lowest, for every slot
// in use lies ahead of elapsed_.
bool timers::first_slot(place *at) const {
    for (int level = 0; level < k_levels; level++) {
        if (occupied_[level] != 0) {
            *at = {level, std::countr_zero(occupied_[level])};
            return true;
        }
    }
    return false;
}

int64_t timers::slot_start(place at) const {
    const int above = (at.level + 1) * 6;
    const uint64_t prefix =
        above >= 64 ? 0 : (static_cast<uint64_t>(elapsed_) >> above) << above;
    return static_cast<int64_t>(prefix | (static_cast<uint64_t>(at.slot) << (at.level * 6)));
}

int64_t timers::next() {
    if (cache_valid_) return cached_next_;
    cached_next_ = k_never;
    const ring *earliest = nullptr;
    place at;
    if (!overdue_.empty()) {
        earliest = &overdue_;
    } else if (first_slot(&at)) {
        earliest = &slots_[at.level][at.slot];
    }
    if (earliest != nullptr) {
        for (link *l = earliest->head(); l != nullptr; l = earliest->after(l)) {
            const int64_t deadline = deadline_of(static_cast<node *>(l));
            if (deadline < cached_next_) cached_next_ = deadline;
        }
    }
    cache_valid_ = bounded_ = true;
    return cached_next_;
}

// Hands on what is due in a slot that is not wholly in the future; what is left of
// it is placed anew, finer, once elapsed_ is now.
void timers::take_slot(place at, int64_t now, fifo &due) {
    occupied_[at.level] &= ~(uint64_t{1} << at.slot);
    link *chain = slots_[at.level][at.slot].detach();
    due_list found;
    link *later = nullptr;
    link **later_tail = &later;
    while (chain != nullptr) {
        node *item = static_cast<node *>(chain);
        chain = chain->next;
        if (deadline_of(item) <= now) {
            found.push(item);
        } else {
            *later_tail = item;
            later_tail = &item->next;
        }
    }
    *later_tail = nullptr;
    count_ -= found.count;
    hand_on(found, at.level, due);
    if (later == nullptr) return;
    elapsed_ = now;
    while (later != nullptr) {
        node *item = static_cast<node *>(later);
        later = later->next;
        insert(item);
    }
}

int64_t timers::expire(int64_t now, fifo &due) {
    if (count_ == 0) {
        if (now > elapsed_) elapsed_ = now;
        return 0;
    }
    const int64_t before = count_;
    if (!overdue_.empty()) {
        due_list found;
        for (link *l = overdue_.detach(); l != nullptr;) {
            node *item = static_cast<node *>(l);
            l = l->next;
            found.push(item);
        }
        count_ -= found.count;
        hand_on(found, 0, due);
    }
    place at;
    while (first_slot(&at) && slot_start(at) <= now) take_slot(at, now, due);
    if (now > elapsed_) elapsed_ = now;
    const int64_t n = before - count_;
    if (n > 0 || cached_next_ <= now) {  // else that of a timer cancelled since
        cached_next_ = k_never;
        cache_valid_ = bounded_ = count_ == 0;
    }
    return n;
}

void timers::drain(fifo &out) {
    fifo all;
    for (link *l = overdue_.detach(); l != nullptr;) {
        node *item = static_cast<node *>(l);
        l = l->next;
        all.push(item);
    }
    for (int level = 0; level < k_levels; level++) {
        for (ring &slot : slots_[level]) {
            for (link *l = slot.detach(); l != nullptr;) {
                node *item = static_cast<node *>(l);
                l = l->next;
                all.push(item);
            }
        }
        occupied_[level] = 0;
    }
    while (node *item = all.pop()) {
        make_ready(item);
        out.push(item);
    }
    count_ = 0;
    cached_next_ = k_never;
    cache_valid_ = bounded_ = true;
}

}  // namespace aloop
