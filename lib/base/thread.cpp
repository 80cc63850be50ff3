// SPDX-License-Identifier: MIT
#include "thread.hpp"

#include <atomic>

#include "fork.hpp"

namespace aloop {

thread_local constinit thread_state t_thread = {0, nullptr, nullptr, nullptr};
void (*g_forked_in)(loop *l) = nullptr;

namespace {

std::atomic<uint64_t> g_next_token{1};
std::atomic<uint32_t> g_forks{0};

void after_fork_in_child() {
    g_forks.fetch_add(1, std::memory_order_relaxed);
    t_thread.token = 0;
    t_thread.forked_in = t_thread.running;
    t_thread.running = nullptr;
    if (t_thread.forked_in != nullptr) g_forked_in(t_thread.forked_in);
}

const takes_part_in_fork g_part(fork_step::generation, {nullptr, nullptr, after_fork_in_child});

}  // namespace

uint64_t new_thread_token() {
    return g_next_token.fetch_add(1, std::memory_order_relaxed);
}

uint32_t fork_generation() { return g_forks.load(std::memory_order_relaxed); }

}  // namespace aloop
