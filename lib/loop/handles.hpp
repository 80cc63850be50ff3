// handles.hpp: what call_soon, call_later and the watchers schedule.
//
// A handle is a slot in a table; its id is (generation, index), so that a stale
// id is recognized and never touches memory that something else uses now. Slots
// are taken and given back LIFO in a few instructions.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/list.hpp"
#include "../base/memory.hpp"
#include "../context/context.hpp"

namespace aloop {

class loop;

struct handle : node {
    aloop_callback_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_map *context;
    aloop::loop *home;
    uint32_t generation;
    uint32_t index;
    enum : uint8_t { unused, ready, armed, cancelled } state;

    int64_t id() const { return (static_cast<int64_t>(generation) << 32) | index; }
};

class handle_table {
public:
    handle_table() = default;
    handle_table(const handle_table &) = delete;
    handle_table &operator=(const handle_table &) = delete;
    ~handle_table();

    handle *take(aloop::loop *home);
    void give(handle *h);
    // nullptr for an id that is not in use.
    handle *find(aloop_handle id) const;
    int64_t live() const { return live_; }

private:
    bool grow();

    static constexpr uint32_t k_chunk = 256;

    handle **chunks_ = nullptr;
    uint32_t chunk_size_ = slab_passthrough() ? 1 : k_chunk;
    uint32_t chunk_count_ = 0;
    uint32_t chunk_room_ = 0;
    handle *free_ = nullptr;
    int64_t live_ = 0;
};

}  // namespace aloop
