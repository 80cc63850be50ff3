// SPDX-License-Identifier: MIT
#include "semaphore.hpp"

namespace aloop {

namespace {

// Hands a permit to the first pending waiter: whether there was one.
bool hand_over(semaphore *s) {
    for (;;) {
        link *next = s->passed != nullptr ? s->waiters.after(s->passed) : s->waiters.head();
        if (next == nullptr) return false;
        s->passed = next;
        if (waiter_of(next)->wake()) break;
    }
    s->value--;
    return true;
}

void leave(semaphore *s, waiter *w) {
    if (!w->queued()) return;
    if (s->passed == w) s->passed = w != s->waiters.head() ? w->prev : nullptr;
    s->waiters.remove(w);
}

void hand_over_all(semaphore *s) {
    while (s->value > 0 && hand_over(s)) {
    }
}

struct acquire final : op_on<semaphore> {
    using op_on::op_on;
    ~acquire() {
        if (node.queued()) {
            // The loop closed between the handing over and the taking.
            if (node.woken()) of->value++;
            leave(of, &node);
        }
    }
};

int64_t step(operation *op, task *by, int64_t status) {
    acquire *self = static_cast<acquire *>(op);
    semaphore *s = self->of;
    if (self->phase++ == 0) {
        if (!is_locked(s)) {
            s->value--;
            return 0;
        }
        return block(s, s->waiters, &self->node, op);
    }
    leave(s, &self->node);
    if (status < 0 && self->node.woken()) s->value++;
    hand_over_all(s);
    return status < 0 ? pass_cancellation(op, by) : 0;
}

int64_t at_once(operation *op, void **value) {
    acquire *self = static_cast<acquire *>(op);
    if (is_locked(self->of)) return ALOOP_PENDING;
    self->of->value--;
    return end_at_once(self, value);
}

const op_info k_acquire = {"semaphore.acquire", step, free_operation<acquire>, at_once};

const register_kind g_semaphore(kind::semaphore, {"semaphore", destroy_free<semaphore>});

}  // namespace

bool is_locked(semaphore *s) {
    if (s->value == 0) return true;
    for (link *l = s->waiters.head(); l != nullptr; l = s->waiters.after(l)) {
        if (!waiter_of(l)->cancelled()) return true;
    }
    return false;
}

void release_permit(semaphore *s) {
    s->value++;
    hand_over(s);
}

future *make_semaphore_acquire(loop *home, semaphore *s) {
    return home->make_object<acquire>(&k_acquire, s);
}

}  // namespace aloop
