// A task that would run for ever is cancelled: its await throws, it cleans up
// and lets the exception pass. Another one refuses, and is not cancelled.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>

using namespace std::chrono_literals;

aloop::task<> spin() try {
    for (;;) {
        std::puts("spinning");
        co_await aloop::sleep(1s);
    }
} catch (const aloop::cancelled &e) {
    std::printf("cleaning up: %s\n", e.what());
    throw;
}

aloop::task<const char *> refuse() {
    try {
        co_await aloop::sleep(10s);
    } catch (const aloop::cancelled &) {
        co_return "not now";
    }
    co_return "";
}

aloop::task<> run() {
    auto spinner = aloop::spawn(spin());
    auto stubborn = aloop::spawn(refuse());
    co_await aloop::sleep(2500ms);

    std::printf("cancel: %d\n", spinner.cancel("enough of that"));
    stubborn.cancel();
    try {
        co_await spinner;
    } catch (const aloop::cancelled &) {
    }
    std::printf("spinner cancelled: %d\n", (int)aloop_future_cancelled(spinner.get()));
    std::printf("once more: %d\n", spinner.cancel());

    const char *answer = co_await stubborn;
    std::printf("stubborn cancelled: %d, it says '%s'\n",
                (int)aloop_future_cancelled(stubborn.get()), answer);
}

int main() { aloop::run(run()); }
