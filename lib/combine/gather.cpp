// gather.cpp: several awaitables as one.
//
// The gather observes each distinct child; a child named twice fills each of
// its slots. It keeps itself alive until the last child is done, for asyncio's
// rule that errors after the first are retrieved quietly.
//
// SPDX-License-Identifier: MIT
#include "gather.hpp"

#include <utility>

#include "../base/results.hpp"
#include "../task/junction.hpp"
#include "../task/task.hpp"

namespace aloop {

namespace {

struct gather;

struct child {
    future *of;
    done_callback *observer;
    gather *home;
    int64_t same_as;  // the slot that observes this future; its own index else
};

struct gather final : junction, self_held {
    child *children = nullptr;
    int64_t distinct = 0;
    int64_t finished = 0;
    int64_t outstanding = 0;  // observers
    bool return_errors = false;

    explicit gather(domain *d) : junction(d, kind::gather, child_of) {}

    static future *child_of(junction *self, int64_t i) {
        return static_cast<gather *>(self)->children[i].of;
    }
};

void fail_as(gather *g, future *f) {
    error *e = static_cast<error *>(f->done.value);
    if (e != nullptr) ref(e);
    f->clear(k_unretrieved);
    fail(g, f->status(), e);
}

// A gather that was cancelled carries the message of the last child named.
error *last_message(const gather *g) {
    future *last = g->children[g->count - 1].of;
    error *e = last->state == k_was_cancelled ? error_of(last) : nullptr;
    if (e != nullptr) ref(e);
    return e;
}

void complete(gather *g) {
    if (g->cancel_requested) {
        fail(g, ALOOP_ECANCELED, last_message(g));
        return;
    }
    results *list = make_results(g->count);
    if (list == nullptr) {
        fail(g, ALOOP_ENOMEM, nullptr);
        return;
    }
    outcome *entries = list->entries;
    for (int64_t i = 0; i < g->count; i++) {
        const int64_t first = g->children[i].same_as;
        if (first == i) {
            record_outcome(&entries[i], g->children[i].of, true);
        } else {  // the value is the first slot's; plain data may be read by all
            entries[i].status = entries[first].status;
            entries[i].failure = entries[first].failure;
            if (entries[i].failure != nullptr) ref(entries[i].failure);
            if (entries[first].value_free == nullptr) entries[i].value = entries[first].value;
        }
    }
    finish(g, g->count, list, free_results);
}

void child_done(gather *g, future *f) {
    g->finished++;
    if (!g->pending()) {
        f->clear(k_unretrieved);
        return;
    }
    if (!g->return_errors && f->failed()) {
        fail_as(g, f);
        return;
    }
    if (g->finished == g->distinct) complete(g);
}

int64_t on_child_done(aloop_future *, void *data) {
    child *c = static_cast<child *>(data);
    child_done(c->home, c->of);
    return 0;
}

// The observer is gone: the last one takes the gather's hold on itself along.
void observer_gone(void *data) {
    child *c = static_cast<child *>(data);
    gather *g = c->home;
    c->observer = nullptr;
    if (--g->outstanding > 0) return;
    if (static_cast<self_held *>(g)->prev != nullptr) loop_of(g)->self_held.remove(g);
    unref(static_cast<future *>(g));
}

void let_go(self_held *self) {
    gather *g = static_cast<gather *>(self);
    for (int64_t i = 0; i < g->count; i++) {
        if (g->children[i].observer != nullptr) forget(g->children[i].observer);
        g->children[i].observer = nullptr;
    }
    unref(static_cast<future *>(g));
}

void destroy_gather(object *o) {
    gather *g = static_cast<gather *>(o);
    if (bury_if_on_fiber(g)) return;
    if (g->has(k_unretrieved)) {  // its child's failure counts as retrieved
        g->refs = 1;
        report_unretrieved(g, "Future exception was never retrieved");
        if (--g->refs != 0) return;
    }
    for (int64_t i = 0; i < g->count; i++) unref(g->children[i].of);
    release(g->children);
    release_outcome(g);
    loop_of(g)->free_object(g);
}

const register_observer g_awaits(on_child_done, [](void *data) -> future * {
    return static_cast<child *>(data)->home;
});

const register_kind g_gather(kind::gather, {"gather", destroy_gather, pass_cancel_on});

// Observes the distinct children that are not done, then takes the others.
bool observe_children(gather *g) {
    for (int64_t i = 0; i < g->count; i++) {
        child &c = g->children[i];
        if (c.same_as != i) continue;
        g->distinct++;
        if (!c.of->pending()) continue;
        c.observer = observe(c.of, on_child_done, &c, observer_gone);
        if (c.observer == nullptr) return false;
        if (g->outstanding++ == 0) {
            ref(static_cast<future *>(g));
            loop_of(g)->self_held.push(g);
        }
    }
    return true;
}

void take_done_children(gather *g) {
    for (int64_t i = 0; i < g->count; i++) {
        child &c = g->children[i];
        if (c.same_as == i && c.observer == nullptr) child_done(g, c.of);
    }
}

// Marks each future once; one that is marked already was named before. Meanwhile it knows
// its first slot, in `extra`, and that slot keeps what was there.
void find_duplicates(child *children, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        future *f = children[i].of;
        if (f->has(k_marked)) {
            children[i].same_as = f->extra;
            continue;
        }
        f->set(k_marked);
        children[i].same_as = std::exchange(f->extra, static_cast<uint32_t>(i));
    }
    for (int64_t i = 0; i < n; i++) {
        future *f = children[i].of;
        if (!f->has(k_marked)) continue;
        f->clear(k_marked);
        f->extra = static_cast<uint32_t>(std::exchange(children[i].same_as, i));
    }
}

}  // namespace

future *make_gather(loop *l, future *const *futures, int64_t n, bool return_errors) {
    gather *g = l->make_object<gather>();
    const size_t room = sizeof(child) * static_cast<size_t>(n > 0 ? n : 1);
    child *children = static_cast<child *>(allocate(room));
    if (g == nullptr || children == nullptr) {
        for (int64_t i = 0; i < n; i++) unref(futures[i]);
        release(children);
        if (g != nullptr) l->free_object(g);
        return failed_future(l, ALOOP_ENOMEM);
    }
    g->let_go = let_go;
    g->children = children;
    g->count = n;
    g->return_errors = return_errors;
    for (int64_t i = 0; i < n; i++) children[i] = {futures[i], nullptr, g, i};
    find_duplicates(children, n);
    for (int64_t i = 0; i < n; i++) {
        if (children[i].same_as == i) {
            children[i].of = ensure_future(children[i].of);
        } else {
            future *first = children[children[i].same_as].of;
            ref(first);
            unref(children[i].of);
            children[i].of = first;
        }
    }
    if (!observe_children(g)) {
        if (g->outstanding > 0) {
            l->self_held.remove(g);
            let_go(g);
        }
        unref(static_cast<future *>(g));
        return failed_future(l, ALOOP_ENOMEM);
    }
    if (n == 0) {
        complete(g);
    } else {
        take_done_children(g);
    }
    return g;
}

}  // namespace aloop
