// SPDX-License-Identifier: MIT
#include "semaphore.hpp"

namespace aloop {

namespace {

// Hands out n permits at most, of those that there are, first come, first served.
void hand_over(semaphore *s, int64_t n) { s->value -= s->waiters.wake(n); }

struct acquire final : op_on<semaphore> {
    using op_on::op_on;
    ~acquire() {
        if (node.queued()) {
            // Given up, or the loop closed, between the handing over and the taking.
            if (node.woken()) of->value++;
            of->waiters.leave(&node);
            if (is_given_up(this)) hand_over(of, of->value);
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
        return block(s, s->waiters.all, &self->node, op);
    }
    s->waiters.leave(&self->node);
    if (status < 0 && self->node.woken()) s->value++;
    hand_over(s, s->value);
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

bool is_locked(semaphore *s) { return s->value == 0 || !s->waiters.all_cancelled(); }

void release_permit(semaphore *s) {
    s->value++;
    hand_over(s, 1);
}

future *make_semaphore_acquire(loop *home, semaphore *s) {
    return home->make_object<acquire>(&k_acquire, s);
}

}  // namespace aloop
