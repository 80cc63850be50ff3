// SPDX-License-Identifier: MIT
#include "watch.hpp"
#include "entry.hpp"

namespace aloop {

namespace {

void destroy_watch(fan *f) { destroy(static_cast<watch *>(f)); }

int64_t step_changed(operation *op, task *by, int64_t status) {
    fan_op *self = static_cast<fan_op *>(op);
    if (!self->resume(by, &status)) return status;
    status = has_changed(self->end);
    if (status == ALOOP_ESTALE) return fail_closed(op);
    if (status < 0) return status;
    if (status == 0) return self->wait();
    self->end->place = watch_of(self->end)->number;
    return 0;
}

const op_info k_changed = {"watch.changed", step_changed, free_operation<fan_op>};

int64_t step_all_left(operation *op, task *by, int64_t status) {
    fan_op *self = static_cast<fan_op *>(op);
    if (!self->resume(by, &status)) return status;
    if (self->end->is_closed) return fail_closed(op);
    return self->end->of->receivers == 0 ? 0 : self->wait();
}

const op_info k_all_left = {"watch.closed", step_all_left, free_operation<fan_op>};

}  // namespace

watch::watch(message *first, aloop_free_fn free_fn)
    : fan(fan_way::latest_value, free_fn, destroy_watch), current(first) {}

int64_t make_watch(loop *l, void *item, aloop_free_fn item_free, fan_end **sender) {
    message *m = l->make_object<message>(item, nullptr);
    if (m == nullptr) return ALOOP_ENOMEM;
    watch *w = create<watch>(m, item_free);
    if (w == nullptr) {
        unref(m);
        return ALOOP_ENOMEM;
    }
    fan_end *end = make_fan_sender(l, w);
    if (end == nullptr) return ALOOP_ENOMEM;
    m->value_free = item_free;  // from here on nothing can fail
    *sender = end;
    return 0;
}

int64_t set_value(fan_end *sender, void *item, bool anyway) {
    watch *w = watch_of(sender);
    if (sender->is_closed) return ALOOP_ESTALE;
    if (w->receivers == 0 && !anyway) return ALOOP_EPIPE;
    message *m = loop_of(sender)->make_object<message>(item, w->item_free);
    if (m == nullptr) return ALOOP_ENOMEM;
    message *before = std::exchange(w->current, m);
    w->number++;
    pop_and_wake(w->waiters, true);
    unref(before);  // last: program code may run
    return 0;
}

message *current_value(fan_end *end, bool seen) {
    watch *w = watch_of(end);
    if (seen) end->place = w->number;
    ref(w->current);
    return w->current;
}

int64_t has_changed(const fan_end *receiver) {
    const watch *w = watch_of(receiver);
    if (receiver->is_closed) return ALOOP_ESTALE;
    if (receiver->place != w->number) return 1;
    return w->sender_open ? 0 : ALOOP_ESTOPITERATION;
}

future *make_changed(fan_end *receiver) {
    return loop_of(receiver)->make_object<fan_op>(&k_changed, receiver);
}

future *make_all_left(fan_end *sender) {
    return loop_of(sender)->make_object<fan_op>(&k_all_left, sender);
}

}  // namespace aloop
