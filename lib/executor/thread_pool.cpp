// A pool of threads: one queue, one mutex, and a stack of idle workers, each with a
// semaphore of its own.
//
// To wake a thread costs more than most jobs do. So one is being woken at a time,
// and wakes the next before it begins its job, if it leaves others in the queue:
// threads that are awake take what they can meanwhile. The invariant, whenever the
// mutex is free: where a job waits and a worker is idle, one is on its way. A
// semaphore for each, and not one condition, tells who that is.
//
// A worker is started when a job finds none idle and there is room; it stays
// until the pool is shut down or unreferenced. Jobs hold references to the
// pool, workers do not: the last reference goes either on a loop's thread, which
// then joins idle workers, or on a worker whose job outlived its loop; that
// one leaves by itself.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "../base/locked.hpp"
#include "../base/mask.hpp"
#include "executor.hpp"

namespace aloop {

namespace {

constexpr int64_t k_max_queue = 1 << 20;
constexpr int64_t k_most_default_threads = 32;

struct thread_pool;

struct worker final : link {
    thread_pool *pool;
    pthread_t thread;
    sem_t called;             // once each time that it is taken off the idle ones
    worker *below = nullptr;  // among those
    job *current = nullptr;
    bool idle = false;      // or woken, and not back under the mutex yet
    bool ended = false;     // to be joined
    bool orphaned = false;  // the pool went while this one freed its job
    char name[16];          // as much as the kernel keeps
    sigset_t mask_before;

    explicit worker(thread_pool *p) : pool(p) { sem_init(&called, 0, 0); }
    ~worker() { sem_destroy(&called); }
};

struct thread_pool final : executor {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    ring queue;    // of jobs
    ring workers;  // running, or ended and not joined yet
    ring waiters;  // end_waiters
    worker *sleepers = nullptr;  // a stack: who slept last has the warmest cache
    worker *woken = nullptr;     // no sleeper any more, and not under the mutex yet
    int64_t queued = 0;
    int64_t idle = 0;     // all of those
    int64_t busy = 0;     // with a job
    int64_t threads = 0;  // that have not ended
    int64_t started = 0;
    int64_t most;
    int64_t room = k_max_queue;
    bool shutting = false;
    char name[12];
    pool_extension_info extension = {};  // set before the first job

