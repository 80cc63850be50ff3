// What a C++20 coroutine of Boost.Asio holds that sleeps in a steady_timer of its own.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

static asio::awaitable<void> sleeper() {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
    co_await timer.async_wait(asio::use_awaitable);
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    double before = resident_bytes();
    for (size_t i = 0; i < n; i++) {
        asio::co_spawn(loop, sleeper(), asio::detached);
        loop.poll();  // starts it, so that what starting needs is returned before the next
    }
    emit("memory", "sleeping task", (resident_bytes() - before) / (double)n, "B");
    _exit(0);  // a million frames need not be taken down one by one
}
