// SPDX-License-Identifier: MIT
#include "limiter.hpp"

namespace aloop {

namespace {

struct claim : waiter {
    borrowers::entry *entry = nullptr;  // while it waits
};

void hand_over(limiter *l, borrowers::entry *e) {
    e->holds = true;
    l->borrowed++;
}

// Gives out what is there; takes those off the line who were cancelled.
void let_in(limiter *l) {
    while (l->borrowed < l->total) {
        link *first = l->waiters.pop();
        if (first == nullptr) return;
        claim *c = static_cast<claim *>(waiter_of(first));
        if (c->wake()) hand_over(l, c->entry);
    }
}

// It will not have the token that it waits for, or was handed.
void renounce(limiter *l, claim *c) {
    c->leave(l->waiters);
    borrowers::entry *e = std::exchange(c->entry, nullptr);
    if (e->holds) give_back(l, e);
    else l->known.remove(e);
}

struct acquire final : op_on<limiter, claim> {
    const void *borrower;
    ptr<object> owner;

    acquire(domain *d, const op_info *info, limiter *l, const void *key, ptr<object> whose)
        : op_on(d, info, l), borrower(key), owner(std::move(whose)) {}
    ~acquire() {
        if (node.entry != nullptr) renounce(of, &node);  // the loop closed
    }
};

int64_t begin(acquire *self) {
    limiter *l = self->of;
    int64_t status = borrow_now(l, self->borrower, ptr<object>::share(self->owner.get()));
    if (status == ALOOP_EEXIST) {
        return self->fail(status, "this borrower has a token of the limiter, or waits for one");
    }
    if (status != ALOOP_EAGAIN) return status;
    self->node.entry = l->known.add(self->borrower, std::move(self->owner));
    if (self->node.entry == nullptr) return ALOOP_ENOMEM;
    status = block(l, l->waiters, &self->node, self);
    if (status < 0 && status != ALOOP_PENDING) renounce(l, &self->node);
    return status;
}

int64_t step(operation *op, task *by, int64_t status) {
    acquire *self = static_cast<acquire *>(op);
    if (self->phase++ == 0) return begin(self);
    if (status < 0) {
        renounce(self->of, &self->node);
        return pass_cancellation(op, by);
    }
    self->node.entry = nullptr;
    return 0;
}

const op_info k_acquire = {"limiter.acquire", step, free_operation<acquire>};
const register_kind g_limiter(kind::limiter, {"limiter", destroy_free<limiter>});

}  // namespace

future *make_limiter_acquire(loop *home, limiter *l, const void *borrower, ptr<object> owner) {
    return home->make_object<acquire>(&k_acquire, l, borrower, std::move(owner));
}

int64_t borrow_now(limiter *l, const void *borrower, ptr<object> owner) {
    if (l->known.find(borrower) != nullptr) return ALOOP_EEXIST;
    if (l->borrowed >= l->total) return ALOOP_EAGAIN;
    borrowers::entry *e = l->known.add(borrower, std::move(owner));
    if (e == nullptr) return ALOOP_ENOMEM;
    hand_over(l, e);
    return 0;
}

void give_back(limiter *l, borrowers::entry *e) {
    l->known.remove(e);
    l->borrowed--;
    let_in(l);
}

void set_total(limiter *l, int64_t n) {
    l->total = n;
    let_in(l);
}

}  // namespace aloop
