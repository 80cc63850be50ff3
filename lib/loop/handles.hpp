// handles.hpp: what call_soon, call_later and the watchers schedule.
//
// A handle is a slot in a table; its id is (generation, index), so that a stale
// id is recognized and never touches memory that something else uses now. Slots
// are taken and given back LIFO in a few instructions; a free one is in no list
// (prev is nullptr), so that taking it writes next to nothing.
//
// A handle is one cache line: a million timers are bound by how many lines each
// touches. So its loop stands at the head of its chunk, and its state in what it
// has anyhow: no callback, and it is free; a prev, and it is armed; else it is in
// the ready queue, where fn is what a handle runs, or what a cancelled one does.
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
    int64_t id;  // generation << 32 | index; the generation is 1 to 2^30 - 1
};
static_assert(sizeof(handle) == 64);

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
        h->callback = nullptr;
        h->id += k_next_generation;
        if (h->id >= k_last_generation) [[unlikely]] h->id -= k_last_generation - k_next_generation;
        h->next = free_;
        free_ = h;
    }
    // nullptr for an id that is not in use.
    handle *find(aloop_handle id) const;
    static aloop::loop *home_of(const handle *h) {
        const handle *first = h - static_cast<uint32_t>(h->id) % k_stride;
        return (reinterpret_cast<const chunk_head *>(first) - 1)->home;
    }

private:
    struct alignas(64) chunk_head {
        aloop::loop *home;
        void *block;  // the allocator's, in which it stands
    };

    bool grow(aloop::loop *home);

    // With head and alignment a chunk is 16 KiB; its indices begin at a multiple.
    static constexpr uint32_t k_stride = 256;
    static constexpr uint32_t k_chunk = 254;
    static constexpr int64_t k_next_generation = int64_t{1} << 32;
    static constexpr int64_t k_last_generation = int64_t{1} << 62;

    handle **chunks_ = nullptr;
    uint32_t chunk_size_ = slab_passthrough() ? 1 : k_chunk;
    uint32_t chunk_count_ = 0;
    uint32_t chunk_room_ = 0;
    handle *free_ = nullptr;
};

}  // namespace aloop