    explicit thread_pool(int64_t n);
    ~thread_pool() {
        if (of_parent()) return;  // its threads wait there, for ever in this child
        pthread_mutex_destroy(&mutex);
    }
};

thread_local worker *t_worker = nullptr;

thread_pool *from(executor *e) { return static_cast<thread_pool *>(e); }

// Workers ---------------------------------------------------------------------------------

// Under the mutex, after each change of the queue or of who is idle: who is to be
// called once it is released; nullptr: nobody, or somebody is on the way.
worker *choose_sleeper(thread_pool *p) {
    worker *w = p->sleepers;
    if (w == nullptr || p->woken != nullptr || p->queue.empty()) return nullptr;
    p->sleepers = w->below;
    p->woken = w;
    return w;
}

// Not under the mutex, which the other one needs at once. It cannot have ended: it
// sleeps until it is called.
void call(worker *w) {
    if (w != nullptr) sem_post(&w->called);
}

// Under the mutex; those that sleep find out why.
void call_all(thread_pool *p) {
    while (worker *w = p->sleepers) {
        p->sleepers = w->below;
        call(w);
    }
}

// Under the mutex: the last worker tells those who wait.
void worker_ended(thread_pool *p, worker *w) {
    w->ended = true;
    if (--p->threads == 0) tell_waiters(&p->waiters);
}

// Under the mutex.
void be_awake(thread_pool *p, worker *w) {
    if (!std::exchange(w->idle, false)) return;
    p->idle--;
    if (p->woken == w) p->woken = nullptr;
}

// Under the mutex.
void lie_down(thread_pool *p, worker *w) {
    w->idle = true;
    p->idle++;
    w->below = std::exchange(p->sleepers, w);
}

// Under the mutex: the first that waits, out of the queue; nullptr: none does.
job *take_first(thread_pool *p) {
    link *first = p->queue.pop();
    if (first == nullptr) return nullptr;
    job *j = job_of_queue(first);
    j->waits = false;
    p->queued--;
    return j;
}

enum class turn { job, sleep, end };

turn take_turn(thread_pool *p, worker *w, worker **next) {
    locked hold(&p->mutex);
    be_awake(p, w);
    if (job *j = take_first(p)) {
        p->busy++;
        w->current = j;
        *next = choose_sleeper(p);
        return turn::job;
    }
    if (p->shutting) {
        worker_ended(p, w);
        return turn::end;
    }
    lie_down(p, w);
    return turn::sleep;
}

// Waits for a job; nullptr: the pool ends, and the worker with it.
job *begin_job(thread_pool *p, worker *w) {
    for (;;) {
        worker *next = nullptr;
        const turn what = take_turn(p, w, &next);
        if (what == turn::end) return nullptr;
        if (what == turn::job) {
            call(next);
            return w->current;
        }
        while (sem_wait(&w->called) != 0) continue;  // a signal
    }
}

void end_job(thread_pool *p, worker *w) {
    locked hold(&p->mutex);
    w->current = nullptr;
    p->busy--;
}

void lose_thread(void *w);

// Tells of a thread that ends inside of a job (pthread_exit, or the program cancels
// it). A destructor of a thread_local would run in exit() as well, also in that of
// a child that the job has forked.
pthread_key_t make_end_key() {
    pthread_key_t key = 0;
    pthread_key_create(&key, lose_thread);
    return key;
}

const pthread_key_t g_end = make_end_key();

// A cancellation of the thread ends the job alone, and not what the pool does around it.
// One that was asked for is heard before the job counts as done.
void run_cancelable(job *j) {
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    run_job(j);
    pthread_testcancel();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
}

void *work(void *data) {
    worker *w = static_cast<worker *>(data);
    thread_pool *p = w->pool;
    t_worker = w;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    pthread_setspecific(g_end, w);
    began_masked(w->mask_before);
    pthread_setname_np(pthread_self(), w->name);
    bool orphaned = false;
    while (job *j = orphaned ? nullptr : begin_job(p, w)) {
        run_cancelable(j);
        if (p->of_parent()) _exit(0);  // the job forked, and this is the child
        end_job(p, w);
        hand_back(j);
        orphaned = w->orphaned;
    }
    pthread_setspecific(g_end, nullptr);
    if (orphaned) destroy(w);
    return nullptr;
}

// Under the mutex.
int64_t start_worker(thread_pool *p) {
    worker *w = create<worker>(p);
    if (w == nullptr) return ALOOP_ENOMEM;
    const unsigned number = static_cast<unsigned>(p->started % 1000);
    std::snprintf(w->name, sizeof w->name, "%.11s_%u", p->name, number);
    int code;
    {
        const masked_start masked;
        w->mask_before = masked.before();
        code = pthread_create(&w->thread, nullptr, work, w);
    }
    if (code != 0) {
        destroy(w);
        return -code;
    }
    p->workers.push(w);
    p->threads++;
    p->started++;
    return 0;
}

void fail_lost(thread_pool *p, worker *w) {
    job *j = w->current;
    leave_job();
    end_job(p, w);
    j->status = ALOOP_EBROKENPOOL;
    if (j->failure != nullptr) unref(j->failure);
    j->failure = make_error(ALOOP_EBROKENPOOL, "the job ended the thread that ran it");
    hand_back(j);
}

// What waits gets another thread, or fails where none can be had.
void replace_lost(thread_pool *p) {
    ring failed;
    int64_t code = 0;
    {
        locked hold(&p->mutex);
        if (!p->queue.empty()) code = start_worker(p);
        if (code < 0 && p->threads == 1) {
            while (job *j = take_first(p)) failed.push(queue_link(j));
        }
    }
    while (link *first = failed.pop()) {
        job_of_queue(first)->status = code;
        hand_back(job_of_queue(first));
    }
}

void lose_thread(void *data) {
    worker *w = static_cast<worker *>(data);
    thread_pool *p = w->pool;
    if (p->of_parent()) return;  // the last thread of a child that the job forked
    fail_lost(p, w);
    if (!w->orphaned) replace_lost(p);
    if (w->orphaned) return destroy(w);
    locked hold(&p->mutex);
    worker_ended(p, w);
}

// The executor -------------------------------------------------------------------------------

// Under the mutex.
int64_t enqueue(thread_pool *p, job *j) {
    if (p->shutting) return ALOOP_ESHUTDOWN;
    // For the first of the queue threads are there, or will be.
    if (p->queued - (p->most - p->busy) >= p->room) return ALOOP_EQUEUEFULL;
    if (p->queued >= p->idle && p->threads < p->most) {
        const int64_t code = start_worker(p);
        if (code < 0 && p->threads == 0) return code;
    }
    p->queue.push(queue_link(j));
    p->queued++;
    j->waits = true;
    return 0;
}

int64_t submit(executor *e, job *j) {
    thread_pool *p = from(e);
    worker *next;
    {
        locked hold(&p->mutex);
        const int64_t code = enqueue(p, j);
        if (code < 0) return code;
        next = choose_sleeper(p);
    }
    call(next);
    return 0;
}

bool withdraw(executor *e, job *j) {
    thread_pool *p = from(e);
    locked hold(&p->mutex);
    if (!std::exchange(j->waits, false)) return false;
    p->queue.remove(queue_link(j));
    p->queued--;
    return true;
}

void begin_shutdown(executor *e) {
    thread_pool *p = from(e);
    locked hold(&p->mutex);
    p->shutting = true;
    call_all(p);
}

// Joins those that have ended: they hold nothing any more and are gone soon.
void join(executor *e) {
    thread_pool *p = from(e);
    ring ended;
    {
        locked hold(&p->mutex);
        for (link *at = p->workers.head(); at != nullptr;) {
            link *next = p->workers.after(at);
            if (static_cast<worker *>(at)->ended) {
                p->workers.remove(at);
                ended.push(at);
                if (p->workers.empty()) next = nullptr;
            }
            at = next;
        }
    }
    while (link *first = ended.pop()) {
        worker *w = static_cast<worker *>(first);
        pthread_join(w->thread, nullptr);
        destroy(w);
    }
}

bool await_end(executor *e, end_waiter *w) {
    thread_pool *p = from(e);
    locked hold(&p->mutex);
    if (p->threads == 0) return false;
    p->waiters.push(static_cast<link *>(static_cast<node *>(w)));
    return true;
}

end_waiter *forget_end(executor *e, const future *ended) {
    thread_pool *p = from(e);
    locked hold(&p->mutex);
    return take_waiter(&p->waiters, ended);
}

abandoned abandon(executor *e) {
    thread_pool *p = from(e);
    ring dropped;
    abandoned jobs = {};
    {
        locked hold(&p->mutex);
        p->shutting = true;
        jobs.waiting = p->queued;
        while (job *j = take_first(p)) dropped.push(queue_link(j));
        jobs.running = p->busy;
        for (link *at = p->workers.head(); at != nullptr; at = p->workers.after(at)) {
            job *j = static_cast<worker *>(at)->current;
            if (j != nullptr) j->cancelled.store(true, std::memory_order_relaxed);
        }
        call_all(p);
    }
    if (p->extension.data != nullptr) p->extension.abandon(p->extension.data);
    while (link *first = dropped.pop()) {
        job *j = job_of_queue(first);
        j->status = ALOOP_ECANCELED;
        hand_back(j);
    }
    return jobs;
}

int64_t describe_running(executor *e, char *buffer, size_t size) {
    thread_pool *p = from(e);
    locked hold(&p->mutex);
    writer out(buffer, size);
    for (link *at = p->workers.head(); at != nullptr; at = p->workers.after(at)) {
        const worker *w = static_cast<worker *>(at);
        if (w->current == nullptr) continue;
        list_job(&out, w->current);
        out.add(" in %s", w->name);
    }
    return out.length();
}

// In a forked child: the threads are not here, and locks may be held for ever.
void forget_pool(thread_pool *p) {
    const bool whole = pthread_mutex_trylock(&p->mutex) == 0;  // else the list may not be
    while (link *first = whole ? p->workers.pop() : nullptr) destroy(static_cast<worker *>(first));
    if (whole) tell_waiters(&p->waiters);  // the parent's: each holds its loop
    if (p->extension.data != nullptr) p->extension.forget(p->extension.data);
    destroy(p);
}

// No job is left, so every worker is idle or ending, but for the one that calls.
void destroy_pool(executor *e) {
    thread_pool *p = from(e);
    if (p->of_parent()) return forget_pool(p);
    begin_shutdown(p);
    while (link *first = p->workers.head()) {
        worker *w = static_cast<worker *>(first);
        if (w == t_worker) {
            p->workers.remove(w);
            w->orphaned = true;
            pthread_detach(w->thread);
            continue;
        }
        pthread_join(w->thread, nullptr);
        p->workers.remove(w);
        destroy(w);
    }
    if (p->extension.data != nullptr) p->extension.destroy(p->extension.data);
    destroy(p);
}

constexpr executor_ops pool_ops(bool runs_functions) {
    return {
        .submit = submit,
        .withdraw = withdraw,
        .begin_shutdown = begin_shutdown,
        .await_end = await_end,
        .forget_end = forget_end,
        .join = join,
        .abandon = abandon,
        .describe_running = describe_running,
        .destroy = destroy_pool,
        .runs_functions = runs_functions,
        .forgets_jobs = true,
    };
}

const executor_ops k_thread_pool = pool_ops(true);
const executor_ops k_process_pool = pool_ops(false);

thread_pool::thread_pool(int64_t n) : executor(&k_thread_pool), most(n) {}

thread_pool *pool_from(executor *e) {
    return e->ops == &k_thread_pool || e->ops == &k_process_pool ? from(e) : nullptr;
}

}  // namespace

executor *make_thread_pool(int64_t n, const char *name) {
    thread_pool *p = create<thread_pool>(n);
    if (p != nullptr) std::snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

void extend_pool(executor *e, const pool_extension_info &extension) {
    e->ops = &k_process_pool;
    from(e)->extension = extension;
}

void *pool_extension(executor *e) {
    const thread_pool *p = pool_from(e);
    return p != nullptr ? p->extension.data : nullptr;
}

int64_t name_pool(executor *e, const char *name) {
    thread_pool *p = pool_from(e);
    if (p == nullptr) return ALOOP_EWRONGTYPE;
    locked hold(&p->mutex);
    std::snprintf(p->name, sizeof p->name, "%s", name);
    return 0;
}

int64_t bound_pool(executor *e, int64_t n) {
    thread_pool *p = pool_from(e);
    if (p == nullptr) return ALOOP_EWRONGTYPE;
    locked hold(&p->mutex);
    p->room = n;
    return 0;
}

int64_t default_thread_count() {
    cpu_set_t usable;
    const int cores = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    return cores + 4 < k_most_default_threads ? cores + 4 : k_most_default_threads;
}

}  // namespace aloop
