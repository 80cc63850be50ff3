// wait_for.cpp: asyncio.wait_for as of 3.12: what is awaited runs inside the
// awaiting task, under a timeout of that task.
//
// SPDX-License-Identifier: MIT
#include "wait_for.hpp"

#include <cmath>
#include <utility>

#include "timeout.hpp"

namespace aloop {

namespace {

struct wait_for final : operation {
    future *target;  // later what was cancelled and is waited for
    double limit;
    done_callback *observer = nullptr;
    timeout *deadline = nullptr;

    wait_for(domain *d, future *f, double seconds);
    ~wait_for() {
        if (observer != nullptr) forget(observer);
        if (target != nullptr) unref(target);
        if (deadline != nullptr) unref(deadline);
    }
};

enum : uint32_t { k_begin, k_plain, k_limited, k_cancelling };

int64_t target_ended(aloop_future *, void *data) {
    future *waiter = static_cast<wait_for *>(data)->inner;
    if (waiter != nullptr && waiter->pending()) finish(waiter, 0, nullptr, nullptr);
    return 0;
}

void observer_gone(void *data) { static_cast<wait_for *>(data)->observer = nullptr; }

// No time at all: what is not done is cancelled, and waited for until it ended.
int64_t begin_expired(wait_for *self) {
    if (!self->target->pending()) {
        self->phase = k_plain;  // it ended in another way
        return self->await(std::exchange(self->target, nullptr));
    }
    // Not awaited itself, so that who cancels the wait ends it.
    self->target = ensure_future(std::exchange(self->target, nullptr));
    future *waiter = make_future(loop_of(self));
    if (waiter == nullptr) return ALOOP_ENOMEM;
    self->observer = observe(self->target, target_ended, self, observer_gone);
    if (self->observer == nullptr) {
        unref(waiter);
        return ALOOP_ENOMEM;
    }
    cancel(self->target, nullptr);
    self->phase = k_cancelling;
    return self->await(waiter);
}

int64_t step(operation *op, task *by, int64_t status) {
    wait_for *self = static_cast<wait_for *>(op);
    switch (self->phase) {
    case k_begin:
        if (self->limit <= 0) return begin_expired(self);
        if (!std::isinf(self->limit)) {
            loop *l = loop_of(op);
            self->deadline = enter_timeout(by, deadline_after(l->now(), self->limit));
            if (self->deadline == nullptr) return ALOOP_ENOMEM;
        }
        self->phase = self->deadline != nullptr ? k_limited : k_plain;
        return self->await(std::exchange(self->target, nullptr));
    case k_limited:
        status = exit_timeout(self->deadline, status);
        break;
    case k_cancelling:
        if (status < 0) {  // the target's end is nothing to us any more
            if (self->observer != nullptr) forget(std::exchange(self->observer, nullptr));
            return status;
        }
        if (self->target->status() == ALOOP_ECANCELED) return ALOOP_ETIMEDOUT;
        self->phase = k_plain;
        return self->await(std::exchange(self->target, nullptr));
    default:
        break;
    }
    if (status >= 0) {
        void *value = nullptr;
        const aloop_free_fn free_fn = self->inner->done.value_free;
        status = take_value(self->inner, &value);
        if (status >= 0) self->give(value, free_fn);
    }
    return status;
}

static_assert(sizeof(wait_for) <= 128);

const op_info k_wait_for = {"wait_for", step, free_operation<wait_for>};

wait_for::wait_for(domain *d, future *f, double seconds)
    : operation(d, &k_wait_for), target(f), limit(seconds) {}

}  // namespace

future *make_wait_for(future *f, double timeout) {
    wait_for *op = loop_of(f)->make_object<wait_for>(f, timeout);
    if (op == nullptr) unref(f);
    return op;
}

}  // namespace aloop
