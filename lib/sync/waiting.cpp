// SPDX-License-Identifier: MIT
#include "waiting.hpp"

namespace aloop {

int64_t loop_bound::bind_at_first(operation *op) {
    if (!home) home = ptr<loop>::share(loop_of(op));
    if (home.get() == loop_of(op)) return 0;
    return op->fail(ALOOP_EWRONGLOOP, "the %s is bound to a different event loop",
                    info_of(this).name);
}

future *renew_wait(operation *op) {
    future *f = op->inner;
    if (f->status() < 0 && f->done.value != nullptr) unref(static_cast<error *>(f->done.value));
    f->state = k_pending;
    f->flags = 0;
    f->done = {nullptr, nullptr, 0};
    ref(f);
    return f;
}

int64_t line::wake_some(int64_t n) {
    int64_t woken = 0;
    while (woken < n) {
        link *next = passed != nullptr ? all.after(passed) : all.head();
        if (next == nullptr) break;
        passed = next;
        woken += waiter_of(next)->wake();
    }
    return woken;
}

bool line::all_seem_cancelled() {
    for (;;) {
        link *next = gone != nullptr ? all.after(gone) : all.head();
        if (next == nullptr) return true;
        if (!waiter_of(next)->cancelled()) return false;
        gone = next;
    }
}

void pop_and_wake_any(ring &list, bool all) {
    while (link *l = list.pop()) {
        if (waiter_of(l)->wake() && !all) return;
    }
}

int64_t count_pending(ring &list) {
    int64_t n = 0;
    for (link *l = list.head(); l != nullptr; l = list.after(l)) n += waiter_of(l)->pending();
    return n;
}

error *cancellation_of(operation *op, task *by) {
    error *e = nullptr;
    if (op->inner != nullptr && op->inner->state == k_was_cancelled) {
        e = error_of(op->inner);  // also without a message: it is the one that came first
    } else if (by->more != nullptr) {
        e = by->more->cancel_error;
    }
    if (e != nullptr) ref(e);
    return e;
}

int64_t pass_cancellation(operation *op, task *by) {
    return op->raise(ALOOP_ECANCELED, cancellation_of(op, by));
}

bool has_to_wait(loop_bound *o, posted *later) {
    if (o->home && !o->home->owned()) {
        // What stands in the loop's inbox must not keep the loop.
        ptr<loop> home = std::move(o->home);
        if (home->post(later) == 0) return true;
        o->home = std::move(home);
    }
    loop *l = running_loop();
    if (l == nullptr || !l->on_fiber) return false;
    l->schedule(later);
    return true;
}

int64_t refuse(int64_t code, const char *text) { return aloop_raise_message(code, text); }

}  // namespace aloop
