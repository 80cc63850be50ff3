// What each lock says about itself.
//
// SPDX-License-Identifier: MIT
#include "barrier.hpp"
#include "entry.hpp"
#include "event.hpp"
#include "semaphore.hpp"

using namespace aloop;

int64_t aloop_lock_statistic(aloop_lock *handle, int32_t which) {
    lock *l = from_c(handle);
    const int64_t code = check_object(l, kind::lock);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_LOCK_STAT_LOCKED: return l->locked;
    case ALOOP_LOCK_STAT_WAITING: return count_pending(l->waiters);
    default: return ALOOP_EINVAL;
    }
}

int64_t aloop_event_statistic(aloop_event *handle, int32_t which) {
    event *e = from_c(handle);
    const int64_t code = check_object(e, kind::event);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_EVENT_STAT_SET: return e->is_set;
    case ALOOP_EVENT_STAT_WAITING: return count_pending(e->waiters);
    default: return ALOOP_EINVAL;
    }
}

int64_t aloop_condition_statistic(aloop_condition *handle, int32_t which) {
    condition *c = from_c(handle);
    const int64_t code = check_object(c, kind::condition);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_CONDITION_STAT_WAITING: return count_pending(c->waiters);
    case ALOOP_CONDITION_STAT_LOCKED: return c->guard->locked;
    case ALOOP_CONDITION_STAT_WAITING_LOCK: return count_pending(c->guard->waiters);
    default: return ALOOP_EINVAL;
    }
}

int64_t aloop_semaphore_statistic(aloop_semaphore *handle, int32_t which) {
    semaphore *s = from_c(handle);
    const int64_t code = check_object(s, kind::semaphore);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_SEMAPHORE_STAT_VALUE: return s->value;
    case ALOOP_SEMAPHORE_STAT_WAITING: return count_pending(s->waiters);
    default: return ALOOP_EINVAL;
    }
}

int64_t aloop_barrier_statistic(aloop_barrier *handle, int32_t which) {
    barrier *b = from_c(handle);
    const int64_t code = check_object(b, kind::barrier);
    if (code < 0) return code;
    const bool shut = b->phase == barrier_state::draining || b->phase == barrier_state::resetting;
    switch (which) {
    case ALOOP_BARRIER_STAT_PARTIES: return b->parties;
    case ALOOP_BARRIER_STAT_WAITING: return aloop_barrier_n_waiting(handle);
    case ALOOP_BARRIER_STAT_BROKEN: return b->phase == barrier_state::broken;
    case ALOOP_BARRIER_STAT_WAITING_OUTSIDE: return shut ? count_pending(b->gate->waiters) : 0;
    default: return ALOOP_EINVAL;
    }
}
