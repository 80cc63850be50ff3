// thread_future.hpp: the outcome of a coroutine, for threads outside its loop.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include "executor.hpp"

namespace aloop {

// Free object. One reference is the caller's, one that of the work on the loop.
// What is below the mutex is under it, until `done`, and constant after that but
// for the value, which one reader takes. In a forked child the locks begin anew:
// threads that the child does not have may have held them or waited.
struct thread_future final : object {
    loop *home;  // a reference
    aloop_coro_fn fn;
    void *arg;
    aloop::context *context = nullptr;
    future *of = nullptr;  // the task; a reference, the loop's thread's

    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed;
    bool done = false;
    bool value_taken = false;
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;
    error *failure = nullptr;
    const uint32_t forks = fork_generation();
    uint32_t locks_of = fork_generation();  // the process whose threads use them

    struct message : posted {
        thread_future *of;
    } begin, stop;

    thread_future(loop *l, aloop_coro_fn f, void *a);
    ~thread_future();
};

// nullptr: out of memory, or the loop is closed.
thread_future *run_threadsafe(loop *l, aloop_coro_fn fn, void *arg);
int64_t wait_done(thread_future *f, double timeout);
int64_t cancel(thread_future *f);
// Under the mutex where it changes something.
int64_t read_value(thread_future *f, void **value, bool take);
error *error_of(thread_future *f);
bool is_done(thread_future *f);

inline thread_future *from_c(aloop_thread_future *f) {
    return reinterpret_cast<thread_future *>(f);
}

}  // namespace aloop
