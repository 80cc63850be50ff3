// SPDX-License-Identifier: MIT
#include "thread_future.hpp"

#include <cerrno>
#include <cmath>
#include <utility>

#include "../base/locked.hpp"
#include "../task/task.hpp"

namespace aloop {

namespace {

void init_locks(thread_future *f) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&f->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&f->mutex, nullptr);
    f->locks_of = fork_generation();
}

bool of_parent(const thread_future *f) { return f->forks != fork_generation(); }

// A child makes itself new ones: a thread of the parent may hold those.
pthread_mutex_t *mutex_of(thread_future *f) {
    if (f->locks_of != fork_generation()) init_locks(f);
    return &f->mutex;
}

void destroy_thread_future(object *o) { destroy(static_cast<thread_future *>(o)); }

const register_kind g_thread_future(kind::thread_future, {"thread_future", destroy_thread_future});

// Under the mutex. False: it is done already, and what is handed over stays.
bool settle(thread_future *f, int64_t status, void *value, aloop_free_fn free_fn, error *adopted) {
    if (f->done) return false;
    f->done = true;
    f->status = status;
    f->value = value;
    f->value_free = free_fn;
    f->failure = adopted;
    pthread_cond_broadcast(&f->changed);
    return true;
}

void settle_or_free(thread_future *f, int64_t status, void *value, aloop_free_fn free_fn,
                    error *adopted) {
    bool taken;
    {
        locked hold(mutex_of(f));
        taken = settle(f, status, value, free_fn, adopted);
    }
    if (taken) return;
    if (free_fn != nullptr) free_fn(value);
    if (adopted != nullptr) unref(adopted);
}

int64_t on_task_done(aloop_future *, void *data) {
    thread_future *f = static_cast<thread_future *>(data);
    future *t = f->of;
    if (t->status() < 0) {
        error *e = error_of(t);
        if (e != nullptr) ref(e);
        settle_or_free(f, t->status(), nullptr, nullptr, e);
        return 0;
    }
    void *value = nullptr;
    const aloop_free_fn free_fn = t->done.value_free;
    const int64_t status = take_value(t, &value);
    settle_or_free(f, status, value, status >= 0 ? free_fn : nullptr, nullptr);
    return 0;
}

// The end of the loop's side, also where the loop was closed before the task
// was done.
void task_gone(void *data) {
    thread_future *f = static_cast<thread_future *>(data);
    settle_or_free(f, ALOOP_ECANCELED, nullptr, nullptr, nullptr);
    f->of = nullptr;
    unref(f);
}

void start_task(thread_future *f) {
    task_options *o = create<task_options>();
    future *t = nullptr;
    if (o != nullptr) {
        o->fn = f->fn;
        o->arg = f->arg;
        o->context = std::exchange(f->context, nullptr);
        t = create_task(f->home, o);
        unref(o);
    }
    f->of = t;
    if (t == nullptr || observe(t, on_task_done, f, task_gone) == nullptr) {
        f->home->report("a coroutine from another thread was not started", ALOOP_ENOMEM, nullptr);
        settle_or_free(f, ALOOP_ENOMEM, nullptr, nullptr, nullptr);
        if (t != nullptr) cancel(t, nullptr);
        f->of = nullptr;
        unref(f);
    }
    // The observer keeps it alive: it stands on it until it is done.
    if (t != nullptr) unref(t);
}

void begin(node *item, action what) {
    thread_future *f = static_cast<thread_future::message *>(item)->of;
    if (what == action::run && !is_done(f)) {
        start_task(f);
        return;
    }
    settle_or_free(f, ALOOP_ECANCELED, nullptr, nullptr, nullptr);
    unref(f);
}

void stop(node *item, action what) {
    thread_future *f = static_cast<thread_future::message *>(item)->of;
    if (what == action::run && f->of != nullptr) cancel(f->of, nullptr);
    unref(f);
}

}  // namespace

thread_future::thread_future(loop *l, aloop_coro_fn f, void *a)
    : object(kind::thread_future), home(l), fn(f), arg(a) {
    ref(static_cast<object *>(l));
    count_live(kind::thread_future, 1);
    init_locks(this);
    begin.of = stop.of = this;
    begin.fn = aloop::begin;
    stop.fn = aloop::stop;
}

thread_future::~thread_future() {
    if (value_free != nullptr && !value_taken) value_free(value);
    if (failure != nullptr) unref(failure);
    if (context != nullptr) unref(context);
    unref(static_cast<object *>(home));
    if (locks_of == fork_generation()) {  // else it would wait for the parent's threads
        pthread_cond_destroy(&changed);
        pthread_mutex_destroy(&mutex);
    }
    count_live(kind::thread_future, -1);
}

thread_future *run_threadsafe(loop *l, aloop_coro_fn fn, void *arg) {
    thread_future *f = create<thread_future>(l, fn, arg);
    if (f == nullptr) return nullptr;
    var_map *map = capture_context();
    f->context = create<context>(map);
    if (f->context == nullptr) drop(map);
    ref(f);
    if (f->context != nullptr && l->post(&f->begin) == 0) return f;
    unref(f);
    unref(f);
    return nullptr;
}

bool is_done(thread_future *f) {
    locked hold(mutex_of(f));
    return f->done;
}

int64_t wait_done(thread_future *f, double timeout) {
    locked hold(mutex_of(f));
    if (!f->done && of_parent(f)) return ALOOP_ECHILD;
    if (!f->done && running_loop() == f->home) return ALOOP_EWRONGTHREAD;
    const bool limited = timeout >= 0 && !std::isinf(timeout);
    const int64_t until = limited ? deadline_after(monotonic_now(), timeout) : k_never;
    const timespec when = {until / 1000000000, until % 1000000000};
    while (!f->done) {
        if (!limited) {
            pthread_cond_wait(&f->changed, &f->mutex);
        } else if (pthread_cond_timedwait(&f->changed, &f->mutex, &when) == ETIMEDOUT) {
            break;
        }
    }
    return f->done ? f->status : ALOOP_ETIMEDOUT;
}

int64_t cancel(thread_future *f) {
    {
        locked hold(mutex_of(f));
        if (!f->done && of_parent(f)) return ALOOP_ECHILD;
        if (!settle(f, ALOOP_ECANCELED, nullptr, nullptr, nullptr)) return 0;
    }
    ref(f);
    if (f->home->post(&f->stop) < 0) unref(f);
    return 1;
}

int64_t read_value(thread_future *f, void **value, bool take) {
    locked hold(mutex_of(f));
    if (!f->done) return ALOOP_EINVALIDSTATE;
    if (value == nullptr || f->status < 0) return f->status;
    if (f->value_taken) return ALOOP_EVALUETAKEN;
    *value = f->value;
    if (take && f->value_free != nullptr) f->value_taken = true;
    return f->status;
}

error *error_of(thread_future *f) {
    locked hold(mutex_of(f));
    if (!f->done || f->status >= 0) return nullptr;
    if (f->failure == nullptr) f->failure = make_error(f->status, nullptr);
    return f->failure;
}

}  // namespace aloop
