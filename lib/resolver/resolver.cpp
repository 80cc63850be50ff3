// SPDX-License-Identifier: MIT
#include "resolver.hpp"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace aloop {

namespace {

constexpr int k_most_threads = 4;

// One name under way. It stands in the pool's queue, then among its running
// jobs, then, posted, in the loop's inbox. `result` is the loop's thread's alone:
// the close takes it away from jobs that still run, so that a thread that is
// late holds nothing of the loop.
struct job : posted {
    loop *home;
    future *result;
    job *next_job = nullptr;
    char *host;
    char port[8];
    addrinfo hints = {};
    int code = 0;
    int system_error = 0;
    addrinfo *found = nullptr;
};

// Shared by the loop and its threads, and freed by the last of them.
struct pool final : resource {
    loop *home;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t work = PTHREAD_COND_INITIALIZER;
    job *head = nullptr;
    job *tail = nullptr;
    job *running = nullptr;
    int idle = 0;
    int threads = 0;
    int users = 1;
    bool closing = false;

    ~pool() {
        pthread_cond_destroy(&work);
        pthread_mutex_destroy(&mutex);
    }
};

void leave_pool(pool *p) {
    pthread_mutex_lock(&p->mutex);
    const bool last = --p->users == 0;
    pthread_mutex_unlock(&p->mutex);
    if (last) destroy(p);
}

address_list *copy_found(const addrinfo *found) {
    int64_t n = 0;
    for (const addrinfo *a = found; a != nullptr; a = a->ai_next) n++;
    address_list *list = make_addresses(n);
    if (list == nullptr) return nullptr;
    address *to = list->entries;
    for (const addrinfo *a = found; a != nullptr; a = a->ai_next, to++) {
        to->size = a->ai_addrlen < sizeof to->path ? a->ai_addrlen : sizeof to->path;
        std::memcpy(&to->any, a->ai_addr, to->size);
    }
    return list;
}

error *resolve_error(const char *host, int code, int system_error) {
    const char *text = code == EAI_SYSTEM ? strerrordesc_np(system_error) : gai_strerror(code);
    return format_error(ALOOP_ERESOLVE, "%s: '%s'", text != nullptr ? text : "Unknown error",
                        host != nullptr ? host : "");
}

void give_outcome(future *f, const char *host, int code, int system_error, addrinfo *found) {
    if (code == 0) {
        address_list *list = copy_found(found);
        if (list != nullptr) {
            finish(f, list->count, list, free_addresses);
        } else {
            fail(f, ALOOP_ENOMEM, nullptr);
        }
    } else if (code == EAI_MEMORY) {
        fail(f, ALOOP_ENOMEM, nullptr);
    } else {
        fail(f, ALOOP_ERESOLVE, resolve_error(host, code, system_error));
    }
}

void free_job(job *j) {
    if (j->found != nullptr) freeaddrinfo(j->found);
    release(j->host);
    destroy(j);
}

// Back on the loop's thread.
void deliver(node *item, action what) {
    job *j = static_cast<job *>(item);
    future *f = j->result;
    j->home->unpin();
    if (what == action::run && f->pending()) {
        give_outcome(f, j->host, j->code, j->system_error, j->found);
    }
    unref(f);
    free_job(j);
}

void take_out(pool *p, job *j) {
    job **at = &p->running;
    while (*at != j) at = &(*at)->next_job;
    *at = j->next_job;
}

void *run_thread(void *argument) {
    pool *p = static_cast<pool *>(argument);
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (p->head == nullptr && !p->closing) {
            p->idle++;
            pthread_cond_wait(&p->work, &p->mutex);
            p->idle--;
        }
        if (p->closing) break;
        job *j = p->head;
        p->head = j->next_job;
        if (p->head == nullptr) p->tail = nullptr;
        j->next_job = p->running;
        p->running = j;
        pthread_mutex_unlock(&p->mutex);
        j->code = getaddrinfo(j->host, j->port, &j->hints, &j->found);
        j->system_error = errno;
        pthread_mutex_lock(&p->mutex);
        if (p->closing) {
            free_job(j);  // nobody waits any more
            break;
        }
        take_out(p, j);
        p->home->post(j);  // it cannot be closed before the pool is
    }
    pthread_mutex_unlock(&p->mutex);
    leave_pool(p);
    return nullptr;
}

// Signals are the program's threads' affair.
bool start_thread(pool *p) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1024 * 1024);
    pthread_t thread;
    p->users++;
    const bool made = pthread_create(&thread, &attributes, run_thread, p) == 0;
    if (!made) p->users--;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (made) p->threads++;
    return made;
}

void close_pool(resource *self) {
    pool *p = static_cast<pool *>(self);
    p->home->resolver = nullptr;
    pthread_mutex_lock(&p->mutex);
    p->closing = true;
    job *left = p->head;
    p->head = p->tail = nullptr;
    for (job *j = p->running; j != nullptr; j = j->next_job) {
        p->home->unpin();
        unref(j->result);
    }
    p->running = nullptr;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
    while (left != nullptr) {
        job *next = left->next_job;
        left->home->unpin();
        unref(left->result);
        free_job(left);
        left = next;
    }
    leave_pool(p);
}

pool *pool_of(loop *l) {
    if (l->resolver == nullptr) {
        pool *p = create<pool>();
        if (p == nullptr) return nullptr;
        p->home = l;
        p->close = close_pool;
        l->resolver = p;
        l->add_resource(p);
    }
    return static_cast<pool *>(l->resolver);
}

// False: there is no thread for it.
bool submit(pool *p, job *j) {
    pthread_mutex_lock(&p->mutex);
    int waiting = 1;
    for (const job *q = p->head; q != nullptr; q = q->next_job) waiting++;
    bool ok = true;
    if (waiting > p->idle && p->threads < k_most_threads) ok = start_thread(p) || p->threads > 0;
    if (ok) {
        if (p->tail != nullptr) p->tail->next_job = j;
        else p->head = j;
        p->tail = j;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->mutex);
    return ok;
}

future *resolve_in_thread(loop *l, const char *host, const char *port, const addrinfo &hints) {
    pool *p = pool_of(l);
    job *j = create<job>();
    future *f = make_future(l);
    char *name = copy_string(host);
    if (p == nullptr || j == nullptr || f == nullptr || name == nullptr) {
        if (f != nullptr) unref(f);
        destroy(j);
        release(name);
        return nullptr;
    }
    j->fn = deliver;
    j->home = l;
    j->result = f;
    j->host = name;
    j->hints = hints;
    std::snprintf(j->port, sizeof j->port, "%s", port);
    ref(f);
    if (submit(p, j)) {
        l->pin();
        return f;
    }
    unref(f);
    free_job(j);
    fail(f, -EAGAIN, make_error(-EAGAIN, "no thread to resolve names with"));
    return f;
}

}  // namespace

future *resolve(loop *l, const char *host, int port, int family, bool passive) {
    char port_text[8];
    std::snprintf(port_text, sizeof port_text, "%d", port & 0xffff);
    addrinfo hints = {};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST | (passive ? AI_PASSIVE : 0);
    const bool empty = host == nullptr || host[0] == '\0';
    addrinfo *found = nullptr;
    const int code = getaddrinfo(empty ? nullptr : host, port_text, &hints, &found);
    if (code == EAI_NONAME && !empty) {
        hints.ai_flags &= ~AI_NUMERICHOST;
        return resolve_in_thread(l, host, port_text, hints);
    }
    future *f = make_future(l);
    if (f != nullptr) give_outcome(f, host, code, errno, found);
    if (found != nullptr) freeaddrinfo(found);
    return f;
}

}  // namespace aloop
