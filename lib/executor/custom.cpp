// An executor of the program's own, through a table of functions. It has ended
// when it was told to and each job that it took was answered; whether its threads
// have is its own matter.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>

#include <utility>

#include "../base/locked.hpp"
#include "executor.hpp"

namespace aloop {

namespace {

struct custom final : executor {
    aloop_executor_vtable table;
    void *data;
    aloop_free_fn free_fn;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // of what follows; held briefly
    ring jobs;     // that have not been answered
    ring waiters;  // end_waiters
    bool shutting = false;

    custom(const aloop_executor_vtable &t, void *d, aloop_free_fn f);
    ~custom() {
        if (free_fn != nullptr) free_fn(data);
    }
};

custom *from(executor *e) { return static_cast<custom *>(e); }

// Those who wait for the last job, when j was that; they are told by the caller.
void remove_job(custom *c, job *j, ring *told) {
    locked hold(&c->mutex);
    c->jobs.remove(queue_link(j));
    if (!c->jobs.empty()) return;
    while (link *first = c->waiters.pop()) told->push(first);
}

void give_up_job(custom *c, job *j) {
    ring told;
    remove_job(c, j, &told);
    tell_waiters(&told);
}

int64_t submit(executor *e, job *j) {
    custom *c = from(e);
    {
        locked hold(&c->mutex);
        if (c->shutting) return ALOOP_ESHUTDOWN;
        c->jobs.push(queue_link(j));
    }
    // One that was answered is on its way to the loop, whatever submit says then.
    const int64_t code = c->table.submit(c->data, reinterpret_cast<aloop_job *>(j));
    if (code >= 0 || j->answered.load()) return 0;
    give_up_job(c, j);
    return code;
}

bool withdraw(executor *e, job *j) {
    custom *c = from(e);
    if (j->answered.load() || c->table.withdraw == nullptr) return false;
    const bool given = c->table.withdraw(c->data, reinterpret_cast<aloop_job *>(j)) > 0;
    if (!given || j->answered.load()) return false;
    give_up_job(c, j);
    return true;
}

void begin_shutdown(executor *e) {
    custom *c = from(e);
    {
        locked hold(&c->mutex);
        if (std::exchange(c->shutting, true)) return;
    }
    if (c->table.shutdown != nullptr) c->table.shutdown(c->data);
}

bool await_end(executor *e, end_waiter *w) {
    custom *c = from(e);
    locked hold(&c->mutex);
    if (c->jobs.empty()) return false;
    c->waiters.push(static_cast<link *>(static_cast<node *>(w)));
    return true;
}

end_waiter *forget_end(executor *e, const future *ended) {
    custom *c = from(e);
    locked hold(&c->mutex);
    return take_waiter(&c->waiters, ended);
}

void join(executor *) {}

// Which of them have begun only the program knows.
abandoned abandon(executor *e) {
    custom *c = from(e);
    locked hold(&c->mutex);
    abandoned left = {};
    for (link *at = c->jobs.head(); at != nullptr; at = c->jobs.after(at)) {
        job_of_queue(at)->cancelled.store(true, std::memory_order_relaxed);
        left.running++;
    }
    return left;
}

int64_t describe_running(executor *e, char *buffer, size_t size) {
    custom *c = from(e);
    locked hold(&c->mutex);
    writer out(buffer, size);
    for (link *at = c->jobs.head(); at != nullptr; at = c->jobs.after(at)) {
        list_job(&out, job_of_queue(at));
    }
    return out.length();
}

// In a forked child the threads that its shutdown would see to are not there.
void destroy_custom(executor *e) {
    if (!e->of_parent()) begin_shutdown(e);
    destroy(from(e));
}

const executor_ops k_custom = {
    .submit = submit,
    .withdraw = withdraw,
    .begin_shutdown = begin_shutdown,
    .await_end = await_end,
    .forget_end = forget_end,
    .join = join,
    .abandon = abandon,
    .describe_running = describe_running,
    .destroy = destroy_custom,
    .runs_functions = true,
    .forgets_jobs = false,
};

custom::custom(const aloop_executor_vtable &t, void *d, aloop_free_fn f)
    : executor(&k_custom), table(t), data(d), free_fn(f) {}

}  // namespace

// The job goes first: who waits for the end finds all outcomes. Nothing of the
// executor is used after that, which may be gone with its last job.
void answer_job(job *j) {
    ring told;
    if (!j->by->of_parent()) remove_job(from(j->by), j, &told);
    hand_back(j);
    tell_waiters(&told);
}

executor *make_custom(const aloop_executor_vtable &table, void *data, aloop_free_fn free_fn) {
    return create<custom>(table, data, free_fn);
}

}  // namespace aloop
