// Boost.Asio's C++20 coroutines yield by awaiting a post to their own executor.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

static asio::awaitable<void> yielder(size_t yields) {
    for (size_t i = 0; i < yields; i++) co_await asio::post(asio::use_awaitable);
}

static double run(size_t tasks, size_t switches) {
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    for (size_t i = 0; i < tasks; i++)
        asio::co_spawn(loop, yielder(switches / tasks), asio::detached);
    uint64_t start = now_ns();
    loop.run();
    return (double)(now_ns() - start) / (double)switches;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    emit("switch", "2 tasks", run(2, n), "ns");
    emit("switch", "1000 tasks", run(1000, n), "ns");
}
