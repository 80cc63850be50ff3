// SPDX-License-Identifier: MIT
#include <cmath>

#include "executor.hpp"
#include "thread_future.hpp"

using namespace aloop;

namespace {

loop *usable_loop() {
    loop *l = current_loop();
    return l != nullptr && l->check() == 0 ? l : nullptr;
}

bool good(aloop_executor *e) { return is(from_c(e), kind::executor); }

int64_t check_executor(aloop_executor *e) {
    if (!good(e)) return ALOOP_EINVAL;
    return from_c(e)->of_parent() ? ALOOP_ECHILD : 0;
}

void free_arg(aloop_free_fn free_fn, void *arg) {
    if (free_fn != nullptr) free_fn(arg);
}

job *from_job(aloop_job *j) { return reinterpret_cast<job *>(j); }

}  // namespace

// Jobs --------------------------------------------------------------------------------------

int64_t aloop_job_return(int64_t status, void *value, aloop_free_fn free_fn) {
    job *j = current_job();
    if (j == nullptr || status < 0) {
        free_arg(free_fn, value);
        return j == nullptr ? ALOOP_EINVALIDSTATE : status;
    }
    if (j->value_free != nullptr) j->value_free(j->value);
    j->value = value;
    j->value_free = free_fn;
    return status;
}

int64_t aloop_job_cancelled(void) {
    const job *j = current_job();
    return j != nullptr && j->cancelled.load(std::memory_order_relaxed);
}

int64_t aloop_job_set_name(const char *name) {
    if (name == nullptr) return ALOOP_EINVAL;
    if (current_job() == nullptr) return ALOOP_EINVALIDSTATE;
    name_this_job(name);
    return 0;
}

int64_t aloop_job_run(aloop_job *j) {
    if (j == nullptr) return ALOOP_EINVAL;
    if (from_job(j)->answered.exchange(true)) return ALOOP_EINVALIDSTATE;
    run_job(from_job(j));
    answer_job(from_job(j));
    return 0;
}

int64_t aloop_job_drop(aloop_job *j) {
    if (j == nullptr) return ALOOP_EINVAL;
    if (from_job(j)->answered.exchange(true)) return ALOOP_EINVALIDSTATE;
    from_job(j)->status = ALOOP_ECANCELED;
    answer_job(from_job(j));
    return 0;
}

aloop_future *aloop_to_thread(aloop_job_fn fn, void *arg, aloop_free_fn free_fn) {
    loop *l = usable_loop();
    if (l != nullptr && fn != nullptr) return to_c(make_to_thread(l, {fn, arg, free_fn, nullptr}));
    if (l != nullptr) return to_c(refuse_job(l, {fn, arg, free_fn, nullptr}, ALOOP_EINVAL));
    free_arg(free_fn, arg);
    return nullptr;
}

aloop_future *aloop_run_in_executor(aloop_loop *handle, aloop_executor *executor, aloop_job_fn fn,
                                    void *arg, aloop_free_fn free_fn) {
    loop *l = from_c(handle);
    const bool usable = check_loop(l) == 0;
    int64_t code = fn != nullptr && (executor == nullptr || good(executor)) ? 0 : ALOOP_EINVAL;
    if (code == 0 && executor != nullptr && !from_c(executor)->ops->runs_functions) {
        code = ALOOP_EWRONGTYPE;
    }
    if (usable && code == 0) {
        return to_c(submit_job(l, from_c(executor), {fn, arg, free_fn, nullptr}));
    }
    if (usable) return to_c(refuse_job(l, {fn, arg, free_fn, nullptr}, code));
    free_arg(free_fn, arg);
    return nullptr;
}

// Executors -----------------------------------------------------------------------------------

aloop_executor *aloop_executor_new_threads(int64_t n) {
    if (n < 0) return nullptr;
    executor *e = make_thread_pool(n > 0 ? n : default_thread_count(), "aloop");
    return reinterpret_cast<aloop_executor *>(e);
}

aloop_executor *aloop_executor_new_processes(int64_t n) {
    if (n < 0) return nullptr;
    const int64_t cores = default_thread_count() - 4;
    executor *e = make_process_pool(n > 0 ? n : (cores > 0 ? cores : 1));
    return reinterpret_cast<aloop_executor *>(e);
}

