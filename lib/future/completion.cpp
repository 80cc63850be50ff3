// SPDX-License-Identifier: MIT
#include "completion.hpp"

namespace aloop {

namespace {

// Waits on the future; once that is done, in the loop's list of records.
struct watch final : node, self_held {
    future *of;
    uint64_t token;
    bool recorded = false;  // it stands in the list of records
};

void free_watch(watch *w) {
    future *f = w->of;
    loop *l = loop_of(f);
    if (static_cast<link *>(static_cast<self_held *>(w))->prev != nullptr) {
        l->self_held.remove(static_cast<self_held *>(w));
    }
    l->free_object(w);
    unref(f);
}

void record(watch *w) {
    w->recorded = true;
    loop_of(w->of)->completions.push(w);
}

void on_done(node *item, action what) {
    watch *w = static_cast<watch *>(item);
    if (what == action::drop) {
        free_watch(w);
        return;
    }
    record(w);
}

// The loop closes. What stands in the ready queue is dropped with that.
void let_go(self_held *self) {
    watch *w = static_cast<watch *>(self);
    if (static_cast<node *>(w)->prev != nullptr) {
        w->of->waiters.remove(static_cast<node *>(w));
    } else if (w->recorded) {
        loop_of(w->of)->completions.clear();  // all that is in it goes this way
    } else {
        return;
    }
    free_watch(w);
}

}  // namespace

int64_t watch_completion(future *f, uint64_t token) {
    loop *l = loop_of(f);
    void *block = l->take_block<sizeof(watch)>();
    if (block == nullptr) {
        unref(f);
        return ALOOP_ENOMEM;
    }
    l->count_object(1);
    watch *w = new (block) watch;
    w->fn = on_done;
    w->of = f;
    w->token = token;
    w->let_go = let_go;
    l->self_held.push(static_cast<self_held *>(w));
    if (f->pending()) {
        f->waiters.push(static_cast<node *>(w));
    } else {
        record(w);
    }
    return 0;
}

int64_t collect_completions(loop *l, aloop_completion *records, int64_t n) {
    int64_t filled = 0;
    while (filled < n) {
        watch *w = static_cast<watch *>(l->completions.pop());
        if (w == nullptr) break;
        aloop_completion &r = records[filled++];
        r = {};
        r.token = w->token;
        r.free_fn = w->of->status() >= 0 ? w->of->done.value_free : nullptr;
        r.status = take_value(w->of, &r.value);
        if (r.status < 0) {
            error *e = error_of(w->of);
            if (e != nullptr) ref(e);
            r.error = to_c(e);
        }
        free_watch(w);
    }
    return filled;
}

int64_t poll_completions(loop *l, aloop_completion *records, int64_t n, double timeout) {
    const int64_t code = l->enter();
    if (code < 0) return code;
    const int64_t deadline = timeout < 0 ? k_never : deadline_after(l->now(), timeout);
    while (l->completions.empty()) {
        l->iterate(deadline);
        if (l->stopping() || l->now() >= deadline) break;
    }
    const int64_t filled = collect_completions(l, records, n);
    l->leave();
    return filled;
}

}  // namespace aloop
