// SPDX-License-Identifier: MIT
#include "cancel_scope.hpp"

namespace aloop {

namespace {

void expire(alarm *a) { cancel_scope_now(static_cast<cancel_scope *>(a->owner)); }

// A task that runs comes to an await by itself; one that waits is interrupted,
// once: what it does then, it may finish.
void interrupt_wait(task *t) {
    if (t->pending() && !t->is(k_running)) interrupt_task(t);
}

// Out of the chain, from any place in it: a scope may be dropped without an exit.
void unlink(cancel_scope *s) {
    s->left = true;
    if (s->alarm.is_set()) s->alarm.clear();
    if (s->of->more == nullptr) return;
    scope_state **at = &s->of->more->scope;
    while (*at != nullptr && *at != s) at = &(*at)->outer;
    if (*at == s) *at = s->outer;
}

void destroy_scope(object *o) {
    cancel_scope *s = static_cast<cancel_scope *>(o);
    if (!s->left) unlink(s);
    unref(static_cast<future *>(s->of));
    loop_of(s)->free_object(s);
}

const register_kind g_scope(kind::cancel_scope, {"cancel_scope", destroy_scope});

}  // namespace

cancel_scope *enter_cancel_scope(task *t, int64_t deadline, bool shield) {
    task_extra *more = t->need_extra();
    cancel_scope *s = more != nullptr ? loop_of(t)->make_object<cancel_scope>(t) : nullptr;
    if (s == nullptr) return nullptr;
    s->shield = shield;
    s->outer = more->scope;
    more->scope = s;
    set_deadline(s, deadline);
    return s;
}

void set_deadline(cancel_scope *s, int64_t deadline) {
    if (s->alarm.is_set()) s->alarm.clear();
    s->deadline = deadline;
    if (deadline == k_never || s->cancelled) return;
    if (deadline <= loop_of(s)->now()) {
        cancel_scope_now(s);
    } else {
        s->alarm.set(s, expire, deadline, false);
    }
}

void set_shield(cancel_scope *s, bool shield) {
    const bool before = in_cancelled_scope(s->of);
    s->shield = shield;
    if (!before && in_cancelled_scope(s->of)) interrupt_wait(s->of);
}

void cancel_scope_now(cancel_scope *s) {
    if (s->cancelled || s->left) return;
    const bool before = in_cancelled_scope(s->of);
    s->cancelled = true;
    if (s->alarm.is_set()) s->alarm.clear();
    if (!before && in_cancelled_scope(s->of)) interrupt_wait(s->of);
}

int64_t leave_cancel_scope(cancel_scope *s, int64_t status) {
    unlink(s);
    const bool ours = s->cancelled && status == ALOOP_ECANCELED;
    const bool for_outer = !s->shield && in_cancelled_scope(s->of);
    const bool by_request = s->of->cancel_requests() > s->requests_before;
    s->caught = ours && !for_outer && !by_request;
    return s->caught ? 0 : status;
}

}  // namespace aloop
