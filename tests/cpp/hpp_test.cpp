// hpp_test.cpp: the C++20 layer. Compiled with g++ and with clang++; each case
// ends with all of the library's counters at zero.
//
// SPDX-License-Identifier: MIT
#include "support.hpp"

namespace {

double now() { return aloop_loop_time(aloop_get_running_loop()); }
bool about(double a, double b) { return std::fabs(a - b) < 1e-6; }

aloop::task<> fail_with(int64_t code) {
    co_await aloop::sleep(10ms);
    throw aloop::error(code, "on purpose");
}
aloop::task<int> fail_foreign() {
    co_await aloop::sleep(10ms);
    throw std::out_of_range("not the library's");
}
aloop::task<> fail_never() {
    co_await aloop::sleep(1ms);
}
aloop::task<counted> make_counted(int n) {
    counted local(n);
    co_await aloop::sleep(10ms);
    co_return counted(n);
}

// Plain coroutines run in the awaiting task; values and exceptions pass through.
aloop::task<> basics() {
    const double start = now();
    aloop_task *self = aloop_current_task(nullptr);
    int sum = co_await twice(1);
    sum += co_await twice(2);
    CHECK(sum == 6);
    CHECK(about(now(), start + 0.02));
    CHECK(aloop_current_task(nullptr) == self);
    bool caught = false;
    try {
        co_await fail_with(ALOOP_EUSER - 1);
    } catch (const aloop::error &e) {
        caught = e.code() == ALOOP_EUSER - 1 && std::string_view(e.what()) == "on purpose";
    }
    CHECK(caught);
    caught = false;
    try {
        co_await fail_foreign();
    } catch (const std::out_of_range &) {
        caught = true;
    }
    CHECK(caught);
    counted c = co_await make_counted(4);
    CHECK(c.number == 4);
    // Operations of the C API, bare.
    aloop::outcome o = co_await aloop_sleep_result(0.01, 17, nullptr, nullptr);
    CHECK(o.status == 17);
    caught = false;
    try {
        co_await static_cast<aloop_future *>(nullptr);
    } catch (const aloop::error &e) {
        caught = e.code() == ALOOP_EINVAL;
    }
    CHECK(caught);
}

// Tasks of their own.
aloop::task<> spawning() {
    const double start = now();
    aloop::future<int> a = aloop::spawn(twice(10, 100ms));
    aloop::future<counted> b = aloop::spawn(make_counted(5));
    CHECK(!a.done());
    int first = co_await std::move(a);
    CHECK(first == 20);
    CHECK(about(now(), start + 0.1));
    CHECK(b.done());
    counted c = co_await b;
    CHECK(c.number == 5);
    aloop::future<counted> dropped = aloop::spawn(make_counted(6));
    co_await aloop::sleep(1s);
    // Errors keep their kind and their text.
    aloop::future<> f = aloop::spawn(fail_with(ALOOP_EUSER - 2));
    bool caught = false;
    try {
        co_await f;
    } catch (const aloop::error &e) {
        caught = std::string_view(e.what()) == "on purpose" && e.code() == ALOOP_EUSER - 2;
    }
    CHECK(caught);
    aloop::future<int> g = aloop::spawn(fail_foreign());
    caught = false;
    try {
        co_await g;
    } catch (const std::out_of_range &e) {
        caught = std::string_view(e.what()) == "not the library's";
    }
    CHECK(caught);
}

aloop::task<int> sleeper(int *cleaned) {
    struct at_exit {
        int *flag;
        ~at_exit() { ++*flag; }
    } guard{cleaned};
    co_await aloop::sleep(100s);
    co_return 1;
}

aloop::task<> cancelling() {
    int cleaned = 0;
    aloop::future<int> f = aloop::spawn(sleeper(&cleaned));
    co_await aloop::sleep(1s);
    CHECK(f.cancel("no more"));
    bool caught = false;
    try {
        co_await f;
    } catch (const aloop::cancelled &e) {
        caught = std::string_view(e.what()) == "no more";
    }
    CHECK(caught && cleaned == 1);
    // Cancelled before its first step: the coroutine never runs.
    f = aloop::spawn(sleeper(&cleaned));
    CHECK(f.cancel());
    caught = false;
    try {
        co_await f;
    } catch (const aloop::cancelled &) {
        caught = true;
    }
    CHECK(caught && cleaned == 1);
    CHECK(!f.cancel());
    const double start = now();
    caught = false;
    try {
        co_await aloop::wait_for(sleeper(&cleaned), 2s);
    } catch (const aloop::timed_out &) {
        caught = true;
    }
    CHECK(caught && cleaned == 2 && about(now(), start + 2));
    int in_time = co_await aloop::wait_for(twice(4), 2s);
    CHECK(in_time == 8);
    caught = false;
    try {
        co_await aloop::wait_for(aloop_sleep(5), 1s);
    } catch (const aloop::timed_out &) {
        caught = true;
    }
    CHECK(caught);
    // Shielded: the inner task goes on.
    aloop::future<int> inner = aloop::spawn(twice(3, 5000ms));
    aloop::future<int> shielded = aloop::shield(inner);
    CHECK(shielded.cancel());
    caught = false;
    try {
        co_await shielded;
    } catch (const aloop::cancelled &) {
        caught = true;
    }
    CHECK(caught);
    int outlived = co_await inner;
    CHECK(outlived == 6);
}

aloop::task<> gathering() {
    const double start = now();
    auto [a, b, c] = co_await aloop::gather(twice(1, 30ms), make_counted(2), fail_never());
    CHECK(a == 2 && b.number == 2);
    (void)c;
    CHECK(about(now(), start + 0.03));
    std::vector<aloop::task<int>> many;
    for (int i = 0; i < 20; i++) many.push_back(twice(i, std::chrono::milliseconds(20 - i)));
    std::vector<int> all = co_await aloop::gather(std::move(many));
    CHECK(all.size() == 20);
    for (int i = 0; i < 20; i++) CHECK(all[static_cast<size_t>(i)] == i * 2);
    bool caught = false;
    try {
        co_await aloop::gather(twice(1), fail_with(ALOOP_EUSER - 3));
    } catch (const aloop::error &e) {
        caught = e.code() == ALOOP_EUSER - 3;
    }
    CHECK(caught);
}

int g_ran = 0;

aloop::task<> two_in_a_group(aloop::task_group &g) {
    g.spawn(twice(1));
    g.spawn(twice(2));
    g_ran++;
    co_return;
}
aloop::task<> one_fails(aloop::task_group &g) {
    g.spawn(fail_with(ALOOP_EUSER - 4));
    g.spawn(sleeper(&g_ran));
    co_await aloop::sleep(100s);
}
aloop::task<> block_fails(aloop::task_group &g) {
    g.spawn(sleeper(&g_ran));
    co_await aloop::sleep(1s);
    throw std::out_of_range("block");
}
aloop::task<> given_up(aloop::task_group &g) {
    g.spawn(sleeper(&g_ran));
    co_await aloop::sleep(1s);
    g.cancel();
    co_await aloop::sleep(1s);
}

aloop::task<> grouping() {
    g_ran = 0;
    co_await aloop::with_group(two_in_a_group);
    CHECK(g_ran == 1);
    bool caught = false;
    try {
        co_await aloop::with_group(one_fails);
    } catch (const aloop::error &e) {
        std::vector<aloop::error> parts = e.children();
        caught = e.code() == ALOOP_EGROUP && parts.size() == 1 &&
                 parts[0].code() == ALOOP_EUSER - 4;
    }
    CHECK(caught && g_ran == 2);
    caught = false;
    try {
        co_await aloop::with_group(block_fails);
    } catch (const aloop::error &e) {
        std::vector<aloop::error> parts = e.children();
        caught = parts.size() == 1 && parts[0].code() == aloop::k_exception_code;
    }
    CHECK(caught && g_ran == 3);
    co_await aloop::with_group(given_up);
    CHECK(g_ran == 4);
}

aloop::task<> produce(aloop::queue<counted> &q) {
    for (int i = 0; i < 5; i++) co_await q.put(counted(i));
    q.shutdown();
}

aloop::task<> queueing() {
    aloop::queue<counted> q(2);
    aloop::future<> producer = aloop::spawn(produce(q));
    int sum = 0;
    bool ended = false;
    try {
        for (;;) {
            counted c = co_await q.get();
            sum += c.number;
            q.task_done();
        }
    } catch (const aloop::error &e) {
        ended = e.code() == ALOOP_EQUEUESHUTDOWN;
    }
    CHECK(ended && sum == 10);
    co_await producer;
    co_await q.join();
    aloop::queue<counted> left;
    left.put_nowait(counted(1));
    left.put_nowait(counted(2));
    CHECK(left.size() == 2);
    counted first = left.get_nowait();
    CHECK(first.number == 1);
    CHECK((throws<aloop::error>([] {
        aloop::queue<int> none;
        none.get_nowait();
    })));
}

aloop::task<> hold(aloop::mutex &m, int *inside, int *most) {
    aloop::mutex::guard held = co_await m.lock();
    if (++*inside > *most) *most = *inside;
    co_await aloop::sleep(1s);
    --*inside;
}

aloop::task<> locking() {
    aloop::mutex m;
    int inside = 0;
    int most = 0;
    const double start = now();
    co_await aloop::gather(hold(m, &inside, &most), hold(m, &inside, &most),
                           hold(m, &inside, &most));
    CHECK(most == 1 && about(now(), start + 3) && !m.locked());
}

// A C generator, consumed by a C++ coroutine.
int64_t numbers(void *) {
    for (intptr_t i = 1; i <= 3; i++) {
        int64_t rc = aloop_await(aloop_sleep(0.1), nullptr);
        if (rc >= 0) rc = aloop_yield(reinterpret_cast<void *>(i));
        if (rc < 0) return rc;
    }
    return 0;
}

aloop::task<> iterating() {
    aloop::ref<aloop_generator> g(aloop_generator_new(numbers, nullptr, nullptr));
    intptr_t sum = 0;
    bool ended = false;
    try {
        for (;;) {
            aloop::outcome o = co_await aloop_generator_next(g.get());
            sum += reinterpret_cast<intptr_t>(o.value);
        }
    } catch (const aloop::stop_iteration &) {
        ended = true;
    }
    CHECK(ended && sum == 6);
}

// What is left when main returns is destroyed with its locals.
aloop::task<int> leaves_some(int *cleaned) {
    aloop::spawn(sleeper(cleaned));
    co_await aloop::sleep(1s);
    aloop::task<int> never_awaited = sleeper(cleaned);
    co_return 5;
}

void outcomes_of_run() {
    CHECK(on_virtual_clock(twice(21)) == 42);
    CHECK(on_virtual_clock(make_counted(3)).number == 3);
    CHECK(throws<aloop::error>([] { on_virtual_clock(fail_with(ALOOP_EUSER - 5)); }));
    CHECK(throws<std::out_of_range>([] { on_virtual_clock(fail_foreign()); }));
    int cleaned = 0;
    CHECK(on_virtual_clock(leaves_some(&cleaned)) == 5);
    CHECK(cleaned == 1);
    CHECK(throws<aloop::error>([] { aloop::spawn(twice(1)); }));
    CHECK(throws<aloop::error>([] { aloop::check(ALOOP_EINVAL); }));
    CHECK(throws<aloop::timed_out>([] { aloop::check(ALOOP_ETIMEDOUT); }));
}

aloop::task<> send_three(aloop::sender<counted> in) {
    for (int i = 0; i < 3; i++) co_await in.send(counted(i));
}

aloop::task<> channelling() {
    auto [in, out] = aloop::channel<counted>(1);
    auto sending = aloop::spawn(send_three(std::move(in)));
    for (int i = 0; i < 3; i++) CHECK((co_await out.receive()).number == i);
    co_await sending;
    bool over = false;
    try {
        co_await out.receive();
    } catch (const aloop::stop_iteration &) {
        over = true;
    }
    CHECK(over);
    auto [left_in, left_out] = aloop::channel<counted>();
    co_await left_in.send(counted(7)); /* destroyed with the channel */
}

// Generators, streams, select and the other guards ------------------------------------------

aloop::generator<int> count_up(int n, int *destroyed) {
    struct at_end {
        int *counter;
        ~at_end() { ++*counter; }
    } mark{destroyed};
    for (int i = 0; i < n; i++) {
        co_await aloop::sleep(5ms);
        co_yield i;
        co_yield i * 10;  // at once
    }
    if (n == 7) throw aloop::error(ALOOP_EUSER - 7, "seven");
}

aloop::task<> generating() {
    int destroyed = 0;
    std::vector<int> seen;
    const double began = now();
    auto g = count_up(2, &destroyed);
    while (auto value = co_await g.next()) seen.push_back(*value);
    CHECK((seen == std::vector<int>{0, 0, 1, 10}));
    CHECK(about(now() - began, 0.01));
    CHECK(destroyed == 1);
    CHECK(!(co_await g.next()));
    {
        auto left = count_up(3, &destroyed);  // in the middle, and never begun
        CHECK(co_await left.next() == 0);
        auto fresh = count_up(3, &destroyed);
    }
    CHECK(destroyed == 2);
    auto failing = count_up(7, &destroyed);
    for (int i = 0; i < 14; i++) co_await failing.next();
    int64_t code = 0;
    try {
        co_await failing.next();
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == ALOOP_EUSER - 7);
}

aloop::task<> echo(aloop::stream client) {
    while (true) {
        std::string line = co_await client.readline();
        if (line.empty()) break;
        co_await client.write_all("echo " + line);
    }
    client.close();
    co_await client.wait_closed();
}

aloop::task<> streaming() {
    aloop::server listening = co_await aloop::start_server("127.0.0.1", 0);
    auto serving = aloop::spawn(aloop::serve(listening, echo));
    aloop::stream s = co_await aloop::open_connection("127.0.0.1", listening.port());
    CHECK(s.extra_info("peername") == "127.0.0.1:" + std::to_string(listening.port()));
    CHECK(s.extra_info("nonsense").empty());
    s.write("one\ntwo\n");
    co_await s.drain();
    CHECK(co_await s.readline() == "echo one\n");
    CHECK(co_await s.readexactly(5) == "echo ");
    CHECK(co_await s.readuntil("w") == "tw");
    CHECK(co_await s.read(100) == "o\n");
    s.write_eof();
    CHECK((co_await s.read()).empty());
    CHECK(s.at_eof());
    s.close();
    co_await s.wait_closed();
    listening.close();
    co_await std::move(serving);  // ended by the close
    co_await listening.wait_closed();
    bool refused = false;
    try {
        co_await aloop::open_unix_connection("/nonexistent/socket");
    } catch (const aloop::error &e) {
        refused = e.code() == ALOOP_ENOENT;
    }
    CHECK(refused);
}

aloop::task<> selecting() {
    auto slow = aloop::spawn(twice(1, 50ms));
    auto fast = aloop::spawn(twice(2, 10ms));
    CHECK(co_await aloop::select(slow, fast) == 1);
    CHECK(fast.done() && !slow.done());
    CHECK(co_await std::move(fast) == 4);
    CHECK(co_await std::move(slow) == 2);
}

aloop::task<> take_turns(aloop::semaphore &s, int *inside, int *most) {
    auto held = co_await s.acquire();
    *most = std::max(*most, ++*inside);
    co_await aloop::sleep(10ms);
    --*inside;
}

aloop::task<> wait_until(aloop::condition &c, const int &level, int wanted, int *passed) {
    auto held = co_await c.lock();
    co_await c.wait([&] { return level >= wanted; });
    ++*passed;
}

aloop::task<> guarding() {
    aloop::semaphore two(2);
    int inside = 0, most = 0;
    std::vector<aloop::future<>> all;
    for (int i = 0; i < 5; i++) all.push_back(aloop::spawn(take_turns(two, &inside, &most)));
    for (auto &f : all) co_await std::move(f);
    CHECK(most == 2 && inside == 0 && !two.locked());

    aloop::event open;
    CHECK(!open.is_set());
    auto waiter = aloop::spawn([](aloop::event &e) -> aloop::task<> { co_await e.wait(); }(open));
    co_await aloop::sleep(1ms);
    CHECK(!waiter.done());
    open.set();
    co_await std::move(waiter);
    CHECK(open.is_set());
    open.clear();
    CHECK(!open.is_set());

    aloop::condition risen;
    int level = 0, passed = 0;
    auto low = aloop::spawn(wait_until(risen, level, 1, &passed));
    auto high = aloop::spawn(wait_until(risen, level, 2, &passed));
    for (int i = 1; i <= 2; i++) {
        co_await aloop::sleep(1ms);
        auto held = co_await risen.lock();
        level = i;
        if (i == 1) risen.notify_all(); else risen.notify(1);
    }
    co_await std::move(low);
    co_await std::move(high);
    CHECK(passed == 2);
}


}  // namespace

int main() {
    const struct {
        const char *name;
        aloop::task<> (*body)();
    } cases[] = {{"basics", basics},       {"spawning", spawning},   {"cancelling", cancelling},
                 {"gathering", gathering}, {"grouping", grouping},   {"queueing", queueing},
                 {"locking", locking},     {"iterating", iterating},
                 {"generating", generating}, {"streaming", streaming},
                 {"selecting", selecting}, {"guarding", guarding}, {"channelling", channelling}};
    for (const auto &c : cases) {
        on_virtual_clock(c.body());
        nothing_left(c.name);
        std::printf("%s: ok\n", c.name);
    }
    outcomes_of_run();
    nothing_left("run");
    std::printf("run: ok\n%d checks passed\n", g_checks);
    return 0;
}
