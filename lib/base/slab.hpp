// slab.hpp: blocks of one size for one loop: a free list over chunks.
//
// Allocating and freeing a block takes a few instructions, on the loop's thread.
// Chunks go back to the heap when the slab is destroyed. The bet: a loop that
// once had a million tasks will have them again. In passthrough mode (see
// memory.hpp) each block is a heap block of its own.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "memory.hpp"

namespace aloop {

template <size_t Size>
class slab {
    static_assert(Size % 16 == 0 && Size >= 32);

public:
    slab() = default;
    slab(const slab &) = delete;
    slab &operator=(const slab &) = delete;

    ~slab() {
        while (chunks_ != nullptr) {
            chunk *next = chunks_->next;
            release(chunks_);
            chunks_ = next;
        }
    }

    void *take() {
        if (free_ == nullptr) [[unlikely]] {
            if (slab_passthrough()) return allocate(Size);
            if (!grow()) return nullptr;
        }
        block *b = free_;
        free_ = b->next;
        return b;
    }

    void give(void *p) {
        if (slab_passthrough()) [[unlikely]] {
            release(p);
            return;
        }
        block *b = static_cast<block *>(p);
        b->next = free_;
        free_ = b;
    }

private:
    struct block {
        block *next;
    };
    struct chunk {
        chunk *next;
        void *pad;
    };

    // 16 KiB: 126 tasks or 254 futures a chunk, each in as few cache lines as it fills.
    static constexpr size_t k_chunk_size = 16384;
    static constexpr size_t k_line = 64;
    static constexpr size_t k_blocks = (k_chunk_size - sizeof(chunk) - k_line) / Size;

    bool grow() {
        void *memory = allocate(k_chunk_size);
        if (memory == nullptr) return false;
        chunks_ = new (memory) chunk{chunks_, nullptr};
        const uintptr_t behind = reinterpret_cast<uintptr_t>(memory) + sizeof(chunk);
        char *at = reinterpret_cast<char *>((behind + k_line - 1) & ~(k_line - 1));
        for (size_t i = k_blocks; i-- > 0;) {
            block *b = reinterpret_cast<block *>(at + i * Size);
            b->next = free_;
            free_ = b;
        }
        return true;
    }

    block *free_ = nullptr;
    chunk *chunks_ = nullptr;
};

}  // namespace aloop
