// list.hpp: intrusive lists: whatever is queued contains its own links, so
// queueing never allocates and never fails.
//
//   node       next, prev, and the function that runs it: the form of all that
//              waits on a future or stands in the ready queue.
//   fifo       singly linked in use: push at the tail, pop at the head, O(1).
//   ring       circular and doubly linked, one pointer for the owner: push,
//              take out of the middle, O(1).
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace aloop {

struct link {
    link *next = nullptr;
    link *prev = nullptr;  // nullptr: in no ring
};

// run: do what was scheduled. drop: the loop closes, give back what is held.
enum class action : uint8_t { run, drop };

// In the timer wheel the third word is the deadline instead (timers.hpp).
struct node : link {
    union {
        void (*fn)(node *self, action what) = nullptr;
        int64_t key;
    };
};

class fifo {
public:
    fifo() = default;
    fifo(const fifo &) = delete;  // tail_ points into it
    fifo &operator=(const fifo &) = delete;

    bool empty() const { return head_ == nullptr; }
    node *head() const { return static_cast<node *>(head_); }

    void push(node *item) {
        item->next = nullptr;
        *tail_ = item;
        tail_ = &item->next;
    }

    node *pop() {
        link *item = head_;
        if (item != nullptr) {
            head_ = item->next;
            if (head_ == nullptr) tail_ = &head_;
        }
        return static_cast<node *>(item);
    }

    // Forgets what is in it.
    void clear() {
        head_ = nullptr;
        tail_ = &head_;
    }

    // Takes item out of the middle, O(n): for what happens rarely.
    bool remove(node *item) {
        for (link **at = &head_; *at != nullptr; at = &(*at)->next) {
            if (*at != item) continue;
            *at = item->next;
            if (*at == nullptr) tail_ = at;
            return true;
        }
        return false;
    }

    // A chain of one and more, whose last one's next is nullptr.
    void append(link *first, link *last) {
        *tail_ = first;
        tail_ = &last->next;
    }

    // All of other, behind what is here.
    void append(fifo &other) {
        if (other.head_ == nullptr) return;
        *tail_ = other.head_;
        tail_ = other.tail_;
        other.clear();
    }

private:
    link *head_ = nullptr;
    link **tail_ = &head_;  // where the next one is linked in
};

class ring {
public:
    bool empty() const { return head_ == nullptr; }
    link *head() const { return head_; }
    link *tail() const { return head_ != nullptr ? head_->prev : nullptr; }
    // The one behind item, nullptr at the end.
    link *after(link *item) const { return item->next != head_ ? item->next : nullptr; }

    void push(link *item) {
        if (head_ == nullptr) {
            item->next = item->prev = item;
            head_ = item;
            return;
        }
        item->next = head_;
        item->prev = head_->prev;
        head_->prev->next = item;
        head_->prev = item;
    }

    void remove(link *item) {
        if (item->next == item) {
            head_ = nullptr;
        } else {
            item->prev->next = item->next;
            item->next->prev = item->prev;
            if (head_ == item) head_ = item->next;
        }
        item->prev = nullptr;
    }

    link *pop() {
        link *item = head_;
        if (item != nullptr) remove(item);
        return item;
    }

    // Gives away the whole chain, ended with nullptr in next order.
    link *detach() {
        link *first = head_;
        if (first != nullptr) {
            first->prev->next = nullptr;
            head_ = nullptr;
        }
        return first;
    }

private:
    link *head_ = nullptr;
};

}  // namespace aloop
