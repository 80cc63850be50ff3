// SPDX-License-Identifier: MIT
#include "entry.hpp"
#include "limiter.hpp"
#include "rate_limiter.hpp"

using namespace aloop;

// Capacity limiter ------------------------------------------------------------------------

namespace {

// The running task of this thread, nullptr outside one.
task *borrowing_task() {
    const loop *l = current_loop();
    return l != nullptr ? l->current_task : nullptr;
}

aloop_future *acquire(aloop_limiter *handle, const void *borrower, object *owner, int64_t refusal) {
    limiter *checked = from_c(handle);
    loop *l = current_loop();
    if (borrower == nullptr && is(checked, kind::limiter) && l != nullptr && l->check() == 0) {
        return to_c(failed_future(l, refusal));
    }
    return operation_on(checked, kind::limiter, [&](loop *home, limiter *it) {
        return make_limiter_acquire(home, it, borrower, ptr<object>::share(owner));
    });
}

int64_t acquire_nowait(aloop_limiter *handle, const void *borrower, object *owner,
                       int64_t refusal) {
    limiter *l = from_c(handle);
    const int64_t code = check_object(l, kind::limiter);
    if (code < 0) return code;
    return borrower != nullptr ? borrow_now(l, borrower, ptr<object>::share(owner)) : refusal;
}

int64_t release_of(aloop_limiter *handle, const void *borrower, int64_t refusal) {
    limiter *l = from_c(handle);
    const int64_t code = check_object(l, kind::limiter);
    if (code < 0) return code;
    if (borrower == nullptr) return refusal;
    borrowers::entry *e = l->known.find(borrower);
    if (e == nullptr || !e->holds) {
        return refuse(ALOOP_ENOTOWNER, "this borrower has no token of the limiter");
    }
    give_back(l, e);
    return 0;
}

}  // namespace

int64_t aloop_limiter_new(aloop_limiter **out, int64_t total_tokens) {
    if (out == nullptr || total_tokens < 0) return ALOOP_EINVAL;
    return hand_out(out, create<limiter>(total_tokens));
}

aloop_future *aloop_limiter_acquire(aloop_limiter *l) {
    task *t = borrowing_task();
    return acquire(l, t, static_cast<future *>(t), ALOOP_ENOTASK);
}

int64_t aloop_limiter_acquire_nowait(aloop_limiter *l) {
    task *t = borrowing_task();
    return acquire_nowait(l, t, static_cast<future *>(t), ALOOP_ENOTASK);
}

int64_t aloop_limiter_release(aloop_limiter *l) {
    return release_of(l, borrowing_task(), ALOOP_ENOTASK);
}

aloop_future *aloop_limiter_acquire_on_behalf_of(aloop_limiter *l, void *borrower) {
    return acquire(l, borrower, nullptr, ALOOP_EINVAL);
}

int64_t aloop_limiter_acquire_on_behalf_of_nowait(aloop_limiter *l, void *borrower) {
    return acquire_nowait(l, borrower, nullptr, ALOOP_EINVAL);
}

int64_t aloop_limiter_release_on_behalf_of(aloop_limiter *l, void *borrower) {
    return release_of(l, borrower, ALOOP_EINVAL);
}

int64_t aloop_limiter_has(aloop_limiter *handle, const void *borrower) {
    const int64_t code = check_object(from_c(handle), kind::limiter);
    if (code < 0) return code;
    const borrowers::entry *e = from_c(handle)->known.find(borrower);
    return e != nullptr && e->holds;
}

int64_t aloop_limiter_total_tokens(aloop_limiter *l) {
    return aloop_limiter_statistic(l, ALOOP_LIMITER_STAT_TOTAL);
}

int64_t aloop_limiter_set_total_tokens(aloop_limiter *handle, int64_t total_tokens) {
    const int64_t code = check_object(from_c(handle), kind::limiter);
    if (code < 0) return code;
    if (total_tokens < 0) return ALOOP_EINVAL;
    set_total(from_c(handle), total_tokens);
    return 0;
}

int64_t aloop_limiter_statistic(aloop_limiter *handle, int32_t which) {
    limiter *l = from_c(handle);
    const int64_t code = check_object(l, kind::limiter);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_LIMITER_STAT_BORROWED: return l->borrowed;
    case ALOOP_LIMITER_STAT_TOTAL: return l->total;
    case ALOOP_LIMITER_STAT_AVAILABLE: return l->borrowed < l->total ? l->total - l->borrowed : 0;
    case ALOOP_LIMITER_STAT_WAITING: return count_pending(l->waiters);
    default: return ALOOP_EINVAL;
    }
}

// Rate limiter ----------------------------------------------------------------------------

int64_t aloop_rate_limiter_new(aloop_rate_limiter **out, double rate, int64_t burst) {
    const bool possible = rate >= 1e-9 && rate <= 1e9;  // NaN is neither
    if (out == nullptr || !possible || burst < 1 || burst > 1000000000000000) return ALOOP_EINVAL;
    return hand_out(out, create<rate_limiter>(rate, burst));
}

aloop_future *aloop_rate_limiter_acquire(aloop_rate_limiter *handle, int64_t n) {
    rate_limiter *r = from_c(handle);
    if (is(r, kind::rate_limiter) && (n < 1 || n > r->burst)) r = nullptr;
    return operation_on(r, kind::rate_limiter, [n](loop *home, rate_limiter *it) {
        return make_rate_acquire(home, it, n);
    });
}

int64_t aloop_rate_limiter_acquire_nowait(aloop_rate_limiter *handle, int64_t n) {
    rate_limiter *r = from_c(handle);
    int64_t code = check_object(r, kind::rate_limiter);
    if (code < 0) return code;
    if (n < 1 || n > r->burst) return ALOOP_EINVAL;
    code = bind_here(r);
    if (code < 0) return code;
    return take_now(r, n) ? 0 : ALOOP_EAGAIN;
}

int64_t aloop_rate_limiter_statistic(aloop_rate_limiter *handle, int32_t which) {
    rate_limiter *r = from_c(handle);
    const int64_t code = check_object(r, kind::rate_limiter);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_RATE_LIMITER_STAT_AVAILABLE: return r->home ? r->available() : r->burst;
    case ALOOP_RATE_LIMITER_STAT_BURST: return r->burst;
    case ALOOP_RATE_LIMITER_STAT_WAITING: return count_pending(r->waiters);
    default: return ALOOP_EINVAL;
    }
}