aloop_future *aloop_run_in_process(aloop_loop *handle, aloop_executor *executor,
                                   aloop_process_fn fn, const void *data, size_t n) {
    loop *l = from_c(handle);
    if (check_loop(l) < 0) return nullptr;
    if (fn == nullptr || !good(executor) || (data == nullptr && n > 0)) {
        return to_c(failed_future(l, ALOOP_EINVAL));
    }
    return to_c(submit_call(l, from_c(executor), fn, data, n));
}

int64_t aloop_executor_set_name(aloop_executor *e, const char *name) {
    const int64_t code = name != nullptr ? check_executor(e) : ALOOP_EINVAL;
    return code < 0 ? code : name_pool(from_c(e), name);
}

int64_t aloop_executor_set_max_queue(aloop_executor *e, int64_t n) {
    const int64_t code = n >= 0 ? check_executor(e) : ALOOP_EINVAL;
    return code < 0 ? code : bound_pool(from_c(e), n);
}

aloop_executor *aloop_executor_new_custom(const aloop_executor_vtable *vtable, void *data,
                                          aloop_free_fn free_fn) {
    if (vtable == nullptr || vtable->submit == nullptr) return nullptr;
    return reinterpret_cast<aloop_executor *>(make_custom(*vtable, data, free_fn));
}

aloop_future *aloop_executor_shutdown(aloop_executor *e, double timeout) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    const int64_t code = std::isnan(timeout) ? ALOOP_EINVAL : check_executor(e);
    if (code < 0) return to_c(failed_future(l, code));
    return to_c(make_shutdown(l, from_c(e), timeout));
}

int64_t aloop_executor_running(aloop_executor *e, char *buffer, size_t size) {
    const int64_t code = buffer == nullptr && size > 0 ? ALOOP_EINVAL : check_executor(e);
    if (code < 0) return code;
    return from_c(e)->ops->describe_running(from_c(e), buffer, size);
}

int64_t aloop_loop_set_default_executor(aloop_loop *l, aloop_executor *e) {
    int64_t code = check_loop(from_c(l));
    if (code == 0) code = check_executor(e);
    return code < 0 ? code : set_default_executor(from_c(l), from_c(e));
}

aloop_future *aloop_loop_shutdown_default_executor(aloop_loop *handle, double timeout) {
    loop *l = from_c(handle);
    if (check_loop(l) < 0) return nullptr;
    if (std::isnan(timeout)) return to_c(failed_future(l, ALOOP_EINVAL));
    return to_c(make_shutdown(l, nullptr, timeout));
}

// Coroutines from other threads ------------------------------------------------------------------

aloop_thread_future *aloop_run_coroutine_threadsafe(aloop_loop *l, aloop_coro_fn fn, void *arg) {
    if (!is(from_c(l), kind::loop) || fn == nullptr) return nullptr;
    return reinterpret_cast<aloop_thread_future *>(run_threadsafe(from_c(l), fn, arg));
}

namespace {

bool good(aloop_thread_future *f) { return is(from_c(f), kind::thread_future); }

}  // namespace

int64_t aloop_thread_future_wait(aloop_thread_future *f, double timeout) {
    return good(f) && !std::isnan(timeout) ? wait_done(from_c(f), timeout) : ALOOP_EINVAL;
}

int64_t aloop_thread_future_done(aloop_thread_future *f) {
    return good(f) ? is_done(from_c(f)) : ALOOP_EINVAL;
}

int64_t aloop_thread_future_cancelled(aloop_thread_future *f) {
    return good(f) ? read_value(from_c(f), nullptr, false) == ALOOP_ECANCELED : ALOOP_EINVAL;
}

int64_t aloop_thread_future_cancel(aloop_thread_future *f) {
    return good(f) ? cancel(from_c(f)) : ALOOP_EINVAL;
}

int64_t aloop_thread_future_result(aloop_thread_future *f, void **value) {
    return good(f) ? read_value(from_c(f), value, false) : ALOOP_EINVAL;
}

int64_t aloop_thread_future_take(aloop_thread_future *f, void **value) {
    return good(f) ? read_value(from_c(f), value, true) : ALOOP_EINVAL;
}

aloop_error *aloop_thread_future_error(aloop_thread_future *f) {
    return good(f) ? to_c(error_of(from_c(f))) : nullptr;
}
