// SPDX-License-Identifier: MIT
#include <asyncloop/combine.h>

#include <cmath>
#include <cstdarg>

#include "../task/body.hpp"
#include "gather.hpp"
#include "group.hpp"
#include "run.hpp"
#include "select.hpp"
#include "shield.hpp"
#include "sleep.hpp"
#include "timeout.hpp"
#include "wait.hpp"
#include "wait_for.hpp"

using namespace aloop;

namespace {

// The loop that new awaitables belong to: the running one, or the thread's.
loop *usable_loop() {
    loop *l = running_loop();
    if (l != nullptr) [[likely]] return l;
    l = current_loop();
    return l != nullptr && l->check() == 0 ? l : nullptr;
}

task *running_task() {
    const loop *l = running_loop();
    return l != nullptr ? l->current_task : nullptr;
}

aloop_future *made(loop *l, future *f) {
    return to_c(f != nullptr ? f : failed_future(l, ALOOP_ENOMEM));
}

void drop_all(aloop_future *const *futures, int64_t n) {
    for (int64_t i = 0; futures != nullptr && i < n; i++) {
        if (futures[i] != nullptr && from_c(futures[i])->is_future()) unref(from_c(futures[i]));
    }
}

// 0 if every entry is a future of this loop; else the first complaint, and the
// futures are dropped, for they were handed over.
int64_t check_futures(const loop *l, aloop_future *const *futures, int64_t n) {
    int64_t code = n < 0 || (futures == nullptr && n > 0) ? ALOOP_EINVAL : 0;
    for (int64_t i = 0; code == 0 && i < n; i++) {
        const future *f = from_c(futures[i]);
        if (f == nullptr || !f->is_future()) code = ALOOP_EINVAL;
        else if (f->home != l) code = ALOOP_EWRONGLOOP;
    }
    if (code < 0 && n > 0) drop_all(futures, n);
    return code;
}

future *const *as_futures(aloop_future *const *f) { return reinterpret_cast<future *const *>(f); }

}  // namespace

// Running a program ---------------------------------------------------------------------

int64_t aloop_runner_new(aloop_runner **out, const aloop_loop_options *options) {
    loop_options *o = options_from<loop_options>(options);
    if (out == nullptr || (options != nullptr && o == nullptr)) return ALOOP_EINVAL;
    runner *r = create<runner>();
    if (r == nullptr) return ALOOP_ENOMEM;
    if (o != nullptr) ref(o);
    r->options = o;
    *out = reinterpret_cast<aloop_runner *>(r);
    return 0;
}

namespace {

runner *from_runner(aloop_runner *r) { return reinterpret_cast<runner *>(r); }

}  // namespace

int64_t aloop_runner_run(aloop_runner *handle, aloop_coro_fn fn, void *arg, void **value) {
    if (!is(from_runner(handle), kind::runner) || fn == nullptr) return ALOOP_EINVAL;
    task_options *o = create<task_options>();
    if (o == nullptr) return ALOOP_ENOMEM;
    o->fn = fn;
    o->arg = arg;
    const int64_t status = run_main(from_runner(handle), o, value);
    unref(o);
    return status;
}

int64_t aloop_runner_run_ex(aloop_runner *handle, aloop_task_options *options, void **value) {
    task_options *o = options_from<task_options>(options);
    if (!is(from_runner(handle), kind::runner) || o == nullptr) return ALOOP_EINVAL;
    return run_main(from_runner(handle), o, value);
}

aloop_loop *aloop_runner_get_loop(aloop_runner *handle) {
    runner *r = from_runner(handle);
    if (!is(r, kind::runner) || init_runner(r) < 0) return nullptr;
    return to_c(r->loop);
}

int64_t aloop_runner_close(aloop_runner *handle) {
    return is(from_runner(handle), kind::runner) ? close_runner(from_runner(handle)) : ALOOP_EINVAL;
}

int64_t aloop_run(aloop_coro_fn fn, void *arg, void **value) {
    aloop_runner *r = nullptr;
    int64_t status = aloop_runner_new(&r, nullptr);
    if (status < 0) return status;
    status = aloop_runner_run(r, fn, arg, value);
    aloop_runner_close(r);
    aloop_unref(r);
    return status;
}

int32_t aloop_main(aloop_coro_fn fn, void *arg) { return run_program(fn, arg); }

// Sleeping ---------------------------------------------------------------------------------

aloop_future *aloop_sleep(double delay) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (std::isnan(delay)) {
        return to_c(failed_future(
            l, make_error(ALOOP_EINVAL, "Invalid delay: NaN (not a number)"), ALOOP_EINVAL));
    }
    return made(l, make_sleep(l, delay));
}

