// SPDX-License-Identifier: MIT
#include <asyncloop/scope.h>

#include <cmath>

#include "../task/body.hpp"
#include "cancel_scope.hpp"
#include "exit_stack.hpp"

using namespace aloop;

namespace {

task *running_task() {
    const loop *l = running_loop();
    return l != nullptr ? l->current_task : nullptr;
}

bool is_scope(const aloop_cancel_scope *s) {
    return is(reinterpret_cast<const object *>(s), kind::cancel_scope);
}

int64_t check_scope(aloop_cancel_scope *handle) {
    if (!is_scope(handle)) return ALOOP_EINVAL;
    return loop_of(static_cast<loop_object *>(from_c(handle)))->check();
}

cancel_scope *readable(const aloop_cancel_scope *handle) {
    return is_scope(handle) ? from_c(const_cast<aloop_cancel_scope *>(handle)) : nullptr;
}

bool is_stack(aloop_exit_stack *s) {
    return is(reinterpret_cast<object *>(s), kind::exit_stack);
}

// The error that goes with status so far; a reference, or nullptr.
error *error_behind(int64_t status) {
    task *t = running_task();
    if (t == nullptr || status >= 0) return nullptr;
    error *e = t->more != nullptr ? t->more->raised : nullptr;
    if (e == nullptr || e->code != status) e = current_error(t);
    if (e == nullptr || e->code != status) return nullptr;
    ref(e);
    return e;
}

}  // namespace

// Cancel scopes ------------------------------------------------------------------------------

int64_t aloop_cancel_scope_enter(aloop_cancel_scope **out, double delay, int32_t shield) {
    if (out == nullptr || std::isnan(delay)) return ALOOP_EINVAL;
    task *t = running_task();
    if (t == nullptr) return running_loop() == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_ENOTASK;
    const int64_t deadline = deadline_after(loop_of(t)->now(), delay);
    cancel_scope *s = enter_cancel_scope(t, deadline, shield != 0);
    if (s == nullptr) return ALOOP_ENOMEM;
    *out = to_c(s);
    return 0;
}

int64_t aloop_cancel_scope_cancel(aloop_cancel_scope *handle) {
    const int64_t code = check_scope(handle);
    if (code < 0) return code;
    const bool late = from_c(handle)->cancelled || from_c(handle)->left;
    cancel_scope_now(from_c(handle));
    return late ? 0 : 1;
}

int64_t aloop_cancel_scope_set_deadline(aloop_cancel_scope *handle, double when) {
    const int64_t code = check_scope(handle);
    if (code < 0) return code;
    if (std::isnan(when)) return ALOOP_EINVAL;
    if (from_c(handle)->left) return ALOOP_EINVALIDSTATE;
    set_deadline(from_c(handle), to_ns(when));
    return 0;
}

double aloop_cancel_scope_deadline(const aloop_cancel_scope *handle) {
    const cancel_scope *s = readable(handle);
    if (s == nullptr) return __builtin_nan("");
    return s->deadline == k_never ? __builtin_inf() : to_seconds(s->deadline);
}

int64_t aloop_cancel_scope_set_shield(aloop_cancel_scope *handle, int32_t shield) {
    const int64_t code = check_scope(handle);
    if (code < 0) return code;
    cancel_scope *s = from_c(handle);
    if (s->left) return ALOOP_EINVALIDSTATE;
    set_shield(s, shield != 0);
    return 0;
}

int64_t aloop_cancel_scope_cancel_called(const aloop_cancel_scope *handle) {
    const cancel_scope *s = readable(handle);
    return s != nullptr ? s->cancelled : ALOOP_EINVAL;
}

int64_t aloop_cancel_scope_cancelled_caught(const aloop_cancel_scope *handle) {
    const cancel_scope *s = readable(handle);
    return s != nullptr ? s->caught : ALOOP_EINVAL;
}

int64_t aloop_cancel_scope_exit(aloop_cancel_scope *handle, int64_t status) {
    const int64_t code = check_scope(handle);
    if (code < 0) return code;
    cancel_scope *s = from_c(handle);
    if (s->of != running_task()) return ALOOP_ENOTASK;
    if (s->left || s->of->more->scope != s) return ALOOP_EINVALIDSTATE;
    return leave_cancel_scope(s, status);
}

int64_t aloop_in_cancelled_scope(void) {
    const task *t = running_task();
    return t != nullptr ? in_cancelled_scope(t) : ALOOP_ENOTASK;
}

// Exit stacks ---------------------------------------------------------------------------------

aloop_exit_stack *aloop_exit_stack_new(void) { return to_c(create<exit_stack>()); }

int64_t aloop_exit_stack_push(aloop_exit_stack *handle, aloop_exit_fn fn, void *data) {
    if (!is_stack(handle) || fn == nullptr) return ALOOP_EINVAL;
    return from_c(handle)->push(fn, nullptr, data);
}

int64_t aloop_exit_stack_callback(aloop_exit_stack *handle, aloop_callback_fn fn, void *data) {
    if (!is_stack(handle) || fn == nullptr) return ALOOP_EINVAL;
    return from_c(handle)->push(nullptr, fn, data);
}

namespace {

int64_t unref_it(void *o) {
    aloop_unref(o);
    return 0;
}

}  // namespace

int64_t aloop_exit_stack_unref(aloop_exit_stack *handle, void *object) {
    return object == nullptr ? ALOOP_EINVAL : aloop_exit_stack_callback(handle, unref_it, object);
}

aloop_exit_stack *aloop_exit_stack_pop_all(aloop_exit_stack *handle) {
    exit_stack *s = is_stack(handle) ? create<exit_stack>() : nullptr;
    if (s != nullptr) s->top = std::exchange(from_c(handle)->top, nullptr);
    return to_c(s);
}

int64_t aloop_exit_stack_close(aloop_exit_stack *handle, int64_t status) {
    if (!is_stack(handle)) return ALOOP_EINVAL;
    ptr<exit_stack> kept = ptr<exit_stack>::share(from_c(handle));
    ptr<error> before(error_behind(status));
    const int64_t result = from_c(handle)->unwind(status);
    // The awaits of the entries have displaced the error that goes with it.
    if (before && result == status) aloop_raise_error(to_c(before.get()));
    return result;
}

void aloop_scope_leave_(aloop_exit_stack **variable) {
    if (*variable == nullptr) return;
    const int64_t result = from_c(*variable)->unwind(0);
    if (loop *l = running_loop(); l != nullptr && result < 0) {
        ptr<error> detail(error_behind(result));
        l->report("Exception while leaving a scope", result, detail.get(), nullptr,
                  l->current_task);
    }
    aloop_unref(*variable);
    *variable = nullptr;
}

void aloop_unref_cleanup_(void *variable) { aloop_unref(*static_cast<void **>(variable)); }
