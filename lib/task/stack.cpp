// SPDX-License-Identifier: MIT
#include "stack.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>

#include "../base/memory.hpp"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13
#endif

namespace aloop {

struct arena {
    arena *next = nullptr;       // of all
    arena *next_room = nullptr;  // of those with room
    char *base = nullptr;
    uint32_t free = ~uint32_t{0};  // a bit for each of the 32 stacks
    uint32_t guarded = 0;          // whose guard stands
    bool listed = true;
};

namespace {

constexpr int k_per_arena = 32;

size_t page_size() {
    static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

char *map(size_t size) {
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    madvise(memory, size, MADV_NOHUGEPAGE);  // one touched page, not 2 MiB
    return static_cast<char *>(memory);
}

bool guard(char *page) {
    if (madvise(page, page_size(), MADV_GUARD_INSTALL) == 0) return true;
    return mprotect(page, page_size(), PROT_NONE) == 0;
}

}  // namespace

stack_pool::stack_pool(size_t usual_size)
    : usual_size_(usual_size), stride_(usual_size + page_size()) {}

stack_pool::~stack_pool() {
    while (arenas_ != nullptr) {
        arena *next = arenas_->next;
        munmap(arenas_->base, stride_ * k_per_arena);
        destroy(arenas_);
        arenas_ = next;
    }
}

bool stack_pool::add_arena() {
    arena *a = create<arena>();
    if (a == nullptr) return false;
    a->base = map(stride_ * k_per_arena);
    if (a->base == nullptr) {
        destroy(a);
        return false;
    }
    a->next = arenas_;
    arenas_ = a;
    a->next_room = with_room_;
    with_room_ = a;
    return true;
}

bool stack_pool::take(size_t size, stack *out) {
    const size_t page = page_size();
    if (size != usual_size_) {
        char *memory = map(size + page);
        if (memory == nullptr) return false;
        if (!guard(memory)) {
            munmap(memory, size + page);
            return false;
        }
        *out = {memory + page, memory + page + size, nullptr};
        return true;
    }
    if (with_room_ == nullptr && !add_arena()) return false;
    arena *a = with_room_;
    const int i = std::countr_zero(a->free);
    const uint32_t bit = uint32_t{1} << i;
    char *memory = a->base + stride_ * static_cast<size_t>(i);
    if ((a->guarded & bit) == 0) {
        if (!guard(memory)) return false;
        a->guarded |= bit;
    }
    a->free &= ~bit;
    if (a->free == 0) {
        with_room_ = a->next_room;
        a->listed = false;
    }
    *out = {memory + page, memory + stride_, a};
    return true;
}

void stack_pool::give(const stack &s) {
    const size_t page = page_size();
    if (s.from == nullptr) {
        munmap(s.base - page, static_cast<size_t>(s.top - s.base) + page);
        return;
    }
    madvise(s.base, static_cast<size_t>(s.top - s.base), MADV_DONTNEED);
    arena *a = s.from;
    const size_t i = static_cast<size_t>(s.base - a->base) / stride_;
    a->free |= uint32_t{1} << i;
    if (!a->listed) {
        a->listed = true;
        a->next_room = with_room_;
        with_room_ = a;
    }
}

}  // namespace aloop
