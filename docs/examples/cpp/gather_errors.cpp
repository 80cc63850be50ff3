// What gather makes of failures: the first one ends it, and the others go on;
// with ALOOP_RETURN_EXCEPTIONS failures are results; and cancelling the gather
// cancels all.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using text = std::string;

aloop::task<text> good(text name) try {
    co_await aloop::sleep(2s);
    std::printf("%s: finished\n", name.c_str());
    co_return name;
} catch (const aloop::cancelled &e) {
    std::printf("%s: %s\n", name.c_str(), e.what());
    throw;
}

// Any exception will do: it arrives as it is where C++ awaits the task.
aloop::task<text> bad(text name) {
    co_await aloop::sleep(1s);
    throw std::runtime_error(name + " is out of order");
}

aloop::task<> first_error() {
    try {
        co_await aloop::gather(good("A"), bad("B"));
    } catch (const std::runtime_error &e) {
        std::printf("gather failed: %s\n", e.what());
    }
    co_await aloop::sleep(2s);  // A is still at work
}

aloop::task<> errors_as_results() {
    aloop_future *both[] = {aloop::spawn(good("C")).release(), aloop::spawn(bad("D")).release()};
    aloop::outcome all = co_await aloop_gather(both, 2, ALOOP_RETURN_EXCEPTIONS);
    aloop::ref<aloop_results> results(static_cast<aloop_results *>(all.value));
    for (int i = 0; i < 2; i++) {
        if (const aloop_error *e = aloop_results_error(results.get(), i)) {
            std::printf("%d: %s\n", i, aloop_error_message(e));
        } else {
            auto *name = static_cast<text *>(aloop_results_value(results.get(), i));
            std::printf("%d: %s\n", i, name->c_str());
        }
    }
}

aloop::task<> cancelled_gather() {
    aloop_future *both[] = {aloop::spawn(good("E")).release(), aloop::spawn(good("F")).release()};
    aloop::future<> all(aloop_gather(both, 2, 0));
    co_await aloop::sleep(1s);
    std::printf("cancelling: %d\n", all.cancel());
    try {
        co_await all;
    } catch (const aloop::cancelled &e) {
        std::printf("gather: %s\n", e.name());
    }
}

aloop::task<> run() {
    co_await first_error();
    co_await errors_as_results();
    co_await cancelled_gather();
}

int main() { aloop::run(run()); }
