// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "body.hpp"
#include "fiber.hpp"
#include "task.hpp"
#include "waker.hpp"

using namespace aloop;

namespace {

task *from_task(aloop_task *t) { return as_task(from_c(t)); }

int64_t check_task(aloop_task *handle) {
    const task *t = from_task(handle);
    return t != nullptr ? loop_of(t)->check() : ALOOP_EINVAL;
}

int64_t check_readable(aloop_task *handle) {
    const int64_t code = check_task(handle);
    return code == ALOOP_ESTALE ? 0 : code;
}

task_options *from_options(aloop_task_options *o) { return options_from<task_options>(o); }

bool good(aloop_task_options *o) { return from_options(o) != nullptr; }

// As snprintf, but the whole length also without a buffer.
int64_t copy_out(const char *text, int64_t length, char *buffer, size_t size) {
    if (buffer != nullptr && size > 0) {
        const size_t whole = static_cast<size_t>(length);
        const size_t n = whole < size ? whole : size - 1;
        std::memcpy(buffer, text, n);
        buffer[n] = '\0';
    }
    return length;
}

// The common case of what a step may ask of its own task, in a few comparisons: no
// body runs, so that the code is t's, on its loop's thread.
bool surely_steps(aloop_task *handle) {
    const future *f = from_c(handle);
    if (f == nullptr || f->type != kind::task) return false;
    const loop *l = loop_of(f);
    return t_thread.running == l && l->current_task == f && l->inner_body == nullptr;
}

// Whether the calling code is t's own: not that of a body which t drives.
bool steps_now(const task *t) {
    const loop *l = loop_of(t);
    return l->current_task == t && running_body(l) == nullptr;
}

aloop_task *created(loop *l, task *t) {
    return to_c(t != nullptr ? t : failed_future(l, ALOOP_ENOMEM));
}

}  // namespace

namespace {

// Not surely from a task's own fiber: from a body, or from where nothing can be awaited.
[[gnu::noinline]] int64_t await_elsewhere(loop *l, future *f, void **value) {
    task *t = l != nullptr ? l->current_task : nullptr;
    body *b = l != nullptr ? running_body(l) : nullptr;
    if (b == nullptr && (t == nullptr || !on_own_fiber(t))) {
        if (f != nullptr && f->is_future()) unref(f);
        return l == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_ENOTASK;
    }
    if (b != nullptr) return await_in_body(b, f != nullptr && f->is_future() ? f : nullptr, value);
    return await_on_fiber(t, f, value);
}

}  // namespace

int64_t aloop_await(aloop_future *handle, void **value) {
    future *f = from_c(handle);
    loop *l = running_loop();
    if (l != nullptr && l->inner_body == nullptr) [[likely]] {
        task *t = l->current_task;
        if (t != nullptr && on_own_fiber(t)) [[likely]] return await_on_fiber(t, f, value);
    }
    return await_elsewhere(l, f, value);
}

int64_t aloop_return(int64_t status, void *value, aloop_free_fn free_fn) {
    loop *l = running_loop();
    task *t = l != nullptr && running_body(l) == nullptr ? l->current_task : nullptr;
    task_extra *more = t != nullptr ? t->need_extra() : nullptr;
    if (more == nullptr) {
        free_off_fiber(free_fn, value);
        return t != nullptr ? ALOOP_ENOMEM : ALOOP_ENOTASK;
    }
    if (more->has_value) free_off_fiber(more->value_free, more->value);
    more->value = value;
    more->value_free = free_fn;
    more->has_value = true;
    return status;
}

namespace {

int64_t check_suspend(aloop_task *handle) {
    const int64_t code = check_task(handle);
    if (code < 0) return code;
    const task *t = from_task(handle);
    if (t->is(k_stackful) || !steps_now(t)) return ALOOP_ENOTASK;
    return t->is(k_suspended) ? ALOOP_EBUSY : 0;
}

}  // namespace

int64_t aloop_suspend(aloop_task *handle, aloop_future *awaited) {
    task *t = static_cast<task *>(from_c(handle));
    future *f = from_c(awaited);
    const bool sure = surely_steps(handle) && (t->flags & (k_stackful | k_suspended)) == 0;
    if (!sure) [[unlikely]] {
        const int64_t code = check_suspend(handle);
        if (code < 0) {
            if (f != nullptr && f->is_future()) unref(f);
            return code;
        }
    }
    t->on(k_suspended);
    if (begin_await(t, f)) t->on(k_immediate);
    return ALOOP_PENDING;
}

