// SPDX-License-Identifier: MIT
#include "fan.hpp"

namespace aloop {

namespace {

void destroy_message(object *o) {
    message *m = static_cast<message *>(o);
    loop *l = loop_of(m);
    if (m->value_free != nullptr && l->on_fiber) {
        bury(m);  // the destructor is program code
        return;
    }
    if (m->value_free != nullptr && m->value != nullptr) m->value_free(m->value);
    l->free_object(m);
}

void destroy_end(object *o) {
    fan_end *e = static_cast<fan_end *>(o);
    if (!loop_of(e)->closed) close_fan_end(e);
    loop_of(e)->free_object(e);
}

void destroy_fan(object *o) {
    fan *f = static_cast<fan *>(o);
    f->destroy_all(f);
}

const register_kind g_message(kind::message, {"message", destroy_message});
const register_kind g_end(kind::fan_end, {"channel_end", destroy_end});
const register_kind g_fan(kind::channel, {"channel", destroy_fan});

}  // namespace

fan_end *make_fan_sender(loop *l, fan *f) {
    fan_end *e = l->make_object<fan_end>(f, true, 0);
    unref(f);
    return e;
}

fan_end *make_fan_receiver(loop *l, fan *f, int64_t at) {
    fan_end *e = l->make_object<fan_end>(f, false, at);
    if (e != nullptr) f->receivers++;
    return e;
}

void close_fan_end(fan_end *e) {
    if (e->is_closed) return;
    e->is_closed = true;
    fan *f = e->of;
    if (e->sends) {
        f->sender_open = false;
        pop_and_wake(f->leaving, true);
    } else if (--f->receivers == 0) {
        pop_and_wake(f->leaving, true);
    }
    pop_and_wake(f->waiters, true);
    if (!e->sends && f->give_up != nullptr) f->give_up(f, e);
}

int64_t fan_op::wait() {
    return stand_in(end->sends ? end->of->leaving : end->of->waiters, &node, this,
                    make_future(loop_of(this)));
}

bool fan_op::resume(task *by, int64_t *status) {
    if (phase++ == 0) return true;
    node.leave(end->sends ? end->of->leaving : end->of->waiters);
    if (*status >= 0) return true;
    *status = pass_cancellation(this, by);
    return false;
}

}  // namespace aloop
