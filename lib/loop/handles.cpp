// SPDX-License-Identifier: MIT
#include "handles.hpp"

namespace aloop {

handle_table::~handle_table() {
    for (uint32_t i = 0; i < chunk_count_; i++) release(chunks_[i]);
    release(chunks_);
}

bool handle_table::grow(aloop::loop *home) {
    if (chunk_count_ == chunk_room_) {
        const uint32_t room = chunk_room_ != 0 ? chunk_room_ * 2 : 8;
        void *block = reallocate(chunks_, room * sizeof(handle *));
        if (block == nullptr) return false;
        chunks_ = static_cast<handle **>(block);
        chunk_room_ = room;
    }
    handle *list = static_cast<handle *>(allocate(chunk_size_ * sizeof(handle)));
    if (list == nullptr) return false;
    for (uint32_t i = chunk_size_; i-- > 0;) {
        handle *h = new (&list[i]) handle;
        h->home = home;
        h->id = k_next_generation | (chunk_count_ * chunk_size_ + i);
        h->state = handle::unused;
        h->next = free_;
        free_ = h;
    }
    chunks_[chunk_count_++] = list;
    return true;
}

handle *handle_table::find(aloop_handle id) const {
    const uint32_t index = static_cast<uint32_t>(id);
    const uint32_t chunk = index / chunk_size_;
    if (chunk >= chunk_count_) return nullptr;
    handle *h = &chunks_[chunk][index % chunk_size_];
    const bool current = h->id == static_cast<int64_t>(id);
    return current && (h->state == handle::ready || h->state == handle::armed) ? h : nullptr;
}

}  // namespace aloop
