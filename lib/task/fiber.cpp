// SPDX-License-Identifier: MIT
#include "fiber.hpp"

#include <execinfo.h>

#include "stack.hpp"
#include "switch.hpp"

namespace aloop {

struct fiber {
    execution own;     // where the fiber stopped
    execution caller;  // where to go back to
    stack memory;
    fiber *next = nullptr;  // in the cache
    aloop_coro_fn fn = nullptr;
    void *arg = nullptr;
    aloop_free_fn arg_free = nullptr;
    int64_t status = 0;
    void *value = nullptr;
    bool ended = false;
    // Set: the fiber is resumed only to write its own backtrace here.
    void **frames = nullptr;
    int64_t frame_limit = 0;
};

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

void set_coroutine(fiber *f, aloop_coro_fn fn, void *arg, aloop_free_fn arg_free) {
    f->fn = fn;
    f->arg = arg;
    f->arg_free = arg_free;
    f->ended = false;
}

void free_argument(fiber *f, deferred_value *reserve) {
    free_off_fiber(f->arg_free, f->arg, reserve);
    f->arg_free = nullptr;
}

uint64_t address_of_coroutine(const fiber *f) { return reinterpret_cast<uint64_t>(f->fn); }

bool switch_to(fiber *f) {
    enter_from(f->caller, f->own);
    return !f->ended;
}

void switch_back(fiber *f) {
    leave_to(f->own, f->caller);
    while (f->frames != nullptr) {
        f->frame_limit = backtrace(f->frames, static_cast<int>(f->frame_limit));
        leave_to(f->own, f->caller);
    }
}

int64_t result_of(const fiber *f, void **value) {
    *value = f->value;
    return f->status;
}

int64_t backtrace_of(fiber *f, void **frames, int64_t limit) {
    constexpr int64_t k_most = 64;
    void *all[k_most];
    f->frames = all;
    f->frame_limit = k_most;
    enter_from(f->caller, f->own);
    f->frames = nullptr;
    int64_t n = 0;
    // The innermost frame is switch_back itself.
    for (int64_t i = 1; i < f->frame_limit && n < limit; i++) frames[n++] = all[i];
    return n;
}

bool is_inside(const fiber *f) {
    const char *here = static_cast<const char *>(__builtin_frame_address(0));
    return here >= f->memory.base && here < f->memory.top;
}

}  // namespace aloop
