// operations.cpp: to_thread and the shutdown of an executor, as coroutines.
//
// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdio>
#include <utility>

#include "../combine/timeout.hpp"
#include "executor.hpp"

namespace aloop {

namespace {

// to_thread ---------------------------------------------------------------------------------

struct thread_call final : operation {
    aloop_job_fn fn;
    void *arg;
    aloop_free_fn arg_free;

    thread_call(domain *d, const job_request &request);
    ~thread_call() {
        if (arg_free != nullptr) arg_free(arg);
    }
};

// One that never started has the program's destructor to run: not on a fiber.
void destroy_call(operation *op) {
    thread_call *self = static_cast<thread_call *>(op);
    if (loop_of(op)->on_fiber && self->arg_free != nullptr) {
        op->set(k_started);
        bury(op);
        return;
    }
    loop_of(op)->free_object(self);
}

int64_t step_call(operation *op, task *, int64_t status) {
    thread_call *self = static_cast<thread_call *>(op);
    if (self->phase++ == 0) {
        loop *l = loop_of(op);
        job *j = make_job(l, {self->fn, self->arg, self->arg_free, capture_context()});
        if (j == nullptr) return ALOOP_ENOMEM;
        self->arg_free = nullptr;  // it is the job's
        return op->await(submit_job(l, nullptr, j));
    }
    if (status < 0) return status;
    void *value = nullptr;
    const aloop_free_fn value_free = op->inner->done.value_free;
    status = take_value(op->inner, &value);
    if (status >= 0) op->give(value, value_free);
    return status;
}

const op_info k_thread_call = {"to_thread", step_call, destroy_call};

thread_call::thread_call(domain *d, const job_request &request)
    : operation(d, &k_thread_call), fn(request.fn), arg(request.arg), arg_free(request.arg_free) {}

// Shutdown -----------------------------------------------------------------------------------

struct shutdown final : operation {
    executor *of;  // a reference; nullptr: the loop's default, until begun
    double limit;
    bool standard;
    bool pinned = false;
    future *ended = nullptr;  // a reference
    timeout *deadline = nullptr;

    shutdown(domain *d, executor *e, double seconds);
    ~shutdown();
};

void has_ended(node *item, action what) {
    end_waiter *w = static_cast<end_waiter *>(item);
    if (what == action::run && w->ended->pending()) finish(w->ended, 0, nullptr, nullptr);
    unref(w->ended);
    unref(static_cast<object *>(w->home));
    destroy(w);
}

// Nobody waits any more; what is on its way finishes a future that nobody sees.
void stop_waiting(shutdown *self) {
    if (self->ended == nullptr) return;
    const bool ours = !self->of->of_parent();
    end_waiter *w = ours ? self->of->ops->forget_end(self->of, self->ended) : nullptr;
    if (w != nullptr) has_ended(w, action::drop);
    unref(std::exchange(self->ended, nullptr));
    if (std::exchange(self->pinned, false)) loop_of(self)->unpin();
}

shutdown::~shutdown() {
    stop_waiting(this);
    if (of != nullptr) unref(of);
    if (deadline != nullptr) unref(deadline);
}

// Takes no more jobs; in *out what is done when the threads are gone. If they are
// already, the loop may not have seen yet what they have posted: it stands in line
// behind that, as the last thread's word would.
int64_t watch_end(shutdown *self, future **out) {
    loop *l = loop_of(self);
    end_waiter *w = create<end_waiter>();
    future *f = w != nullptr ? make_future(l) : nullptr;
    if (f == nullptr) {
        destroy(w);
        return ALOOP_ENOMEM;
    }
    w->fn = has_ended;
    w->home = l;
    w->ended = f;
    ref(static_cast<object *>(l));
    ref(f);
    self->of->ops->begin_shutdown(self->of);
    self->ended = *out = f;
    self->pinned = true;
    l->pin();
    if (!self->of->ops->await_end(self->of, w)) l->post(w);
    return 0;
}

int64_t begin_shutdown(shutdown *self, task *by) {
    loop *l = loop_of(self);
    if (self->standard) {
        loop_executors *list = loop_executors::of(l);
        if (list == nullptr) return ALOOP_ENOMEM;
        list->shut_down = true;
        if (list->standard == nullptr) return 0;
        self->of = list->standard;
        ref(self->of);
    }
    future *f = nullptr;
    const int64_t code = watch_end(self, &f);
    if (f == nullptr) return code;
    if (self->limit >= 0 && !std::isinf(self->limit)) {
        self->deadline = enter_timeout(by, deadline_after(l->now(), self->limit));
        if (self->deadline == nullptr) return ALOOP_ENOMEM;
    }
    ref(f);
    return self->await(f);
}

int64_t give_up(shutdown *self, const char *running, const abandoned &jobs) {
    loop *l = loop_of(self);
    if (self->standard) {
        // What still runs is on its own; the loop must not wait for it again.
        loop_executors *list = loop_executors::of(l);
        if (list != nullptr && list->standard == self->of) {
            unref(std::exchange(list->standard, nullptr));
        }
    }
    char waiting[64] = "";
    if (jobs.waiting > 0) {
        std::snprintf(waiting, sizeof waiting, "; %lld more had not begun",
                      static_cast<long long>(jobs.waiting));
    }
    error *e = format_error(ALOOP_ETIMEDOUT,
                            "The executor did not finish joining its threads within %g seconds. "
                            "Still running: %s%s",
                            self->limit, running[0] != '\0' ? running : "nothing", waiting);
    l->report("executor shutdown", ALOOP_ETIMEDOUT, e);
    return self->raise(ALOOP_ETIMEDOUT, e);
}

// Idle threads are no work that still runs: they are about to leave.
int64_t time_is_up(shutdown *self) {
    char running[512];
    self->of->ops->describe_running(self->of, running, sizeof running);
    const abandoned jobs = self->of->ops->abandon(self->of);
    if (jobs.running > 0 || jobs.waiting > 0) return give_up(self, running, jobs);
    future *f = nullptr;
    const int64_t code = watch_end(self, &f);
    if (f == nullptr) return code;
    ref(f);
    return self->await(f);
}

int64_t step_shutdown(operation *op, task *by, int64_t status) {
    shutdown *self = static_cast<shutdown *>(op);
    if (self->phase++ == 0) return begin_shutdown(self, by);
    const bool limited = self->deadline != nullptr;
    if (limited) {
        status = exit_timeout(self->deadline, status);
        unref(std::exchange(self->deadline, nullptr));
    }
    stop_waiting(self);
    if (limited && status == ALOOP_ETIMEDOUT) return time_is_up(self);
    if (status < 0) return status;
    self->of->ops->join(self->of);
    return 0;
}

const op_info k_shutdown = {"shutdown_executor", step_shutdown, free_operation<shutdown>};

shutdown::shutdown(domain *d, executor *e, double seconds)
    : operation(d, &k_shutdown), of(e), limit(seconds), standard(e == nullptr) {
    if (e != nullptr) ref(e);
}

}  // namespace

future *make_to_thread(loop *l, const job_request &request) {
    thread_call *op = l->make_object<thread_call>(request);
    if (op != nullptr) return op;
    if (request.arg_free != nullptr) request.arg_free(request.arg);
    return failed_future(l, ALOOP_ENOMEM);
}

future *make_shutdown(loop *l, executor *e, double timeout) {
    shutdown *op = l->make_object<shutdown>(e, timeout);
    return op != nullptr ? op : failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
