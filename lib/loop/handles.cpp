// SPDX-License-Identifier: MIT
#include "handles.hpp"

namespace aloop {

handle_table::~handle_table() {
    for (uint32_t i = 0; i < chunk_count_; i++) {
        release((reinterpret_cast<chunk_head *>(chunks_[i]) - 1)->block);
    }
    release(chunks_);
}

bool handle_table::grow(aloop::loop *home) {
    if (chunk_count_ == UINT32_MAX / k_stride) return false;  // no index is left
    if (chunk_count_ == chunk_room_) {
        const uint32_t room = chunk_room_ != 0 ? chunk_room_ * 2 : 8;
        void *block = reallocate(chunks_, room * sizeof(handle *));
        if (block == nullptr) return false;
        chunks_ = static_cast<handle **>(block);
        chunk_room_ = room;
    }
    constexpr uintptr_t k_line = alignof(chunk_head);
    void *block = allocate(k_line + sizeof(chunk_head) + chunk_size_ * sizeof(handle));
    if (block == nullptr) return false;
    const uintptr_t line = (reinterpret_cast<uintptr_t>(block) + k_line - 1) & ~(k_line - 1);
    chunk_head *head = new (reinterpret_cast<void *>(line)) chunk_head{home, block};
    handle *list = reinterpret_cast<handle *>(head + 1);
    for (uint32_t i = chunk_size_; i-- > 0;) {
        handle *h = new (&list[i]) handle;
        h->callback = nullptr;
        h->id = k_next_generation | (chunk_count_ * k_stride + i);
        h->next = free_;
        free_ = h;
    }
    chunks_[chunk_count_++] = list;
    return true;
}

handle *handle_table::find(aloop_handle id) const {
    const uint32_t index = static_cast<uint32_t>(id);
    const uint32_t chunk = index / k_stride;
    if (chunk >= chunk_count_ || index % k_stride >= chunk_size_) return nullptr;
    handle *h = &chunks_[chunk][index % k_stride];
    return h->id == static_cast<int64_t>(id) && h->callback != nullptr ? h : nullptr;
}

}  // namespace aloop
