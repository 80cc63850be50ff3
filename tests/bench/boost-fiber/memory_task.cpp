// What a fiber of Boost.Fiber holds that sleeps, on a mapped stack, of which only the pages count
// that it touched.
//
// SPDX-License-Identifier: MIT
#include <boost/fiber/all.hpp>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++)
        boost::fibers::fiber([] { boost::this_fiber::sleep_for(std::chrono::hours(1)); }).detach();
    boost::this_fiber::yield();  // all of them run once, and sleep
    emit("memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
    _exit(0);
}
