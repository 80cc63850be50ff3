// SPDX-License-Identifier: MIT
#include "object.hpp"

#include <cstddef>
#include <cstring>

#include "locked.hpp"
#include "memory.hpp"
#include "options.hpp"

namespace aloop {

kind_info g_kinds[static_cast<int>(kind::count)];
std::atomic<int64_t> g_live[static_cast<int>(kind::count)];
void (*g_wake_domain)(domain *d) = nullptr;

static void destroy_options(object *o) { static_cast<options_object *>(o)->info->destroy(o); }

static const register_kind g_options(kind::option_set, {"options", destroy_options});

namespace {

// `remote` of a loop object: the count in steps of two, and whether the object
// stands in its loop's inbox.
constexpr int32_t k_queued = 1;
constexpr int32_t k_one = 2;

// Moves what other threads counted to `refs`; under the mutex, which k_queued
// changes under as well. True: there is no reference left.
bool fold(loop_object *o, int32_t by, bool stays_queued) {
    const int32_t left = stays_queued ? k_queued : 0;
    const int32_t folded = o->remote.exchange(left, std::memory_order_acq_rel);
    o->refs += by + (folded & ~k_queued) / k_one;
    return o->refs == 0;
}

// After the close: no thread owns the object, the mutex does. finalize() runs
// outside of it, for it runs code of the program. What the close has yet to
// take out of the inbox is left to it.
void fold_closed(loop_object *o, int32_t by) {
    bool last;
    {
        locked hold(&o->home->closed_mutex);
        const bool queued = (o->remote.load(std::memory_order_relaxed) & k_queued) != 0;
        last = fold(o, by, queued) && !queued;
    }
    if (last) finalize(o);
}

bool is_closed(domain *d) {
    locked hold(&d->closed_mutex);
    return d->closed;
}

// How deep destructors may run inside each other: a fiber's stack is small, and a
// chain of objects that hold each other may be as long as the program likes.
constexpr int32_t k_deepest = 8;

struct finalizing {
    int32_t depth = 0;
    object *waiting = nullptr;  // until the outermost is through
};
thread_local constinit finalizing t_finalizing __attribute__((tls_model("initial-exec")));

// An object without references needs its two counts no more: the list's link stands in
// their place.
void put_off(object *o) {
    static_assert(offsetof(object, refs) == 0 && offsetof(object, remote) == 4);
    std::memcpy(static_cast<void *>(o), &t_finalizing.waiting, sizeof(object *));
    t_finalizing.waiting = o;
}

object *take_put_off() {
    object *o = t_finalizing.waiting;
    std::memcpy(&t_finalizing.waiting, static_cast<void *>(o), sizeof(object *));
    o->refs = 0;
    o->remote.store(0, std::memory_order_relaxed);
    return o;
}

}  // namespace

void finalize(object *o) {
    finalizing &now = t_finalizing;
    if (now.depth == k_deepest) [[unlikely]] {
        put_off(o);
        return;
    }
    now.depth++;
    info_of(o).destroy(o);
    while (now.depth == 1 && now.waiting != nullptr) [[unlikely]] {
        object *next = take_put_off();
        info_of(next).destroy(next);
    }
    now.depth--;
}

// A sum of zero means that nobody anywhere holds a reference, so that nobody can
// change `remote` under us.
void drop_last(loop_object *o) {
    bool last = o->refs == 0;
    if (o->remote.load(std::memory_order_acquire) != 0) {
        locked hold(&o->home->closed_mutex);
        const bool queued = (o->remote.load(std::memory_order_relaxed) & k_queued) != 0;
        last = !queued && fold(o, 0, false);
    }
    if (last) finalize(o);
}

void remote_ref(loop_object *o) {
    if (o->home->thread.load(std::memory_order_acquire) == k_no_thread && is_closed(o->home)) {
        fold_closed(o, 1);
    } else {
        o->remote.fetch_add(k_one, std::memory_order_relaxed);
    }
}

// The queueing and the loop's close exclude each other through the mutex; this
// is the slow road, taken by finalizers.
void remote_unref(loop_object *o) {
    domain *d = o->home;
    bool closed;
    {
        locked hold(&d->closed_mutex);
        closed = d->closed;
        if (!closed) {
            // One step: the loop's thread must never see 0 before it is queued.
            const bool queued = (o->remote.load(std::memory_order_relaxed) & k_queued) != 0;
            o->remote.fetch_sub(queued ? k_one : k_one - k_queued, std::memory_order_acq_rel);
            if (!queued) {
                o->inbox_next = d->inbox_drops.load(std::memory_order_relaxed);
                d->inbox_drops.store(o, std::memory_order_seq_cst);
                g_wake_domain(d);
            }
        }
    }
    if (closed) fold_closed(o, -1);
}

void collect_drops(domain *d) {
    if (d->inbox_drops.load(std::memory_order_relaxed) == nullptr) return;
    loop_object *list;
    {
        locked hold(&d->closed_mutex);
        list = d->inbox_drops.exchange(nullptr, std::memory_order_acquire);
    }
    while (list != nullptr) {
        loop_object *o = list;
        list = o->inbox_next;
        bool last;
        {
            locked hold(&d->closed_mutex);
            last = fold(o, 0, false);
        }
        if (last) finalize(o);
    }
}

}  // namespace aloop
