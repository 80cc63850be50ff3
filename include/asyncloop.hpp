// asyncloop.hpp: C++20 coroutines over the C API, header only.
//
//     aloop::task<int> fetch(int n) {
//         co_await aloop::sleep(100ms);
//         co_return n * 2;
//     }
//     aloop::task<> app() {
//         auto [a, b] = co_await aloop::gather(fetch(1), fetch(2));
//         auto line = co_await aloop::wait_for(fetch(3), 5s);
//     }
//     int main() { aloop::run(app()); }
//
// A task<T> is Python's coroutine: it starts when it is awaited, and then runs
// inside the awaiting task; spawn() gives it a task of its own. Every
// aloop_future * can be awaited: its outcome is a status with a value, its
// failure an exception (aloop::error and what derives from it). Exceptions live
// in C++ alone: one that leaves a spawned coroutine becomes that task's error,
// and the very exception again where C++ awaits the task.
//
// A coroutine that is never awaited, or whose loop is closed, is destroyed with
// everything in its frame. Memory that C++ needs and does not get is a
// std::bad_alloc; all else is as the C headers say.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_HPP
#define ASYNCLOOP_HPP

#include <chrono>
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
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <asyncloop.h>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

// References ---------------------------------------------------------------------------------

// Owns one reference to an object of the library.
template <typename T>
class ref {
public:
    ref() = default;
    explicit ref(T *adopted) noexcept : object_(adopted) {}
    ref(const ref &other) noexcept : object_(other.object_) { aloop_ref(object_); }
    ref(ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    ref &operator=(ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~ref() { aloop_unref(object_); }

    static ref share(T *borrowed) noexcept {
        aloop_ref(borrowed);
        return ref(borrowed);
    }
    T *get() const noexcept { return object_; }
    T *release() noexcept { return std::exchange(object_, nullptr); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T *object_ = nullptr;
};

// Errors -------------------------------------------------------------------------------------

class error : public std::exception {
public:
    explicit error(int64_t code, const char *message = nullptr) : code_(code) {
        detail_ = ref<aloop_error>(aloop_error_new(code, message, nullptr));
    }
    error(int64_t code, aloop_error *borrowed)
        : code_(code), detail_(ref<aloop_error>::share(borrowed)) {}

    int64_t code() const noexcept { return code_; }
    const char *name() const noexcept { return aloop_errname(code_); }
    const char *what() const noexcept override {
        return detail_ ? aloop_error_message(detail_.get()) : aloop_strerror(code_);
    }
    aloop_error *native() const noexcept { return detail_.get(); }
    // Of an ALOOP_EGROUP: the errors in it.
    std::vector<error> children() const {
        std::vector<error> list;
        const int64_t n = detail_ ? aloop_error_child_count(detail_.get()) : 0;
        for (int64_t i = 0; i < n; i++) {
            aloop_error *child = aloop_error_child(detail_.get(), i);
            list.emplace_back(aloop_error_code(child), child);
        }
        return list;
    }

private:
    int64_t code_;
    ref<aloop_error> detail_;
};

struct cancelled : error {
    using error::error;
};
struct timed_out : error {
    using error::error;
};
struct stop_iteration : error {
    using error::error;
};

// The code of a task that a foreign exception ended; it hangs on the error.
inline constexpr int64_t k_exception_code = ALOOP_EUSER - 0x2B2B;

[[noreturn]] inline void throw_error(int64_t code, aloop_error *detail) {
    void *payload = aloop_error_payload(detail);
    if (code == k_exception_code && payload != nullptr) {
        std::rethrow_exception(*static_cast<std::exception_ptr *>(payload));
    }
    if (code == ALOOP_ECANCELED) throw cancelled(code, detail);
    if (code == ALOOP_ETIMEDOUT) throw timed_out(code, detail);
    if (code == ALOOP_ESTOPITERATION) throw stop_iteration(code, detail);
    throw error(code, detail);
}

// For results of the C functions: passes them through or throws.
inline int64_t check(int64_t status) {
    if (status < 0) throw_error(status, nullptr);
    return status;
}

namespace detail {

// The current exception as a status of the running task, with its detail.
inline int64_t raise_current() noexcept {
    try {
        throw;
    } catch (const error &e) {
        if (e.native() != nullptr) return aloop_raise_error(e.native());
        return e.code();
    } catch (const std::bad_alloc &) {
        return ALOOP_ENOMEM;
    } catch (const std::exception &e) {
        auto *kept = new (std::nothrow) std::exception_ptr(std::current_exception());
        if (kept == nullptr) return ALOOP_ENOMEM;
        return aloop_raise_payload(k_exception_code, e.what(), kept, [](void *p) {
            delete static_cast<std::exception_ptr *>(p);
        });
    } catch (...) {
        auto *kept = new (std::nothrow) std::exception_ptr(std::current_exception());
        if (kept == nullptr) return ALOOP_ENOMEM;
        return aloop_raise_payload(k_exception_code, "an exception", kept, [](void *p) {
            delete static_cast<std::exception_ptr *>(p);
        });
    }
}

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

template <typename T>
stored<T> unbox(void *value) {
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        std::unique_ptr<T> box(static_cast<T *>(value));
        return std::move(*box);
    }
}

}  // namespace detail

// Awaiting futures ---------------------------------------------------------------------------

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

// Coroutines ---------------------------------------------------------------------------------

template <typename T = void>
class [[nodiscard]] task;

namespace detail {

struct promise_base {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    std::exception_ptr failure;

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

}  // namespace detail

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
        bool await_ready() const noexcept { return false; }
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
        self->resume_at.resume();
        current_driver = outer;
        if (!self->body.get().done()) {
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

}  // namespace detail

// Starts a task of its own, on the running loop: in the next iteration.
template <typename T>
future<T> spawn(task<T> body) {
    auto frame = std::make_unique<detail::root<T>>(std::move(body));
    aloop_task *t =
        aloop_create_stackless_task(detail::root<T>::step, frame.get(), detail::root<T>::destroy);
    if (t == nullptr) throw error(ALOOP_ENORUNNINGLOOP);
    future<T> made(t);
    // Out of memory gives a future that has failed, and the frame stays ours.
    if (!made.done()) frame.release();
    return made;
}

// Running a program --------------------------------------------------------------------------

namespace detail {

template <typename T>
struct final_state {
    std::optional<stored<T>> value;
    std::exception_ptr failure;
};

template <typename T>
task<void> keep_outcome(task<T> main, final_state<T> *state) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(main);
            state->value.emplace();
        } else {
            state->value.emplace(co_await std::move(main));
        }
    } catch (...) {
        state->failure = std::current_exception();
    }
}

}  // namespace detail

