// SPDX-License-Identifier: MIT
#include "timeout.hpp"

namespace aloop {

namespace {

void expire(alarm *a) {
    timeout *t = static_cast<timeout *>(a->owner);
    if (t->phase != timeout_state::active) return;
    cancel_task(t->of, nullptr);
    t->phase = timeout_state::expiring;
}

void destroy_timeout(object *o) {
    timeout *t = static_cast<timeout *>(o);
    unref(static_cast<future *>(t->of));
    loop_of(t)->free_object(t);
}

const register_kind g_timeout(kind::timeout, {"timeout", destroy_timeout});

}  // namespace

timeout *enter_timeout(task *t, int64_t when) {
    loop *l = loop_of(t);
    timeout *out = l->make_object<timeout>();
    if (out == nullptr) return nullptr;
    out->of = t;
    ref(static_cast<future *>(t));
    out->cancelling_before = t->cancel_requests();
    reschedule(out, when);
    return out;
}

void reschedule(timeout *t, int64_t when) {
    if (t->alarm.is_set()) t->alarm.clear();
    t->when = when;
    if (when == k_never) return;
    t->alarm.set(t, expire, when, when <= loop_of(t)->now());
}

int64_t exit_timeout(timeout *t, int64_t status) {
    if (t->phase == timeout_state::active) {
        if (t->alarm.is_set()) t->alarm.clear();
        t->phase = timeout_state::finished;
        return status;
    }
    if (t->phase != timeout_state::expiring) return ALOOP_EINVALIDSTATE;
    t->phase = timeout_state::expired;
    const bool only_ours = uncancel(t->of) <= t->cancelling_before;
    return only_ours && status == ALOOP_ECANCELED ? ALOOP_ETIMEDOUT : status;
}

}  // namespace aloop