int64_t aloop_awaited(aloop_task *handle, void **value) {
    task *t = static_cast<task *>(from_c(handle));
    if (surely_steps(handle)) [[likely]] return collect(t, value);
    const int64_t code = check_task(handle);
    if (code < 0) return code;
    return steps_now(t) ? collect(t, value) : ALOOP_ENOTASK;
}

// Making -----------------------------------------------------------------------------------

aloop_task *aloop_create_task(aloop_coro_fn fn, void *arg) {
    loop *l = running_loop();
    return l != nullptr ? aloop_loop_create_task(to_c(l), fn, arg) : nullptr;
}

aloop_task *aloop_loop_create_task(aloop_loop *handle, aloop_coro_fn fn, void *arg) {
    loop *l = from_c(handle);
    if (check_loop(l) < 0) return nullptr;
    if (fn == nullptr) return to_c(failed_future(l, ALOOP_EINVAL));
    if (l->task_factory == nullptr) return created(l, make_stackful_task(l, fn, arg));
    task_options *o = create<task_options>();
    if (o == nullptr) return to_c(failed_future(l, ALOOP_ENOMEM));
    o->fn = fn;
    o->arg = arg;
    aloop_task *t = to_c(create_task(l, o));
    unref(o);
    return t;
}

aloop_task *aloop_create_stackless_task(aloop_step_fn step, void *frame, aloop_free_fn free_fn) {
    loop *l = running_loop();
    if (l == nullptr) return nullptr;
    if (step == nullptr) return to_c(failed_future(l, ALOOP_EINVAL));
    if (l->task_factory == nullptr) {
        return created(l, make_step_task(l, step, frame, free_fn, l->eager_tasks));
    }
    task_options *o = create<task_options>();
    if (o == nullptr) return to_c(failed_future(l, ALOOP_ENOMEM));
    o->step = step;
    o->arg = frame;
    o->arg_free = free_fn;
    future *t = create_task(l, o);
    unref(o);
    return to_c(t);
}

namespace aloop {

namespace {

// An eager start would enter its context inside of itself.
future *made_by(loop *l, task_options *o) {
    if (o->context != nullptr && o->context->entered && starts_at_once(l, o)) {
        error *why = make_error(ALOOP_EBUSY, "cannot enter context: it is entered already");
        return failed_future(l, why, ALOOP_EBUSY);
    }
    future *t = make_task(l, o);
    return t != nullptr ? t : failed_future(l, ALOOP_ENOMEM);
}

}  // namespace

future *create_task(loop *l, task_options *o) {
    if (o->fn == nullptr && o->step == nullptr) {
        return failed_future(l, make_error(ALOOP_EINVAL, "a coroutine was expected"), ALOOP_EINVAL);
    }
    if (l->task_factory != nullptr) {
        future *t = from_c(l->task_factory(to_c(l), reinterpret_cast<aloop_task_options *>(o),
                                           l->task_factory_data));
        return t != nullptr ? t : failed_future(l, ALOOP_ENOMEM);
    }
    return made_by(l, o);
}

}  // namespace aloop

aloop_task *aloop_create_task_ex(aloop_task_options *options) {
    loop *l = running_loop();
    if (l == nullptr) return nullptr;
    if (!good(options)) return to_c(failed_future(l, ALOOP_EINVAL));
    return to_c(create_task(l, from_options(options)));
}

aloop_task *aloop_task_new(aloop_loop *handle, aloop_task_options *options) {
    loop *l = from_c(handle);
    if (check_loop(l) < 0) return nullptr;
    task_options *o = from_options(options);
    if (!good(options) || (o->fn == nullptr && o->step == nullptr)) {
        return to_c(failed_future(l, ALOOP_EINVAL));
    }
    return to_c(made_by(l, o));
}

int64_t aloop_spawn(aloop_coro_fn fn, void *arg) {
    future *t = from_c(aloop_create_task(fn, arg));
    if (t == nullptr) return ALOOP_ENORUNNINGLOOP;
    const int64_t code = t->type == kind::task ? 0 : t->status();
    unref(t);
    return code;
}

