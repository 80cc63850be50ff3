// A task group is left when all of its tasks are done. If one fails, the others
// are cancelled, and the group fails with all errors inside.
//
// SPDX-License-Identifier: MIT
#include <asyncloop.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct job {
    std::string name;
    std::chrono::seconds delay;
    bool fails = false;
};

aloop::task<> work(job j) {
    std::printf("%s: started\n", j.name.c_str());
    try {
        co_await aloop::sleep(j.delay);
    } catch (const aloop::cancelled &e) {
        std::printf("%s: %s\n", j.name.c_str(), e.name());
        throw;
    }
    if (j.fails) throw std::runtime_error(j.name + " is broken");
    std::printf("%s: finished\n", j.name.c_str());
}

aloop::task<> run_group(std::vector<job> jobs) {
    auto body = [&](aloop::task_group &group) -> aloop::task<> {
        for (const job &j : jobs) group.spawn(work(j));
        co_return;
    };
    co_await aloop::with_group(body);
}

aloop::task<> run() {
    std::vector<job> good = {{"A", 2s}, {"B", 1s}};
    co_await run_group(good);
    std::puts("the first group: ALOOP_OK");
    std::vector<job> bad = {{"C", 2s}, {"D", 1s, true}};
    try {
        co_await run_group(bad);
    } catch (const aloop::error &group) {
        std::printf("the second group: %s\n", group.name());
        for (const aloop::error &e : group.children()) std::printf("  %s\n", e.what());
    }
}

int main() { aloop::run(run()); }
