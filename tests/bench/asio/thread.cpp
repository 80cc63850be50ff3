// Boost.Asio: to a thread_pool of four and back to the loop.
//
// SPDX-License-Identifier: MIT

#include "../common/asio.h"
#include "../common/bench.h"

static asio::io_context loop(1);

static double run(asio::thread_pool &pool, size_t trips, size_t in_flight) {
    asio::steady_timer reactor(loop);  // a loop that does I/O sleeps in epoll
    auto work = asio::make_work_guard(loop);
    size_t left = trips - in_flight, back = 0;
    struct trip {
        asio::thread_pool &pool;
        size_t trips, &left, &back;
        decltype(work) &guard;
        void start() const {
            asio::post(pool, [self = *this] { asio::post(loop, [self] { self.done(); }); });
        }
        void done() const {
            if (++back == trips) guard.reset();
            if (left == 0) return;
            left--;
            start();
        }
    };
    uint64_t start = now_ns();
    for (size_t i = 0; i < in_flight; i++) trip{pool, trips, left, back, work}.start();
    loop.restart();
    loop.run();
    return (double)(now_ns() - start) / (double)trips;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(1);  // the pool has one processor, the loop the other
    asio::thread_pool pool(4);
    pin_thread(0);
    emit("thread", "1 in flight", run(pool, n, 1), "ns");
    emit("thread", "64 in flight", run(pool, 10 * n, 64), "ns");
}
