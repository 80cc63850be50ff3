// SPDX-License-Identifier: MIT
#include "fiber.hpp"

#include <execinfo.h>

namespace aloop {

// What a loop keeps: stacks, and fibers ready to run another coroutine.
struct fiber_cache final : resource {
    loop *home;
    stack_pool stacks;
    fiber *warm = nullptr;
    int32_t warm_count = 0;
    uint32_t next_colour = 0;

    explicit fiber_cache(loop *l) : home(l), stacks(l->stack_size) {}
};

namespace {

constexpr int32_t k_most_warm = 64;
// All within the page that the fiber touches anyway.
constexpr uint32_t k_colours = 15;
constexpr uint32_t k_colour_step = 128;

// The body of every fiber: coroutine after coroutine.
[[noreturn]] void fiber_main(void *data) {
    fiber *f = static_cast<fiber *>(data);
    for (;;) {
        f->value = nullptr;
        f->status = f->fn(f->arg, &f->value);
        f->ended = true;
        leave_to(f->own, f->caller);
    }
}

void retire(fiber_cache *cache, fiber *f) {
    discard(f->own);
    const stack memory = f->memory;
    f->~fiber();
    cache->stacks.give(memory);
}

void close_cache(resource *self) {
    fiber_cache *cache = static_cast<fiber_cache *>(self);
    while (fiber *f = cache->warm) {
        cache->warm = f->next;
        retire(cache, f);
    }
    cache->home->fibers = nullptr;
    destroy(cache);
}

fiber_cache *cache_of(loop *l) { return static_cast<fiber_cache *>(l->fibers); }

}  // namespace

int64_t prepare_fibers(loop *l) {
    fiber_cache *cache = create<fiber_cache>(l);
    if (cache == nullptr) return ALOOP_ENOMEM;
    cache->close = close_cache;
    l->fibers = cache;
    l->add_resource(cache);
    return 0;
}

fiber *take_fiber(loop *l, size_t stack_size) {
    fiber_cache *cache = cache_of(l);
    if (cache == nullptr) return nullptr;
    const size_t size = stack_size != 0 ? stack_size : l->stack_size;
    if (size == l->stack_size && cache->warm != nullptr) {
        fiber *f = cache->warm;
        cache->warm = f->next;
        cache->warm_count--;
        return f;
    }
    stack memory;
    if (!cache->stacks.take(size, &memory)) return nullptr;
    // Stacks lie a whole number of pages apart: without an offset of its own each
    // top would fall into the same few sets of the processor's cache.
    char *top = memory.top - sizeof(fiber) - k_colour_step * (cache->next_colour++ % k_colours);
    top -= reinterpret_cast<uintptr_t>(top) % 64;
    fiber *f = new (top) fiber;
    f->memory = memory;
    prepare(f->own, memory.base, static_cast<size_t>(top - memory.base), fiber_main, f);
    return f;
}

void give_fiber(loop *l, fiber *f) {
    fiber_cache *cache = cache_of(l);
    // Left in the middle of a coroutine, it cannot run another one.
    if (f->ended && cache->stacks.usual(f->memory) && cache->warm_count < k_most_warm) {
        f->next = cache->warm;
        cache->warm = f;
        cache->warm_count++;
        return;
    }
    retire(cache, f);
}

void write_backtraces(fiber *f) {
    while (f->frames != nullptr) {
        f->frame_limit = backtrace(f->frames, static_cast<int>(f->frame_limit));
        leave_to(f->own, f->caller);
    }
}

int64_t backtrace_of(fiber *f, void **frames, int64_t limit) {
    constexpr int64_t k_most = 64;
    void *all[k_most];
    f->frames = all;
    f->frame_limit = k_most;
    enter_from(f->caller, f->own);
    f->frames = nullptr;
    int64_t n = 0;
    // The innermost frame is write_backtraces itself.
    for (int64_t i = 1; i < f->frame_limit && n < limit; i++) frames[n++] = all[i];
    return n;
}

}  // namespace aloop
