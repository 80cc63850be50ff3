// Boost.Asio: handlers that post themselves again, on a context whose locks are turned off, as one
// thread needs none.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

static size_t left;

struct again {
    asio::io_context &loop;
    void operator()() const {
        if (left == 0) return;
        left--;
        asio::post(loop, *this);
    }
};

static double run(size_t handlers, size_t calls) {
    asio::io_context loop(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    asio::steady_timer reactor(
        loop);  // a loop that does I/O: without it the context would never poll
    left = calls - handlers;
    uint64_t start = now_ns();
    for (size_t i = 0; i < handlers; i++) asio::post(loop, again{loop});
    loop.run();
    return (double)(now_ns() - start) / (double)calls;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    emit("callback", "among 1000", run(1000, calls), "ns");
    emit("callback", "alone", run(1, calls), "ns");
}
