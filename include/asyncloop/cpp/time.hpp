// time.hpp: sleeping, and limits in time.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_TIME_HPP
#define ASYNCLOOP_CPP_TIME_HPP

#include <chrono>

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

template <typename Rep, typename Period>
double seconds(std::chrono::duration<Rep, Period> d) noexcept {
    return std::chrono::duration<double>(d).count();
}

template <typename Rep, typename Period>
detail::awaiter sleep(std::chrono::duration<Rep, Period> d) noexcept {
    return detail::awaiter(aloop_sleep(seconds(d)));
}

// Throws timed_out once the time is over: then body was cancelled and has ended.
template <typename T, typename Rep, typename Period>
task<T> wait_for(task<T> body, std::chrono::duration<Rep, Period> limit) {
    future<T> running = spawn(std::move(body));
    future<T> limited(aloop_wait_for(running.release(), seconds(limit)));
    co_return co_await std::move(limited);
}

// Any C future, with its outcome as it is.
template <typename Rep, typename Period>
detail::awaiter wait_for(aloop_future *consumed,
                         std::chrono::duration<Rep, Period> limit) noexcept {
    return detail::awaiter(aloop_wait_for(consumed, seconds(limit)));
}

// The inner task goes on when the awaiting one is cancelled.
template <typename T>
future<T> shield(future<T> f) noexcept {
    return future<T>(aloop_shield(f.release()));
}

}  // namespace cxx
}  // namespace aloop

#endif
