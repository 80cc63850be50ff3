// side_pool.hpp: a few threads of a loop, for system calls that block: name lookups
// and files. The program's executor is not used for these, because each would
// starve the other.
//
// A job has one owner at a time: the pool from submit on, and the loop again when
// it was posted to the loop's inbox. Only the loop's thread touches `result` and the
// list of outstanding jobs. Closing the loop takes the results off its jobs, so a
// late thread holds nothing of the loop. A running call cannot be interrupted: if it
// is cancelled, its job ends in the background.
//
// In a forked child the threads are gone, and one may have held the mutex. Closing
// the loop there uses only the loop's list, and touches neither.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include "future.hpp"

namespace aloop {

struct side_pool;

struct side_job_link : link {};

struct side_job : posted, side_job_link {
    // work: on a thread of the pool. arrive: back on the loop's thread, with the
    // result, which is to be finished if it is pending; also for a job that was
    // cancelled in time. forsaken (may be nullptr): the loop closes, or there is
    // no thread; it does not arrive. free_job: any thread.
    void (*work)(side_job *) = nullptr;
    void (*arrive)(side_job *, future *result) = nullptr;
    void (*forsaken)(side_job *) = nullptr;
    void (*free_job)(side_job *) = nullptr;
    bool stays = false;  // is done also if it was cancelled before it began

    side_pool *pool = nullptr;
    future *result = nullptr;  // a reference; nullptr: the loop closed
    done_callback *observer = nullptr;
    side_job *next_job = nullptr;  // in the pool's queue
    enum : uint8_t { held, queued, running, back } where = held;  // under the mutex
};

// Shared by the loop and its threads, and freed by the last of them.
struct side_pool final : resource {
    loop *home;
    void **slot;           // where the loop keeps it
    const char *name;      // of its threads
    int most_threads;
    bool waits;            // the close waits for what has begun
    uint32_t forks = fork_generation();
    ring outstanding;      // side_job_link; the loop's thread's
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t work = PTHREAD_COND_INITIALIZER;
    pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
    side_job *head = nullptr;
    side_job *tail = nullptr;
    int waiting = 0;  // jobs in the queue
    int busy = 0;     // threads with a job
    int idle = 0;
    int threads = 0;
    int users = 1;
    bool closing = false;
};

struct side_pool_options {
    const char *name;
    int most_threads;
    bool waits;
};

// The pool in that slot of the loop, made on first use; nullptr: out of memory.
side_pool *side_pool_of(loop *l, void **slot, const side_pool_options &options);

// Hands j over and gives the future of its outcome; a failed one (-EAGAIN) where
// there is no thread for it. nullptr: out of memory. In both cases j is freed.
future *submit(side_pool *p, side_job *j);
// The same, but it begins when submit_held is called. False: there is no thread
// for it; it has failed and is gone.
future *hold(side_pool *p, side_job *j);
bool submit_held(side_job *j);

}  // namespace aloop
