// misuse_test.cpp: coroutines that outlive what they were called on, handles that were
// moved from, exceptions in odd places, and awaiting what is not the library's.
// Compiled with g++ and with clang++.
//
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <csignal>
#include <memory>
#include <string>

namespace {

template <typename T>
aloop::task<int64_t> code_of(aloop::task<T> body) {
    try {
        static_cast<void>(co_await std::move(body));
    } catch (const aloop::error &e) {
        co_return e.code();
    }
    co_return 0;
}

// A coroutine begins after its call: what it was called on may be gone by then.
aloop::task<> outliving() {
    auto lock = std::make_unique<aloop::mutex>();
    aloop::task<aloop::mutex::guard> locking = lock->lock();
    lock.reset();
    CHECK(co_await code_of(std::move(locking)) == 0);

    auto two = std::make_unique<aloop::semaphore>(2);
    aloop::task<aloop::semaphore::guard> acquiring = two->acquire();
    two.reset();
    CHECK(co_await code_of(std::move(acquiring)) == 0);

    auto risen = std::make_unique<aloop::condition>();
    aloop::task<aloop::condition::guard> guarding = risen->lock();
    aloop::task<> waiting = risen->wait([] { return true; });
    risen.reset();
    CHECK(co_await code_of(std::move(guarding)) == 0);
    CHECK(co_await code_of(std::move(waiting)) == 0);

    auto numbers = std::make_unique<aloop::queue<counted>>();
    aloop::task<> putting = numbers->put(counted(1));
    numbers.reset();
    CHECK(co_await code_of(std::move(putting)) == 0);

    auto [in, out] = aloop::channel<counted>(2);
    auto sender = std::make_unique<aloop::sender<counted>>(std::move(in));
    aloop::task<> sending = sender->send(counted(2));
    sender.reset();
    CHECK(co_await code_of(std::move(sending)) == 0);
    CHECK((co_await out.receive()).number == 2);
}

// What was moved from refuses, and loses nothing of what it is given.
aloop::task<> moved() {
    aloop::queue<counted> numbers;
    aloop::queue<counted> taken = std::move(numbers);
    CHECK(co_await code_of(numbers.put(counted(1))) == ALOOP_EINVAL);
    CHECK(counted::alive == 0);
    CHECK(throws<aloop::error>([&] { numbers.put_nowait(counted(1)); }));
    CHECK(throws<aloop::error>([&] { numbers.get_nowait(); }));
    auto [in, out] = aloop::channel<counted>(2);
    aloop::sender<counted> other = std::move(in);
    CHECK(co_await code_of(in.send(counted(1))) == ALOOP_EINVAL);
    CHECK(counted::alive == 0);
    aloop::mutex lock;
    aloop::mutex held = std::move(lock);
    CHECK(co_await code_of(lock.lock()) == ALOOP_EINVAL);
    aloop::future<int> empty;
    int64_t code = 0;
    try {
        co_await empty;
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == ALOOP_EINVAL && !empty.done() && !empty.cancel());
}

// What nobody here can wake: the task fails, and says why.
aloop::task<int> await_something_else() {
    co_await aloop::sleep(1ms);
    co_await std::suspend_always{};
    co_return 1;
}
aloop::task<int> inside() { co_return co_await await_something_else(); }

aloop::task<> refused(aloop::future<int> running) {
    int64_t code = 0;
    std::string why;
    try {
        co_await std::move(running);
    } catch (const aloop::error &e) {
        code = e.code();
        why = e.what();
    }
    CHECK(code == ALOOP_EINVAL);
    CHECK(why.find("co_await") != std::string::npos);
}

aloop::task<> strangers() {
    co_await refused(aloop::spawn(await_something_else()));
    co_await refused(aloop::spawn(inside()));
}

// A value that cannot always be moved.
struct stubborn {
    static inline bool refuses = false;
    static inline int moves_left = 1000;
    int number;
    explicit stubborn(int n) : number(n) {}
    stubborn(stubborn &&other) : number(other.number) {
        if (refuses || moves_left-- == 0) throw std::length_error("it does not move");
    }
};

aloop::task<stubborn> make_stubborn(int n) {
    co_await aloop::sleep(1ms);
    co_return stubborn(n);
}
aloop::generator<stubborn> give_one() {
    co_yield stubborn(1);
}
aloop::task<bool> gives_nothing(aloop::generator<stubborn> &from) {
    co_return !co_await from.next();
}

template <typename A>
aloop::task<bool> refuses_to_move(A body) {
    try {
        co_await std::move(body);
    } catch (const std::length_error &) {
        co_return true;
    }
    co_return false;
}

aloop::task<> moving() {
    stubborn::refuses = true;
    CHECK(co_await refuses_to_move(make_stubborn(1)));
    CHECK(co_await refuses_to_move(aloop::spawn(make_stubborn(2))));
    auto both = aloop::gather(make_stubborn(3), make_stubborn(4));
    CHECK(co_await refuses_to_move(std::move(both)));
    stubborn::refuses = false;
    // The value that got lost is not given a second time.
    auto numbers = give_one();
    stubborn::moves_left = 1;  // into the generator, and not out of it
    bool lost = false;
    try {
        co_await numbers.next();
    } catch (const std::length_error &) {
        lost = true;
    }
    stubborn::moves_left = 1000;
    CHECK(lost && co_await gives_nothing(numbers));
}

// An error without a failure's code is no success.
aloop::task<int> throw_a_number(int64_t code) {
    throw aloop::error(code);
    co_return 1;
}

aloop::task<> throwing() {
    CHECK(co_await code_of(aloop::wait_for(throw_a_number(0), 1s)) == ALOOP_EINVAL);
    CHECK(co_await code_of(aloop::wait_for(throw_a_number(5), 1s)) == ALOOP_EINVAL);
    // One that cannot be begun takes none of the others along.
    aloop::task<int> used = twice(1);
    CHECK(co_await std::move(used) == 2);
    CHECK(co_await code_of(aloop::gather(twice(2), std::move(used))) == ALOOP_EINVALIDSTATE);
    std::vector<aloop::task<int>> list;
    list.push_back(twice(3));
    list.push_back(std::move(used));
    CHECK(co_await code_of(aloop::gather(std::move(list))) == ALOOP_EINVALIDSTATE);
}

// What a task factory or C gives need not have a value: then there is none to be had.
aloop_task *make_without_value(aloop_loop *loop, aloop_task_options *, void *) {
    aloop_future *f = aloop_loop_create_future(loop);
    aloop::check(aloop_future_set_result(f, 0, nullptr, nullptr));
    return f;
}

aloop::task<> valueless() {
    aloop_loop *loop = aloop_get_running_loop();
    aloop::check(aloop_loop_set_task_factory(loop, make_without_value, nullptr, nullptr));
    int64_t code = 0;
    std::string why;
    try {
        co_await aloop::spawn(twice(1));
    } catch (const aloop::error &e) {
        code = e.code();
        why = e.what();
    }
    CHECK(code == ALOOP_EINVALIDSTATE && why.find("value") != std::string::npos);
    auto both = aloop::gather(twice(1), twice(2));
    CHECK(co_await code_of(std::move(both)) == ALOOP_EINVALIDSTATE);
    aloop::check(aloop_loop_set_task_factory(loop, nullptr, nullptr, nullptr));
    aloop::queue<counted> items;
    aloop::check(aloop_queue_put_nowait(items.native(), nullptr));
    aloop::check(aloop_queue_put_nowait(items.native(), nullptr));
    CHECK(throws<aloop::error>([&] { items.get_nowait(); }));
    code = 0;
    try {
        co_await items.get();
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == ALOOP_EINVALIDSTATE);
}

// The handlers of a server may run for longer than the server.
aloop::task<> serving() {
    aloop::server from = co_await aloop::start_server("127.0.0.1", 0);
    const int32_t port = from.port();
    bool begun = false;
    int served = 0;
    auto name = std::make_shared<std::string>("a name that is too long for the string itself");
    std::weak_ptr<std::string> watched = name;
    auto handle = [name, &begun, &served](aloop::stream client) -> aloop::task<> {
        begun = true;
        const std::string line = co_await client.readline();
        served += line == "go\n" && name->size() == 45;
    };
    name.reset();
    aloop::future<> accepting = aloop::spawn(aloop::serve(from, std::move(handle)));
    aloop::stream client = co_await aloop::open_connection("127.0.0.1", port);
    while (!begun) co_await aloop::sleep(1ms);
    accepting.cancel();
    bool cancelled = false;
    try {
        co_await std::move(accepting);
    } catch (const aloop::cancelled &) {
        cancelled = true;
    }
    CHECK(cancelled && served == 0 && !watched.expired());
    co_await client.write_all("go\n");
    while (!watched.expired()) co_await aloop::sleep(1ms);
    CHECK(served == 1);
}

// Ctrl-C ends the run as the C function says, whatever main makes of it.
aloop::task<> interrupted() {
    std::raise(SIGINT);
    co_await aloop::sleep(1h);
}
aloop::task<int> interrupted_and_done() {
    std::raise(SIGINT);
    try {
        co_await aloop::sleep(1h);
    } catch (const aloop::cancelled &) {
        co_return 7;
    }
    co_return 8;
}
aloop::task<> interrupted_and_failed() {
    std::raise(SIGINT);
    try {
        co_await aloop::sleep(1h);
    } catch (const aloop::cancelled &) {
        throw std::out_of_range("while it ended");
    }
}

void interrupting() {
    int64_t code = 0;
    try {
        aloop::run(interrupted());
    } catch (const aloop::error &e) {
        code = e.code();
    }
    CHECK(code == -EINTR);
    CHECK(aloop::run(interrupted_and_done()) == 7);
    CHECK(throws<std::out_of_range>([] { aloop::run(interrupted_and_failed()); }));
}

}  // namespace

int main() {
    const struct {
        const char *name;
        aloop::task<> (*body)();
        bool real;
    } cases[] = {{"outliving", outliving, false},
                 {"moved", moved, false},
                 {"strangers", strangers, false},
                 {"moving", moving, false},
                 {"throwing", throwing, false},
                 {"valueless", valueless, false},
                 {"serving", serving, true}};
    for (const auto &c : cases) {
        if (c.real) aloop::run(c.body());
        else on_virtual_clock(c.body());
        nothing_left(c.name);
        std::printf("%s: ok\n", c.name);
    }
    interrupting();
    nothing_left("interrupting");
    std::printf("interrupting: ok\n%d checks passed\n", g_checks);
    return 0;
}
