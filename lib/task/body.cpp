// SPDX-License-Identifier: MIT
#include "body.hpp"

#include "fiber.hpp"

namespace aloop {

int64_t prepare_body(loop *l, body *b, aloop_coro_fn fn, void *arg) {
    b->stack = take_fiber(l, 0);
    if (b->stack == nullptr) return ALOOP_ENOMEM;
    set_coroutine(b->stack, fn, arg, nullptr);
    return 0;
}

void drop_body(loop *l, body *b) {
    if (b->stack != nullptr) give_fiber(l, std::exchange(b->stack, nullptr));
    set_failure(b, nullptr);
    b->op = nullptr;
}

body_stop enter_body(body *b) {
    loop *l = loop_of(b->op);
    b->outer = l->inner_body;
    l->inner_body = b;
    const bool nested = l->on_fiber;
    l->on_fiber = true;
    if (!switch_to(b->stack)) b->stop = body_stop::ended;
    l->on_fiber = nested;
    l->inner_body = b->outer;
    return b->stop;
}

int64_t result_of(const body *b) {
    void *value = nullptr;
    return result_of(b->stack, &value);
}

body *running_body_of(const loop *l) {
    body *b = l->inner_body;
    return is_inside(b->stack) ? b : nullptr;
}

int64_t await_in_body(body *b, future *f, void **value) {
    task *t = loop_of(b->op)->current_task;
    set_failure(b, nullptr);
    b->op->await(check_awaited(t, f));
    b->stop = body_stop::awaits;
    const bool pressed = press_scope(t);
    switch_back(b->stack);
    const task *by = loop_of(b->op)->current_task;  // another, where t left it behind
    // Where the await had to wait, the step that woke it has taken this flag.
    if (pressed && by == t) t->off(k_must_cancel);
    future *inner = b->op->inner;
    const bool accepted = !inner->pending() && inner->status() == ALOOP_ECANCELED;
    if (b->outcome != ALOOP_ECANCELED || accepted) return take_value(inner, value);
    // What it awaited is done, or goes on; the cancellation takes its place.
    error *message = by->more != nullptr ? by->more->cancel_error : nullptr;
    if (message != nullptr) ref(message);
    set_failure(b, message != nullptr ? message : make_error(ALOOP_ECANCELED, nullptr));
    return ALOOP_ECANCELED;
}

void rest(body *b) {
    set_failure(b, nullptr);
    b->stop = body_stop::rests;
    switch_back(b->stack);
}

void set_failure(body *b, error *adopted) {
    if (b->failure != nullptr) unref(b->failure);
    b->failure = adopted;
}

error *current_error(task *t) {
    const body *b = running_body(loop_of(t));
    if (b == nullptr) return last_error(t);
    if (b->failure != nullptr) return b->failure;
    future *inner = b->op->inner;
    return inner != nullptr && inner->failed() ? error_of(inner) : nullptr;
}

}  // namespace aloop
