// cancel.cpp: what becomes of a task that is asked to end, and of errors that it
// raises or has met.
//
// SPDX-License-Identifier: MIT
#include "task.hpp"

namespace aloop {

void break_circle(task *t) {
    t->on(k_must_cancel);
    if (!waits_on_future(t)) return;
    leaf_of(t)->waiters.remove(static_cast<node *>(t));
    t->fn = run_task;
    loop_of(t)->schedule(static_cast<node *>(t));
}

namespace {

// Cancels what t waits for, or has its next step begin cancelled; if it waits
// for another task, that is for the caller to cancel.
task *pass_cancel_on(task *t, const char *message) {
    future *leaf = t->is(k_running) || t->is(k_keep_failure) ? nullptr : leaf_of(t);
    if (task *next = as_task(leaf); next != nullptr && next->pending()) return next;
    if (leaf != nullptr && cancel(leaf, message)) return nullptr;
    t->on(k_must_cancel);
    if (task_extra *more = message != nullptr ? t->need_extra() : t->more; more != nullptr) {
        error *e = message != nullptr ? make_error(ALOOP_ECANCELED, message) : nullptr;
        if (more->cancel_error != nullptr) unref(more->cancel_error);  // message may be its own
        more->cancel_error = e;
    }
    if (leaf != nullptr && leaf->pending() && leaf->has(k_marked)) break_circle(t);
    return nullptr;
}

}  // namespace

bool cancel_task(task *t, const char *message) {
    if (!t->pending()) return false;
    task *first = t;
    do {  // a chain of tasks is walked, not recursed
        t->cancel_requests()++;
        t->set(k_marked);
        t = pass_cancel_on(t, message);
    } while (t != nullptr && !t->has(k_marked));
    for (task *seen = first; seen != nullptr && seen->has(k_marked); seen = as_task(leaf_of(seen))) {
        seen->clear(k_marked);
    }
    if (t != nullptr) break_circle(t);
    return true;
}

void interrupt_task(task *t) {
    if (!t->pending()) return;
    if (task *next = pass_cancel_on(t, nullptr)) cancel_task(next, nullptr);
}

bool in_cancelled_scope(const task *t) {
    const scope_state *s = t->more != nullptr ? t->more->scope : nullptr;
    while (s != nullptr && !s->cancelled) s = s->shield ? nullptr : s->outer;
    return s != nullptr;
}

bool press_scope(task *t) {
    if (t->more == nullptr || t->is(k_must_cancel) || !in_cancelled_scope(t)) return false;
    t->on(k_must_cancel);
    if (t->more->cancel_error != nullptr) {
        unref(t->more->cancel_error);
        t->more->cancel_error = nullptr;
    }
    return true;
}

int64_t uncancel(task *t) {
    if (t->cancel_requests() > 0 && --t->cancel_requests() == 0) t->off(k_must_cancel);
    return t->cancel_requests();
}

error *last_error(task *t) {
    if (t->is(k_override)) {
        if (t->more != nullptr && t->more->cancel_error != nullptr) return t->more->cancel_error;
        task_extra *more = t->need_extra();
        if (more == nullptr) return nullptr;
        more->cancel_error = make_error(ALOOP_ECANCELED, nullptr);
        return more->cancel_error;
    }
    return t->is(k_keep_failure) && t->waiting != nullptr ? error_of(t->waiting) : nullptr;
}

void raise(task *t, error *adopted) {
    task_extra *more = t->need_extra();
    if (more == nullptr) {
        if (adopted != nullptr) unref(adopted);
        return;
    }
    if (more->raised != nullptr) unref(more->raised);
    more->raised = adopted;
}

}  // namespace aloop
