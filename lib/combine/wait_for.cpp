// wait_for.cpp: asyncio.wait_for as of 3.12: what is awaited runs inside the
// awaiting task, under a timeout of that task.
//
// SPDX-License-Identifier: MIT
#include "wait_for.hpp"

#include <cmath>

#include "timeout.hpp"

namespace aloop {

namespace {

struct wait_for final : operation {
    future *target;
    double limit;
    timeout *deadline = nullptr;

    wait_for(domain *d, future *f, double seconds);
    ~wait_for() {
        if (target != nullptr) unref(target);
        if (deadline != nullptr) unref(deadline);
    }
};

enum : uint32_t { k_begin, k_plain, k_limited, k_cancelling };

// No time at all: what is not done is cancelled, and waited for until it ended.
int64_t begin_expired(wait_for *self) {
    if (!self->target->pending()) {
        self->phase = k_plain;
        return self->await(std::exchange(self->target, nullptr));
    }
    future *f = ensure_future(std::exchange(self->target, nullptr));
    cancel(f, nullptr);
    self->phase = k_cancelling;
    return self->await(f);
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
        if (status == ALOOP_ECANCELED && self->inner->state == k_was_cancelled) {
            status = ALOOP_ETIMEDOUT;
        }
        break;
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
