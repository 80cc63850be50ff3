// SPDX-License-Identifier: MIT
#include "rate_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace aloop {

namespace {

// When token k comes, in ns after the bucket was full.
int64_t due(const rate_limiter *r, int64_t k) {
    const long double ns = std::ceil(static_cast<long double>(k) * 1e9L / r->rate);
    return ns < static_cast<long double>(k_never) ? static_cast<int64_t>(ns) : k_never;
}

// How many have come by then: the largest k with due(k) <= passed.
int64_t earned(const rate_limiter *r, int64_t passed) {
    auto k = static_cast<int64_t>(static_cast<long double>(passed) * r->rate / 1e9L);
    while (due(r, k) > passed) k--;  // where the quotient was rounded over an integer
    while (due(r, k + 1) <= passed) k++;
    return k;
}

struct share : waiter {
    loop_object *op = nullptr;
    alarm bell;
    int64_t n = 0;
    int64_t mark = 0;  // what had been given when it was served
};

share *share_of(link *l) { return static_cast<share *>(waiter_of(l)); }

void give(rate_limiter *r, int64_t n) {
    r->taken += n;
    r->given += n;
}

// The share comes back, but into a bucket that has perhaps run over since, and
// from which others took: never more than would be there without it.
void pour_back(rate_limiter *r, share *s) {
    const int64_t room = r->burst - r->available() - (r->given - s->mark);
    const int64_t back = std::clamp<int64_t>(room, 0, s->n);
    r->taken -= back;
    for (link *l = r->served.head(); l != s; l = r->served.after(l)) share_of(l)->mark += back;
    r->served.remove(s);
}

void serve(rate_limiter *r);

struct acquire final : op_on<rate_limiter, share> {
    bool waits = false;

    acquire(domain *d, const op_info *info, rate_limiter *r, int64_t n) : op_on(d, info, r) {
        node.op = this;
        node.n = n;
    }
    ~acquire() {
        if (!waits) return;  // else it is given up, or the loop closed
        if (node.woken()) pour_back(of, &node);
        node.leave(of->waiters);
        if (is_given_up(this)) serve(of);
    }
};

void on_alarm(alarm *bell) {
    acquire *self = static_cast<acquire *>(bell->owner);
    serve(self->of);
}

// Serves whoever can be, in turn; the first of the others gets an alarm.
void serve(rate_limiter *r) {
    while (link *first = r->waiters.head()) {
        share *s = share_of(first);
        if (s->pending() && r->available() < s->n) {
            const int64_t wait = due(r, s->n + r->taken - r->burst);
            const bool ever = wait < k_never - r->full_at;
            const ptr<loop_object> kept = ptr<loop_object>::share(s->op);
            s->bell.clear();  // perhaps nobody else holds it
            s->bell.set(s->op, on_alarm, ever ? r->full_at + wait : k_never, false);
            return;
        }
        r->waiters.remove(first);
        if (!s->wake()) continue;  // it was cancelled
        give(r, s->n);
        s->mark = r->given;
        r->served.push(s);
    }
}

int64_t begin(acquire *self) {
    rate_limiter *r = self->of;
    int64_t status = r->bind(self);
    if (status < 0 || take_now(r, self->node.n)) return status;
    status = block(r, r->waiters, &self->node, self);
    self->waits = status == ALOOP_PENDING;
    if (self->waits) serve(r);
    return status;
}

int64_t step(operation *op, task *by, int64_t status) {
    acquire *self = static_cast<acquire *>(op);
    rate_limiter *r = self->of;
    if (self->phase++ == 0) return begin(self);
    self->waits = false;
    self->node.bell.clear();
    if (status >= 0) {
        r->served.remove(&self->node);
        return 0;
    }
    if (self->node.woken()) pour_back(r, &self->node);
    self->node.leave(r->waiters);
    serve(r);
    return pass_cancellation(op, by);
}

const op_info k_acquire = {"rate_limiter.acquire", step, free_operation<acquire>};
const register_kind g_rate(kind::rate_limiter, {"rate_limiter", destroy_free<rate_limiter>});

}  // namespace

int64_t rate_limiter::available() {
    const int64_t now = home->now();
    const int64_t came = taken == 0 ? 0 : earned(this, now - full_at);
    if (came >= taken) {  // what a full bucket gets runs over
        full_at = now;
        taken = 0;
        return burst;
    }
    return burst - (taken - came);
}

bool take_now(rate_limiter *r, int64_t n) {
    serve(r);
    if (!r->waiters.empty() || r->available() < n) return false;
    give(r, n);
    return true;
}

future *make_rate_acquire(loop *home, rate_limiter *r, int64_t n) {
    return home->make_object<acquire>(&k_acquire, r, n);
}

}  // namespace aloop
