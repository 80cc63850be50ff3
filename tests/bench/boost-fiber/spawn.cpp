// Boost.Fiber: a thousand fibers at a time on pooled stacks, each joined.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include <boost/fiber/all.hpp>

#include "../common/bench.h"

int main(int argc, char **argv) {
    constexpr size_t batch = 1000;
    size_t n = count_arg(argc, argv);
    boost::fibers::pooled_fixedsize_stack stacks(16 * 1024);
    std::vector<boost::fibers::fiber> fibers;
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += batch) {
        for (size_t i = 0; i < batch; i++) fibers.emplace_back(std::allocator_arg, stacks, [] {});
        for (auto &fiber : fibers) fiber.join();
        fibers.clear();
    }
    emit("spawn", "spawn + join", (double)(now_ns() - start) / (double)n, "ns");
}
