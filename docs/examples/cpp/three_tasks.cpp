// Three coroutines that sleep for 2, 1 and 3 seconds, side by side: asyncio's
// first program. It takes 3 seconds, or none with ASYNCLOOP_CLOCK=virtual.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<char> work(char name, char result, std::chrono::seconds delay) {
    std::printf("%c: started\n", name);
    co_await aloop::sleep(delay);
    std::printf("%c: finished\n", name);
    co_return result;
}

aloop::task<> run() {
    auto [a, b, c] =
        co_await aloop::gather(work('A', 'a', 2s), work('B', 'b', 1s), work('C', 'c', 3s));
    std::printf("Result: ['%c', '%c', '%c']\n", a, b, c);
}

int main() { aloop::run(run()); }
