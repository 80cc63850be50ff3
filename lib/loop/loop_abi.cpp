// SPDX-License-Identifier: MIT
#include <cmath>

#include <asyncloop/libevent.h>

#include "../combine/run.hpp"
#include "../future/completion.hpp"
#include "../task/task.hpp"
#include "loop.hpp"
#include "poller_sim.hpp"
#include "signals.hpp"
#include "watchers.hpp"

using namespace aloop;

namespace {

loop_options *from_options(const aloop_loop_options *o) { return options_from<loop_options>(o); }

bool good(const aloop_loop_options *o) { return from_options(o) != nullptr; }

}  // namespace

// Options -----------------------------------------------------------------------------------

aloop_loop_options *aloop_loop_options_new(void) {
    return reinterpret_cast<aloop_loop_options *>(create<loop_options>());
}

int64_t aloop_loop_options_set_debug(aloop_loop_options *o, int32_t debug) {
    if (!good(o)) return ALOOP_EINVAL;
    from_options(o)->debug = debug != 0;
    return 0;
}

int64_t aloop_loop_options_set_clock(aloop_loop_options *o, int32_t clock) {
    if (!good(o) || (clock != ALOOP_CLOCK_MONOTONIC && clock != ALOOP_CLOCK_VIRTUAL)) {
        return ALOOP_EINVAL;
    }
    from_options(o)->clock = clock;
    return 0;
}

int64_t aloop_loop_options_set_simulator(aloop_loop_options *o, uint64_t seed,
                                         double most_delay) {
    if (!good(o) || !(most_delay >= 0) || std::isinf(most_delay)) return ALOOP_EINVAL;
    sim_conditions conditions;
    conditions.seed = seed;
    conditions.most_delay = to_ns(most_delay);
    conditions.short_per_mille = 200;
    conditions.interrupt_per_mille = 20;
    conditions.lost_per_mille = from_options(o)->simulated.lost_per_mille;
    use_simulator(from_options(o), conditions);
    return 0;
}

int64_t aloop_loop_options_set_simulated_loss(aloop_loop_options *o, double share) {
    if (!good(o) || !(share >= 0 && share <= 1)) return ALOOP_EINVAL;
    from_options(o)->simulated.lost_per_mille = static_cast<uint32_t>(share * 1000 + 0.5);
    return 0;
}

int64_t aloop_loop_options_set_seed(aloop_loop_options *o, uint64_t seed) {
    if (!good(o)) return ALOOP_EINVAL;
    from_options(o)->seed = seed;
    return 0;
}

int64_t aloop_loop_options_set_stack_size(aloop_loop_options *o, size_t size) {
    if (!good(o) || size < 16384 || size > (size_t{1} << 30)) return ALOOP_EINVAL;
    from_options(o)->stack_size = (size + 4095) & ~size_t{4095};
    return 0;
}

int64_t aloop_loop_options_set_busy_poll(aloop_loop_options *o, double seconds) {
    if (!good(o) || !(seconds >= 0 && seconds <= 1)) return ALOOP_EINVAL;
    from_options(o)->busy_poll = to_ns(seconds);
    return 0;
}

int64_t aloop_loop_options_set_eager_tasks(aloop_loop_options *o, int32_t eager) {
    if (!good(o)) return ALOOP_EINVAL;
    from_options(o)->eager = eager != 0;
    return 0;
}

// Life ----------------------------------------------------------------------------------------

int64_t aloop_loop_new(aloop_loop **out, const aloop_loop_options *options) {
    if (out == nullptr || (options != nullptr && !good(options))) return ALOOP_EINVAL;
    loop *l = nullptr;
    int64_t code = make_loop(options != nullptr ? from_options(options) : nullptr, &l);
    if (code == 0) *out = to_c(l);
    return code;
}

aloop_loop *aloop_loop_ref(aloop_loop *l) { return static_cast<aloop_loop *>(aloop_ref(l)); }

void aloop_loop_unref(aloop_loop *l) { aloop_unref(l); }

