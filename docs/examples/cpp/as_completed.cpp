// Results as they come: the first that is done is the first to be shown,
// whatever the order in which they were started.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<char> work(char name, std::chrono::seconds delay, char result) {
    std::printf("%c: started\n", name);
    co_await aloop::sleep(delay);
    std::printf("%c: finished\n", name);
    co_return result;
}

aloop::task<> run() {
    aloop_future *tasks[] = {
        aloop::spawn(work('C', 3s, 'c')).release(),
        aloop::spawn(work('B', 1s, 'b')).release(),
        aloop::spawn(work('A', 2s, 'a')).release(),
    };
    aloop_completions *made = nullptr;
    aloop::check(aloop_as_completed(&made, tasks, 3, -1));
    aloop::ref<aloop_completions> finished(made);
    try {
        for (;;) {
            aloop::outcome next = co_await aloop_as_completed_next(finished.get());
            std::printf("%c\n",
                        co_await aloop::future<char>(static_cast<aloop_task *>(next.value)));
        }
    } catch (const aloop::stop_iteration &) {
    }
}

int main() { aloop::run(run()); }
