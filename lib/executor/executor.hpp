// executor.hpp: what runs jobs, and the jobs.
//
// A job has one owner at a time: the executor from submit() on, and the loop
// again once the job was handed back through its inbox. So it needs neither a
// count nor a lock: a worker touches it until it posts it, the loop's thread
// after that. Besides, each loop lists its outstanding jobs: when it closes it
// takes its own things off them, and what comes back later finds the inbox
// closed and is freed by the worker.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/executor.h>

#include "../base/writer.hpp"
#include "../context/context.hpp"
#include "../future/future.hpp"
#include "../task/operation.hpp"

namespace aloop {

struct executor;
struct loop_executors;

constexpr size_t k_job_name = 64;

struct job_link : link {};

struct job final : posted, job_link {
    loop *home = nullptr;          // a reference
    loop_executors *list = nullptr;  // nullptr: the loop has closed
    executor *by = nullptr;        // a reference
    future *result = nullptr;      // a reference, the loop's thread's
    done_callback *observer = nullptr;
    aloop_job_fn fn_ = nullptr;
    void *arg = nullptr;
    aloop_free_fn arg_free = nullptr;
    var_cell context{nullptr, 0};
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;
    error *failure = nullptr;
    std::atomic<bool> cancelled{false};
    std::atomic<bool> answered{false};  // by an executor of the program's own
    bool waits = false;             // in a pool's queue; under its mutex
    bool handed_back = false;       // a forked child asks, which has no other thread
    bool worker_died = false;       // of itself: its loop is told
    error *worker_death = nullptr;  // a reference, or out of memory
    void *shown = nullptr;       // the function that reports name
    char name[k_job_name] = "";  // see name_this_job
};

inline link *queue_link(job *j) { return static_cast<link *>(static_cast<node *>(j)); }
inline job *job_of_queue(link *l) { return static_cast<job *>(static_cast<node *>(l)); }

// The job that runs in this thread.
job *current_job();
void run_job(job *j);
// In its place where the job has ended the thread: nothing of it is used any more.
void leave_job();
// The owner has done with it; status and so on are set.
void hand_back(job *j);
// How reports name it, in a line of its own; the job may say so itself, under a lock.
void name_this_job(const char *name);
void list_job(writer *out, const job *j);

// Tells a loop that an executor has ended; stands in the executor's list.
struct end_waiter : posted {
    loop *home;  // a reference
    future *ended;  // a reference
};
// All of a list, which is empty then.
void tell_waiters(ring *waiters);
// Out of the list; nullptr: it is not there.
end_waiter *take_waiter(ring *waiters, const future *ended);

// What a shutdown whose time is up has left undone.
struct abandoned {
    int64_t running;
    int64_t waiting;
};

struct executor_ops {
    // Takes j, or says why not. On the thread of j's loop.
    int64_t (*submit)(executor *e, job *j);
    // Whether j is the caller's again and will never run.
    bool (*withdraw)(executor *e, job *j);
    void (*begin_shutdown)(executor *e);
    // False: it has ended, and w stays the caller's.
    bool (*await_end)(executor *e, end_waiter *w);
    // Takes back the waiter for that future; nullptr: it is on its way.
    end_waiter *(*forget_end)(executor *e, const future *ended);
    // Once it has ended: frees what its threads left.
    void (*join)(executor *e);
    // The time is up: queued jobs are dropped, running ones told.
    abandoned (*abandon)(executor *e);
    int64_t (*describe_running)(executor *e, char *buffer, size_t size);
    void (*destroy)(executor *e);
    bool runs_functions;  // of this address space
    bool forgets_jobs;    // once it has handed them back
};

struct executor : object {
    const executor_ops *ops;
    uint32_t forks = fork_generation();

    explicit executor(const executor_ops *o) : object(kind::executor), ops(o) {
        count_live(kind::executor, 1);
    }
    ~executor() { count_live(kind::executor, -1); }
    // Made before a fork: it has no threads here.
    bool of_parent() const { return forks != fork_generation(); }
};

inline executor *from_c(aloop_executor *e) { return reinterpret_cast<executor *>(e); }

// nullptr: out of memory. n is at least 1.
executor *make_thread_pool(int64_t n, const char *name);
// What turns it into a pool of processes.
struct pool_extension_info {
    void *data;
    void (*abandon)(void *data);
    void (*destroy)(void *data);
    void (*forget)(void *data);  // in a forked child: it is the parent's
};
void extend_pool(executor *e, const pool_extension_info &extension);
void *pool_extension(executor *e);  // nullptr: none
executor *make_process_pool(int64_t n);
executor *make_custom(const aloop_executor_vtable &table, void *data, aloop_free_fn free_fn);
// Hands back a job of such an executor.
void answer_job(job *j);
int64_t name_pool(executor *e, const char *name);
int64_t bound_pool(executor *e, int64_t n);
int64_t default_thread_count();

// What a loop has of executors: its default one and its outstanding jobs.
struct loop_executors final : resource {
    loop *home;
    ring jobs;
    executor *standard = nullptr;  // a reference
    bool shut_down = false;
    // The blocks of jobs that came back, for the next ones; the loop's thread's.
    link *spare = nullptr;
    int spares = 0;

    explicit loop_executors(loop *l);
    static loop_executors *of(loop *l);  // nullptr: out of memory
};

struct job_request {
    aloop_job_fn fn;
    void *arg;
    aloop_free_fn arg_free;
    var_map *context;  // adopted
    void *shown = nullptr;  // the function that reports name; nullptr: fn
};

// nullptr: out of memory; then arg is still the caller's.
job *make_job(loop *l, const job_request &request);
// Starts a job on e (nullptr: the loop's default). A failed future if that is
// not possible; then the job is gone. Its argument's destructor is the
// program's and runs on the loop's own stack.
future *submit_job(loop *l, executor *e, job *j);
future *submit_job(loop *l, executor *e, const job_request &request);
// A future that has failed with that code; arg goes as above.
future *refuse_job(loop *l, const job_request &request, int64_t code);
// The same for a function of bytes, in a worker process if e has some.
future *submit_call(loop *l, executor *e, aloop_process_fn function, const void *data, size_t n);
// An operation.
future *make_to_thread(loop *l, const job_request &request);
// An operation; e is nullptr for the loop's default executor. timeout < 0: none.
future *make_shutdown(loop *l, executor *e, double timeout);
int64_t set_default_executor(loop *l, executor *e);

}  // namespace aloop
