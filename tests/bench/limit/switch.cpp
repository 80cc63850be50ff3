// The least that a switch can cost: C++20 coroutines that suspend, resumed in turn.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include "coroutine.h"

static coroutine yielder(size_t yields) {
    for (size_t i = 0; i < yields; i++) co_await std::suspend_always{};
}

static double run(size_t tasks, size_t switches) {
    std::vector<coroutine> all;
    for (size_t i = 0; i < tasks; i++) all.push_back(yielder(switches / tasks));
    uint64_t start = now_ns();
    while (!all.back().handle.done())
        for (coroutine &c : all) c.handle.resume();
    double ns = (double)(now_ns() - start) / (double)switches;
    for (coroutine &c : all) c.handle.destroy();
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit("switch", "2 tasks", run(2, n), "ns");
    emit("switch", "1000 tasks", run(1000, n), "ns");
}
