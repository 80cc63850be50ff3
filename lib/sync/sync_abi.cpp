// SPDX-License-Identifier: MIT
#include "barrier.hpp"
#include "entry.hpp"
#include "event.hpp"
#include "semaphore.hpp"

#include <limits>

using namespace aloop;

// Lock ------------------------------------------------------------------------------------

int64_t aloop_lock_new(aloop_lock **out) { return hand_out(out, out ? create<lock>() : nullptr); }

aloop_future *aloop_lock_acquire(aloop_lock *l) {
    return operation_on(from_c(l), kind::lock, make_acquire);
}

int64_t aloop_lock_release(aloop_lock *handle) {
    lock *l = from_c(handle);
    const int64_t code = check_object(l, kind::lock);
    if (code < 0) return code;
    if (!l->locked) return refuse(ALOOP_ENOTOWNER, "Lock is not acquired.");
    unlock(l);
    return 0;
}

int64_t aloop_lock_locked(aloop_lock *l) {
    const int64_t code = check_object(from_c(l), kind::lock);
    return code < 0 ? code : from_c(l)->locked;
}

// Event -----------------------------------------------------------------------------------

int64_t aloop_event_new(aloop_event **out) {
    return hand_out(out, out ? create<event>() : nullptr);
}

int64_t aloop_event_set(aloop_event *e) {
    const int64_t code = check_object(from_c(e), kind::event);
    if (code == 0) set_event(from_c(e));
    return code;
}

int64_t aloop_event_clear(aloop_event *e) {
    const int64_t code = check_object(from_c(e), kind::event);
    if (code == 0) from_c(e)->is_set = false;
    return code;
}

int64_t aloop_event_is_set(aloop_event *e) {
    const int64_t code = check_object(from_c(e), kind::event);
    return code < 0 ? code : from_c(e)->is_set;
}

aloop_future *aloop_event_wait(aloop_event *e) {
    return operation_on(from_c(e), kind::event, make_event_wait);
}

// Condition -------------------------------------------------------------------------------

int64_t aloop_condition_new(aloop_condition **out, aloop_lock *handle) {
    lock *l = from_c(handle);
    if (out == nullptr || (l != nullptr && !is(l, kind::lock))) return ALOOP_EINVAL;
    if (l != nullptr) return hand_out(out, create<condition>(l));
    l = create<lock>();
    if (l == nullptr) return ALOOP_ENOMEM;
    const int64_t code = hand_out(out, create<condition>(l));
    unref(l);
    return code;
}

namespace {

// The condition's lock, whose loop and thread are the condition's; nullptr, which
// its functions refuse, if c is none.
aloop_lock *lock_of(aloop_condition *c) {
    return is(from_c(c), kind::condition) ? reinterpret_cast<aloop_lock *>(from_c(c)->guard)
                                          : nullptr;
}

int64_t notify_some(aloop_condition *handle, int64_t n) {
    condition *c = from_c(handle);
    const int64_t code = check_object(c, kind::condition);
    if (code < 0) return code;
    if (!c->guard->locked) return refuse(ALOOP_ENOTOWNER, "cannot notify on un-acquired lock");
    return n < 0 ? ALOOP_EINVAL : notify(c, n);
}

}  // namespace

aloop_future *aloop_condition_acquire(aloop_condition *c) {
    return aloop_lock_acquire(lock_of(c));
}

int64_t aloop_condition_release(aloop_condition *c) { return aloop_lock_release(lock_of(c)); }

int64_t aloop_condition_locked(aloop_condition *c) { return aloop_lock_locked(lock_of(c)); }

aloop_future *aloop_condition_wait(aloop_condition *c) {
    return operation_on(from_c(c), kind::condition, make_condition_wait);
}

aloop_future *aloop_condition_wait_for(aloop_condition *c, aloop_predicate_fn predicate,
                                       void *data) {
    condition *checked = predicate != nullptr ? from_c(c) : nullptr;
    return operation_on(checked, kind::condition, [&](loop *home, condition *it) {
        return make_condition_wait_for(home, it, predicate, data);
    });
}

int64_t aloop_condition_notify(aloop_condition *c, int64_t n) { return notify_some(c, n); }

int64_t aloop_condition_notify_all(aloop_condition *c) {
    return notify_some(c, k_all);
}

// Semaphores ------------------------------------------------------------------------------

namespace {

int64_t new_semaphore(aloop_semaphore **out, int64_t value, int64_t bound) {
    if (out == nullptr || value < 0) return ALOOP_EINVAL;
    return hand_out(out, create<semaphore>(value, bound));
}

}  // namespace

int64_t aloop_semaphore_new(aloop_semaphore **out, int64_t value) {
    return new_semaphore(out, value, std::numeric_limits<int64_t>::max());
}

int64_t aloop_bounded_semaphore_new(aloop_semaphore **out, int64_t value) {
    return new_semaphore(out, value, value);
}

aloop_future *aloop_semaphore_acquire(aloop_semaphore *s) {
    return operation_on(from_c(s), kind::semaphore, make_semaphore_acquire);
}

int64_t aloop_semaphore_release(aloop_semaphore *handle) {
    semaphore *s = from_c(handle);
    const int64_t code = check_object(s, kind::semaphore);
    if (code < 0) return code;
    if (s->value >= s->bound) {
        return refuse(ALOOP_EINVAL, "BoundedSemaphore released too many times");
    }
    release_permit(s);
    return 0;
}

int64_t aloop_semaphore_locked(aloop_semaphore *s) {
    const int64_t code = check_object(from_c(s), kind::semaphore);
    return code < 0 ? code : is_locked(from_c(s));
}

int64_t aloop_semaphore_value(aloop_semaphore *s) {
    const int64_t code = check_object(from_c(s), kind::semaphore);
    return code < 0 ? code : from_c(s)->value;
}

// Barrier ---------------------------------------------------------------------------------

int64_t aloop_barrier_new(aloop_barrier **out, int64_t parties) {
    aloop_condition *gate = nullptr;
    if (out == nullptr || parties < 1) return ALOOP_EINVAL;
    const int64_t code = aloop_condition_new(&gate, nullptr);
    if (code < 0) return code;
    barrier *b = create<barrier>(from_c(gate), parties);
    if (b == nullptr) aloop_unref(gate);
    return hand_out(out, b);
}

aloop_future *aloop_barrier_wait(aloop_barrier *b) {
    return operation_on(from_c(b), kind::barrier, make_barrier_wait);
}

aloop_future *aloop_barrier_reset(aloop_barrier *b) {
    return operation_on(from_c(b), kind::barrier, [](loop *home, barrier *it) {
        return make_barrier_change(home, it, false);
    });
}

aloop_future *aloop_barrier_abort(aloop_barrier *b) {
    return operation_on(from_c(b), kind::barrier, [](loop *home, barrier *it) {
        return make_barrier_change(home, it, true);
    });
}

int64_t aloop_barrier_parties(aloop_barrier *b) {
    return is(from_c(b), kind::barrier) ? from_c(b)->parties : ALOOP_EINVAL;
}

int64_t aloop_barrier_n_waiting(aloop_barrier *handle) {
    const barrier *b = from_c(handle);
    const int64_t code = check_object(b, kind::barrier);
    if (code < 0) return code;
    return b->phase == barrier_state::filling ? b->inside : 0;
}

int64_t aloop_barrier_broken(aloop_barrier *b) {
    const int64_t code = check_object(from_c(b), kind::barrier);
    return code < 0 ? code : from_c(b)->phase == barrier_state::broken;
}