aloop_future *aloop_sleep_result(double delay, int64_t status, void *value,
                                 aloop_free_fn free_fn) {
    loop *l = usable_loop();
    if (l != nullptr && !std::isnan(delay) && status >= 0) {
        future *f = make_sleep_result(l, delay, status, value, free_fn);
        if (f != nullptr) return to_c(f);
    }
    free_off_fiber(free_fn, value);
    if (l == nullptr) return nullptr;
    const bool bad = std::isnan(delay) || status < 0;
    return to_c(failed_future(l, bad ? ALOOP_EINVAL : ALOOP_ENOMEM));
}

// Several at once ------------------------------------------------------------------------------

aloop_future *aloop_gather(aloop_future *const *futures, int64_t n, int32_t flags) {
    loop *l = usable_loop();
    if (l == nullptr) {
        drop_all(futures, n);
        return nullptr;
    }
    const int64_t code = check_futures(l, futures, n);
    if (code < 0) return to_c(failed_future(l, code));
    if ((flags & ~ALOOP_RETURN_EXCEPTIONS) != 0) {
        drop_all(futures, n);
        return to_c(failed_future(
            l, make_error(ALOOP_EINVAL, "Invalid flags: ALOOP_RETURN_EXCEPTIONS is the only one"),
            ALOOP_EINVAL));
    }
    return to_c(make_gather(l, as_futures(futures), n, (flags & ALOOP_RETURN_EXCEPTIONS) != 0));
}

aloop_future *aloop_gather_v(int32_t flags, ...) {
    va_list args;
    va_start(args, flags);
    int64_t n = 0;
    while (va_arg(args, aloop_future *) != nullptr) n++;
    va_end(args);
    aloop_future *few[16];
    aloop_future **all = few;
    if (n > 16) all = static_cast<aloop_future **>(allocate(static_cast<size_t>(n) * sizeof *all));
    va_start(args, flags);
    if (all == nullptr) {
        for (int64_t i = 0; i < n; i++) aloop_unref(va_arg(args, aloop_future *));
        va_end(args);
        loop *l = usable_loop();
        return l != nullptr ? to_c(failed_future(l, ALOOP_ENOMEM)) : nullptr;
    }
    for (int64_t i = 0; i < n; i++) all[i] = va_arg(args, aloop_future *);
    va_end(args);
    aloop_future *g = aloop_gather(all, n, flags);
    if (all != few) release(all);
    return g;
}

namespace {

// For functions of one future: the loop to work with, or what to give back.
loop *loop_for(aloop_future *handle, aloop_future **refusal) {
    future *f = from_c(handle);
    loop *l = usable_loop();
    *refusal = nullptr;
    if (f == nullptr || !f->is_future()) {
        if (l != nullptr) *refusal = to_c(failed_future(l, ALOOP_EINVAL));
        return nullptr;
    }
    if (l != nullptr && f->home == l) return l;
    unref(f);
    if (l != nullptr) *refusal = to_c(failed_future(l, ALOOP_EWRONGLOOP));
    return nullptr;
}

}  // namespace

aloop_future *aloop_shield(aloop_future *handle) {
    aloop_future *refusal;
    loop *l = loop_for(handle, &refusal);
    return l != nullptr ? to_c(make_shield(from_c(handle))) : refusal;
}

aloop_future *aloop_wait_for(aloop_future *handle, double timeout) {
    aloop_future *refusal;
    loop *l = loop_for(handle, &refusal);
    if (l == nullptr) return refusal;
    if (std::isnan(timeout)) {
        unref(from_c(handle));
        return to_c(failed_future(l, ALOOP_EINVAL));
    }
    return made(l, make_wait_for(from_c(handle), timeout));
}

aloop_future *aloop_wait(aloop_future *const *futures, int64_t n, double timeout,
                         int32_t return_when) {
    loop *l = usable_loop();
    if (l == nullptr) {
        drop_all(futures, n);
        return nullptr;
    }
    int64_t code = check_futures(l, futures, n);
    if (code < 0) return to_c(failed_future(l, code));
    const bool known = return_when >= ALOOP_ALL_COMPLETED && return_when <= ALOOP_FIRST_EXCEPTION;
    if (n == 0 || !known || std::isnan(timeout)) code = ALOOP_EINVAL;
    for (int64_t i = 0; code == 0 && i < n; i++) {
        const kind k = from_c(futures[i])->type;
        if (k == kind::operation || k == kind::sleep) code = ALOOP_EWRONGTYPE;
    }
    if (code < 0) {
        drop_all(futures, n);
        const char *text = n == 0   ? "Set of Tasks/Futures is empty."
                           : !known ? "Invalid return_when value"
                                    : nullptr;
        return to_c(failed_future(l, text != nullptr ? make_error(code, text) : nullptr, code));
    }
    return to_c(make_wait(l, as_futures(futures), n, timeout, return_when));
}

