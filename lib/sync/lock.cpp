// SPDX-License-Identifier: MIT
#include "lock.hpp"

namespace aloop {

namespace {

// The first waiter alone: one that was woken already is about to take it.
void wake_first(lock *l) {
    if (link *first = l->waiters.all.head()) waiter_of(first)->wake();
}

struct acquire final : op_on<lock, lock_claim> {
    using op_on::op_on;
    ~acquire() { node.withdraw(of, this); }
};

int64_t step(operation *op, task *by, int64_t status) {
    acquire *self = static_cast<acquire *>(op);
    if (self->phase++ == 0) return self->node.begin(self->of, op, nullptr);
    return self->node.resume(self->of, op, by, status);
}

int64_t at_once(operation *op, void **value) {
    acquire *self = static_cast<acquire *>(op);
    if (self->of->locked || !self->of->waiters.all.empty()) return ALOOP_PENDING;
    self->of->locked = true;
    return end_at_once(self, value);
}

const op_info k_acquire = {"lock.acquire", step, free_operation<acquire>, at_once};

const register_kind g_lock(kind::lock, {"lock", destroy_free<lock>});

}  // namespace

void unlock(lock *l) {
    l->locked = false;
    wake_first(l);
}

int64_t lock_claim::begin(lock *l, operation *op, future *f) {
    int64_t code = 0;
    if (!l->locked && l->waiters.all_cancelled()) {
        l->locked = true;
    } else if ((code = l->bind(op)) == 0) {
        return stand_in(l->waiters.all, this, op, f != nullptr ? f : make_future(loop_of(op)));
    }
    if (f != nullptr) unref(f);
    return code;
}

int64_t lock_claim::resume(lock *l, operation *op, task *by, int64_t status) {
    l->waiters.leave(this);
    if (status >= 0) {
        l->locked = true;
        return 0;
    }
    // Woken and cancelled: the wake goes to the next one, unless somebody has it.
    if (!l->locked) wake_first(l);
    return pass_cancellation(op, by);
}

void lock_claim::leave_line(lock *l, const operation *op) {
    l->waiters.leave(this);
    if (!l->locked && is_given_up(op)) wake_first(l);
}

future *make_acquire(loop *home, lock *l) { return home->make_object<acquire>(&k_acquire, l); }

}  // namespace aloop
