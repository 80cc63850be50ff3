// A bare C++20 coroutine: starts suspended, is destroyed by whoever made it, and knows no
// scheduler.
//
// SPDX-License-Identifier: MIT
#ifndef COROUTINE_H
#define COROUTINE_H

#include <coroutine>
#include <exception>

#include "../common/bench.h"

struct coroutine {
    struct promise_type {
        coroutine get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

#endif
