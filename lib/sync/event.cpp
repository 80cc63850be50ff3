// SPDX-License-Identifier: MIT
#include "event.hpp"

namespace aloop {

namespace {

struct event_wait final : op_on<event> {
    using op_on::op_on;
    ~event_wait() { of->waiters.leave(&node); }
};

int64_t step(operation *op, task *by, int64_t status) {
    event_wait *self = static_cast<event_wait *>(op);
    return wait_once(self, self->of->waiters, self->of->is_set, by, status);
}

int64_t at_once(operation *op, void **value) {
    event_wait *self = static_cast<event_wait *>(op);
    return self->of->is_set ? end_at_once(self, value) : ALOOP_PENDING;
}

const op_info k_wait = {"event.wait", step, free_operation<event_wait>, at_once};

const register_kind g_event(kind::event, {"event", destroy_free<event>});

}  // namespace

void set_event(event *e) {
    if (e->is_set) return;
    e->is_set = true;
    e->waiters.wake(k_all);
}

future *make_event_wait(loop *home, event *e) {
    return home->make_object<event_wait>(&k_wait, e);
}

}  // namespace aloop
