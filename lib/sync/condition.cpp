// SPDX-License-Identifier: MIT
#include "condition.hpp"

namespace aloop {

int64_t condition_wait::begin(condition *c, operation *op) {
    if (!c->guard->locked) return op->fail(ALOOP_ENOTOWNER, "cannot wait on un-acquired lock");
    const int64_t code = c->guard->bind(op);
    if (code < 0) return code;
    future *f = make_future(loop_of(op));
    if (f == nullptr) return ALOOP_ENOMEM;
    relocking = cancelled = false;
    unlock(c->guard);
    return stand_in(c->waiters.all, &node, op, f);
}

int64_t condition_wait::resume(condition *c, operation *op, task *by, int64_t status) {
    if (relocking) {
        status = node.resume(c->guard, op, by, status);
    } else {
        c->waiters.leave(&node);
        relocking = true;
        if (status >= 0) status = node.begin(c->guard, op, renew_wait(op));
    }
    while (status == ALOOP_ECANCELED) {
        cancelled = true;
        if (message != nullptr) unref(message);
        message = cancellation_of(op, by);
        status = node.begin(c->guard, op, renew_wait(op));
    }
    if (status == ALOOP_PENDING || (status == 0 && !cancelled)) return status;
    // Perhaps it had been notified: then another one must be.
    notify(c, 1);
    return status < 0 ? status : op->raise(ALOOP_ECANCELED, std::exchange(message, nullptr));
}

void condition_wait::withdraw(condition *c, const operation *op) {
    if (node.queued()) {
        // Who wants the lock back had been notified, perhaps.
        const bool notified = relocking || node.woken();
        if (relocking) node.withdraw(c->guard, op);
        else c->waiters.leave(&node);
        if (notified && is_given_up(op)) notify(c, 1);
    }
    if (message != nullptr) unref(message);
}

namespace {

struct wait final : operation {
    condition *of;  // owned
    aloop_predicate_fn predicate;  // nullptr: a plain wait
    void *data;
    condition_wait part;

    wait(domain *d, condition *c, aloop_predicate_fn fn, void *argument);
    ~wait() {
        part.withdraw(of, this);
        unref(of);
    }
};

int64_t step_wait(operation *op, task *by, int64_t status) {
    wait *self = static_cast<wait *>(op);
    if (self->phase++ == 0) return self->part.begin(self->of, op);
    return self->part.resume(self->of, op, by, status);
}

int64_t step_wait_for(operation *op, task *by, int64_t status) {
    wait *self = static_cast<wait *>(op);
    status = self->phase++ == 0 ? 0 : self->part.resume(self->of, op, by, status);
    while (status == 0) {
        const int64_t answer = self->predicate(self->data);
        if (answer == ALOOP_PENDING) return op->fail(ALOOP_EINVAL, "a predicate cannot wait");
        if (answer != 0) return answer;
        status = self->part.begin(self->of, op);
    }
    return status;
}

const op_info k_wait = {"condition.wait", step_wait, free_operation<wait>};
const op_info k_wait_for = {"condition.wait_for", step_wait_for, free_operation<wait>};

wait::wait(domain *d, condition *c, aloop_predicate_fn fn, void *argument)
    : operation(d, fn != nullptr ? &k_wait_for : &k_wait), of(c), predicate(fn), data(argument) {
    ref(c);
}

const register_kind g_condition(kind::condition, {"condition", destroy_free<condition>});

}  // namespace

future *make_condition_wait(loop *home, condition *c) {
    return home->make_object<wait>(c, nullptr, nullptr);
}

future *make_condition_wait_for(loop *home, condition *c, aloop_predicate_fn predicate,
                                void *data) {
    return home->make_object<wait>(c, predicate, data);
}

}  // namespace aloop
