// stack.hpp: the memory that fibers run on; see fiber.hpp.
//
// Stacks of the loop's usual size are cut from arenas of 32; a stack of another
// size is a mapping of its own.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace aloop {

struct arena;

struct stack {
    char *base = nullptr;  // lowest usable byte; the guard lies below
    char *top = nullptr;
    arena *from = nullptr;  // nullptr: a mapping of its own
};

class stack_pool {
public:
    explicit stack_pool(size_t usual_size);
    ~stack_pool();
    stack_pool(const stack_pool &) = delete;
    stack_pool &operator=(const stack_pool &) = delete;

    // false: out of memory, or of mappings for guards.
    bool take(size_t size, stack *out);
    // Its pages go back to the kernel, its place to the pool.
    void give(const stack &s);
    bool usual(const stack &s) const { return s.from != nullptr; }

private:
    bool add_arena();

    size_t usual_size_;
    size_t stride_;
    arena *arenas_ = nullptr;
    arena *with_room_ = nullptr;
};

}  // namespace aloop
