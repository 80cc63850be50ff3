// The least that a sleeping task can hold: a C++20 coroutine's frame and its entry in a heap of
// deadlines.
//
// SPDX-License-Identifier: MIT
#include <vector>

#include "coroutine.h"

struct sleeper {
    uint64_t deadline;
    std::coroutine_handle<> task;
};

static coroutine sleep_once(int &woken) {
    co_await std::suspend_always{};
    woken++;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    int woken = 0;
    double before = resident_bytes();
    std::vector<sleeper> heap;
    heap.reserve(n);
    for (size_t i = 0; i < n; i++) {
        heap.push_back({now_ns() + i, sleep_once(woken).handle});
        heap.back().task.resume();
    }
    emit("memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
}
