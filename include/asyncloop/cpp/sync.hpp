// sync.hpp: locks, events, conditions and semaphores, with guards that release them.
//
// A coroutine begins after its call: what it works on it owns (its parameter), for the
// object that it was called on may be gone by then.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_SYNC_HPP
#define ASYNCLOOP_CPP_SYNC_HPP

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

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
    task<guard> lock() const { return acquired(lock_); }
    bool locked() const noexcept { return aloop_lock_locked(lock_.get()) == 1; }

private:
    static task<guard> acquired(ref<aloop_lock> kept) {
        co_await aloop_lock_acquire(kept.get());
        co_return guard(std::move(kept));
    }

    ref<aloop_lock> lock_;
};

// See sync.h: set() wakes whoever waits.
class event {
public:
    event() {
        aloop_event *made = nullptr;
        check(aloop_event_new(&made));
        event_ = ref<aloop_event>(made);
    }
    detail::awaiter wait() noexcept { return detail::awaiter(aloop_event_wait(event_.get())); }
    void set() { check(aloop_event_set(event_.get())); }
    void clear() { check(aloop_event_clear(event_.get())); }
    bool is_set() const noexcept { return aloop_event_is_set(event_.get()) == 1; }

private:
    ref<aloop_event> event_;
};

// co_await semaphore.acquire() gives a guard that releases it.
class semaphore {
public:
    explicit semaphore(int64_t value = 1) {
        aloop_semaphore *made = nullptr;
        check(aloop_semaphore_new(&made, value));
        semaphore_ = ref<aloop_semaphore>(made);
    }

    class [[nodiscard]] guard {
    public:
        explicit guard(ref<aloop_semaphore> held) noexcept : held_(std::move(held)) {}
        guard(guard &&) noexcept = default;
        ~guard() {
            if (held_) aloop_semaphore_release(held_.get());
        }

    private:
        ref<aloop_semaphore> held_;
    };
    task<guard> acquire() const { return acquired(semaphore_); }
    bool locked() const noexcept { return aloop_semaphore_locked(semaphore_.get()) == 1; }

private:
    static task<guard> acquired(ref<aloop_semaphore> kept) {
        co_await aloop_semaphore_acquire(kept.get());
        co_return guard(std::move(kept));
    }

    ref<aloop_semaphore> semaphore_;
};

// co_await condition.lock() gives a guard of its lock; wait() and notify() need it.
class condition {
public:
    condition() {
        aloop_condition *made = nullptr;
        check(aloop_condition_new(&made, nullptr));
        condition_ = ref<aloop_condition>(made);
    }

    class [[nodiscard]] guard {
    public:
        explicit guard(ref<aloop_condition> held) noexcept : held_(std::move(held)) {}
        guard(guard &&) noexcept = default;
        ~guard() {
            if (held_) aloop_condition_release(held_.get());
        }

    private:
        ref<aloop_condition> held_;
    };
    task<guard> lock() const { return acquired(condition_); }
    detail::awaiter wait() noexcept {
        return detail::awaiter(aloop_condition_wait(condition_.get()));
    }
    template <typename Predicate>
    task<void> wait(Predicate holds) const {
        return wait_until(condition_, std::move(holds));
    }
    void notify(int64_t n = 1) { check(aloop_condition_notify(condition_.get(), n)); }
    void notify_all() { check(aloop_condition_notify_all(condition_.get())); }

private:
    template <typename Predicate>
    static task<void> wait_until(ref<aloop_condition> kept, Predicate holds) {
        while (!holds()) co_await aloop_condition_wait(kept.get());
    }
    static task<guard> acquired(ref<aloop_condition> kept) {
        co_await aloop_condition_acquire(kept.get());
        co_return guard(std::move(kept));
    }

    ref<aloop_condition> condition_;
};

}  // namespace cxx
}  // namespace aloop

#endif
