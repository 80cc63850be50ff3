// future.hpp: awaiting what C gives: every aloop_future *, with its outcome.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_FUTURE_HPP
#define ASYNCLOOP_CPP_FUTURE_HPP

#if defined(__clang__) && __clang_major__ < 15 && !defined(__cpp_impl_coroutine)
// Its coroutines are complete, but look for their types where the TS had them.
#define __cpp_impl_coroutine 201902L
#include <coroutine>
namespace std::experimental {
using std::coroutine_handle;
using std::coroutine_traits;
}  // namespace std::experimental
#else
#include <coroutine>
#endif
#include <memory>
#include <type_traits>

#include <asyncloop/cpp/error.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

namespace detail {

// The loop's task that drives a chain of coroutines, and where that stands.
struct driver {
    aloop_task *task = nullptr;
    std::coroutine_handle<> resume_at;
    aloop_future *wanted = nullptr;  // what it suspended for
};

inline thread_local driver *current_driver = nullptr;

struct no_value {};
template <typename T>
using stored = std::conditional_t<std::is_void_v<T>, no_value, T>;

// The value that a task<T> ended with. What is no such task (a task factory makes
// what it likes, C puts into a queue what it likes) may have none.
template <typename T>
stored<T> unbox(void *value) {
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        if (value == nullptr) throw error(ALOOP_EINVALIDSTATE, "awaited for a value, gave none");
        std::unique_ptr<T> box(static_cast<T *>(value));
        return std::move(*box);
    }
}

}  // namespace detail

// What a C future gives: the value is the caller's, to be freed as the function
// that made the future says.
struct outcome {
    int64_t status = 0;
    void *value = nullptr;
};

namespace detail {

// Suspends the driving task on a future, which it consumes.
class awaiter {
public:
    explicit awaiter(aloop_future *f) noexcept : future_(f) {}
    awaiter(awaiter &&other) noexcept : future_(std::exchange(other.future_, nullptr)) {}
    awaiter &operator=(awaiter &&) = delete;
    ~awaiter() { aloop_unref(future_); }

    bool await_ready() const noexcept { return current_driver == nullptr; }
    void await_suspend(std::coroutine_handle<> here) noexcept {
        current_driver->resume_at = here;
        current_driver->wanted = std::exchange(future_, nullptr);
    }
    outcome await_resume() {
        if (current_driver == nullptr) throw error(ALOOP_ENOTASK);
        outcome o;
        o.status = aloop_awaited(current_driver->task, &o.value);
        if (o.status < 0) throw_error(o.status, aloop_last_error());
        return o;
    }

private:
    aloop_future *future_;
};

template <typename T>
class typed_awaiter : public awaiter {
public:
    using awaiter::awaiter;
    T await_resume() {
        outcome o = awaiter::await_resume();
        if constexpr (!std::is_void_v<T>) return unbox<T>(o.value);
    }
};

}  // namespace detail

// A spawned task<T>: a reference to the loop's task. Dropping it leaves the task
// running. Awaiting it (once) gives the value.
template <typename T = void>
class future : public ref<aloop_future> {
public:
    using ref<aloop_future>::ref;

    bool done() const noexcept { return aloop_future_done(get()) == 1; }
    bool cancel(const char *message = nullptr) noexcept {
        return aloop_future_cancel(get(), message) == 1;
    }
    detail::typed_awaiter<T> operator co_await() && noexcept {
        return detail::typed_awaiter<T>(release());
    }
    detail::typed_awaiter<T> operator co_await() & noexcept {
        aloop_ref(get());
        return detail::typed_awaiter<T>(get());
    }
};

}  // namespace cxx
}  // namespace aloop

#endif
