// eager_test.cpp: coroutines that end inside the call that starts them.
// Compiled with g++ and with clang++.
//
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <string>

namespace {

aloop::task<counted> at_once(int n) { co_return counted(n); }

aloop::task<int> late(int n) {
    co_await aloop::sleep(1ms);
    co_return n;
}

aloop::task<> fail_at_once() {
    throw std::out_of_range("at once");
    co_return;
}

aloop::task<> fail_with_code() {
    throw aloop::error(ALOOP_EUSER - 7, "a code");
    co_return;
}

aloop::task<> cancelled_at_once() {
    throw aloop::cancelled(ALOOP_ECANCELED);
    co_return;
}

template <typename E>
aloop::task<bool> ends_with(aloop::task<> body) {
    aloop::future<> f = aloop::spawn(std::move(body));
    CHECK(f.done());
    try {
        co_await std::move(f);
    } catch (const E &) {
        co_return true;
    }
    co_return false;
}

// A task that is done when spawn returns was made all the same.
aloop::task<> spawning() {
    aloop::check(aloop_set_eager_task_factory(aloop_get_running_loop(), 1));
    aloop::future<counted> f = aloop::spawn(at_once(5));
    CHECK(f.done() && aloop_task_state(f.get()) == ALOOP_TASK_FINISHED);
    CHECK((co_await std::move(f)).number == 5);
    aloop::spawn(at_once(6));  // and nobody wants it
    aloop::future<int> slow = aloop::spawn(late(7));
    CHECK(!slow.done());
    CHECK(co_await std::move(slow) == 7);
    CHECK(co_await ends_with<std::out_of_range>(fail_at_once()));
    CHECK(co_await ends_with<aloop::error>(fail_with_code()));
    CHECK(co_await ends_with<aloop::cancelled>(cancelled_at_once()));
}

aloop::task<> gathering() {
    aloop::check(aloop_set_eager_task_factory(aloop_get_running_loop(), 1));
    auto [a, b, c] = co_await aloop::gather(at_once(1), late(2), at_once(3));
    CHECK(a.number == 1 && b == 2 && c.number == 3);
    std::vector<aloop::task<counted>> many;
    for (int i = 0; i < 4; i++) many.push_back(at_once(i));
    std::vector<counted> all = co_await aloop::gather(std::move(many));
    CHECK(all.size() == 4 && all[3].number == 3);
    CHECK((co_await aloop::wait_for(at_once(9), 1s)).number == 9);
    bool caught = false;
    try {
        co_await aloop::gather(at_once(1), fail_at_once());
    } catch (const std::out_of_range &) {
        caught = true;
    }
    CHECK(caught);
}

// In a group the failure of a child that ended at once is the group's, and no failure
// to spawn it.
aloop::task<> grouping() {
    aloop::check(aloop_set_eager_task_factory(aloop_get_running_loop(), 1));
    int spawned = 0;
    auto block = [&](aloop::task_group &g) -> aloop::task<> {
        aloop::future<counted> good = g.spawn(at_once(4));
        CHECK((co_await std::move(good)).number == 4);
        aloop::future<> bad = g.spawn(fail_with_code());
        CHECK(bad.done());
        spawned++;
        co_await aloop::sleep(1h);
    };
    int64_t code = 0;
    try {
        co_await aloop::with_group(block);
    } catch (const aloop::error &e) {
        code = e.code();
        CHECK(e.children().size() == 1 && e.children()[0].code() == ALOOP_EUSER - 7);
    }
    CHECK(code == ALOOP_EGROUP && spawned == 1);
    auto gone = [&](aloop::task_group &g) -> aloop::task<> {
        aloop::future<> f = g.spawn(cancelled_at_once());
        CHECK(f.done());
        spawned++;
        co_return;
    };
    co_await aloop::with_group(gone);
    CHECK(spawned == 2);
}

// With a factory of the program's own: one that makes tasks, one that starts them at
// once, and one that makes nothing.
aloop_task *make_plainly(aloop_loop *loop, aloop_task_options *options, void *made) {
    ++*static_cast<int *>(made);
    return aloop_task_new(loop, options);
}

aloop_task *make_eagerly(aloop_loop *loop, aloop_task_options *options, void *made) {
    aloop_task_options_set_eager_start(options, 1);
    return make_plainly(loop, options, made);
}

aloop_task *make_nothing(aloop_loop *, aloop_task_options *, void *) { return nullptr; }

aloop::task<> manufacturing() {
    aloop_loop *loop = aloop_get_running_loop();
    int made = 0;
    aloop::check(aloop_loop_set_task_factory(loop, make_plainly, &made, nullptr));
    CHECK((co_await aloop::spawn(at_once(1))).number == 1 && made == 1);
    aloop::check(aloop_loop_set_task_factory(loop, make_eagerly, &made, nullptr));
    aloop::future<counted> f = aloop::spawn(at_once(2));
    CHECK(f.done() && made == 2);
    CHECK((co_await std::move(f)).number == 2);
    aloop::check(aloop_loop_set_task_factory(loop, make_nothing, nullptr, nullptr));
    int64_t code = 0;
    try {
        co_await aloop::spawn(at_once(3));
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == ALOOP_ENOMEM);
    aloop::check(aloop_loop_set_task_factory(loop, nullptr, nullptr, nullptr));
}

}  // namespace

int main() {
    const struct {
        const char *name;
        aloop::task<> (*body)();
    } cases[] = {{"spawning", spawning},
                 {"gathering", gathering},
                 {"grouping", grouping},
                 {"manufacturing", manufacturing}};
    for (const auto &c : cases) {
        on_virtual_clock(c.body());
        nothing_left(c.name);
        std::printf("%s: ok\n", c.name);
    }
    std::printf("%d checks passed\n", g_checks);
    return 0;
}
