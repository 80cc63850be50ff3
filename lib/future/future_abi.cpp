// SPDX-License-Identifier: MIT
#include "../task/task.hpp"
#include "completion.hpp"
#include "future.hpp"

using namespace aloop;

namespace {

// The library's future behind the handle, if this thread may use it.
int64_t check_future(const future *f) {
    if (f == nullptr || !f->is_future()) return ALOOP_EINVAL;
    return loop_of(f)->check();
}

// The same, for reading: an outcome stays readable after the loop was closed.
int64_t check_readable(const future *f) {
    const int64_t code = check_future(f);
    return code == ALOOP_ESTALE ? 0 : code;
}

int64_t check_settable(const future *f) {
    const int64_t code = check_future(f);
    if (code < 0) return code;
    if (f->type != kind::future) return ALOOP_EWRONGTYPE;
    return f->pending() ? 0 : ALOOP_EINVALIDSTATE;
}

}  // namespace

int64_t aloop_future_set_result(aloop_future *handle, int64_t status, void *value,
                                aloop_free_fn free_fn) {
    future *f = from_c(handle);
    const int64_t code = check_settable(f);
    if (code < 0) return code;
    if (status < 0) return ALOOP_EINVAL;
    finish(f, status, value, free_fn);
    return 0;
}

int64_t aloop_future_set_error(aloop_future *handle, aloop_error *failure) {
    future *f = from_c(handle);
    if (!is(from_c(failure), kind::error)) return ALOOP_EINVAL;
    const int64_t code = check_settable(f);
    if (code < 0) return code;
    ref(from_c(failure));
    fail(f, from_c(failure)->code, from_c(failure));
    return 0;
}

int64_t aloop_future_set_error_code(aloop_future *handle, int64_t failure) {
    future *f = from_c(handle);
    const int64_t code = check_settable(f);
    if (code < 0) return code;
    if (failure >= 0 || failure == ALOOP_PENDING) return ALOOP_EINVAL;
    fail(f, failure, nullptr);
    return 0;
}

int64_t aloop_future_result(aloop_future *handle, void **value) {
    const int64_t code = check_readable(from_c(handle));
    return code < 0 ? code : read_value(from_c(handle), value);
}

int64_t aloop_future_take(aloop_future *handle, void **value) {
    const int64_t code = check_readable(from_c(handle));
    return code < 0 ? code : take_value(from_c(handle), value);
}

aloop_error *aloop_future_error(aloop_future *handle) {
    return check_readable(from_c(handle)) < 0 ? nullptr : to_c(error_of(from_c(handle)));
}

int64_t aloop_future_done(aloop_future *handle) {
    const int64_t code = check_readable(from_c(handle));
    return code < 0 ? code : !from_c(handle)->pending();
}

int64_t aloop_future_cancelled(aloop_future *handle) {
    const int64_t code = check_readable(from_c(handle));
    return code < 0 ? code : from_c(handle)->state == k_was_cancelled;
}

int64_t aloop_future_cancel(aloop_future *handle, const char *message) {
    const int64_t code = check_future(from_c(handle));
    return code < 0 ? code : cancel(from_c(handle), message);
}

int64_t aloop_future_add_done_callback(aloop_future *handle, aloop_done_fn fn, void *data,
                                       aloop_free_fn free_fn) {
    future *f = from_c(handle);
    if (fn == nullptr) return ALOOP_EINVAL;
    int64_t code = check_future(f);
    if (code == 0) code = start(f);
    return code < 0 ? code : add_done_callback(f, fn, data, free_fn);
}

int64_t aloop_future_remove_done_callback(aloop_future *handle, aloop_done_fn fn, void *data) {
    const int64_t code = check_future(from_c(handle));
    return code < 0 ? code : remove_done_callback(from_c(handle), fn, data);
}

aloop_loop *aloop_future_loop(aloop_future *handle) {
    const future *f = from_c(handle);
    return f != nullptr && f->is_future() ? to_c(loop_of(f)) : nullptr;
}

// From other threads ---------------------------------------------------------------------

namespace {

// An outcome on its way to a future's loop; holds a reference to the future.
struct delivery : posted {
    future *to;
    int64_t status;
    void *value;
    aloop_free_fn value_free;
    error *failure;
    char *message;
    bool cancels;
};

void deliver(node *item, action what) {
    delivery *d = static_cast<delivery *>(item);
    future *f = d->to;
    if (what == action::run && d->cancels) {
        cancel(f, d->message);
    } else if (what == action::run && f->pending() && f->type == kind::future) {
        if (d->status >= 0) {
            finish(f, d->status, d->value, d->value_free);
            d->value_free = nullptr;
        } else {
            fail(f, d->status, d->failure);
            d->failure = nullptr;
        }
    }
    if (d->value_free != nullptr) d->value_free(d->value);
    if (d->failure != nullptr) unref(d->failure);
    release(d->message);
    unref(f);
    destroy(d);
}

int64_t send(future *f, const delivery &what) {
    if (f == nullptr || !f->is_future()) return ALOOP_EINVAL;
    if (!what.cancels && f->type != kind::future) return ALOOP_EWRONGTYPE;
    delivery *d = create<delivery>(what);
    if (d == nullptr) return ALOOP_ENOMEM;
    d->fn = deliver;
    d->to = f;
    ref(f);
    const int64_t code = loop_of(f)->post(d);
    if (code < 0) {
        unref(f);
        destroy(d);
    }
    return code;
}

}  // namespace

int64_t aloop_future_set_result_threadsafe(aloop_future *handle, int64_t status, void *value,
                                           aloop_free_fn free_fn) {
    if (status < 0) return ALOOP_EINVAL;
    delivery d = {};
    d.status = status;
    d.value = value;
    d.value_free = free_fn;
    return send(from_c(handle), d);
}

int64_t aloop_future_set_error_threadsafe(aloop_future *handle, aloop_error *failure) {
    if (!is(from_c(failure), kind::error)) return ALOOP_EINVAL;
    delivery d = {};
    d.status = from_c(failure)->code;
    d.failure = from_c(failure);
    ref(d.failure);
    const int64_t code = send(from_c(handle), d);
    if (code < 0) unref(from_c(failure));
    return code;
}

int64_t aloop_future_cancel_threadsafe(aloop_future *handle, const char *message) {
    delivery d = {};
    d.cancels = true;
    if (message != nullptr) {
        d.message = copy_string(message);
        if (d.message == nullptr) return ALOOP_ENOMEM;
    }
    const int64_t code = send(from_c(handle), d);
    if (code < 0) release(d.message);
    return code;
}
