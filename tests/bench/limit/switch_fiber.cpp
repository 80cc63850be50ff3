// The least that a switch between fibers can cost: each jumps straight to the next, with no
// scheduler between them.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include "fcontext.h"

static std::vector<fcontext_t> contexts;
static fcontext_t origin;
static size_t left;

// A fiber suspends by jumping to its successor, which notes where it came from; the first is
// entered from main.
static void yielder(transfer_t from) {
    size_t self = reinterpret_cast<size_t>(from.data), count = contexts.size();
    size_t before = (self + count - 1) % count, after = (self + 1) % count;
    (self == 0 ? origin : contexts[before]) = from.fctx;
    for (;;) {
        if (left-- == 0) jump_fcontext(origin, nullptr);
        from = jump_fcontext(contexts[after], reinterpret_cast<void *>(after));
        contexts[before] = from.fctx;
    }
}

static double run(size_t tasks, size_t switches) {
    contexts.clear();
    for (size_t i = 0; i < tasks; i++)
        contexts.push_back(make_fcontext(new_stack(), k_usable, yielder));
    left = switches;
    uint64_t start = now_ns();
    jump_fcontext(contexts[0], nullptr);
    return (double)(now_ns() - start) / (double)switches;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit_as("limit-fiber", "switch", "2 tasks", run(2, n), "ns");
    emit_as("limit-fiber", "switch", "1000 tasks", run(1000, n), "ns");
}
