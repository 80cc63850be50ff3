// handles.hpp: what call_soon, call_later and the watchers schedule.
//
// A handle is a slot in a table; its id is (generation, index), so that a stale
// id is recognized and never touches memory that something else uses now. Slots
// are taken and given back LIFO in a few instructions; a free one keeps its home
// and is in no list (prev is nullptr), so that taking it writes next to nothing.
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
    int64_t id;  // generation << 32 | index; the generation is 1 to 2^30 - 1
    enum : uint8_t { unused, ready, armed, cancelled } state;
};

class handle_table {
public:
    handle_table() = default;
    handle_table(const handle_table &) = delete;
    handle_table &operator=(const handle_table &) = delete;
    ~handle_table();

    handle *take(aloop::loop *home) {
        if (free_ == nullptr && !grow(home)) [[unlikely]] return nullptr;
        handle *h = free_;
        free_ = static_cast<handle *>(h->next);
        return h;
    }
    void give(handle *h) {
        h->state = handle::unused;
        h->id += k_next_generation;
        if (h->id >= k_last_generation) [[unlikely]] h->id -= k_last_generation - k_next_generation;
        h->next = free_;
        free_ = h;
    }
    // nullptr for an id that is not in use.
    handle *find(aloop_handle id) const;

private:
    bool grow(aloop::loop *home);

    static constexpr uint32_t k_chunk = 256;
    static constexpr int64_t k_next_generation = int64_t{1} << 32;
    static constexpr int64_t k_last_generation = int64_t{1} << 62;

    handle **chunks_ = nullptr;
    uint32_t chunk_size_ = slab_passthrough() ? 1 : k_chunk;
    uint32_t chunk_count_ = 0;
    uint32_t chunk_room_ = 0;
    handle *free_ = nullptr;
};

}  // namespace aloop
