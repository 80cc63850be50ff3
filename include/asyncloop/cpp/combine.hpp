// combine.hpp: several tasks at once: gather, select, groups.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_COMBINE_HPP
#define ASYNCLOOP_CPP_COMBINE_HPP

#include <tuple>
#include <variant>

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

// All side by side; the values in order (std::monostate for void). The first
// failure is thrown and leaves the others running, as asyncio.gather does.
template <typename... T>
task<std::tuple<std::conditional_t<std::is_void_v<T>, std::monostate, T>...>> gather(
    task<T>... bodies) {
    ref<aloop_future> each[] = {spawn(std::move(bodies))...};
    aloop_future *all[sizeof...(T)];
    for (size_t i = 0; i < sizeof...(T); i++) all[i] = each[i].release();
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
    std::vector<aloop_future *> all(bodies.size());
    std::vector<ref<aloop_future>> each;
    for (task<T> &body : bodies) each.push_back(spawn(std::move(body)));
    for (size_t i = 0; i < all.size(); i++) all[i] = each[i].release();
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
        detail::start(body.get());
        ref<aloop_task_options> how = detail::options_for(std::move(body));
        future<T> made(aloop_task_group_create_task_ex(group_, how.get()));
        if (detail::is_no_task(made.get()) && made.done()) {
            const int64_t code = aloop_future_result(made.get(), nullptr);
            if (code < 0) throw_error(code, aloop_future_error(made.get()));
        }
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
    ref<aloop_task_group> owned(g);  // a frame that is destroyed here gives it up
    task_group group(g);
    int64_t status = 0;
    try {
        co_await body(group);
    } catch (...) {
        status = detail::raise_current();
    }
    co_await aloop_task_group_join(owned.release(), status);
}

// Waits until one of them is done, and tells which: its place among the arguments.
// None is cancelled, and each keeps its outcome: await the one that is done.
template <typename... T>
task<size_t> select(future<T> &...futures) {
    aloop_future *all[] = {static_cast<aloop_future *>(aloop_ref(futures.get()))...};
    outcome o = co_await aloop_select(all, sizeof...(T));
    ref<aloop_results> list(static_cast<aloop_results *>(o.value));
    co_return static_cast<size_t>(o.status);
}

}  // namespace cxx
}  // namespace aloop

#endif
