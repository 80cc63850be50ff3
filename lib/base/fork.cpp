// SPDX-License-Identifier: MIT
#include "fork.hpp"

namespace aloop {

namespace {

constexpr int k_steps = static_cast<int>(fork_step::count);

// Filled by the constructors of static objects, in any order.
constinit fork_part g_parts[k_steps] = {};
constinit const whole_at_fork *g_first_lock = nullptr;

void call(void (*fn)()) {
    if (fn != nullptr) fn();
}

}  // namespace

struct fork_locks {
    static void add(whole_at_fork *lock) {
        lock->next_ = g_first_lock;
        g_first_lock = lock;
    }
    static void lock_all() {
        for (const whole_at_fork *w = g_first_lock; w != nullptr; w = w->next_) {
            pthread_mutex_lock(w->mutex_);
        }
    }
    static void unlock_all() {
        for (const whole_at_fork *w = g_first_lock; w != nullptr; w = w->next_) {
            pthread_mutex_unlock(w->mutex_);
        }
    }
};

namespace {

void before_fork() {
    for (int i = 0; i < k_steps; i++) call(g_parts[i].before);
    fork_locks::lock_all();
}

void after_fork_in_parent() {
    fork_locks::unlock_all();
    for (int i = k_steps - 1; i >= 0; i--) call(g_parts[i].in_parent);
}

void after_fork_in_child() {
    fork_locks::unlock_all();
    for (int i = k_steps - 1; i >= 0; i--) call(g_parts[i].in_child);
}

[[maybe_unused]] const int g_registered =
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

takes_part_in_fork::takes_part_in_fork(fork_step step, const fork_part &part) {
    g_parts[static_cast<int>(step)] = part;
}

whole_at_fork::whole_at_fork(pthread_mutex_t *mutex) : mutex_(mutex) { fork_locks::add(this); }

}  // namespace aloop
