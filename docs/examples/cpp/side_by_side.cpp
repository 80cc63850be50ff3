// Two tasks side by side: 4 and 2 seconds take 4. Spawning a task schedules it;
// by the time it is awaited it may long be done.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<> delay_print(std::chrono::seconds delay, const char *name) {
    std::printf(">>> start %s\n", name);
    co_await aloop::sleep(delay);
    std::printf("<<< end   %s\n", name);
}

aloop::task<> run() {
    aloop_loop *loop = aloop_get_running_loop();
    const double start = aloop_loop_time(loop);
    std::puts("Start");
    auto task1 = aloop::spawn(delay_print(4s, "task1"));
    auto task2 = aloop::spawn(delay_print(2s, "task2"));

    co_await aloop::sleep(1s);
    std::puts("All tasks are started");

    co_await task1;
    co_await task2;
    std::printf("End   after %.1f s\n", aloop_loop_time(loop) - start);
}

int main() { aloop::run(run()); }
