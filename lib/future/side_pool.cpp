// SPDX-License-Identifier: MIT
#include "side_pool.hpp"

#include <signal.h>

#include <cerrno>

#include "../base/locked.hpp"

namespace aloop {

namespace {

void destroy_pool(side_pool *p) {
    pthread_cond_destroy(&p->ended);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    destroy(p);
}

void leave_pool(side_pool *p) {
    bool last;
    {
        locked hold(&p->mutex);
        last = --p->users == 0;
    }
    if (last) destroy_pool(p);
}

// Takes the loop's things off j; on the loop's thread.
future *detach(side_job *j) {
    j->pool->outstanding.remove(static_cast<side_job_link *>(j));
    j->pool->home->unpin();
    if (j->observer != nullptr) forget(std::exchange(j->observer, nullptr));
    return std::exchange(j->result, nullptr);
}

// Back on the loop's thread; the pool may be gone if the loop has closed.
void deliver(node *item, action what) {
    side_job *j = static_cast<side_job *>(item);
    if (j->result != nullptr) {
        future *f = detach(j);
        if (what == action::run) j->arrive(j, f);
        unref(f);
    }
    j->free_job(j);
}

bool take_out(side_pool *p, side_job *j) {
    side_job *before = nullptr;
    for (side_job *at = p->head; at != nullptr; before = at, at = at->next_job) {
        if (at != j) continue;
        if (before != nullptr) before->next_job = j->next_job;
        else p->head = j->next_job;
        if (p->tail == j) p->tail = before;
        p->waiting--;
        return true;
    }
    return false;
}

// Cancelled: a job that has not begun never will.
int64_t on_result_done(aloop_future *, void *data) {
    side_job *j = static_cast<side_job *>(data);
    j->observer = nullptr;  // it runs, and goes after that
    if (j->result->state != k_was_cancelled || j->stays) return 0;
    side_pool *p = j->pool;
    {
        locked hold(&p->mutex);
        if (j->where != side_job::held && !take_out(p, j)) return 0;
    }
    future *f = detach(j);
    j->arrive(j, f);
    unref(f);
    j->free_job(j);
    return 0;
}

side_job *next_job(side_pool *p) {
    while (p->head == nullptr && !p->closing) {
        p->idle++;
        pthread_cond_wait(&p->work, &p->mutex);
        p->idle--;
    }
    if (p->closing) return nullptr;
    side_job *j = p->head;
    take_out(p, j);
    j->where = side_job::running;
    return j;
}

void *run_thread(void *argument) {
    side_pool *p = static_cast<side_pool *>(argument);
    pthread_setname_np(pthread_self(), p->name);
    pthread_mutex_lock(&p->mutex);
    while (side_job *j = next_job(p)) {
        p->busy++;
        pthread_mutex_unlock(&p->mutex);
        j->work(j);
        pthread_mutex_lock(&p->mutex);
        p->busy--;
        if (p->closing) {
            j->free_job(j);  // nobody waits any more
            break;
        }
        j->where = side_job::back;
        p->home->post(j);  // it cannot be closed before the pool is
    }
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->mutex);
    leave_pool(p);
    return nullptr;
}

// Signals are the program's threads' affair.
bool start_thread(side_pool *p) {
    constexpr size_t k_stack = 1024 * 1024;  // getaddrinfo's modules are no small users
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, k_stack);
    pthread_t thread;
    p->users++;
    const bool made = pthread_create(&thread, &attributes, run_thread, p) == 0;
    if (!made) p->users--;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (made) p->threads++;
    return made;
}

// What was posted already is freed when the loop's inbox is emptied.
void forsake(side_pool *p, bool threads_exist) {
    while (link *first = p->outstanding.head()) {
        side_job *j = static_cast<side_job *>(static_cast<side_job_link *>(first));
        unref(detach(j));
        if (j->forsaken != nullptr) j->forsaken(j);
        const bool ours = j->where == side_job::held || j->where == side_job::queued ||
                          (j->where == side_job::running && !threads_exist);
        if (ours) j->free_job(j);
    }
}

void close_pool(resource *self) {
    side_pool *p = static_cast<side_pool *>(self);
    *p->slot = nullptr;
    if (p->forks != fork_generation()) {
        forsake(p, false);
        destroy(p);  // without its mutex, which a thread of the parent may hold
        return;
    }
    {
        locked hold(&p->mutex);
        p->closing = true;
        p->head = p->tail = nullptr;
        forsake(p, true);
        pthread_cond_broadcast(&p->work);
        while (p->waits && p->busy > 0) pthread_cond_wait(&p->ended, &p->mutex);
    }
    leave_pool(p);
}

// False: there is no thread for it.
bool enqueue(side_pool *p, side_job *j) {
    locked hold(&p->mutex);
    bool ok = true;
    if (p->waiting >= p->idle && p->threads < p->most_threads) {
        ok = start_thread(p) || p->threads > 0;
    }
    if (ok) {
        j->where = side_job::queued;
        if (p->tail != nullptr) p->tail->next_job = j;
        else p->head = j;
        p->tail = j;
        p->waiting++;
        pthread_cond_signal(&p->work);
    }
    return ok;
}

}  // namespace

side_pool *side_pool_of(loop *l, void **slot, const side_pool_options &options) {
    if (*slot != nullptr) return static_cast<side_pool *>(*slot);
    side_pool *p = create<side_pool>();
    if (p == nullptr) return nullptr;
    p->home = l;
    p->slot = slot;
    p->name = options.name;
    p->most_threads = options.most_threads;
    p->waits = options.waits;
    p->close = close_pool;
    *slot = p;
    l->add_resource(p);
    return p;
}

future *hold(side_pool *p, side_job *j) {
    loop *l = p->home;
    future *f = make_future(l);
    j->pool = p;
    j->fn = deliver;
    if (f != nullptr) j->observer = observe(f, on_result_done, j, nullptr);
    if (j->observer == nullptr) {
        if (f != nullptr) unref(f);
        j->free_job(j);
        return nullptr;
    }
    ref(f);
    j->result = f;
    p->outstanding.push(static_cast<side_job_link *>(j));
    l->pin();
    return f;
}

bool submit_held(side_job *j) {
    if (enqueue(j->pool, j)) return true;
    future *f = detach(j);
    if (f->pending()) fail(f, -EAGAIN, make_error(-EAGAIN, "no thread for it"));
    unref(f);
    if (j->forsaken != nullptr) j->forsaken(j);
    j->free_job(j);
    return false;
}

future *submit(side_pool *p, side_job *j) {
    future *f = hold(p, j);
    if (f != nullptr) submit_held(j);
    return f;
}

}  // namespace aloop
