// The least that a bounded queue between two tasks can cost: a ring, two C++20 coroutines, each
// resumed when the other can do no more; and, for foreign threads, a ring of one producer and one
// consumer.
//
// SPDX-License-Identifier: MIT
#include <atomic>
#include <thread>
#include <vector>

#include "coroutine.h"

struct ring {
    std::vector<void *> slots;
    size_t put = 0, got = 0;  // both only grow; their difference is the length
};

// Capacities are powers of two; the compiler is not told which.
static coroutine produce(ring &r, size_t items) {
    size_t mask = r.slots.size() - 1;
    for (size_t i = 0; i < items; i++) {
        while (r.put - r.got > mask) co_await std::suspend_always{};
        r.slots[r.put++ & mask] = &r;
    }
}

static coroutine consume(ring &r, size_t items) {
    size_t mask = r.slots.size() - 1;
    for (size_t i = 0; i < items; i++) {
        while (r.put == r.got) co_await std::suspend_always{};
        if (r.slots[r.got++ & mask] != &r) abort();
    }
}

static double run(size_t capacity, size_t items) {
    ring r{std::vector<void *>(capacity)};
    coroutine producer = produce(r, items), consumer = consume(r, items);
    uint64_t start = now_ns();
    while (!consumer.handle.done()) {
        if (!producer.handle.done()) producer.handle.resume();
        consumer.handle.resume();
    }
    double ns = (double)(now_ns() - start) / (double)items;
    producer.handle.destroy();
    consumer.handle.destroy();
    return ns;
}

// A thread that waits spins, and lets others run when it has done so for long.
static void pause_in(size_t &spins) {
    if (++spins % 1024 == 0) sched_yield();
}

static double run_threads(size_t items) {
    constexpr size_t mask = 1023;
    static void *slots[mask + 1];
    alignas(64) static std::atomic<size_t> put, got;
    uint64_t start = now_ns();
    std::thread producer([=] {
        pin_thread(1);
        size_t limit = mask + 1, spins = 0;  // the limit: got, as last seen, and the ring's length
        for (size_t i = 0; i < items; i++) {
            for (; i == limit; pause_in(spins))
                limit = got.load(std::memory_order_acquire) + mask + 1;
            slots[i & mask] = slots;
            put.store(i + 1, std::memory_order_release);
        }
    });
    size_t seen = 0, spins = 0;
    for (size_t i = 0; i < items; i++) {
        for (; i == seen; pause_in(spins)) seen = put.load(std::memory_order_acquire);
        if (slots[i & mask] != slots) abort();
        if (i % 64 == 63) got.store(i + 1, std::memory_order_release);
    }
    producer.join();
    return (double)(now_ns() - start) / (double)items;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    pin_thread(0);
    emit("queue", "capacity 1", run(1, n), "ns");
    emit("queue", "capacity 1024", run(1024, n), "ns");
    emit("queue", "from a thread", run_threads(n), "ns");
}
