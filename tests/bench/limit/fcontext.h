// A bare fiber: Boost.Context's assembly and a mapped stack.
//
// SPDX-License-Identifier: MIT
#ifndef FCONTEXT_H
#define FCONTEXT_H

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>

#include "../common/bench.h"

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

constexpr size_t k_stack = 64 * 1024, k_usable = k_stack - 8192;

// The high end of a new stack, as make_fcontext wants it. Mapped without a guard: the limit pays
// for no safety. Each begins at another cache line, since stacks at equal distances would all
// compete for the same few sets of the cache.
inline char *new_stack() {
    static size_t colour;
    colour = (colour + 1) % 32;
    void *low = mmap(nullptr, k_stack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return low == MAP_FAILED ? static_cast<char *>(must(nullptr))
                             : static_cast<char *>(low) + k_stack - colour * 256;
}

#endif
