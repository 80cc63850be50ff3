// options.hpp: what may be chosen about connections and servers.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/stream.h>

#include "../base/options.hpp"

namespace aloop {

struct stream_options final : options_of<stream_options> {
    size_t limit = 65536;
    int32_t family = 0;
    int32_t backlog = 100;
    double eyeballs_delay = -1;  // negative: one address after the other
    char *local_host = nullptr;
    int32_t local_port = 0;
    int32_t reuse_address = 1;
    int32_t reuse_port = 0;
    int32_t keep_alive = 0;
    int32_t start_serving = 1;
    aloop_free_fn data_free = nullptr;

    ~stream_options() { release(local_host); }
};

// What was passed, or the defaults for nullptr; nullptr: out of memory.
inline stream_options *copy_options(const stream_options *from) {
    stream_options *o = create<stream_options>();
    if (o == nullptr || from == nullptr) return o;
    o->limit = from->limit;
    o->family = from->family;
    o->backlog = from->backlog;
    o->eyeballs_delay = from->eyeballs_delay;
    o->local_port = from->local_port;
    o->reuse_address = from->reuse_address;
    o->reuse_port = from->reuse_port;
    o->keep_alive = from->keep_alive;
    o->start_serving = from->start_serving;
    o->data_free = from->data_free;
    if (from->local_host == nullptr) return o;
    o->local_host = copy_string(from->local_host);
    if (o->local_host != nullptr) return o;
    destroy(o);
    return nullptr;
}

}  // namespace aloop
