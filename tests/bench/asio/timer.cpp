// Boost.Asio's steady_timer, a million in one container. A cancelled wait still calls its handler:
// that belongs to the cost.
//
// SPDX-License-Identifier: MIT
#include <deque>

#include "../common/asio.h"
#include "../common/late.h"

using std::chrono::nanoseconds;

static size_t called;

static void count_call(const boost::system::error_code &) { called++; }

static std::deque<asio::steady_timer> make(asio::io_context &loop, size_t n) {
    std::deque<asio::steady_timer> timers;
    for (size_t i = 0; i < n; i++) timers.emplace_back(loop);
    called = 0;
    return timers;
}

static double arm_cancel(size_t n) {
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    auto timers = make(loop, n);
    uint64_t start = now_ns();
    for (auto &timer : timers) {
        timer.expires_after(nanoseconds(1000000000 + random_next() % 59000000000u));
        timer.async_wait(count_call);
    }
    for (auto &timer : timers) timer.cancel();
    loop.run();
    double ns = (double)(now_ns() - start) / (double)n;
    if (called != n) abort();
    return ns;
}

static double arm_fire(size_t n) {
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    auto timers = make(loop, n);
    uint64_t start = cpu_ns();
    for (auto &timer : timers) {
        timer.expires_after(nanoseconds(random_next() % 1000000000));
        timer.async_wait(count_call);
    }
    sleep(1);  // every loop is late at times; here the last deadline has passed before the first
               // timer fires
    loop.run();
    double ns = (double)(cpu_ns() - start) / (double)n;
    if (called != n) abort();
    return ns;
}

static void arm_late(asio::steady_timer &timer, late &sample) {
    late_arm(&sample);
    timer.expires_after(nanoseconds((int64_t)(k_late_s * 1e9)));
    timer.async_wait([&](const boost::system::error_code &) {
        if (late_fired(&sample)) arm_late(timer, sample);
    });
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit("timer", "arm + cancel", arm_cancel(n), "ns");
    emit("timer", "arm + fire", arm_fire(n), "ns");
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    asio::steady_timer timer(loop);
    late sample = late_new(1 + n / 1000);
    arm_late(timer, sample);
    loop.run();
    late_emit(&sample, BENCH_PEER);
}
