// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../base/fork.hpp"
#include "../base/locked.hpp"
#include "executor.hpp"

namespace aloop {

namespace {

thread_local job *t_job = nullptr;
pthread_mutex_t g_names = PTHREAD_MUTEX_INITIALIZER;
whole_at_fork g_names_whole(&g_names);

void drop_held(job *j) {
    if (j->arg_free != nullptr) j->arg_free(j->arg);
    if (j->value_free != nullptr) j->value_free(j->value);
    if (j->failure != nullptr) unref(j->failure);
    if (j->worker_death != nullptr) unref(j->worker_death);
    drop(j->context.map);
    if (j->by != nullptr) unref(j->by);
    unref(static_cast<object *>(j->home));
}

void free_job(job *j) {
    drop_held(j);
    destroy(j);
}

// As many as are in flight are taken and given back again and again. An executor of
// the program's own may hold on to a job that it has answered: those go at once.
constexpr int k_most_spares = 64;

void keep_block(loop_executors *list, job *j) {
    if (slab_passthrough() || list->spares == k_most_spares) return destroy(j);
    j->~job();
    list->spare = new (static_cast<void *>(j)) link{list->spare, nullptr};
    list->spares++;
}

job *new_job(const loop *l) {
    loop_executors *list = static_cast<loop_executors *>(l->executor);
    if (list == nullptr || list->spare == nullptr) return create<job>();
    link *block = list->spare;
    list->spare = block->next;
    list->spares--;
    return new (static_cast<void *>(block)) job;
}

// Frees a job that never ran; from a fiber, by way of the inbox.
void dismiss(job *j) {
    if (j->home->on_fiber) {
        hand_back(j);
    } else {
        free_job(j);
    }
}

// Takes the loop's things off the job; on the loop's thread.
void detach(job *j) {
    j->list->jobs.remove(static_cast<job_link *>(j));
    j->list = nullptr;
    if (j->observer != nullptr) forget(j->observer);
    j->observer = nullptr;
    unref(std::exchange(j->result, nullptr));
}

void settle(job *j) {
    future *f = j->result;
    if (!f->pending()) return;
    if (j->status >= 0) {
        finish(f, j->status, j->value, j->value_free);
        j->value_free = nullptr;
    } else if (j->status == ALOOP_ECANCELED) {
        cancel_now(f, std::exchange(j->failure, nullptr));
    } else {
        fail(f, j->status, std::exchange(j->failure, nullptr));
    }
}

// Back on the loop's thread. The loop's close has detached what is dropped.
void arrive(node *item, action what) {
    job *j = static_cast<job *>(item);
    loop_executors *list = j->list;
    if (list != nullptr) {
        if (what == action::run && j->worker_died) {
            j->home->report("A worker process died", ALOOP_EBROKENPOOL, j->worker_death, j->result);
        }
        if (what == action::run) settle(j);
        j->home->unpin();
        detach(j);
    }
    const bool done_with = list != nullptr && j->by->ops->forgets_jobs;
    drop_held(j);
    if (done_with) keep_block(list, j);
    else destroy(j);
}

int64_t on_result_done(aloop_future *, void *data) {
    job *j = static_cast<job *>(data);
    j->observer = nullptr;  // it runs, and goes after that
    if (j->result->state != k_was_cancelled) return 0;
    j->cancelled.store(true, std::memory_order_relaxed);
    if (j->by->ops->withdraw(j->by, j)) {
        j->home->unpin();
        detach(j);
        free_job(j);
    }
    return 0;
}

void destroy_executor(object *o) {
    executor *e = static_cast<executor *>(o);
    e->ops->destroy(e);
}

const register_kind g_executor(kind::executor, {"executor", destroy_executor});

void close_executors(resource *self) {
    loop_executors *list = static_cast<loop_executors *>(self);
    while (link *first = list->jobs.head()) {
        job *j = static_cast<job *>(static_cast<job_link *>(first));
        j->cancelled.store(true, std::memory_order_relaxed);
        list->home->unpin();
        detach(j);
        // In a forked child nobody else has it, unless it stands in the loop's inbox.
        const bool ours =
            j->by->of_parent() ? !j->handed_back : j->by->ops->withdraw(j->by, j);
        if (ours) free_job(j);
    }
    if (list->standard != nullptr) {
        if (!list->standard->of_parent()) list->standard->ops->begin_shutdown(list->standard);
        unref(list->standard);
    }
    while (link *block = list->spare) {
        list->spare = block->next;
        release(block);
    }
    list->home->executor = nullptr;
    list->home->shutdown_executor = nullptr;
    destroy(list);
}

future *shut_down_standard(loop *l) { return make_shutdown(l, nullptr, 300.0); }

}  // namespace

job *current_job() { return t_job; }

void run_job(job *j) {
    job *outer = std::exchange(t_job, j);
    error **outer_raised = std::exchange(t_thread.raised, &j->failure);
    {
        context_scope scope(&j->context);
        void *plain = nullptr;
        j->status = j->fn_(j->arg, &plain);
        if (j->value_free == nullptr && j->value == nullptr) j->value = plain;
    }
    t_thread.raised = outer_raised;
    t_job = outer;
    if (j->failure != nullptr && (j->status >= 0 || j->failure->code != j->status)) {
        unref(std::exchange(j->failure, nullptr));
    }
}

void leave_job() {
    t_job = nullptr;
    t_thread.raised = nullptr;
    t_context.cell = nullptr;
}

// What is posted holds the reference to its loop. That may be through with it, closed
// and gone, before post() has seen whether it sleeps: so the poster has one of its own.
static int64_t send_home(loop *home, posted *item) {
    ref(static_cast<object *>(home));
    const int64_t code = home->post(item);
    unref(static_cast<object *>(home));
    return code;
}

void hand_back(job *j) {
    j->handed_back = true;
    if (send_home(j->home, j) < 0) free_job(j);
}

void tell_waiters(ring *waiters) {
    while (link *first = waiters->pop()) {
        end_waiter *w = static_cast<end_waiter *>(static_cast<node *>(first));
        if (send_home(w->home, w) == 0) continue;
        unref(w->ended);
        unref(static_cast<object *>(w->home));
        destroy(w);
    }
}

end_waiter *take_waiter(ring *waiters, const future *ended) {
    for (link *at = waiters->head(); at != nullptr; at = waiters->after(at)) {
        end_waiter *w = static_cast<end_waiter *>(static_cast<node *>(at));
        if (w->ended != ended) continue;
        waiters->remove(at);
        return w;
    }
    return nullptr;
}

void name_this_job(const char *name) {
    locked hold(&g_names);
    std::snprintf(t_job->name, sizeof t_job->name, "%s", name);
}

void list_job(writer *out, const job *j) {
    if (out->length() > 0) out->add("\n");
    {
        locked hold(&g_names);
        if (j->name[0] != '\0') return out->add("%s", j->name);
    }
    Dl_info where;
    if (dladdr(j->shown, &where) == 0) {
        out->add("%p()", j->shown);
    } else if (where.dli_sname != nullptr) {
        out->add("%s()", where.dli_sname);
    } else {
        const char *slash = std::strrchr(where.dli_fname, '/');
        out->add("%s+%#lx()", slash != nullptr ? slash + 1 : where.dli_fname,
                 static_cast<unsigned long>(static_cast<char *>(j->shown) -
                                            static_cast<char *>(where.dli_fbase)));
    }
}

loop_executors::loop_executors(loop *l) : home(l) { close = close_executors; }

loop_executors *loop_executors::of(loop *l) {
    loop_executors *list = static_cast<loop_executors *>(l->executor);
    if (list == nullptr) {
        list = create<loop_executors>(l);
        if (list == nullptr) return nullptr;
        l->executor = list;
        l->add_resource(list);
    }
    return list;
}

namespace {

// The loop's default executor, made on first use. 0 or why there is none.
int64_t standard_executor(loop_executors *list, executor **out, const char **why) {
    if (list->shut_down) {
        *why = "Executor shutdown has been called";
        return ALOOP_ESHUTDOWN;
    }
    if (list->standard == nullptr) {
        list->standard = make_thread_pool(default_thread_count(), "asyncio");
        if (list->standard == nullptr) return ALOOP_ENOMEM;
        list->home->shutdown_executor = shut_down_standard;
    }
    *out = list->standard;
    return 0;
}

int64_t begin_job(loop *l, executor *e, job *j, const char **why) {
    loop_executors *list = loop_executors::of(l);
    if (list == nullptr) return ALOOP_ENOMEM;
    if (e == nullptr) {
        const int64_t code = standard_executor(list, &e, why);
        if (code < 0) return code;
    }
    if (e->of_parent()) return ALOOP_ECHILD;
    j->result = make_future(l);
    if (j->result == nullptr) return ALOOP_ENOMEM;
    j->observer = observe(j->result, on_result_done, j, nullptr);
    if (j->observer == nullptr) {
        unref(std::exchange(j->result, nullptr));
        return ALOOP_ENOMEM;
    }
    j->by = e;
    ref(e);
    j->list = list;
    list->jobs.push(static_cast<job_link *>(j));
    const int64_t code = e->ops->submit(e, j);
    if (code == 0) {
        l->pin();
        return 0;
    }
    if (code == ALOOP_ESHUTDOWN) *why = "cannot schedule new futures after shutdown";
    if (code == -EAGAIN) *why = "the executor has no thread for it, and none can be started";
    detach(j);
    unref(std::exchange(j->by, nullptr));
    return code;
}

}  // namespace

job *make_job(loop *l, const job_request &request) {
    job *j = new_job(l);
    if (j == nullptr) {
        drop(request.context);
        return nullptr;
    }
    j->fn = arrive;
    j->home = l;
    j->fn_ = request.fn;
    j->arg = request.arg;
    j->arg_free = request.arg_free;
    j->context.map = request.context;
    j->shown = request.shown;
    if (j->shown == nullptr) j->shown = reinterpret_cast<void *>(request.fn);
    ref(static_cast<object *>(l));
    return j;
}

future *submit_job(loop *l, executor *e, job *j) {
    const char *why = nullptr;
    const int64_t code = begin_job(l, e, j, &why);
    if (code == 0) {
        ref(j->result);
        return j->result;
    }
    dismiss(j);
    return failed_future(l, why != nullptr ? make_error(code, why) : nullptr, code);
}

future *submit_job(loop *l, executor *e, const job_request &request) {
    job *j = make_job(l, request);
    if (j != nullptr) return submit_job(l, e, j);
    if (request.arg_free != nullptr) request.arg_free(request.arg);
    return failed_future(l, ALOOP_ENOMEM);
}

future *refuse_job(loop *l, const job_request &request, int64_t code) {
    job *j = request.arg_free != nullptr ? make_job(l, request) : nullptr;
    if (j != nullptr) {
        dismiss(j);
    } else if (request.arg_free != nullptr) {
        request.arg_free(request.arg);
    }
    return failed_future(l, code);
}

int64_t set_default_executor(loop *l, executor *e) {
    if (!e->ops->runs_functions) return ALOOP_EWRONGTYPE;
    loop_executors *list = loop_executors::of(l);
    if (list == nullptr) return ALOOP_ENOMEM;
    if (list->shut_down) return ALOOP_ESHUTDOWN;
    ref(e);
    if (list->standard != nullptr) unref(list->standard);
    list->standard = e;
    l->shutdown_executor = shut_down_standard;
    return 0;
}

}  // namespace aloop
