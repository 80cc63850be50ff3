// Boost.Fiber: two fibers over a buffered_channel, which holds one item less than its capacity; and
// a foreign thread.
//
// SPDX-License-Identifier: MIT
#include <thread>

#include <boost/fiber/all.hpp>

#include "../common/bench.h"

using channel = boost::fibers::buffered_channel<size_t>;

static void produce(channel &queue, size_t items) {
    for (size_t i = 0; i < items; i++) queue.push(i);
}

static void consume(channel &queue, size_t items) {
    size_t item;
    for (size_t i = 0; i < items; i++)
        if (queue.pop(item) != boost::fibers::channel_op_status::success || item != i) abort();
}

static double run(size_t capacity, size_t items) {
    channel queue(capacity);
    uint64_t start = now_ns();
    boost::fibers::fiber producer([&] { produce(queue, items); });
    boost::fibers::fiber consumer([&] { consume(queue, items); });
    producer.join();
    consumer.join();
    return (double)(now_ns() - start) / (double)items;
}

static double run_thread(size_t items) {
    channel queue(1024);
    uint64_t start = now_ns();
    std::thread producer([&] {
        pin_thread(1);
        produce(queue, items);
    });
    boost::fibers::fiber consumer([&] { consume(queue, items); });
    consumer.join();
    producer.join();
    return (double)(now_ns() - start) / (double)items;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    emit("queue", "capacity 1", run(2, n), "ns");
    emit("queue", "capacity 1024", run(1024, n), "ns");
    emit("queue", "from a thread", run_thread(n), "ns");
}