namespace {

wait_lists *lists_of(aloop_wait_result *r) {
    return is(reinterpret_cast<wait_lists *>(r), kind::free_other)
               ? reinterpret_cast<wait_lists *>(r)
               : nullptr;
}

}  // namespace

aloop_results *aloop_wait_result_done(aloop_wait_result *r) {
    return lists_of(r) != nullptr ? to_c(lists_of(r)->done) : nullptr;
}

aloop_results *aloop_wait_result_pending(aloop_wait_result *r) {
    return lists_of(r) != nullptr ? to_c(lists_of(r)->pending) : nullptr;
}

aloop_future *aloop_select(aloop_future *const *futures, int64_t n) {
    loop *l = usable_loop();
    if (l == nullptr) {
        drop_all(futures, n);
        return nullptr;
    }
    const int64_t code = check_futures(l, futures, n);
    if (code < 0 || n == 0) return to_c(failed_future(l, n == 0 ? ALOOP_EINVAL : code));
    return to_c(make_select(l, as_futures(futures), n));
}

int64_t aloop_as_completed(aloop_completions **out, aloop_future *const *futures, int64_t n,
                           double timeout) {
    loop *l = usable_loop();
    if (l == nullptr || out == nullptr || std::isnan(timeout)) {
        drop_all(futures, n);
        return l == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_EINVAL;
    }
    const int64_t code = check_futures(l, futures, n);
    if (code < 0) return code;
    completions *c = make_completions(l, as_futures(futures), n, timeout);
    if (c == nullptr) return ALOOP_ENOMEM;
    *out = reinterpret_cast<aloop_completions *>(c);
    return 0;
}

namespace {

aloop_future *next_of(aloop_completions *handle, bool outcome) {
    object *o = reinterpret_cast<object *>(handle);
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (!is(o, kind::completions)) return to_c(failed_future(l, ALOOP_EINVAL));
    if (static_cast<loop_object *>(o)->home != l) return to_c(failed_future(l, ALOOP_EWRONGLOOP));
    return to_c(next_completion(from_c(handle), outcome));
}

}  // namespace

aloop_future *aloop_as_completed_next(aloop_completions *c) { return next_of(c, false); }

aloop_future *aloop_as_completed_next_result(aloop_completions *c) { return next_of(c, true); }

// Timeouts ----------------------------------------------------------------------------------------

namespace {

timeout *from_timeout(const aloop_timeout *t) {
    return reinterpret_cast<timeout *>(const_cast<aloop_timeout *>(t));
}

int64_t check_timeout(const aloop_timeout *handle) {
    const timeout *t = from_timeout(handle);
    return is(t, kind::timeout) ? loop_of(t)->check() : ALOOP_EINVAL;
}

int64_t enter(aloop_timeout **out, bool relative, double value) {
    if (out == nullptr || std::isnan(value)) return ALOOP_EINVAL;
    task *t = running_task();
    if (t == nullptr) return running_loop() == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_ENOTASK;
    const int64_t when = relative ? deadline_after(loop_of(t)->now(), value) : to_ns(value);
    timeout *made = enter_timeout(t, when);
    if (made == nullptr) return ALOOP_ENOMEM;
    *out = reinterpret_cast<aloop_timeout *>(made);
    return 0;
}

}  // namespace

int64_t aloop_timeout_enter(aloop_timeout **out, double delay) { return enter(out, true, delay); }

int64_t aloop_timeout_at(aloop_timeout **out, double when) { return enter(out, false, when); }

int64_t aloop_timeout_reschedule(aloop_timeout *handle, double when) {
    const int64_t code = check_timeout(handle);
    if (code < 0) return code;
    if (std::isnan(when)) return ALOOP_EINVAL;
    if (from_timeout(handle)->phase != timeout_state::active) return ALOOP_EINVALIDSTATE;
    reschedule(from_timeout(handle), to_ns(when));
    return 0;
}

double aloop_timeout_when(const aloop_timeout *handle) {
    if (!is(from_timeout(handle), kind::timeout)) return __builtin_nan("");
    const int64_t when = from_timeout(handle)->when;
    return when == k_never ? __builtin_inf() : to_seconds(when);
}

int64_t aloop_timeout_expired(const aloop_timeout *handle) {
    if (!is(from_timeout(handle), kind::timeout)) return ALOOP_EINVAL;
    const timeout_state phase = from_timeout(handle)->phase;
    return phase == timeout_state::expiring || phase == timeout_state::expired;
}

