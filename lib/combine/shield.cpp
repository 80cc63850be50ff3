// SPDX-License-Identifier: MIT
#include "shield.hpp"

#include <cstdio>
#include <utility>

#include "../future/last_observer.hpp"
#include "../task/operation.hpp"

namespace aloop {

namespace {

struct shield final : future {
    future *inner = nullptr;
    done_callback *observer = nullptr;

    explicit shield(domain *d) : future(d, kind::shield) {}
};

int64_t on_inner_done(aloop_future *handle, void *data) {
    shield *s = static_cast<shield *>(data);
    future *inner = from_c(handle);
    if (!s->pending()) return 0;
    if (inner->state == k_was_cancelled) {
        cancel_now(s, nullptr);  // the message was for the inner one
    } else {
        finish_like(s, inner);
    }
    return 0;
}

void observer_gone(void *data) { static_cast<shield *>(data)->observer = nullptr; }

// The outer was cancelled: a later failure of the inner has no other listener.
int64_t on_abandoned_done(aloop_future *handle, void *) {
    future *inner = from_c(handle);
    if (inner->state != k_finished || !inner->failed()) return 0;
    char text[96];
    std::snprintf(text, sizeof text, "%s exception in shielded future", name_of(inner->status()));
    report_unretrieved(inner, text);
    return 0;
}

// An inner one that is done by now was asyncio's business no more.
int64_t on_outer_cancelled(aloop_future *handle, void *) {
    shield *s = static_cast<shield *>(from_c(handle));
    if (!s->inner->pending()) return 0;
    if (s->observer != nullptr) forget(std::exchange(s->observer, nullptr));
    if (done_callback *other = last_observer(s->inner, on_abandoned_done)) {
        forget(other);  // one report is enough
    }
    observe(s->inner, on_abandoned_done, nullptr, nullptr);
    return 0;
}

bool cancel_shield(future *f, const char *message) {
    shield *s = static_cast<shield *>(f);
    observe(s, on_outer_cancelled, nullptr, nullptr);
    cancel_now(s, message != nullptr ? make_error(ALOOP_ECANCELED, message) : nullptr);
    return true;
}

void destroy_shield(object *o) {
    shield *s = static_cast<shield *>(o);
    if (bury_if_on_fiber(s)) return;
    if (s->has(k_unretrieved)) {
        s->refs = 1;
        report_unretrieved(s, "Future exception was never retrieved");
        if (--s->refs != 0) return;
    }
    if (s->observer != nullptr) forget(s->observer);
    unref(s->inner);
    release_outcome(s);
    loop_of(s)->free_object(s);
}

const register_observer g_awaits(on_inner_done, [](void *data) -> future * {
    return static_cast<shield *>(data);
});

const register_kind g_shield(kind::shield, {"shield", destroy_shield, cancel_shield});

}  // namespace

future *make_shield(future *f) {
    loop *l = loop_of(f);
    future *inner = ensure_future(f);
    if (!inner->pending()) return inner;
    shield *s = l->make_object<shield>();
    if (s != nullptr) {
        s->inner = inner;
        s->observer = observe(inner, on_inner_done, s, observer_gone);
        if (s->observer != nullptr) return s;
        unref(static_cast<future *>(s));
    } else {
        unref(inner);
    }
    return failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
