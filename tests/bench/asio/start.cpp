// An io_context with its reactor (which the first timer or socket brings) made, turned once and
// destroyed.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
        asio::steady_timer reactor(loop);
        loop.poll();
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
