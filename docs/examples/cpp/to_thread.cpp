// A function that blocks runs in a thread, and the loop goes on meanwhile.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int64_t blocking_task(void *, void **) {
    std::puts("Task starting");
    std::this_thread::sleep_for(500ms);  // or anything else that blocks
    std::puts("Task done");
    return 0;
}

aloop::task<> run() {
    std::puts("Main running the blocking task");
    // An operation starts when it is awaited; ensure_future makes it a task.
    aloop::future<> task(aloop_ensure_future(aloop_to_thread(blocking_task, nullptr, nullptr)));
    std::puts("Main doing other things");
    co_await aloop::sleep(0s);  // lets the task start
    co_await task;
}

int main() { aloop::run(run()); }
