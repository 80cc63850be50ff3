// SPDX-License-Identifier: MIT
#include "entry.hpp"
#include "once.hpp"

using namespace aloop;

int64_t aloop_once_new(aloop_once **out) { return hand_out(out, out ? create<once>() : nullptr); }

aloop_future *aloop_once_get_or_init(aloop_once *o, aloop_once_fn init, void *data) {
    once *checked = init != nullptr ? from_c(o) : nullptr;
    return operation_on(checked, kind::once, [&](loop *home, once *it) {
        return make_get_or_init(home, it, init, data);
    });
}

int64_t aloop_once_get(aloop_once *handle, void **value) {
    const once *o = from_c(handle);
    const int64_t code = check_object(o, kind::once);
    if (code < 0) return code;
    if (!o->full) return ALOOP_EINVALIDSTATE;
    if (value != nullptr) *value = o->value;
    return o->status;
}

int64_t aloop_once_set(aloop_once *handle, int64_t status, void *value, aloop_free_fn free_fn) {
    once *o = from_c(handle);
    const int64_t code = check_object(o, kind::once);
    if (code < 0) return code;
    if (status < 0) return ALOOP_EINVAL;
    if (o->full) return ALOOP_EEXIST;
    if (o->busy) return ALOOP_EBUSY;
    fill(o, status, value, free_fn);
    return 0;
}

int64_t aloop_once_statistic(aloop_once *handle, int32_t which) {
    once *o = from_c(handle);
    const int64_t code = check_object(o, kind::once);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_ONCE_STAT_FULL: return o->full;
    case ALOOP_ONCE_STAT_BUSY: return o->busy;
    case ALOOP_ONCE_STAT_WAITING: return count_pending(o->waiters);
    default: return ALOOP_EINVAL;
    }
}
