// Boost.Asio: post from another thread. The context is told that one thread runs it (hint 1).
//
// SPDX-License-Identifier: MIT
#include <thread>

#include "../common/asio.h"
#include "../common/bench.h"

static double flood(size_t n) {
    asio::io_context loop(1);
    asio::steady_timer reactor(loop);  // a loop that does I/O sleeps in epoll
    auto work = asio::make_work_guard(loop);
    size_t done = 0;
    uint64_t start = now_ns();
    std::thread poster([&] {
        pin_thread(1);
        for (size_t i = 0; i < n; i++)
            asio::post(loop, [&] {
                if (++done == n) work.reset();
            });
    });
    loop.run();
    double ns = (double)(now_ns() - start) / (double)n;
    poster.join();
    return ns;
}

// Two loops in two threads, each asleep while the other answers.
static double round_trip(size_t n) {
    asio::io_context here(1), there(1);
    asio::steady_timer reactor_here(here), reactor_there(there);
    auto work_here = asio::make_work_guard(here), work_there = asio::make_work_guard(there);
    size_t left = n;
    struct ask {
        asio::io_context &here, &there;
        size_t &left;
        void operator()() const {
            if (left-- > 0)
                asio::post(there, [self = *this] { asio::post(self.here, self); });
            else
                here.stop(), there.stop();
        }
    };
    std::thread other([&] {
        pin_thread(1);
        there.run();
    });
    uint64_t start = now_ns();
    asio::post(here, ask{here, there, left});
    here.run();
    double ns = (double)(now_ns() - start) / (double)n;
    other.join();
    return ns;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    emit("post", "flood", flood(n), "ns");
    emit("post", "wake-up, round trip", round_trip(1 + n / 100) / 1000, "us");
}
