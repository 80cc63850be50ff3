// clock.hpp: time as int64 nanoseconds, and its two sources.
//
// Conversions round up, so that no timer is early.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <ctime>

namespace aloop {

// 73 years: the end of time for deadlines, which carry two tag bits.
constexpr int64_t k_never = INT64_MAX >> 2;

inline int64_t monotonic_now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// For finite and infinite seconds alike; NaN is refused before.
inline int64_t to_ns(double seconds) {
    const double ns = seconds * 1e9;
    if (ns >= static_cast<double>(k_never)) return k_never;
    if (ns <= -static_cast<double>(k_never)) return -k_never;
    const int64_t down = static_cast<int64_t>(ns);  // towards zero; no call, as ceil is
    return down + (static_cast<double>(down) < ns);
}

inline double to_seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

// now + delay, at most k_never.
inline int64_t deadline_after(int64_t now, double delay) {
    const int64_t ns = to_ns(delay);
    return ns >= k_never - now ? k_never : now + ns;
}

}  // namespace aloop
