// SPDX-License-Identifier: MIT
#include "waker.hpp"

namespace aloop {

namespace {

constexpr uint32_t k_woken = 1;
constexpr uint32_t k_posted = 2;

void destroy_waker(object *o) { destroy(static_cast<waker *>(o)); }

const register_kind g_waker(kind::waker, {"waker", destroy_waker});

struct wake_post : posted {
    waker *of;
};

void arrive(node *item, action what) {
    wake_post *p = static_cast<wake_post *>(item);
    waker *w = p->of;
    destroy(p);
    w->state.fetch_and(~k_posted);
    if (what == action::run && w->pending != nullptr) {
        future *f = w->pending;
        w->pending = nullptr;
        w->state.fetch_and(~k_woken);
        if (f->pending()) finish(f, 0, nullptr, nullptr);
        unref(f);
    }
    unref(w);
}

}  // namespace

waker::~waker() {
    if (pending != nullptr) unref(pending);
    unref(static_cast<object *>(home));
    count_live(kind::waker, -1);
}

future *waker_future(waker *w) {
    if ((w->state.fetch_and(~k_woken) & k_woken) != 0) {
        return finished_future(w->home, 0, nullptr, nullptr);
    }
    if (w->pending != nullptr && w->pending->pending()) {
        ref(w->pending);
        return w->pending;
    }
    if (w->pending != nullptr) unref(w->pending);  // its wait was cancelled
    w->pending = nullptr;
    future *f = make_future(w->home);
    if (f == nullptr) return failed_future(w->home, ALOOP_ENOMEM);
    w->pending = f;
    ref(f);
    return f;
}

int64_t wake(waker *w) {
    const uint32_t before = w->state.fetch_or(k_woken | k_posted);
    if ((before & k_posted) != 0) return 0;  // the post under way will see it
    wake_post *p = create<wake_post>();
    if (p == nullptr) {
        w->state.fetch_and(~k_posted);
        return ALOOP_ENOMEM;
    }
    p->fn = arrive;
    p->of = w;
    ref(w);
    const int64_t code = w->home->post(p);
    if (code < 0) {
        destroy(p);
        w->state.fetch_and(~k_posted);
        unref(w);
    }
    return code;
}

}  // namespace aloop