int64_t aloop_timeout_exit(aloop_timeout *handle, int64_t status) {
    const int64_t code = check_timeout(handle);
    if (code < 0) return code;
    if (from_timeout(handle)->of != running_task()) return ALOOP_ENOTASK;
    return exit_timeout(from_timeout(handle), status);
}

// Task groups -------------------------------------------------------------------------------------

namespace {

int64_t check_group(aloop_task_group *handle) {
    const object *o = reinterpret_cast<const object *>(handle);
    if (!is(o, kind::group)) return ALOOP_EINVAL;
    return loop_of(static_cast<const loop_object *>(o))->check();
}

}  // namespace

int64_t aloop_task_group_enter(aloop_task_group **out) {
    if (out == nullptr) return ALOOP_EINVAL;
    task *t = running_task();
    if (t == nullptr) return running_loop() == nullptr ? ALOOP_ENORUNNINGLOOP : ALOOP_ENOTASK;
    group *g = enter_group(t);
    if (g == nullptr) return ALOOP_ENOMEM;
    *out = reinterpret_cast<aloop_task_group *>(g);
    return 0;
}

namespace {

// Adds the task that make() gives to the group, if that takes any and the arguments
// are good.
template <typename Make>
aloop_task *create_member(loop *l, aloop_task_group *handle, bool good, Make make) {
    int64_t code = check_group(handle);
    if (code == 0 && !good) code = ALOOP_EINVAL;
    if (code < 0) return to_c(failed_future(l, code));
    const char *why = nullptr;
    code = check_open(from_c(handle), &why);
    if (code < 0) return to_c(failed_future(l, make_error(code, why), code));
    future *f = make();
    if (f->failed() && f->type != kind::task) return to_c(f);  // it could not be made
    if (f->home != l) {
        unref(f);
        return to_c(failed_future(l, ALOOP_EWRONGLOOP));
    }
    if (start(f) == 0 && add_task(from_c(handle), f)) return to_c(f);
    cancel(f, nullptr);
    unref(f);
    return to_c(failed_future(l, ALOOP_ENOMEM));
}

}  // namespace

aloop_task *aloop_task_group_create_task_ex(aloop_task_group *handle, aloop_task_options *options) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    task_options *o = options_from<task_options>(options);
    return create_member(l, handle, o != nullptr, [=] { return create_task(l, o); });
}

aloop_task *aloop_task_group_create_task(aloop_task_group *handle, aloop_coro_fn fn, void *arg) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (fn != nullptr && l->task_factory == nullptr) {
        return create_member(l, handle, true, [=]() -> future * {
            task *t = make_stackful_task(l, fn, arg);
            return t != nullptr ? t : failed_future(l, ALOOP_ENOMEM);
        });
    }
    task_options *o = create<task_options>();
    if (o == nullptr) return to_c(failed_future(l, ALOOP_ENOMEM));
    o->fn = fn;
    o->arg = arg;
    aloop_task *t =
        aloop_task_group_create_task_ex(handle, reinterpret_cast<aloop_task_options *>(o));
    unref(o);
    return t;
}

int64_t aloop_task_group_spawn(aloop_task_group *handle, aloop_coro_fn fn, void *arg) {
    future *f = from_c(aloop_task_group_create_task(handle, fn, arg));
    if (f == nullptr) return ALOOP_ENORUNNINGLOOP;
    const bool refused = f->type != kind::task && f->failed();
    const int64_t code = refused ? f->status() : 0;
    if (refused) f->clear(k_unretrieved);
    unref(f);
    return code;
}

int64_t aloop_task_group_cancel(aloop_task_group *handle) {
    const int64_t code = check_group(handle);
    if (code == 0) cancel_group(from_c(handle));
    return code;
}

namespace {

// The error that the block ends with: raised, or that of its last await.
error *block_error(task *t, int64_t status) {
    if (status >= 0) return nullptr;
    error *e = t->more != nullptr ? t->more->raised : nullptr;
    if (e != nullptr && e->code == status) {
        t->more->raised = nullptr;
        return e;
    }
    e = current_error(t);
    if (e == nullptr || e->code != status) return nullptr;
    ref(e);
    return e;
}

}  // namespace

aloop_future *aloop_task_group_join(aloop_task_group *handle, int64_t status) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    int64_t code = check_group(handle);
    if (code == 0 && parent_of(from_c(handle)) != running_task()) code = ALOOP_ENOTASK;
    if (code < 0) return to_c(failed_future(l, code));
    return to_c(make_join(from_c(handle), status, block_error(running_task(), status)));
}

int64_t aloop_task_group_exit(aloop_task_group *handle, int64_t status) {
    return aloop_await(aloop_task_group_join(handle, status), nullptr);
}