// asyncio.run: a loop (as options say, which are borrowed), main as its main
// task, and the orderly end of everything. What main throws is thrown here.
template <typename T>
T run(task<T> main, const aloop_loop_options *options = nullptr) {
    detail::final_state<T> state;
    auto frame = std::make_unique<detail::root<void>>(
        detail::keep_outcome<T>(std::move(main), &state));
    aloop_runner *made = nullptr;
    check(aloop_runner_new(&made, options));
    ref<aloop_runner> runner(made);
    ref<aloop_task_options> how(aloop_task_options_new());
    if (!how) throw std::bad_alloc();
    check(aloop_task_options_set_step(how.get(), detail::root<void>::step, frame.get(),
                                      detail::root<void>::destroy));
    frame.release();
    const int64_t status = aloop_runner_run_ex(runner.get(), how.get(), nullptr);
    const int64_t closed = aloop_runner_close(runner.get());
    if (state.failure) std::rethrow_exception(state.failure);
    check(status);
    check(closed);
    if (!state.value) throw error(ALOOP_ELOOPSTOPPED);
    if constexpr (!std::is_void_v<T>) return std::move(*state.value);
}

// Time ---------------------------------------------------------------------------------------

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
detail::awaiter wait_for(aloop_future *consumed, std::chrono::duration<Rep, Period> limit) noexcept {
    return detail::awaiter(aloop_wait_for(consumed, seconds(limit)));
}

// The inner task goes on when the awaiting one is cancelled.
template <typename T>
future<T> shield(future<T> f) noexcept {
    return future<T>(aloop_shield(f.release()));
}

// Several at once ----------------------------------------------------------------------------

// All side by side; the values in order (std::monostate for void). The first
// failure is thrown and leaves the others running, as asyncio.gather does.
template <typename... T>
task<std::tuple<std::conditional_t<std::is_void_v<T>, std::monostate, T>...>> gather(
    task<T>... bodies) {
    aloop_future *all[] = {spawn(std::move(bodies)).release()...};
    outcome o = co_await aloop_gather(all, sizeof...(T), 0);
    ref<aloop_results> list(static_cast<aloop_results *>(o.value));
    int64_t i = 0;
    auto next = [&]<typename U>(std::type_identity<U>) {
        void *value = aloop_results_take(list.get(), i++);
        if constexpr (std::is_void_v<U>) {
            return std::monostate{};
        } else {
            return detail::unbox<U>(value);
        }
    };
    // Braces evaluate in order.
    co_return std::tuple<std::conditional_t<std::is_void_v<T>, std::monostate, T>...>{
        next(std::type_identity<T>{})...};
}

template <typename T>
task<std::vector<T>> gather(std::vector<task<T>> bodies) {
    std::vector<aloop_future *> all;
    all.reserve(bodies.size());
    for (task<T> &body : bodies) all.push_back(spawn(std::move(body)).release());
    outcome o = co_await aloop_gather(all.data(), static_cast<int64_t>(all.size()), 0);
    ref<aloop_results> list(static_cast<aloop_results *>(o.value));
    std::vector<T> values;
    values.reserve(all.size());
    for (size_t i = 0; i < all.size(); i++) {
        values.push_back(detail::unbox<T>(aloop_results_take(list.get(), static_cast<int64_t>(i))));
    }
    co_return values;
}

// Tasks that belong to a block: with_group runs body, waits for all, and throws
// an ALOOP_EGROUP with the errors as children if any of them failed.
class task_group {
public:
    explicit task_group(aloop_task_group *g) noexcept : group_(g) {}