int64_t aloop_loop_close(aloop_loop *l) {
    return is(from_c(l), kind::loop) ? from_c(l)->close() : ALOOP_EINVAL;
}

int64_t aloop_loop_is_closed(aloop_loop *l) {
    return is(from_c(l), kind::loop) ? from_c(l)->closed.load() : ALOOP_EINVAL;
}

int64_t aloop_loop_is_running(aloop_loop *l) {
    return is(from_c(l), kind::loop) ? from_c(l)->running() : ALOOP_EINVAL;
}

int64_t aloop_loop_run_forever(aloop_loop *l) {
    return is(from_c(l), kind::loop) ? from_c(l)->run_forever() : ALOOP_EINVAL;
}

int64_t aloop_loop_run_until_complete(aloop_loop *handle, aloop_future *future_handle,
                                      void **value) {
    loop *l = from_c(handle);
    future *f = from_c(future_handle);
    if (f == nullptr || !f->is_future()) {
        return running_loop() == nullptr && current_loop() == nullptr ? ALOOP_ENORUNNINGLOOP
                                                                      : ALOOP_EINVAL;
    }
    if (!is(l, kind::loop) || f->home != l) {
        unref(f);
        return is(l, kind::loop) ? ALOOP_EWRONGLOOP : ALOOP_EINVAL;
    }
    return run_until_complete(l, f, value);
}

int64_t aloop_loop_run_once(aloop_loop *l, double timeout) {
    if (!is(from_c(l), kind::loop) || std::isnan(timeout)) return ALOOP_EINVAL;
    return from_c(l)->run_once(timeout);
}

int64_t aloop_loop_stop(aloop_loop *l) {
    return is(from_c(l), kind::loop) ? from_c(l)->stop() : ALOOP_EINVAL;
}

double aloop_loop_time(aloop_loop *handle) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    return code < 0 ? static_cast<double>(code) : to_seconds(l->now());
}

int64_t aloop_loop_iteration(aloop_loop *l) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? code : from_c(l)->iteration();
}

aloop_loop *aloop_get_running_loop(void) { return to_c(running_loop()); }

int64_t aloop_set_event_loop(aloop_loop *l) {
    if (l != nullptr && !is(from_c(l), kind::loop)) return ALOOP_EINVAL;
    return set_current_loop(from_c(l));
}

aloop_loop *aloop_get_event_loop(void) { return to_c(current_loop()); }

int64_t aloop_loop_after_fork(aloop_loop *l) {
    if (!is(from_c(l), kind::loop)) return ALOOP_EINVAL;
    const int64_t code = from_c(l)->after_fork();
    return code > 0 ? prepare_loop(from_c(l)) : code;
}

// Callbacks and timers ----------------------------------------------------------------------------

int64_t aloop_loop_call_soon(aloop_loop *l, aloop_callback_fn fn, void *data,
                             aloop_free_fn free_fn) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    return fn != nullptr ? from_c(l)->call_soon(fn, data, free_fn) : ALOOP_EINVAL;
}

int64_t aloop_loop_call_soon_threadsafe(aloop_loop *l, aloop_callback_fn fn, void *data,
                                        aloop_free_fn free_fn) {
    if (!is(from_c(l), kind::loop) || fn == nullptr) return ALOOP_EINVAL;
    return from_c(l)->call_soon_threadsafe(fn, data, free_fn);
}

int64_t aloop_loop_call_later(aloop_loop *handle, double delay, aloop_callback_fn fn, void *data,
                              aloop_free_fn free_fn) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    if (code < 0) return code;
    if (fn == nullptr || std::isnan(delay)) return ALOOP_EINVAL;
    const int64_t now = delay > 0 ? l->now() : l->cached_now();
    return l->call_at(deadline_after(now, delay), fn, data, free_fn);
}

int64_t aloop_loop_call_at(aloop_loop *l, double when, aloop_callback_fn fn, void *data,
                           aloop_free_fn free_fn) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    if (fn == nullptr || std::isnan(when)) return ALOOP_EINVAL;
    return from_c(l)->call_at(to_ns(when), fn, data, free_fn);
}

