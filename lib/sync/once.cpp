// SPDX-License-Identifier: MIT
#include "once.hpp"

namespace aloop {

namespace {

void destroy_posted(node *self, action) {
    destroy(static_cast<once *>(static_cast<posted *>(self)));
}

// The value's destructor is program code: never on a fiber.
void destroy_once(object *o) {
    once *self = static_cast<once *>(o);
    self->fn = destroy_posted;
    if (self->value_free == nullptr || !has_to_wait(self, self)) destroy(self);
}

const register_kind g_once(kind::once, {"once", destroy_once});

struct get_or_init final : op_on<once> {
    aloop_once_fn init;
    void *data;
    bool runs = false;  // its initializer is under way

    get_or_init(domain *d, const op_info *info, once *o, aloop_once_fn fn, void *argument)
        : op_on(d, info, o), init(fn), data(argument) {}
    ~get_or_init() {
        of->waiters.leave(&node);
        if (runs) of->busy = false;  // given up, or the loop closed
        if (!of->busy && !of->full && is_given_up(this)) of->waiters.wake(1);
    }
};

// Its initializer has ended, or its caller was cancelled, or both.
int64_t end_init(get_or_init *self, task *by, int64_t status) {
    once *o = self->of;
    self->runs = o->busy = false;
    int64_t made = status;
    if (self->inner->state == k_finished) {
        const aloop_free_fn value_free = self->inner->done.value_free;
        void *value = nullptr;
        made = take_value(self->inner, &value);
        if (made >= 0) fill(o, made, value, value_free);
    }
    if (!o->full) o->waiters.wake(1);
    if (status == ALOOP_ECANCELED) return pass_cancellation(self, by);
    if (made >= 0) self->give(o->value, nullptr);
    return made;
}

int64_t step(operation *op, task *by, int64_t status) {
    get_or_init *self = static_cast<get_or_init *>(op);
    once *o = self->of;
    if (self->runs) return end_init(self, by, status);
    o->waiters.leave(&self->node);
    if (self->phase++ != 0 && status < 0) {
        if (self->node.woken() && !o->full && !o->busy) o->waiters.wake(1);
        return pass_cancellation(op, by);
    }
    if (o->full) {
        op->give(o->value, nullptr);
        return o->status;
    }
    if (o->busy) return block(o, o->waiters.all, &self->node, op);
    status = o->bind(op);
    if (status < 0) return status;
    self->runs = o->busy = true;
    future *f = from_c(self->init(self->data));
    return op->await(f != nullptr ? check_awaited(by, f) : nullptr);
}

const op_info k_get = {"once.get_or_init", step, free_operation<get_or_init>};

}  // namespace

void fill(once *o, int64_t status, void *value, aloop_free_fn free_fn) {
    o->full = true;
    o->status = status;
    o->value = value;
    o->value_free = free_fn;
    o->waiters.wake(k_all);
}

future *make_get_or_init(loop *home, once *o, aloop_once_fn init, void *data) {
    return home->make_object<get_or_init>(&k_get, o, init, data);
}

}  // namespace aloop
