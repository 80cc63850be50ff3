// SPDX-License-Identifier: MIT
#include "rwlock.hpp"

namespace aloop {

namespace {

struct turn : waiter {
    bool write;
};

turn *turn_of(link *l) { return static_cast<turn *>(waiter_of(l)); }

bool may_enter(const rwlock *l, bool write) {
    return !l->writing && (!write || l->readers == 0);
}

void enter(rwlock *l, bool write) {
    if (write) {
        l->writing = true;
    } else {
        l->readers++;
    }
}

// Lets in whoever stands first in line, as long as that one may enter.
void let_in(rwlock *l) {
    while (link *first = l->waiters.head()) {
        turn *t = turn_of(first);
        if (t->pending() && !may_enter(l, t->write)) return;
        l->waiters.remove(first);
        if (t->wake()) enter(l, t->write);  // else it was cancelled
    }
}

struct acquire final : op_on<rwlock, turn> {
    bool waits = false;

    acquire(domain *d, const op_info *info, rwlock *l, bool write) : op_on(d, info, l) {
        node.write = write;
    }
    ~acquire() {
        if (!waits) return;  // else it is given up, or the loop closed
        node.leave(of->waiters);
        if (node.woken()) {
            release_turn(of, node.write);
        } else if (is_given_up(this)) {
            let_in(of);  // perhaps it alone was in the way
        }
    }
};

int64_t step(operation *op, task *by, int64_t status) {
    acquire *self = static_cast<acquire *>(op);
    rwlock *l = self->of;
    const bool write = self->node.write;
    if (self->phase++ == 0) {
        let_in(l);  // takes those off the line who were cancelled
        if (l->waiters.empty() && may_enter(l, write)) {
            enter(l, write);
            return 0;
        }
        status = block(l, l->waiters, &self->node, op);
        self->waits = status == ALOOP_PENDING;
        return status;
    }
    self->waits = false;
    if (status >= 0) return 0;
    self->node.leave(l->waiters);
    if (self->node.woken()) {
        release_turn(l, write);
    } else {
        let_in(l);  // perhaps it alone was in the way
    }
    return pass_cancellation(op, by);
}

const op_info k_acquire = {"rwlock.acquire", step, free_operation<acquire>};

const register_kind g_rwlock(kind::rwlock, {"rwlock", destroy_free<rwlock>});

}  // namespace

void release_turn(rwlock *l, bool write) {
    if (write) {
        l->writing = false;
    } else {
        l->readers--;
    }
    let_in(l);
}

int64_t count_waiting(rwlock *l, bool write) {
    int64_t n = 0;
    for (link *w = l->waiters.head(); w != nullptr; w = l->waiters.after(w)) {
        n += turn_of(w)->pending() && turn_of(w)->write == write;
    }
    return n;
}

future *make_rwlock_acquire(loop *home, rwlock *l, bool write) {
    return home->make_object<acquire>(&k_acquire, l, write);
}

}  // namespace aloop