    // ALOOP_ESHUTDOWN is thrown once the group is ending.
    template <typename T>
    future<T> spawn(task<T> body) {
        auto frame = std::make_unique<detail::root<T>>(std::move(body));
        ref<aloop_task_options> how(aloop_task_options_new());
        if (!how) throw std::bad_alloc();
        check(aloop_task_options_set_step(how.get(), detail::root<T>::step, frame.get(),
                                          detail::root<T>::destroy));
        frame.release();
        future<T> made(aloop_task_group_create_task_ex(group_, how.get()));
        if (made.done()) check(aloop_future_result(made.get(), nullptr));
        return made;
    }
    void cancel() { check(aloop_task_group_cancel(group_)); }

private:
    aloop_task_group *group_;
};

// body(group) is a coroutine: a function, or a lambda that the caller keeps.
template <typename Body>
task<void> with_group(Body &body) {
    aloop_task_group *g = nullptr;
    check(aloop_task_group_enter(&g));
    task_group group(g);
    int64_t status = 0;
    try {
        co_await body(group);
    } catch (...) {
        status = detail::raise_current();
    }
    co_await aloop_task_group_join(g, status);
}

// Queues and locks ---------------------------------------------------------------------------

// A queue of values; see queue.h. Items that nobody took are destroyed with it.
template <typename T>
class queue {
public:
    explicit queue(int64_t maxsize = 0, int32_t kind = ALOOP_QUEUE_FIFO) {
        ref<aloop_queue_options> how(aloop_queue_options_new());
        if (!how) throw std::bad_alloc();
        check(aloop_queue_options_set_maxsize(how.get(), maxsize));
        check(aloop_queue_options_set_kind(how.get(), kind));
        check(aloop_queue_options_set_item_free(how.get(),
                                                [](void *p) { delete static_cast<T *>(p); }));
        aloop_queue *made = nullptr;
        check(aloop_queue_new(&made, how.get()));
        queue_ = ref<aloop_queue>(made);
    }

    task<void> put(T item) {
        ref<aloop_queue> kept = queue_;
        auto box = std::make_unique<T>(std::move(item));
        co_await aloop_queue_put(kept.get(), box.release());
    }
    void put_nowait(T item) {
        auto box = std::make_unique<T>(std::move(item));
        check(aloop_queue_put_nowait(queue_.get(), box.get()));
        box.release();
    }
    detail::typed_awaiter<T> get() noexcept {
        return detail::typed_awaiter<T>(aloop_queue_get(queue_.get()));
    }
    T get_nowait() {
        void *item = nullptr;
        check(aloop_queue_get_nowait(queue_.get(), &item));
        return detail::unbox<T>(item);
    }
    detail::awaiter join() noexcept { return detail::awaiter(aloop_queue_join(queue_.get())); }
    void task_done() { check(aloop_queue_task_done(queue_.get())); }
    void shutdown(bool immediate = false) { check(aloop_queue_shutdown(queue_.get(), immediate)); }
    int64_t size() const noexcept { return aloop_queue_qsize(queue_.get()); }
    aloop_queue *native() const noexcept { return queue_.get(); }

private:
    ref<aloop_queue> queue_;
};

// co_await mutex.lock() gives a guard that releases it.
class mutex {
public:
    mutex() {
        aloop_lock *made = nullptr;
        check(aloop_lock_new(&made));
        lock_ = ref<aloop_lock>(made);
    }

    class [[nodiscard]] guard {
    public:
        explicit guard(ref<aloop_lock> held) noexcept : held_(std::move(held)) {}
        guard(guard &&) noexcept = default;
        ~guard() {
            if (held_) aloop_lock_release(held_.get());
        }

    private:
        ref<aloop_lock> held_;
    };
    task<guard> lock() {
        ref<aloop_lock> kept = lock_;
        co_await aloop_lock_acquire(kept.get());
        co_return guard(std::move(kept));
    }
    bool locked() const noexcept { return aloop_lock_locked(lock_.get()) == 1; }

private:
    ref<aloop_lock> lock_;
};

// Channels (see channel.h): auto [in, out] = channel<T>(capacity). The copies of
// an end are its holders. receive() throws stop_iteration when no sender is left.
template <typename T>
class sender : public ref<aloop_sender> {
public:
    using ref<aloop_sender>::ref;
    task<void> send(T item) {
        ref<aloop_sender> kept = *this;
        co_await aloop_sender_send(kept.get(), new T(std::move(item)));
    }
};

template <typename T>
class receiver : public ref<aloop_receiver> {
public:
    using ref<aloop_receiver>::ref;
    detail::typed_awaiter<T> receive() noexcept {
        return detail::typed_awaiter<T>(aloop_receiver_receive(get()));
    }
};

template <typename T>
std::pair<sender<T>, receiver<T>> channel(int64_t capacity = 0) {
    aloop_sender *in = nullptr;
    aloop_receiver *out = nullptr;
    check(aloop_channel_new(&in, &out, capacity, [](void *p) { delete static_cast<T *>(p); }));
    return {sender<T>(in), receiver<T>(out)};
}

}  // namespace cxx
}  // namespace aloop

#endif