int64_t aloop_loop_cancel_handle(aloop_loop *l, aloop_handle handle) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? code : from_c(l)->cancel_handle(handle);
}

double aloop_loop_handle_when(aloop_loop *l, aloop_handle handle) {
    return check_loop(from_c(l)) < 0 ? __builtin_nan("") : from_c(l)->handle_when(handle);
}

// Futures and tasks -------------------------------------------------------------------------------

aloop_future *aloop_loop_create_future(aloop_loop *l) {
    if (check_loop(from_c(l)) < 0) return nullptr;
    future *f = make_future(from_c(l));
    return to_c(f != nullptr ? f : failed_future(from_c(l), ALOOP_ENOMEM));
}

int64_t aloop_loop_set_task_factory(aloop_loop *handle, aloop_task_factory_fn fn, void *data,
                                    aloop_free_fn free_fn) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    if (code < 0) return code;
    const aloop_free_fn old_free = l->task_factory_free;
    void *old_data = l->task_factory_data;
    l->task_factory = fn;
    l->task_factory_data = fn != nullptr ? data : nullptr;
    l->task_factory_free = fn != nullptr ? free_fn : nullptr;
    if (old_free != nullptr) old_free(old_data);
    return 0;
}

aloop_task_factory_fn aloop_loop_get_task_factory(aloop_loop *l) {
    return check_loop(from_c(l)) < 0 ? nullptr : from_c(l)->task_factory;
}

// Descriptors -------------------------------------------------------------------------------------

namespace {

int64_t watch_fd(aloop_loop *handle, int32_t fd, uint8_t bit, aloop_callback_fn fn, void *data,
                 aloop_free_fn free_fn) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    if (code < 0) return code;
    if (fn == nullptr) return ALOOP_EINVAL;
    watcher_set *set = watcher_set::of(l);
    return set != nullptr ? set->add(fd, bit, fn, data, free_fn) : ALOOP_ENOMEM;
}

int64_t unwatch_fd(aloop_loop *handle, int32_t fd, uint8_t bit) {
    loop *l = from_c(handle);
    const int64_t code = check_loop(l);
    if (code < 0) return code;
    return l->watchers != nullptr ? l->watchers->remove(fd, bit) : 0;
}

}  // namespace

int64_t aloop_loop_add_reader(aloop_loop *l, int32_t fd, aloop_callback_fn fn, void *data,
                              aloop_free_fn free_fn) {
    return watch_fd(l, fd, k_readable, fn, data, free_fn);
}

int64_t aloop_loop_remove_reader(aloop_loop *l, int32_t fd) {
    return unwatch_fd(l, fd, k_readable);
}

int64_t aloop_loop_add_writer(aloop_loop *l, int32_t fd, aloop_callback_fn fn, void *data,
                              aloop_free_fn free_fn) {
    return watch_fd(l, fd, k_writable, fn, data, free_fn);
}

int64_t aloop_loop_remove_writer(aloop_loop *l, int32_t fd) {
    return unwatch_fd(l, fd, k_writable);
}

int64_t aloop_loop_add_signal_handler(aloop_loop *l, int32_t signum, aloop_callback_fn fn,
                                      void *data, aloop_free_fn free_fn) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    if (fn == nullptr) return ALOOP_EINVAL;
    signal_set *set = signal_set::of(from_c(l));
    return set != nullptr ? set->add(signum, fn, data, free_fn) : ALOOP_ENOMEM;
}

int64_t aloop_loop_remove_signal_handler(aloop_loop *l, int32_t signum) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    if (signum < 1 || signum > k_signals) return ALOOP_EINVAL;
    signal_set *set = from_c(l)->signals;
    return set != nullptr ? set->remove(signum) : 0;
}

// Errors that nobody handles ----------------------------------------------------------------------

const char *aloop_exception_context_message(const aloop_exception_context *c) {
    return c != nullptr ? c->message : "";
}

int64_t aloop_exception_context_code(const aloop_exception_context *c) {
    return c != nullptr ? c->code : ALOOP_EINVAL;
}

