// SPDX-License-Identifier: MIT
#include "../sync/entry.hpp"
#include "inlet.hpp"

#include <cmath>

using namespace aloop;

namespace {

inlet *checked(aloop_inlet *handle) {
    inlet *i = from_c(handle);
    return is(i, kind::inlet) ? i : nullptr;
}

// When a wait that begins now ends, on the monotonic clock.
int64_t end_of_wait(double timeout) {
    if (timeout < 0) return k_never;
    return timeout > 0 ? deadline_after(monotonic_now(), timeout) : 0;
}

}  // namespace

int64_t aloop_inlet_new(aloop_inlet **out, aloop_queue *handle, int64_t capacity) {
    queue *q = from_c(handle);
    int64_t code = check_object(q, kind::queue);
    if (code < 0) return code;
    if (out == nullptr || capacity < 1) return ALOOP_EINVAL;
    inlet *made = nullptr;
    code = bind_here(q);
    if (code == 0) code = make_inlet(q->home.get(), q, capacity, &made);
    return code < 0 ? code : hand_out(out, made);
}

int64_t aloop_inlet_put(aloop_inlet *handle, void *item, double timeout) {
    inlet *i = checked(handle);
    if (i == nullptr || std::isnan(timeout)) return ALOOP_EINVAL;
    const int64_t code = put_from_thread(i->core, item, 0);
    if (code != ALOOP_EQUEUEFULL) return code;
    if (i->core->home->owned()) return ALOOP_EWRONGTHREAD;
    const int64_t until = end_of_wait(timeout);
    return until == 0 ? ALOOP_ETIMEDOUT : put_from_thread(i->core, item, until);
}

int64_t aloop_inlet_put_nowait(aloop_inlet *handle, void *item) {
    inlet *i = checked(handle);
    return i != nullptr ? put_from_thread(i->core, item, 0) : ALOOP_EINVAL;
}

int64_t aloop_inlet_close(aloop_inlet *handle) {
    inlet *i = checked(handle);
    if (i == nullptr) return ALOOP_EINVAL;
    close_inlet(i->core);
    return 0;
}

int64_t aloop_inlet_statistic(aloop_inlet *handle, int32_t which) {
    inlet *i = checked(handle);
    if (i == nullptr) return ALOOP_EINVAL;
    if (i->core->forked()) return ALOOP_ECHILD;
    const inlet_figures now = figures_of(i->core);
    switch (which) {
    case ALOOP_INLET_STAT_ITEMS: return now.items;
    case ALOOP_INLET_STAT_CAPACITY: return i->core->capacity;
    case ALOOP_INLET_STAT_WAITING: return now.threads;
    case ALOOP_INLET_STAT_OPEN: return now.open;
    default: return ALOOP_EINVAL;
    }
}
