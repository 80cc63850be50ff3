// SPDX-License-Identifier: MIT
#include "trace.hpp"

namespace aloop {

void tracer::put_off(int32_t kind, object *task, int64_t at) {
    later *e = create<later>();
    if (e == nullptr) return;
    e->next = nullptr;
    e->event.kind = kind;
    e->event.time = at;
    e->event.task = task;
    ref(task);
    *last_ = e;
    last_ = &e->next;
}

bool tracer::tell_put_off() {
    const loop *l = home;
    while (first_ != nullptr) {
        later *e = first_;
        first_ = e->next;
        if (first_ == nullptr) last_ = &first_;
        tell(e->event);
        unref(e->event.task);
        destroy(e);
        if (l->observer(observer_slot::hook) != this &&
            l->observer(observer_slot::timeline) != this) {
            return false;
        }
    }
    return true;
}

void tracer::drop_put_off() {
    while (first_ != nullptr) {
        later *e = first_;
        first_ = e->next;
        unref(e->event.task);
        destroy(e);
    }
}

void tracer::begins(const running_item &item, int64_t at) {
    if (!tell_put_off()) return;
    began_ = at;
    aloop_trace_event event;
    event.kind = ALOOP_TRACE_BEGIN;
    event.time = at;
    event.task = item.of;
    event.code = item.code;
    tell(event);
}

void tracer::ends(const running_item &item, int64_t at) {
    if (!tell_put_off()) return;
    aloop_trace_event event;
    event.kind = ALOOP_TRACE_END;
    event.time = at;
    event.duration = began_ != 0 ? at - began_ : 0;
    event.task = item.of;
    event.code = item.code;
    began_ = 0;
    tell(event);
}

void tracer::slept(int64_t from, int64_t to) {
    if (!tell_put_off()) return;
    aloop_trace_event event;
    event.kind = ALOOP_TRACE_SLEPT;
    event.time = to;
    event.duration = to - from;
    tell(event);
}

void tracer::task_made(object *task, int64_t at) { put_off(ALOOP_TRACE_TASK_CREATED, task, at); }
void tracer::task_done(object *task, int64_t at) { put_off(ALOOP_TRACE_TASK_DONE, task, at); }

namespace {

struct hook final : tracer, resource {
    aloop_trace_fn fn;
    void *data;
    aloop_free_fn free_fn;

    hook(loop *l, aloop_trace_fn f, void *d, aloop_free_fn df)
        : tracer(l), fn(f), data(d), free_fn(df) {}
    void tell(const aloop_trace_event &event) override { fn(to_c(home), &event, data); }
};

void end_hook(hook *h) {
    const aloop_free_fn free_fn = h->free_fn;
    void *data = h->data;
    h->home->observe(observer_slot::hook, nullptr);
    destroy(h);
    if (free_fn != nullptr) free_fn(data);
}

}  // namespace

int64_t set_trace_hook(loop *l, aloop_trace_fn fn, void *data, aloop_free_fn free_fn) {
    hook *made = nullptr;
    if (fn != nullptr) {
        made = create<hook>(l, fn, data, free_fn);
        if (made == nullptr) return ALOOP_ENOMEM;
        made->close = [](resource *r) { end_hook(static_cast<hook *>(r)); };
    }
    if (loop_observer *old = l->observer(observer_slot::hook)) {
        hook *h = static_cast<hook *>(static_cast<tracer *>(old));
        l->remove_resource(h);
        end_hook(h);
    }
    if (made != nullptr) {
        l->add_resource(made);
        l->observe(observer_slot::hook, made);
    }
    return 0;
}

}  // namespace aloop
