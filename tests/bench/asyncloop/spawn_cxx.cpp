// spawn: C++20 coroutines that end at once, a thousand at a time, each awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>

#include "../common/bench.h"

constexpr size_t k_batch = 1000;

static aloop::task<> no_op() { co_return; }

static aloop::task<> spawn_all(size_t n) {
    std::vector<aloop::future<>> tasks;
    tasks.reserve(k_batch);
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += k_batch) {
        for (size_t i = 0; i < k_batch; i++) tasks.push_back(aloop::spawn(no_op()));
        for (aloop::future<> &task : tasks) co_await std::move(task);
        tasks.clear();
    }
    emit_as(BENCH_PEER "-cxx", "spawn", "spawn + join", (double)(now_ns() - start) / (double)n,
            "ns");
}

int main(int argc, char **argv) { aloop::run(spawn_all(count_arg(argc, argv))); }
