// task.hpp: coroutines: task<T>, and spawn, which gives one a task of its own.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_TASK_HPP
#define ASYNCLOOP_CPP_TASK_HPP

#include <optional>

#include <asyncloop/cpp/future.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

template <typename T = void>
class [[nodiscard]] task;

namespace detail {

struct promise_base {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::exception_ptr failure;
    bool started = false;

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <typename P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) noexcept {
            return h.promise().continuation;
        }
        void await_resume() const noexcept {}
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    final_awaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }

    // What makes an aloop_future * (consumed) awaitable; all else passes through.
    awaiter await_transform(aloop_future *consumed) const noexcept { return awaiter(consumed); }
    template <typename A>
    A &&await_transform(A &&other) const noexcept {
        return std::forward<A>(other);
    }
};

template <typename T>
struct promise : promise_base {
    std::optional<T> value;

    task<T> get_return_object() noexcept;
    template <typename U>
    void return_value(U &&v) {
        value.emplace(std::forward<U>(v));
    }
    T take() {
        if (failure) std::rethrow_exception(failure);
        return std::move(*value);
    }
};

template <>
struct promise<void> : promise_base {
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() {
        if (failure) std::rethrow_exception(failure);
    }
};

// A coroutine runs once, as Python's do.
template <typename P>
void start(std::coroutine_handle<P> h) {
    if (!h || std::exchange(h.promise().started, true)) {
        throw error(ALOOP_EINVALIDSTATE, "cannot reuse already awaited coroutine");
    }
}

}  // namespace detail

// Awaited or spawned once: the second time throws ALOOP_EINVALIDSTATE.
template <typename T>
class [[nodiscard]] task {
public:
    using promise_type = detail::promise<T>;
    using handle = std::coroutine_handle<promise_type>;

    explicit task(handle h) noexcept : handle_(h) {}
    task(task &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    task &operator=(task &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~task() {
        if (handle_) handle_.destroy();
    }

    class awaiter {
    public:
        explicit awaiter(handle h) noexcept : inner_(h) {}
        bool await_ready() const {
            detail::start(inner_);
            return false;
        }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> outer) noexcept {
            inner_.promise().continuation = outer;
            return inner_;
        }
        T await_resume() { return inner_.promise().take(); }

    private:
        handle inner_;
    };
    // Runs it here, inside the awaiting task. The frame lives as long as *this.
    awaiter operator co_await() && noexcept { return awaiter(handle_); }

    handle get() const noexcept { return handle_; }

private:
    handle handle_;
};

namespace detail {

template <typename T>
task<T> promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<promise<T>>::from_promise(*this));
}
inline task<void> promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<promise<void>>::from_promise(*this));
}

inline constexpr char k_not_awaitable[] =
    "Task got bad yield: co_await of what is no future or task of the library";

// The frame of the step task that drives a coroutine.
template <typename T>
struct root : driver {
    aloop::task<T> body;

    explicit root(aloop::task<T> t) noexcept : body(std::move(t)) { resume_at = body.get(); }

    static void destroy(void *self) { delete static_cast<root *>(self); }

    static int64_t step(aloop_task *t, void *frame, void **) {
        root *self = static_cast<root *>(frame);
        driver *outer = std::exchange(current_driver, self);
        self->task = t;
        std::exchange(self->resume_at, nullptr).resume();
        current_driver = outer;
        if (!self->body.get().done()) {
            if (!self->resume_at) return aloop_raise_message(ALOOP_EINVAL, k_not_awaitable);
            return aloop_suspend(t, std::exchange(self->wanted, nullptr));
        }
        try {
            if constexpr (std::is_void_v<T>) {
                self->body.get().promise().take();
                return 0;
            } else {
                auto box = std::make_unique<T>(self->body.get().promise().take());
                return aloop_return(0, box.release(), [](void *p) { delete static_cast<T *>(p); });
            }
        } catch (...) {
            return raise_current();
        }
    }
};

// Task options that own a coroutine until a task takes it over.
template <typename T>
ref<aloop_task_options> options_for(task<T> body) {
    auto frame = std::make_unique<root<T>>(std::move(body));
    ref<aloop_task_options> how(aloop_task_options_new());
    if (!how) throw std::bad_alloc();
    check(aloop_task_options_set_step(how.get(), root<T>::step, frame.get(), root<T>::destroy));
    frame.release();
    return how;
}

// What a failure to make a task gives instead of one; a task may be done, too.
inline bool is_no_task(aloop_task *t) noexcept { return aloop_task_state(t) < 0; }

}  // namespace detail

// Starts a task of its own, on the running loop: in the next iteration, or at once
// where tasks start eagerly.
template <typename T>
future<T> spawn(task<T> body) {
    detail::start(body.get());
    aloop_loop *loop = aloop_get_running_loop();
    if (loop == nullptr) throw error(ALOOP_ENORUNNINGLOOP);
    if (aloop_loop_get_task_factory(loop) != nullptr) {  // which may make what it likes
        return future<T>(aloop_create_task_ex(detail::options_for(std::move(body)).get()));
    }
    auto frame = std::make_unique<detail::root<T>>(std::move(body));
    future<T> made(
        aloop_create_stackless_task(detail::root<T>::step, frame.get(), detail::root<T>::destroy));
    // Out of memory gives a future that has failed, and the frame stays ours.
    if (!detail::is_no_task(made.get())) frame.release();
    return made;
}

}  // namespace cxx
}  // namespace aloop

#endif
