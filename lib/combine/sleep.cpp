// SPDX-License-Identifier: MIT
#include "sleep.hpp"

#include <bit>

#include "../task/operation.hpp"

namespace aloop {

namespace {

// Of a sleep, in the flags that plain futures do not use.
constexpr uint16_t k_queue_has_it = 0x100;  // cancelled while its timer was queued
constexpr uint16_t k_over = 0x200;          // the timer is in no list any more
constexpr uint16_t k_orphan = 0x400;        // unreferenced, waits for the queue

future *sleep_of(node *timer) {
    return reinterpret_cast<future *>(reinterpret_cast<char *>(timer) - sizeof(loop_object));
}

bool is_queued(const future *f) {
    if (!f->has(k_started) || (f->flags & k_over) != 0) return false;
    return (f->flags & k_queue_has_it) != 0 || (f->pending() && !timers::is_armed(&f->timer));
}

// False: nothing to wait for, only others to let run.
bool begin_sleep(future *f) {
    loop *l = loop_of(f);
    const double delay = std::bit_cast<double>(f->timer.key);
    if (delay <= 0) {
        f->flags |= k_over;
        f->state = k_finished;
        f->done = {nullptr, nullptr, 0};
        return false;
    }
    l->timer_wheel().arm(&f->timer, deadline_after(l->now(), delay), timer_tag::sleep);
    return true;
}

void fire(node *timer, action what) {
    future *f = sleep_of(timer);
    f->flags |= k_over;
    if ((f->flags & k_orphan) != 0) {
        release_outcome(f);
        loop_of(f)->free_object(f);
    } else if (f->state == k_was_cancelled) {
        f->done.value_free = nullptr;
    } else if (what == action::run) {
        finish(f, 0, nullptr, nullptr);
    } else {
        f->state = k_was_cancelled;
        f->done = {nullptr, nullptr, 0};
    }
}

bool cancel_sleep(future *f, const char *message) {
    error *e = message != nullptr ? make_error(ALOOP_ECANCELED, message) : nullptr;
    if (is_queued(f)) {
        f->flags |= k_queue_has_it;
        f->state = k_was_cancelled;
        f->done.value = e;  // the timer's prev, which the queue does not use
        wake_waiters(f);
        return true;
    }
    if (f->has(k_started)) loop_of(f)->timer_wheel().cancel(&f->timer);
    f->flags |= k_over;
    cancel_now(f, e);
    return true;
}

void destroy_sleep(object *o) {
    future *f = static_cast<future *>(o);
    if (f->state == k_finished) [[likely]] {  // it holds no value and no waiter
        loop_of(f)->free_object(f);
        return;
    }
    if (is_queued(f)) {
        if (f->pending()) {
            f->state = k_was_cancelled;
            f->done.value = nullptr;
        }
        f->flags |= k_queue_has_it | k_orphan;
        return;
    }
    loop_of(f)->tell_unawaited(f);
    if (f->pending() && f->has(k_started)) loop_of(f)->timer_wheel().cancel(&f->timer);
    release_outcome(f);
    loop_of(f)->free_object(f);
}

const register_kind g_sleep(kind::sleep, {"sleep", destroy_sleep, cancel_sleep, begin_sleep});

struct announce {
    announce() { g_timer_fire[static_cast<int>(timer_tag::sleep)] = fire; }
} g_announced;

struct sleep_result final : operation {
    double delay;
    int64_t answer;

    sleep_result(domain *d, double seconds, int64_t status);
};

int64_t step(operation *op, task *, int64_t status) {
    sleep_result *self = static_cast<sleep_result *>(op);
    if (self->phase++ == 0) return op->await(make_sleep(loop_of(op), self->delay));
    return status < 0 ? status : self->answer;
}

const op_info k_sleep_result = {"sleep", step, free_operation<sleep_result>};

sleep_result::sleep_result(domain *d, double seconds, int64_t status)
    : operation(d, &k_sleep_result), delay(seconds), answer(status) {}

}  // namespace

future *make_sleep(loop *l, double delay) {
    if (delay <= 0) {
        if (future *kept = kept_yield(l); kept != nullptr) return kept;
    }
    future *f = l->make_object<future>(kind::sleep);
    if (f == nullptr) return nullptr;
    new (&f->timer) node;
    f->timer.key = std::bit_cast<int64_t>(delay);
    if (delay <= 0) f->flags |= k_yields;
    return f;
}

future *make_sleep_result(loop *l, double delay, int64_t status, void *value,
                          aloop_free_fn free_fn) {
    sleep_result *op = l->make_object<sleep_result>(delay, status);
    if (op != nullptr) op->give(value, free_fn);
    return op;
}

}  // namespace aloop
