// A shield takes the cancellation and leaves what is behind it alone: its outer
// future is cancelled, the task runs to its end.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<int> simple_task(int number) {
    co_await aloop::sleep(1s);
    co_return number;
}

aloop::task<> cancel_task(aloop::future<int> future) {
    co_await aloop::sleep(200ms);
    std::printf("cancelled: %s\n", future.cancel() ? "True" : "False");
}

const char *state(const aloop::future<int> &future) {
    if (aloop_future_cancelled(future.get()) == 1) return "cancelled";
    return future.done() ? "finished" : "pending";
}

aloop::task<> run() {
    auto task = aloop::spawn(simple_task(1));
    auto shielded = aloop::shield(task);
    aloop::spawn(cancel_task(shielded));
    try {
        std::printf(">got: %d\n", co_await shielded);
    } catch (const aloop::cancelled &) {
        std::puts("shielded was cancelled");
    }
    co_await aloop::sleep(1s);
    std::printf("shielded: %s\n", state(shielded));
    std::printf("task: %s\n", state(task));
    std::printf("%d\n", co_await task);
}

int main() { aloop::run(run()); }