aloop_task_options *aloop_task_options_new(void) {
    return reinterpret_cast<aloop_task_options *>(create<task_options>());
}

int64_t aloop_task_options_set_coro(aloop_task_options *options, aloop_coro_fn fn, void *arg,
                                    aloop_free_fn free_fn) {
    if (!good(options) || fn == nullptr) return ALOOP_EINVAL;
    task_options *o = from_options(options);
    free_off_fiber(o->arg_free, o->arg);
    o->fn = fn;
    o->step = nullptr;
    o->arg = arg;
    o->arg_free = free_fn;
    return 0;
}

int64_t aloop_task_options_set_step(aloop_task_options *options, aloop_step_fn step, void *frame,
                                    aloop_free_fn free_fn) {
    if (!good(options) || step == nullptr) return ALOOP_EINVAL;
    task_options *o = from_options(options);
    free_off_fiber(o->arg_free, o->arg);
    o->fn = nullptr;
    o->step = step;
    o->arg = frame;
    o->arg_free = free_fn;
    return 0;
}

int64_t aloop_task_options_set_name(aloop_task_options *options, const char *name) {
    if (!good(options) || name == nullptr) return ALOOP_EINVAL;
    char *copy = copy_string(name);
    if (copy == nullptr) return ALOOP_ENOMEM;
    release(from_options(options)->name);
    from_options(options)->name = copy;
    return 0;
}

int64_t aloop_task_options_set_context(aloop_task_options *options, aloop_context *handle) {
    context *c = from_c(handle);
    if (!good(options) || !is(c, kind::context)) return ALOOP_EINVAL;
    ref(c);
    if (from_options(options)->context != nullptr) unref(from_options(options)->context);
    from_options(options)->context = c;
    return 0;
}

int64_t aloop_task_options_set_eager_start(aloop_task_options *options, int32_t eager) {
    if (!good(options)) return ALOOP_EINVAL;
    from_options(options)->eager = eager != 0;
    return 0;
}

int64_t aloop_task_options_set_stack_size(aloop_task_options *options, size_t size) {
    if (!good(options) || size < 16384 || size > (size_t{1} << 30)) return ALOOP_EINVAL;
    from_options(options)->stack_size = (size + 4095) & ~size_t{4095};
    return 0;
}

aloop_future *aloop_ensure_future(aloop_future *handle) {
    future *f = from_c(handle);
    if (f == nullptr || !f->is_future()) return nullptr;
    const int64_t code = loop_of(f)->check();
    return code < 0 ? handle : to_c(ensure_future(f));
}

int64_t aloop_set_eager_task_factory(aloop_loop *handle, int32_t eager) {
    const int64_t code = check_loop(from_c(handle));
    if (code == 0) from_c(handle)->eager_tasks = eager != 0;
    return code;
}

// Looking ------------------------------------------------------------------------------------

aloop_task *aloop_current_task(aloop_loop *handle) {
    const loop *l = handle != nullptr ? from_c(handle) : running_loop();
    if (check_loop(l) < 0) return nullptr;
    return to_c(static_cast<future *>(l->current_task));
}

aloop_results *aloop_all_tasks(aloop_loop *handle) {
    loop *l = handle != nullptr ? from_c(handle) : running_loop();
    if (check_loop(l) < 0) return nullptr;
    int64_t n = 0;
    for (aloop::link *i = l->tasks.head(); i != nullptr; i = l->tasks.after(i)) n++;
    results *list = make_results(n);
    if (list == nullptr) return nullptr;
    outcome *entry = list->entries;
    for (aloop::link *i = l->tasks.head(); i != nullptr; i = l->tasks.after(i)) {
        future *t = task_of(i);
        ref(t);
        (entry++)->from = t;
    }
    return to_c(list);
}

int64_t aloop_task_cancel(aloop_task *t, const char *message) {
    const int64_t code = check_task(t);
    return code < 0 ? code : cancel_task(from_task(t), message);
}

int64_t aloop_task_cancelling(aloop_task *t) {
    const int64_t code = check_readable(t);
    return code < 0 ? code : from_task(t)->cancel_requests();
}

