// once.hpp: a cell that is filled once, by whoever comes first.
//
// One initializer is under way at most. When it fails or is cancelled, the next
// in line is woken, who finds the cell empty and tries in its own way; a wake
// that comes to somebody who is cancelled goes on to the next.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/once.h>

#include "waiting.hpp"

namespace aloop {

struct once final : loop_bound, posted {
    bool full = false;
    bool busy = false;  // an initializer is under way
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;
    line waiters;

    once() : loop_bound(kind::once) {}
    ~once() {
        if (value_free != nullptr && value != nullptr) value_free(value);
    }
};

void fill(once *o, int64_t status, void *value, aloop_free_fn free_fn);
// nullptr: out of memory.
future *make_get_or_init(loop *home, once *o, aloop_once_fn init, void *data);

inline once *from_c(aloop_once *o) { return reinterpret_cast<once *>(o); }

}  // namespace aloop
