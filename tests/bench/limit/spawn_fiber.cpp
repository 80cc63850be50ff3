// The least that a fiber can cost that is spawned and awaited: a cached stack, make_fcontext, one
// switch in and one out.
//
// SPDX-License-Identifier: MIT
#include "fcontext.h"

constexpr size_t k_batch = 1000;

struct fiber {
    char *stack;
    fcontext_t context;
};

static void no_op(transfer_t from) { jump_fcontext(from.fctx, nullptr); }

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    static fiber fibers[k_batch];
    for (fiber &f : fibers) f.stack = new_stack();
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += k_batch) {
        for (fiber &f : fibers) f.context = make_fcontext(f.stack, k_usable, no_op);
        for (fiber &f : fibers) jump_fcontext(f.context, nullptr);
    }
    emit_as("limit-fiber", "spawn", "spawn + join", (double)(now_ns() - start) / (double)n, "ns");
}
