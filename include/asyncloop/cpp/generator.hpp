// generator.hpp: async generators: coroutines that co_yield values.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_GENERATOR_HPP
#define ASYNCLOOP_CPP_GENERATOR_HPP

#include <optional>

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

// while (auto value = co_await g.next()) ...: runs the body, inside the awaiting task,
// up to its next co_yield; nothing at its end. The body may co_await as any coroutine
// does. What it throws is thrown by next(). Destroying the generator destroys what is
// in its frame; nothing can be awaited then. For one consumer at a time: a second next()
// throws ALOOP_EBUSY.
template <typename T>
class [[nodiscard]] generator {
public:
    struct promise_type : detail::promise_base {
        std::optional<T> value;
        bool running = false;

        struct hand_over {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
                return h.promise().continuation;
            }
            void await_resume() const noexcept {}
        };

        generator get_return_object() noexcept {
            return generator(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        template <typename U>
        hand_over yield_value(U &&v) {
            value.emplace(std::forward<U>(v));
            return {};
        }
        void return_void() const noexcept {}
    };
    using handle = std::coroutine_handle<promise_type>;

    explicit generator(handle h) noexcept : handle_(h) {}
    generator(generator &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    generator &operator=(generator &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~generator() {
        if (handle_) handle_.destroy();
    }

    class awaiter {
    public:
        explicit awaiter(handle h) noexcept : body_(h) {}
        bool await_ready() const {
            if (body_ && body_.promise().running) throw error(ALOOP_EBUSY);
            return !body_ || body_.done();
        }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> consumer) noexcept {
            body_.promise().running = true;
            body_.promise().value.reset();  // of a turn whose value could not be moved
            body_.promise().continuation = consumer;
            return body_;
        }
        std::optional<T> await_resume() {
            if (!body_) return std::nullopt;
            promise_type &p = body_.promise();
            p.running = false;
            if (p.failure) std::rethrow_exception(std::exchange(p.failure, nullptr));
            return std::exchange(p.value, std::nullopt);
        }

    private:
        handle body_;
    };
    awaiter next() noexcept { return awaiter(handle_); }

private:
    handle handle_;
};

}  // namespace cxx
}  // namespace aloop

#endif
