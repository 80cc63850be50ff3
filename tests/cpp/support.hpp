// support.hpp: what the tests of the C++20 layer share.
//
// SPDX-License-Identifier: MIT
#ifndef TESTS_CPP_SUPPORT_HPP
#define TESTS_CPP_SUPPORT_HPP

#include <asyncloop.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

int g_checks = 0;

void require(bool ok, const char *what, const char *file, int line) {
    g_checks++;
    if (ok) return;
    std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
    std::exit(1);
}
#define CHECK(condition) require((condition), #condition, __FILE__, __LINE__)

template <typename E, typename F>
bool throws(F f) {
    try {
        f();
    } catch (const E &) {
        return true;
    }
    return false;
}

// A value that counts itself.
struct counted {
    static inline int alive = 0;
    int number;
    explicit counted(int n) : number(n) { alive++; }
    counted(counted &&other) noexcept : number(other.number) { alive++; }
    counted &operator=(counted &&) = default;
    ~counted() { alive--; }
};

aloop::ref<aloop_loop_options> virtual_clock() {
    aloop::ref<aloop_loop_options> o(aloop_loop_options_new());
    aloop::check(aloop_loop_options_set_clock(o.get(), ALOOP_CLOCK_VIRTUAL));
    return o;
}

template <typename T>
T on_virtual_clock(aloop::task<T> main) {
    aloop::ref<aloop_loop_options> o = virtual_clock();
    return aloop::run(std::move(main), o.get());
}

[[maybe_unused]] aloop::task<int> twice(int n, std::chrono::milliseconds delay = 10ms) {
    co_await aloop::sleep(delay);
    co_return n * 2;
}

void nothing_left(const char *after) {
    for (int32_t i = 0; aloop_debug_stats_name(i) != nullptr; i++) {
        if (aloop_debug_stats(i) == 0) continue;
        std::fprintf(stderr, "%s: %ld %s left\n", after, static_cast<long>(aloop_debug_stats(i)),
                     aloop_debug_stats_name(i));
        std::exit(1);
    }
    CHECK(counted::alive == 0);
}

}  // namespace

#endif
