// SPDX-License-Identifier: MIT
#include "event.hpp"

namespace aloop {

namespace {

struct event_wait final : operation {
    event *of;  // owned
    waiter node;

    event_wait(domain *d, event *e);
    ~event_wait() {
        node.leave(of->waiters);
        unref(of);
    }
};

int64_t step(operation *op, task *by, int64_t status) {
    event_wait *self = static_cast<event_wait *>(op);
    event *e = self->of;
    if (self->phase++ == 0) {
        if (e->is_set) return 0;
        const int64_t code = e->bind(op);
        return code < 0 ? code
                        : stand_in(e->waiters, &self->node, op, make_future(loop_of(op)));
    }
    self->node.leave(e->waiters);
    return status < 0 ? pass_cancellation(op, by) : 0;  // also where it was cleared since
}

const op_info k_wait = {"event.wait", step, free_operation<event_wait>};

event_wait::event_wait(domain *d, event *e) : operation(d, &k_wait), of(e) { ref(e); }

const register_kind g_event(kind::event, {"event", destroy_free<event>});

}  // namespace

void set_event(event *e) {
    if (e->is_set) return;
    e->is_set = true;
    for (link *l = e->waiters.head(); l != nullptr; l = e->waiters.after(l)) waiter_of(l)->wake();
}

future *make_event_wait(loop *home, event *e) { return home->make_object<event_wait>(e); }

}  // namespace aloop
