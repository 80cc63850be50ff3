// SPDX-License-Identifier: MIT
#include "memory.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace aloop {

namespace {

struct allocator {
    aloop_malloc_fn malloc_fn = std::malloc;
    aloop_realloc_fn realloc_fn = std::realloc;
    aloop_free_fn free_fn = std::free;
};

allocator g_allocator;
std::atomic<bool> g_used{false};

void note_use() {
    if (!g_used.load(std::memory_order_relaxed)) g_used.store(true, std::memory_order_relaxed);
}

}  // namespace

void *allocate(size_t size) {
    note_use();
    return g_allocator.malloc_fn(size);
}

void *reallocate(void *block, size_t size) {
    note_use();
    return g_allocator.realloc_fn(block, size);
}

void release(void *block) {
    if (block != nullptr) g_allocator.free_fn(block);
}

int64_t set_allocator(aloop_malloc_fn malloc_fn, aloop_realloc_fn realloc_fn,
                      aloop_free_fn free_fn) {
    if (malloc_fn == nullptr || realloc_fn == nullptr || free_fn == nullptr) return ALOOP_EINVAL;
    if (g_used.load(std::memory_order_relaxed)) return ALOOP_EBUSY;
    g_allocator = {malloc_fn, realloc_fn, free_fn};
    return 0;
}

const bool g_slab_passthrough = [] {
#ifdef ALOOP_SANITIZED
    return true;
#else
    const char *text = std::getenv("ASYNCLOOP_SLAB");
    return text != nullptr && std::strcmp(text, "0") == 0;
#endif
}();

char *copy_string(const char *text) {
    const size_t size = std::strlen(text) + 1;
    char *copy = static_cast<char *>(allocate(size));
    if (copy != nullptr) std::memcpy(copy, text, size);
    return copy;
}

}  // namespace aloop
