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

#include <asyncloop/cpp/combine.hpp>
#include <asyncloop/cpp/error.hpp>
#include <asyncloop/cpp/future.hpp>
#include <asyncloop/cpp/generator.hpp>
#include <asyncloop/cpp/queue.hpp>
#include <asyncloop/cpp/reference.hpp>
#include <asyncloop/cpp/run.hpp>
#include <asyncloop/cpp/stream.hpp>
#include <asyncloop/cpp/sync.hpp>
#include <asyncloop/cpp/task.hpp>
#include <asyncloop/cpp/time.hpp>

#endif
