// origin.hpp: where an object or a callback was made: the calls that led there.
//
// A loop in debug mode notes the stack of each object and each callback as it is
// made, in a hash table beside them, so that they stay as small as they are and
// nothing is paid in normal mode but a test of a flag. What cannot be noted for
// want of memory has no origin.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/memory.hpp"
#include "../base/object.hpp"
#include "../base/writer.hpp"

namespace aloop {

struct origin {
    static constexpr int k_depth = 10;  // asyncio's DEBUG_STACK_DEPTH

    void *frames[k_depth];  // innermost first
    int count = 0;
};

// The calling stack, without the library's own frames on top of it.
void capture_origin(origin *o);
// One call a line, the most recent last; nothing without an origin.
void describe_origin(writer &out, const origin *o);

// Origins by address; linear probing, at most three quarters full.
class origin_table {
public:
    origin_table() = default;
    origin_table(const origin_table &) = delete;
    origin_table &operator=(const origin_table &) = delete;
    ~origin_table() { release(entries_); }

    // An object of the library, not a callback: next_object finds it.
    void note(const void *key, bool is_object);
    void forget(const void *key);
    // nullptr: not noted. Until the next note.
    const origin *find(const void *key) const;
    // The next object from `at` on, which becomes the place behind it; nullptr: no more.
    object *next_object(size_t *at) const;

private:
    struct entry {
        const void *key;
        bool is_object;
        origin made;
    };

    size_t place_of(const void *key) const;
    bool grow();

    entry *entries_ = nullptr;
    size_t room_ = 0;  // a power of two, or 0
    size_t used_ = 0;
};

}  // namespace aloop
