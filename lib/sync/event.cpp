// SPDX-License-Identifier: MIT
#include "event.hpp"

namespace aloop {

namespace {

struct event_wait final : op_on<event> {
    using op_on::op_on;
    ~event_wait() { node.leave(of->waiters); }
};

int64_t step(operation *op, task *by, int64_t status) {
    event_wait *self = static_cast<event_wait *>(op);
    return wait_once(self, self->of->waiters, self->of->is_set, by, status);
}

const op_info k_wait = {"event.wait", step, free_operation<event_wait>};

const register_kind g_event(kind::event, {"event", destroy_free<event>});

}  // namespace

void set_event(event *e) {
    if (e->is_set) return;
    e->is_set = true;
    wake_each(e->waiters);
}

future *make_event_wait(loop *home, event *e) {
    return home->make_object<event_wait>(&k_wait, e);
}

}  // namespace aloop