int64_t aloop_task_uncancel(aloop_task *t) {
    const int64_t code = check_task(t);
    return code < 0 ? code : uncancel(from_task(t));
}

int64_t aloop_task_set_name(aloop_task *t, const char *name) {
    const int64_t code = check_task(t);
    if (code < 0) return code;
    if (name == nullptr) return ALOOP_EINVAL;
    task_extra *more = from_task(t)->need_extra();
    char *copy = more != nullptr ? copy_string(name) : nullptr;
    if (copy == nullptr) return ALOOP_ENOMEM;
    char *old = std::exchange(more->name, copy);
    std::atomic_signal_fence(std::memory_order_release);  // a watchdog's handler reads it
    release(old);
    return 0;
}

int64_t aloop_task_get_name(aloop_task *t, char *buffer, size_t size) {
    const int64_t code = check_readable(t);
    if (code < 0) return code;
    char number[32];
    const task *self = from_task(t);
    const char *name = self->more != nullptr ? self->more->name : nullptr;
    if (name == nullptr) {
        describe_name(self, number, sizeof number);
        name = number;
    }
    return copy_out(name, static_cast<int64_t>(std::strlen(name)), buffer, size);
}

uint64_t aloop_task_get_coro(aloop_task *t) {
    return check_readable(t) < 0 ? 0 : coroutine_address(from_task(t));
}

aloop_context *aloop_task_get_context(aloop_task *t) {
    if (check_task(t) < 0) return nullptr;
    task_extra *more = from_task(t)->need_extra();
    if (more != nullptr && more->context == nullptr) more->context = create<context>(nullptr);
    if (more == nullptr || more->context == nullptr) return nullptr;
    // The task may be running without a cell: from now on it has one.
    const bool here = loop_of(from_task(t))->current_task == from_task(t);
    if (here && t_context.cell == &t_context.none) t_context.cell = &more->context->cell;
    return to_c(more->context);
}

int64_t aloop_task_state(aloop_task *handle) {
    const int64_t code = check_readable(handle);
    if (code < 0) return code;
    const task *t = from_task(handle);
    if (t->state == k_finished) return ALOOP_TASK_FINISHED;
    if (t->state == k_was_cancelled) return ALOOP_TASK_CANCELLED;
    if (t->is(k_running)) return ALOOP_TASK_RUNNING;
    return waits_on_future(t) ? ALOOP_TASK_WAITING : ALOOP_TASK_READY;
}

int64_t aloop_task_repr(aloop_task *t, char *buffer, size_t size) {
    const int64_t code = check_readable(t);
    if (code < 0) return code;
    char line[512];
    int64_t n = describe_task(from_task(t), line, sizeof line);
    if (n >= static_cast<int64_t>(sizeof line)) n = sizeof line - 1;
    return copy_out(line, n, buffer, size);
}

int64_t aloop_task_get_stack(aloop_task *t, void **frames, int64_t limit) {
    const int64_t code = check_readable(t);
    if (code < 0) return code;
    if (frames == nullptr || limit < 0) return ALOOP_EINVAL;
    return stack_of(from_task(t), frames, limit);
}

int64_t aloop_task_print_stack(aloop_task *t, int64_t limit, int32_t fd) {
    const int64_t code = check_readable(t);
    if (code < 0) return code;
    if (limit < 0) return ALOOP_EINVAL;
    return print_stack(from_task(t), limit, fd);
}

// Wakers ---------------------------------------------------------------------------------------

namespace {

waker *from_waker(aloop_task_waker *w) { return reinterpret_cast<waker *>(w); }

}  // namespace

aloop_task_waker *aloop_task_waker_new(aloop_task *t) {
    if (check_task(t) < 0) return nullptr;
    return reinterpret_cast<aloop_task_waker *>(create<waker>(loop_of(from_task(t))));
}

aloop_future *aloop_task_waker_future(aloop_task_waker *handle) {
    waker *w = from_waker(handle);
    if (!is(w, kind::waker) || w->home->check() < 0) return nullptr;
    return to_c(waker_future(w));
}

int64_t aloop_task_waker_wake(aloop_task_waker *handle) {
    waker *w = from_waker(handle);
    return is(w, kind::waker) ? wake(w) : ALOOP_EINVAL;
}

void aloop_task_waker_unref(aloop_task_waker *w) { aloop_unref(w); }
