// waker.hpp: waking a task from outside its loop, for other executors.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "task.hpp"

namespace aloop {

// Free object; holds the loop, and while the task waits on it, the future.
struct waker final : object {
    loop *home;
    std::atomic<uint32_t> state{0};  // bit 0: woken, bit 1: a post is under way
    future *pending = nullptr;       // loop's thread only

    explicit waker(loop *l) : object(kind::waker), home(l) {
        ref(static_cast<object *>(l));
        count_live(kind::waker, 1);
    }
    ~waker();
};

// The future that the next wake finishes: done already if one came before.
future *waker_future(waker *w);
int64_t wake(waker *w);

}  // namespace aloop
