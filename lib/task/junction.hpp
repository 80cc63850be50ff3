// junction.hpp: a future that has several others behind it, of which a cancellation
// asks one after the other, in order: a gather.
//
// What a walk (cancel.cpp) has to remember at the fork stands here, so that it needs
// neither memory nor a stack: the junctions that it is in form a list.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"

namespace aloop {

struct junction : future {
    int64_t count = 0;
    future *(*child_at)(junction *self, int64_t index);
    bool cancel_requested = false;  // of one child at least, who accepted

    // The walk's own.
    bool seen = false;
    bool any = false;      // a child accepted
    bool circle = false;   // a child is one that the walk is in
    int64_t next = 0;      // the child to be asked
    int64_t way = 0;       // tasks and operations that led here from the fork before
    future *asker = nullptr;        // the last of them
    junction *outer = nullptr;      // the fork before
    junction *next_seen = nullptr;

    junction(domain *d, kind k, future *(*child_of)(junction *self, int64_t index))
        : future(d, k), child_at(child_of) {}
};

inline junction *as_junction(future *f) {
    return f->type == kind::gather ? static_cast<junction *>(f) : nullptr;
}

}  // namespace aloop
