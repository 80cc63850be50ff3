// switch: C++20 coroutines that yield to each other with sleep(0).
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>

#include "../common/bench.h"

static aloop::task<> yielder(size_t yields) {
    for (size_t i = 0; i < yields; i++) co_await aloop::future<>(aloop_sleep(0));
}

static aloop::task<> run_all(const char *metric, size_t tasks, size_t switches) {
    std::vector<aloop::future<>> all;
    for (size_t i = 0; i < tasks; i++) all.push_back(aloop::spawn(yielder(switches / tasks)));
    uint64_t start = now_ns();
    for (aloop::future<> &task : all) co_await std::move(task);
    emit_as(BENCH_PEER "-cxx", "switch", metric, (double)(now_ns() - start) / (double)switches,
            "ns");
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    aloop::run(run_all("2 tasks", 2, n));
    aloop::run(run_all("1000 tasks", 1000, n));
}