aloop_error *aloop_exception_context_error(const aloop_exception_context *c) {
    return c != nullptr ? to_c(c->failure) : nullptr;
}

aloop_future *aloop_exception_context_future(const aloop_exception_context *c) {
    return c != nullptr ? reinterpret_cast<aloop_future *>(c->future) : nullptr;
}

aloop_task *aloop_exception_context_task(const aloop_exception_context *c) {
    return c != nullptr ? reinterpret_cast<aloop_task *>(c->task) : nullptr;
}

aloop_handle aloop_exception_context_handle(const aloop_exception_context *c) {
    return c != nullptr ? c->handle : 0;
}

const char *aloop_exception_context_source(const aloop_exception_context *c) {
    return c != nullptr ? c->source : "";
}

const char *aloop_exception_context_handle_source(const aloop_exception_context *c) {
    return c != nullptr ? c->handle_source : "";
}

int64_t aloop_loop_set_exception_handler(aloop_loop *l, aloop_exception_handler_fn fn, void *data,
                                         aloop_free_fn free_fn) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? code : from_c(l)->set_exception_handler(fn, data, free_fn);
}

aloop_exception_handler_fn aloop_loop_get_exception_handler(aloop_loop *l) {
    return check_loop(from_c(l)) < 0 ? nullptr : from_c(l)->exception_handler;
}

int64_t aloop_loop_default_exception_handler(aloop_loop *l, aloop_exception_context *context) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0 && code != ALOOP_ESTALE) return code;
    if (context == nullptr) return ALOOP_EINVAL;
    from_c(l)->default_report(context);
    return 0;
}

int64_t aloop_loop_call_exception_handler(aloop_loop *l, const char *message,
                                          aloop_error *failure) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    const bool good_error = failure == nullptr || is(from_c(failure), kind::error);
    if (message == nullptr || !good_error) return ALOOP_EINVAL;
    error *e = from_c(failure);
    from_c(l)->report(message, e != nullptr ? e->code : 0, e);
    return 0;
}

// Debugging, embedding ----------------------------------------------------------------------------

int64_t aloop_loop_set_debug(aloop_loop *l, int32_t debug) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    from_c(l)->debug = debug != 0;
    if (debug == 0) from_c(l)->drop_origins();
    return 0;
}

int64_t aloop_loop_get_debug(aloop_loop *l) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? code : from_c(l)->debug.load();
}

int64_t aloop_loop_set_slow_callback_duration(aloop_loop *l, double seconds) {
    const int64_t code = check_loop(from_c(l));
    if (code < 0) return code;
    if (!(seconds >= 0)) return ALOOP_EINVAL;
    from_c(l)->slow_callback_duration = seconds;
    return 0;
}

int64_t aloop_loop_backend_fd(aloop_loop *l) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? code : from_c(l)->io_poller()->backend_fd();
}

double aloop_loop_backend_timeout(aloop_loop *l) {
    const int64_t code = check_loop(from_c(l));
    return code < 0 ? static_cast<double>(code) : from_c(l)->backend_timeout();
}

struct event_base *aloop_loop_event_base(aloop_loop *l) {
    return check_loop(from_c(l)) < 0 ? nullptr : from_c(l)->io_poller()->base();
}

int64_t aloop_loop_start(aloop_loop *l, aloop_future *handle, uint64_t token) {
    future *f = from_c(handle);
    if (f == nullptr || !f->is_future()) return ALOOP_EINVAL;
    int64_t code = check_loop(from_c(l));
    if (code == 0 && f->home != from_c(l)) code = ALOOP_EWRONGLOOP;
    if (code == 0) code = start(f);
    if (code < 0) {
        unref(f);
        return code;
    }
    return watch_completion(f, token);
}

int64_t aloop_loop_poll(aloop_loop *l, aloop_completion *records, int64_t n, double timeout) {
    if (!is(from_c(l), kind::loop) || records == nullptr || n <= 0 || std::isnan(timeout)) {
        return ALOOP_EINVAL;
    }
    return poll_completions(from_c(l), records, n, timeout);
}
