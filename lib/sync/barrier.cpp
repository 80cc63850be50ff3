// SPDX-License-Identifier: MIT
#include "barrier.hpp"

namespace aloop {

namespace {

bool is_closed_to_newcomers(const barrier *b) {
    return b->phase == barrier_state::draining || b->phase == barrier_state::resetting;
}

// The last one to leave opens the barrier for the next round.
void leave(barrier *b) {
    if (--b->inside > 0) return;
    if (is_closed_to_newcomers(b)) b->phase = barrier_state::filling;
    notify(b->gate, k_all);
}

enum : uint32_t { k_begin, k_entering, k_blocked, k_inside };

struct barrier_wait final : operation {
    barrier *of;  // owned
    int64_t index = -1;
    condition_wait part;

    barrier_wait(domain *d, barrier *b);
    ~barrier_wait() {
        part.withdraw(of->gate, this);
        if (phase == k_inside && pending()) leave(of);  // given up, or the loop closed
        unref(of);
    }
};

// Holds the lock and is inside: how it leaves, or ALOOP_PENDING.
int64_t stay(barrier_wait *self, int64_t status) {
    barrier *b = self->of;
    while (status == 0 && b->phase == barrier_state::filling) {
        status = self->part.begin(b->gate, self);
    }
    if (status < 0) return status;
    if (b->phase == barrier_state::broken || b->phase == barrier_state::resetting) {
        return self->fail(ALOOP_EBROKENBARRIER, "Abort or reset of barrier");
    }
    return self->index;
}

// Holds the lock: waits until newcomers may enter, then does.
int64_t enter(barrier_wait *self, int64_t status) {
    barrier *b = self->of;
    self->phase = k_blocked;
    while (status == 0 && is_closed_to_newcomers(b)) status = self->part.begin(b->gate, self);
    if (status < 0) return status;
    if (b->phase == barrier_state::broken) {
        return self->fail(ALOOP_EBROKENBARRIER, "Barrier aborted");
    }
    self->phase = k_inside;
    self->index = b->inside++;
    if (self->index + 1 < b->parties) return stay(self, 0);
    b->phase = barrier_state::draining;
    notify(b->gate, k_all);
    return self->index;
}

int64_t step_wait(operation *op, task *by, int64_t status) {
    barrier_wait *self = static_cast<barrier_wait *>(op);
    barrier *b = self->of;
    if (self->phase <= k_entering) {
        lock_claim *claim = &self->part.node;
        self->part.relocking = true;  // it stands in the lock's list
        status = self->phase == k_begin ? claim->begin(b->gate->guard, op, nullptr)
                                        : claim->resume(b->gate->guard, op, by, status);
        self->phase = k_entering;
        if (status < 0) return status;
        status = enter(self, 0);
    } else {
        status = self->part.resume(b->gate, op, by, status);
        if (status == ALOOP_PENDING) return status;
        status = self->phase == k_blocked ? enter(self, status) : stay(self, status);
    }
    if (status == ALOOP_PENDING) return status;
    if (self->phase == k_inside) leave(b);
    // A wait that could not get the lock back (it cannot, here) would not hold it.
    unlock(b->gate->guard);
    return status;
}

const op_info k_wait = {"barrier.wait", step_wait, free_operation<barrier_wait>};

barrier_wait::barrier_wait(domain *d, barrier *b) : operation(d, &k_wait), of(b) { ref(b); }

struct barrier_change final : operation {
    barrier *of;  // owned
    lock_claim claim;

    barrier_change(domain *d, barrier *b, bool abort);
    ~barrier_change() {
        claim.withdraw(of->gate->guard, this);
        unref(of);
    }
};

int64_t step_change(operation *op, task *by, int64_t status) {
    barrier_change *self = static_cast<barrier_change *>(op);
    barrier *b = self->of;
    lock *guard = b->gate->guard;
    status = self->phase++ == 0 ? self->claim.begin(guard, op, nullptr)
                                : self->claim.resume(guard, op, by, status);
    if (status < 0) return status;
    if (self->scratch != 0) {
        b->phase = barrier_state::broken;
    } else {
        b->phase = b->inside > 0 ? barrier_state::resetting : barrier_state::filling;
    }
    notify(b->gate, k_all);
    unlock(guard);
    return 0;
}

const op_info k_reset = {"barrier.reset", step_change, free_operation<barrier_change>};
const op_info k_abort = {"barrier.abort", step_change, free_operation<barrier_change>};

barrier_change::barrier_change(domain *d, barrier *b, bool abort)
    : operation(d, abort ? &k_abort : &k_reset), of(b) {
    scratch = abort ? 1 : 0;
    ref(b);
}

const register_kind g_barrier(kind::barrier, {"barrier", destroy_free<barrier>});

}  // namespace

future *make_barrier_wait(loop *home, barrier *b) { return home->make_object<barrier_wait>(b); }

future *make_barrier_change(loop *home, barrier *b, bool abort) {
    return home->make_object<barrier_change>(b, abort);
}

}  // namespace aloop
