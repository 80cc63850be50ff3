// SPDX-License-Identifier: MIT
#include "object.hpp"

#include "memory.hpp"
#include "options.hpp"

namespace aloop {

kind_info g_kinds[static_cast<int>(kind::count)];
std::atomic<int64_t> g_live[static_cast<int>(kind::count)];
void (*g_wake_domain)(domain *d) = nullptr;

static const register_kind g_options(kind::option_set, {"options", [](object *o) {
                                                            static_cast<options_object *>(o)->info->destroy(o);
                                                        }});

namespace {

// `remote` of a loop object: the count in steps of two, and whether the object
// stands in its loop's inbox.
constexpr int32_t k_queued = 1;
constexpr int32_t k_one = 2;

struct locked {
    explicit locked(domain *d) : domain_(d) { pthread_mutex_lock(&d->closed_mutex); }
    ~locked() { pthread_mutex_unlock(&domain_->closed_mutex); }
    locked(const locked &) = delete;
    locked &operator=(const locked &) = delete;
    domain *domain_;
};

// After the close: no thread owns the object, the mutex does. What still stands
// in the loop's inbox is left to the close, which is about to collect it.
// finalize() runs outside of the mutex, for it runs code of the program.
void fold_closed(loop_object *o, int32_t by) {
    bool last;
    {
        locked hold(o->home);
        const int32_t before = o->remote.fetch_and(k_queued, std::memory_order_acq_rel);
        o->refs = static_cast<uint32_t>(static_cast<int32_t>(o->refs) + by +
                                        (before & ~k_queued) / k_one);
        last = o->refs == 0 && (before & k_queued) == 0;
    }
    if (last) finalize(o);
}

bool is_closed(domain *d) {
    locked hold(d);
    return d->closed;
}

}  // namespace

void finalize(object *o) { info_of(o).destroy(o); }

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
        locked hold(d);
        closed = d->closed;
        if (!closed) {
            const int32_t before = o->remote.fetch_sub(k_one, std::memory_order_acq_rel);
            if ((before & k_queued) == 0) {
                o->remote.fetch_or(k_queued, std::memory_order_acq_rel);
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
        locked hold(d);
        list = d->inbox_drops.exchange(nullptr, std::memory_order_acquire);
    }
    while (list != nullptr) {
        loop_object *o = list;
        list = o->inbox_next;
        bool last;
        {
            locked hold(d);  // against a drop that comes in between
            const int32_t folded = o->remote.exchange(0, std::memory_order_acq_rel);
            o->refs = static_cast<uint32_t>(static_cast<int32_t>(o->refs) +
                                            (folded & ~k_queued) / k_one);
            last = o->refs == 0;
        }
        if (last) finalize(o);
    }
}

}  // namespace aloop
