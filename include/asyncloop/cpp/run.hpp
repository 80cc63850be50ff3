// run.hpp: running a program.
//
// SPDX-License-Identifier: MIT
#ifndef ASYNCLOOP_CPP_RUN_HPP
#define ASYNCLOOP_CPP_RUN_HPP

#include <cerrno>

#include <asyncloop/cpp/task.hpp>

namespace aloop {
inline namespace cxx {  // other names than the library's own inside

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
        throw;  // the runner is to know how main ended
    }
}

}  // namespace detail

// asyncio.run: a loop (as options say, which are borrowed), main as its main
// task, and the orderly end of everything. What main throws is thrown here; an error
// with the code -EINTR if it was Ctrl-C that ended it.
template <typename T>
T run(task<T> main, const aloop_loop_options *options = nullptr) {
    detail::final_state<T> state;
    ref<aloop_task_options> how =
        detail::options_for(detail::keep_outcome<T>(std::move(main), &state));
    aloop_runner *made = nullptr;
    check(aloop_runner_new(&made, options));
    ref<aloop_runner> runner(made);
    const int64_t status = aloop_runner_run_ex(runner.get(), how.get(), nullptr);
    const int64_t closed = aloop_runner_close(runner.get());
    if (state.failure && status != -EINTR) std::rethrow_exception(state.failure);
    check(status);
    check(closed);
    if (!state.value) throw error(ALOOP_ELOOPSTOPPED);
    if constexpr (!std::is_void_v<T>) return std::move(*state.value);
}

}  // namespace cxx
}  // namespace aloop

#endif
