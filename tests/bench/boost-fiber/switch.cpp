// Boost.Fiber: fibers that yield to each other, under the round-robin scheduler.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include <boost/fiber/all.hpp>

#include "../common/bench.h"

static double run(size_t tasks, size_t switches) {
    std::vector<boost::fibers::fiber> fibers;
    uint64_t start = now_ns();
    for (size_t i = 0; i < tasks; i++)
        fibers.emplace_back([=] {
            for (size_t j = 0; j < switches / tasks; j++) boost::this_fiber::yield();
        });
    for (auto &fiber : fibers) fiber.join();
    return (double)(now_ns() - start) / (double)switches;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit("switch", "2 tasks", run(2, n), "ns");
    emit("switch", "1000 tasks", run(1000, n), "ns");
}
