// awaiters.hpp: the tasks that await a future: directly, inside an operation, or through
// combinators.
//
// The walk visits each future once, however many paths lead there, and marks it
// meanwhile. It keeps the path in a list, not on the stack.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../task/task.hpp"

namespace aloop {

class awaiters {
public:
    awaiters() = default;
    ~awaiters() { release(tasks_); }
    awaiters(const awaiters &) = delete;
    awaiters &operator=(const awaiters &) = delete;

    // Those of f, in the order in which they came to wait. False: out of memory.
    bool find(future *f);

    int64_t count() const { return count_; }
    task *operator[](int64_t i) const { return tasks_[i]; }

private:
    // A future between f and the tasks, and how far its waiters have been looked at.
    struct place {
        future *of;
        link *at;
        int64_t from;  // where to go on after it; -1: nowhere
    };

    bool look_behind(future *f);
    bool add(task *t);
    bool enter(future *f);

    task **tasks_ = nullptr;
    int64_t count_ = 0;
    int64_t room_ = 0;
    place *places_ = nullptr;
    int64_t place_count_ = 0;
    int64_t place_room_ = 0;
    int64_t here_ = -1;
};

}  // namespace aloop
