// graph.hpp: who awaits a future, as a tree of tasks. A task's own awaiters are listed
// only where the task first appears, so the tree is no larger than the number of awaits.
//
// The edges are those that the await machine keeps anyway: a task's node is in the
// ring of what it waits for, an operation knows its driver, and a combinator's
// observer knows the combinator (register_observer). Call graphs therefore add no
// cost to awaiting.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/introspect.h>

#include "../base/writer.hpp"
#include "../task/fiber.hpp"

namespace aloop {

struct call_graph final : object {
    future *of;  // owned
    void **frames = nullptr;
    int64_t frame_count = 0;
    call_graph **awaited_by = nullptr;
    int64_t awaited_count = 0;
    bool again = false;  // a task that the graph has already, and shows there

    explicit call_graph(future *f) : object(kind::call_graph), of(f) {
        ref(f);
        count_live(kind::call_graph, 1);
    }
    ~call_graph();
};

inline const call_graph *from_c(const aloop_call_graph *g) {
    return reinterpret_cast<const call_graph *>(g);
}
inline aloop_call_graph *to_c(call_graph *g) { return reinterpret_cast<aloop_call_graph *>(g); }

// nullptr: out of memory.
call_graph *capture(future *f, int64_t limit);

void describe_graph(writer &out, const call_graph *g, int indent);

}  // namespace aloop
