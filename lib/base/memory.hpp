// memory.hpp: the only access to the heap.
//
// Everything the library allocates goes through allocate(), so that a program
// can set its own allocator (aloop_set_allocator) and a test can let any
// allocation fail. Nothing here throws: without memory the result is nullptr, and
// every caller handles it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <asyncloop/base.h>

namespace aloop {

void *allocate(size_t size);
void *reallocate(void *block, size_t size);
void release(void *block);

// Takes over the program's allocator; fails once something was allocated.
int64_t set_allocator(aloop_malloc_fn malloc_fn, aloop_realloc_fn realloc_fn,
                      aloop_free_fn free_fn);

// Whether slabs hand out each object as a heap block of its own: slower, but
// sanitizers see each object and fault tests can fail each allocation.
extern const bool g_slab_passthrough;
inline bool slab_passthrough() { return __builtin_expect(g_slab_passthrough, false); }

char *copy_string(const char *text);

template <typename T, typename... Args>
T *create(Args &&...args) {
    void *block = allocate(sizeof(T));
    return block != nullptr ? new (block) T(std::forward<Args>(args)...) : nullptr;
}

template <typename T>
void destroy(T *object) {
    if (object != nullptr) {
        object->~T();
        release(object);
    }
}

}  // namespace aloop
