// life_test.cpp: coroutines that are used twice, and frames that a loop destroys.
// Compiled with g++ and with clang++.
//
// SPDX-License-Identifier: MIT
#include "support.hpp"

namespace {

template <typename F>
int64_t code_of(F f) {
    try {
        f();
    } catch (const aloop::error &e) {
        return e.code();
    }
    return 0;
}

aloop::generator<int> slow_numbers() {
    for (int i = 0;; i++) {
        co_await aloop::sleep(1s);
        co_yield i;
    }
}

aloop::task<int64_t> take_one(aloop::generator<int> &g) {
    try {
        co_return *co_await g.next();
    } catch (const aloop::error &e) {
        co_return e.code();
    }
}

// A coroutine runs once, and a generator for one consumer at a time.
aloop::task<> reusing() {
    aloop::task<int> once = twice(4);
    CHECK(co_await std::move(once) == 8);
    int64_t code = 0;
    try {
        co_await std::move(once);
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == ALOOP_EINVALIDSTATE);
    CHECK(code_of([&] { aloop::spawn(std::move(once)); }) == ALOOP_EINVALIDSTATE);
    aloop::task<int> given = twice(5);
    aloop::future<int> running = aloop::spawn(std::move(given));
    CHECK(code_of([&] { aloop::spawn(std::move(given)); }) == ALOOP_EINVALIDSTATE);
    CHECK(co_await std::move(running) == 10);
    aloop::generator<int> numbers = slow_numbers();
    auto [first, second] = co_await aloop::gather(take_one(numbers), take_one(numbers));
    CHECK(first == 0 && second == ALOOP_EBUSY);
    CHECK(co_await take_one(numbers) == 1);
}

aloop::task<> wait_in_a_group(counted value) {
    auto block = [&](aloop::task_group &g) -> aloop::task<> {
        g.spawn(twice(1, 1h));
        co_await aloop::sleep(1h);
        value.number++;
    };
    co_await aloop::with_group(block);
}

// A loop that is closed destroys the frames, and the groups that are open in them.
void closing() {
    aloop::ref<aloop_loop_options> o = virtual_clock();
    aloop_loop *loop = nullptr;
    aloop::check(aloop_loop_new(&loop, o.get()));
    int reports = 0;
    auto count = [](aloop_loop *, aloop_exception_context *, void *n) { ++*static_cast<int *>(n); };
    aloop::check(aloop_loop_set_exception_handler(loop, count, &reports, nullptr));
    auto begin = [](void *) -> int64_t {
        aloop::spawn(wait_in_a_group(counted(1)));
        return 0;
    };
    CHECK(aloop_loop_call_soon(loop, begin, nullptr, nullptr) > 0);
    for (int i = 0; i < 4; i++) aloop_loop_run_once(loop, 0);
    CHECK(counted::alive == 1);
    aloop::check(aloop_loop_close(loop));
    aloop_loop_unref(loop);
    CHECK(counted::alive == 0 && reports == 2);
}

}  // namespace

int main() {
    on_virtual_clock(reusing());
    nothing_left("reusing");
    closing();
    nothing_left("closing");
    std::printf("%d checks passed\n", g_checks);
    return 0;
}
