// SPDX-License-Identifier: MIT
#include "operation.hpp"

#include <cstdarg>

#include "../loop/report.hpp"
#include "task.hpp"

namespace aloop {

namespace {

const char *unawaited(const object *o) {
    if (o->type != kind::operation && o->type != kind::sleep) return nullptr;
    const future *f = static_cast<const future *>(o);
    if (!f->pending() || f->has(k_started)) return nullptr;
    return o->type == kind::sleep ? "sleep" : static_cast<const operation *>(f)->ops->name;
}

struct announce {
    announce() { g_unawaited = unawaited; }
} g_announced;

void destroy_operation(object *o) {
    operation *op = static_cast<operation *>(o);
    if (op->ended_plainly()) [[likely]] {  // none of the program's code is involved
        op->ops->destroy(op);
        return;
    }
    if (bury_if_on_fiber(op)) return;
    loop_of(op)->tell_unawaited(op);
    if (op->has(k_unretrieved)) {
        op->refs = 1;
        report_unretrieved(op, "Future exception was never retrieved");
        if (--op->refs != 0) return;
    }
    op->ops->destroy(op);
}

// Nobody runs it, or will.
void give_up(operation *op, const char *message) {
    error *e = message != nullptr ? make_error(ALOOP_ECANCELED, message) : nullptr;
    const future::result unused = op->has(k_raised) ? future::result{} : op->done;
    op->raise(ALOOP_ECANCELED, e);
    end_from_outside(op, ALOOP_ECANCELED);
    free_off_fiber(unused.value_free, unused.value);  // last: it may come back here
}

// From outside, not by the driver's own cancellation: whatever the operation
// waits for is cancelled, as it would be through the driver. One that was left
// behind gets a task in which it undoes what it did.
bool cancel_operation(future *f, const char *message) {
    operation *op = static_cast<operation *>(f);
    if (!op->has(k_started)) {
        give_up(op, message);
        return true;
    }
    pass_cancel_on(op, message);
    if (op->driver == nullptr && op->pending() && start(op, false) < 0) give_up(op, message);
    return true;
}

const register_kind g_operation(kind::operation,
                                {"operation", destroy_operation, cancel_operation});

// The coroutine of a task that runs an operation. To begin with it waits for
// it; then it hands the outcome on (`keep`: leaves it where it is).
int64_t run_operation(aloop_task *handle, void *frame, void **value, bool keep) {
    task *t = static_cast<task *>(from_c(handle));
    future *f = static_cast<future *>(frame);
    if (t->waiting == nullptr) {
        ref(f);
        return aloop_suspend(handle, to_c(f));
    }
    if (keep) return 0;
    const bool owned = f->done.status >= 0 && f->done.value_free != nullptr;
    task_extra *more = owned ? t->need_extra() : nullptr;
    const aloop_free_fn value_free = f->done.value_free;
    const int64_t status = collect(t, value);
    if (status >= 0 && value_free != nullptr) {
        if (more == nullptr) {
            value_free(*value);
            return ALOOP_ENOMEM;
        }
        more->value = *value;
        more->value_free = value_free;
        more->has_value = true;
    }
    return status;
}

int64_t step_owner(aloop_task *t, void *frame, void **value) {
    return run_operation(t, frame, value, false);
}

int64_t step_keeper(aloop_task *t, void *frame, void **value) {
    return run_operation(t, frame, value, true);
}

void drop_frame(void *frame) { unref(static_cast<future *>(frame)); }

bool needs_start(const future *f);

// Of a task that was cancelled before it got to the operation, or with its loop.
void drop_kept_frame(void *frame) {
    future *f = static_cast<future *>(frame);
    if (needs_start(f)) {
        if (operation *op = as_operation(f); op != nullptr && ends_tasks(loop_of(f))) {
            give_up(op, nullptr);
        } else {
            cancel(f, nullptr);
        }
    }
    unref(f);
}

// Also an operation that its driver left behind.
bool needs_start(const future *f) {
    if (!f->pending()) return false;
    if (f->type == kind::operation) return static_cast<const operation *>(f)->driver == nullptr;
    return !f->has(k_started) && info_of(f).start != nullptr;
}

}  // namespace

void operation::release_all() {
    if (!pending()) {
        release_outcome(this);
        return;
    }
    if (has(k_raised)) {
        unref(static_cast<error *>(done.value));
    } else if (done.value_free != nullptr) {
        free_off_fiber(done.value_free, done.value);
    }
    release_outcome(this);
}

int64_t operation::await_another(future *f) {
    if (inner != nullptr) unref(inner);
    inner = f != nullptr ? f : failed_future(loop_of(this), ALOOP_ENOMEM);
    return ALOOP_PENDING;
}

int64_t operation::yield() {
    if (inner != nullptr) unref(inner);
    inner = nullptr;
    return ALOOP_PENDING;
}

void operation::give(void *value, aloop_free_fn free_fn) {
    done.value = value;
    done.value_free = free_fn;
    clear(k_raised);
}

int64_t operation::raise(int64_t code, error *adopted) {
    if (has(k_raised)) unref(static_cast<error *>(done.value));
    done.value = adopted;
    done.value_free = nullptr;
    clear(k_raised);
    if (adopted != nullptr) set(k_raised);
    return code;
}

int64_t operation::fail(int64_t code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error *e = format_error_v(code, nullptr, format, args);
    va_end(args);
    return raise(code, e);
}

// Ends an operation: its waiters other than the driver go on in the next
// iteration; the driver goes on at once.
void finish_operation(operation *op, int64_t status) {
    error *e = op->has(k_raised) ? static_cast<error *>(op->done.value) : nullptr;
    if (status < 0) {
        if (!op->has(k_raised)) free_off_fiber(op->done.value_free, op->done.value);
        if (e == nullptr && op->inner != nullptr && op->inner->failed() &&
            op->inner->status() == status) {
            e = error_of(op->inner);
            if (e != nullptr) ref(e);
        } else if (e == nullptr && status == ALOOP_ECANCELED && op->driver != nullptr &&
                   op->driver->more != nullptr) {
            e = op->driver->more->cancel_error;  // of the request that ended it
            if (e != nullptr) ref(e);
        }
    } else if (e != nullptr) {
        unref(e);
        op->done = {nullptr, nullptr, 0};
    }
    future *inner = op->inner;
    op->inner = nullptr;
    op->driver = nullptr;
    if (status >= 0) {
        finish(op, status, op->done.value, op->done.value_free);
    } else if (status == ALOOP_ECANCELED) {
        cancel_now(op, e);
    } else {
        fail(op, status, e);
    }
    if (inner != nullptr) unref(inner);
}

// What it waits for is kept until then, since its link in a line may point there; and, if
// it is the operation's alone, is pending no more, so that nothing is handed to that link.
void end_from_outside(operation *op, int64_t status) {
    future *inner = std::exchange(op->inner, nullptr);
    finish_operation(op, status);
    op->inner = inner;
    if (inner != nullptr && inner->type == kind::future && inner->pending() && inner->refs == 1) {
        cancel_now(inner, nullptr);
    }
}

int64_t start(future *f, bool eagerly) {
    if (!needs_start(f)) return 0;
    if (const auto begin = info_of(f).start) {
        f->set(k_started);
        begin(f);
        return 0;
    }
    loop *l = loop_of(f);
    ref(f);
    task *t = make_step_task(l, step_keeper, f, drop_kept_frame, eagerly && l->eager_tasks);
    if (t == nullptr) {
        unref(f);
        return ALOOP_ENOMEM;
    }
    unref(static_cast<future *>(t));
    return 0;
}

future *ensure_future(future *f) {
    if (!needs_start(f)) return f;
    loop *l = loop_of(f);
    task *t = make_step_task(l, step_owner, f, drop_frame, l->eager_tasks);
    if (t != nullptr) return t;
    unref(f);
    return failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
