// borrowers.hpp: who has, or waits for, a token of a capacity limiter.
//
// A hash table of chains. An entry that is taken out is kept for the next one, so
// that a limiter in steady state allocates nothing; a table that cannot grow for
// want of memory only gets slower.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/memory.hpp"
#include "../base/object.hpp"

namespace aloop {

class borrowers {
public:
    struct entry {
        entry *next;
        const void *key;
        ptr<object> owner;  // keeps a task's address its own; empty for the program's
        bool holds;         // else it waits
    };

    borrowers() = default;
    borrowers(const borrowers &) = delete;
    borrowers &operator=(const borrowers &) = delete;
    ~borrowers();

    entry *find(const void *key) const;
    // key is new. nullptr: out of memory.
    entry *add(const void *key, ptr<object> owner);
    void remove(entry *e);

private:
    entry **chain(const void *key) const;
    void grow();

    entry *first_ = nullptr;
    entry **chains_ = &first_;
    size_t size_ = 1;  // a power of two
    size_t count_ = 0;
    entry *spare_ = nullptr;
};

}  // namespace aloop
