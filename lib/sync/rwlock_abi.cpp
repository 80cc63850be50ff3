// SPDX-License-Identifier: MIT
#include "entry.hpp"
#include "rwlock.hpp"

using namespace aloop;

namespace {

aloop_future *acquire(aloop_rwlock *handle, bool write) {
    return operation_on(from_c(handle), kind::rwlock, [write](loop *home, rwlock *l) {
        return make_rwlock_acquire(home, l, write);
    });
}

int64_t release(aloop_rwlock *handle, bool write) {
    rwlock *l = from_c(handle);
    const int64_t code = check_object(l, kind::rwlock);
    if (code < 0) return code;
    const bool held = write ? l->writing : l->readers > 0;
    if (!held) return refuse(ALOOP_ENOTOWNER, "the lock is not held in this way");
    release_turn(l, write);
    return 0;
}

}  // namespace

int64_t aloop_rwlock_new(aloop_rwlock **out) {
    return hand_out(out, out ? create<rwlock>() : nullptr);
}

aloop_future *aloop_rwlock_acquire_read(aloop_rwlock *l) { return acquire(l, false); }

aloop_future *aloop_rwlock_acquire_write(aloop_rwlock *l) { return acquire(l, true); }

int64_t aloop_rwlock_release_read(aloop_rwlock *l) { return release(l, false); }

int64_t aloop_rwlock_release_write(aloop_rwlock *l) { return release(l, true); }

int64_t aloop_rwlock_statistic(aloop_rwlock *handle, int32_t which) {
    rwlock *l = from_c(handle);
    const int64_t code = check_object(l, kind::rwlock);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_RWLOCK_STAT_READERS: return l->readers;
    case ALOOP_RWLOCK_STAT_WRITERS: return l->writing;
    case ALOOP_RWLOCK_STAT_WAITING_READERS: return count_waiting(l, false);
    case ALOOP_RWLOCK_STAT_WAITING_WRITERS: return count_waiting(l, true);
    default: return ALOOP_EINVAL;
    }
}
