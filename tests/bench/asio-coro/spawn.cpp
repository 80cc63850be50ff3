// Boost.Asio's C++20 coroutines: co_spawn with a completion handler, a thousand at a time, and the
// loop run until all ended.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

static asio::awaitable<void> no_op() { co_return; }

int main(int argc, char **argv) {
    constexpr size_t batch = 1000;
    size_t n = count_arg(argc, argv), joined = 0;
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += batch) {
        for (size_t i = 0; i < batch; i++)
            asio::co_spawn(loop, no_op(), [&](std::exception_ptr) { joined++; });
        loop.restart();
        loop.run();
    }
    double ns = (double)(now_ns() - start) / (double)n;
    if (joined < n) abort();
    emit("spawn", "spawn + join", ns, "ns");
}
