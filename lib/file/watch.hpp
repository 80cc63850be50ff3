// watch.hpp: changes of a path, from inotify's descriptor in the loop's poller.
//
// The result of one read stays in a buffer, which is parsed as the program asks for
// events. Nothing is read before that, so the kernel's queue is the bounded queue.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/file.h>

#include "../task/operation.hpp"

namespace aloop {

// Both names in the same block.
struct file_event final : object {
    int32_t what;
    bool directory;
    char *name;
    char *old_name;

    file_event() : object(kind::file_event) { count_live(kind::file_event, 1); }
    ~file_event() { count_live(kind::file_event, -1); }
};

struct file_watch final : loop_object, io, node, self_held {
    static constexpr size_t k_room = 4096;  // several events; one has at most 272 bytes

    future *reading = nullptr;  // what the one reader waits on; its operation owns it
    bool queued = false;        // the node stands in the queue and holds a reference
    bool closed = false;
    bool ended = false;         // the path is gone
    bool readable = true;       // until the kernel says otherwise
    uint32_t given_in = 0;      // an iteration, and how many events were given in it
    uint32_t given = 0;
    size_t begin = 0;
    size_t end = 0;
    alignas(8) char data[k_room];

    explicit file_watch(domain *d) : loop_object(kind::file_watch, d) {}
};

inline file_watch *from_c(aloop_file_watch *w) { return reinterpret_cast<file_watch *>(w); }
inline aloop_file_watch *to_c(file_watch *w) { return reinterpret_cast<aloop_file_watch *>(w); }

int64_t make_watch(loop *l, const char *path, file_watch **out);
future *make_next(file_watch *w);
void close_watch(file_watch *w);

}  // namespace aloop
