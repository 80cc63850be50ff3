// Gives up on what takes too long: the task is cancelled and its cleanup
// awaited before the timeout is thrown.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<> task_coro() {
    const std::chrono::duration<double> time = 1.65s;
    std::printf(">task got %.2f\n", time.count());
    co_await aloop::sleep(time);
    std::puts(">task done");
}

aloop::task<> run() {
    try {
        co_await aloop::wait_for(task_coro(), 200ms);
    } catch (const aloop::timed_out &) {
        std::puts("Gave up waiting, task canceled");
    }
    try {  // anything that can be awaited can be limited
        co_await aloop::wait_for(aloop_sleep(3600), 1s);
    } catch (const aloop::timed_out &) {
        std::puts("timeout!");
    }
}

int main() { aloop::run(run()); }
