// The least that a sleeping fiber can hold: the one page of its stack that it touched, and its
// entry in a heap of deadlines.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include "fcontext.h"

struct sleeper {
    uint64_t deadline;
    fcontext_t context;
};

static void sleep_once(transfer_t from) { jump_fcontext(from.fctx, nullptr); }

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    double before = resident_bytes();
    std::vector<sleeper> heap;
    heap.reserve(n);
    for (size_t i = 0; i < n; i++) {
        fcontext_t context = make_fcontext(new_stack(), k_usable, sleep_once);
        heap.push_back({now_ns() + i, jump_fcontext(context, nullptr).fctx});
    }
    emit_as("limit-fiber", "memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
}
