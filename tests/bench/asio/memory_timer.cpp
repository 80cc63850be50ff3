// What a steady_timer holds that is being waited for, in one container.
//
// SPDX-License-Identifier: MIT
#include <deque>

#include "../common/asio.h"
#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    double before = resident_bytes();
    std::deque<asio::steady_timer> timers;
    for (size_t i = 0; i < n; i++) {
        timers.emplace_back(loop, std::chrono::seconds(3600 + i));
        timers.back().async_wait([](const boost::system::error_code &) {});
    }
    emit("memory", "timer", (resident_bytes() - before) / (double)n, "B");
}
