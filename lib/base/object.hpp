// object.hpp: the header that every object of the library begins with, and its
// reference count.
//
// Two families:
//
//   free objects   (errors, bytes, options, locks, queues, the loop itself):
//                  one atomic count, destroyed by whoever drops the last one.
//   loop objects   (futures, tasks, streams): a biased count. The loop's thread
//                  counts in `refs` without atomics, every other thread in
//                  `remote`. A foreign drop queues the object on its loop once
//                  (bit k_queued), and the loop's thread folds `remote` into
//                  `refs`; there alone the object is destroyed. A loop thread's
//                  unref is thus a decrement, and a finalizer may call unref
//                  from anywhere. After the loop was closed no thread owns it:
//                  then every count changes under the loop's mutex.
//
// What a kind of object needs to be destroyed, cancelled or driven stands in
// one kind_info, registered by the folder that defines the kind.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include <asyncloop/base.h>

#include "thread.hpp"

namespace aloop {

class loop;
struct future;
struct task;

enum class kind : uint8_t {
    none,
    // free objects
    loop,
    error,
    bytes,
    results,
    context,
    contextvar,
    context_token,
    option_set,  // see options.hpp
    runner,
    executor,
    waker,
    lock,
    event,
    condition,
    semaphore,
    barrier,
    queue,
    exit_stack,
    call_graph,
    channel,
    tls_context,
    thread_future,
    rwlock,
    address,
    addresses,
    host_name,
    packet,
    packets,
    file_stat,
    file_names,
    file_event,
    limiter,
    rate_limiter,
    once,
    inlet,
    free_other,
    // loop objects that are no futures
    first_loop_object,
    timeout = first_loop_object,
    group,
    cancel_scope,
    completions,
    generator,
    server,
    stream,
    datagram,
    process,
    channel_end,
    fan_end,
    message,
    file,
    file_watch,
    tls_session,
    loop_other,
    // futures
    first_future,
    future = first_future,
    sleep,
    operation,
    gather,
    shield,
    task,
    count
};

struct object {
    int32_t refs = 1;
    std::atomic<int32_t> remote;  // a free object's whole count
    kind type;
    uint8_t state = 0;
    uint16_t flags = 0;
    uint32_t extra = 0;  // the kind's own: a task counts its cancel requests

    explicit object(kind k) : remote(k < kind::first_loop_object ? 1 : 0), type(k) {}
    object(const object &) = delete;
    object &operator=(const object &) = delete;

    bool loop_bound() const { return type >= kind::first_loop_object; }
    bool is_future() const { return type >= kind::first_future; }
};

struct loop_object;

// What the reference counts need of a loop; class loop derives from it.
struct domain : object {
    std::atomic<uint64_t> thread{k_no_thread};       // token of the owning thread
    std::atomic<loop_object *> inbox_drops{nullptr};  // dropped by other threads
    std::atomic<int64_t> live{0};                     // loop objects that exist
    pthread_mutex_t closed_mutex = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<bool> closed{false};                  // changes under the mutex
    domain *next_domain = nullptr;  // in the registry (stats.hpp)

    explicit domain(kind k) : object(k) {}
    bool owned() const { return thread.load(std::memory_order_relaxed) == t_thread.token; }
    // One thread writes at a time, so that counting needs no locked instruction.
    void count_object(int64_t by) {
        live.store(live.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
};

// A loop object: knows its loop, and can stand in the loop's inbox.
struct loop_object : object {
    domain *home;
    loop_object *inbox_next = nullptr;

    loop_object(kind k, domain *d) : object(k), home(d) {}
};

struct kind_info {
    const char *name = "object";
    // Frees what it holds and its memory. On the loop's thread, for loop objects.
    void (*destroy)(object *) = nullptr;
    // Futures: request cancellation; whether it was accepted. nullptr: a plain
    // future's way.
    bool (*cancel)(aloop::future *, const char *message) = nullptr;
    // Futures that start when awaited (a sleep): false if it is done at once and
    // the awaiting side only lets others run.
    bool (*start)(aloop::future *) = nullptr;
};

extern kind_info g_kinds[static_cast<int>(kind::count)];

// A static object of this type in a folder's source announces a kind.
struct register_kind {
    register_kind(kind k, const kind_info &info) { g_kinds[static_cast<int>(k)] = info; }
};

inline const kind_info &info_of(const object *o) { return g_kinds[static_cast<int>(o->type)]; }

// Live free objects by kind, for aloop_debug_stats; relaxed.
extern std::atomic<int64_t> g_live[static_cast<int>(kind::count)];

inline void count_live(kind k, int64_t by) {
    g_live[static_cast<int>(k)].fetch_add(by, std::memory_order_relaxed);
}

// Destroys an object whose last reference is gone.
void finalize(object *o);

// The loop's thread holds none of o's references any more.
void drop_last(loop_object *o);
// The slow roads of loop objects, for a thread that is not the loop's.
void remote_ref(loop_object *o);
void remote_unref(loop_object *o);
// Folds the drops of other threads into their objects; on the loop's thread.
void collect_drops(domain *d);
// Wakes the loop so that it collects; set by the loop's folder.
extern void (*g_wake_domain)(domain *d);

inline void ref(object *o) {
    if (!o->loop_bound()) {
        o->remote.fetch_add(1, std::memory_order_relaxed);
    } else if (static_cast<loop_object *>(o)->home->owned()) {
        ++o->refs;
    } else {
        remote_ref(static_cast<loop_object *>(o));
    }
}

inline void unref(object *o) {
    if (!o->loop_bound()) {
        if (o->remote.fetch_sub(1, std::memory_order_acq_rel) == 1) finalize(o);
    } else if (static_cast<loop_object *>(o)->home->owned()) {
        if (--o->refs <= 0) drop_last(static_cast<loop_object *>(o));
    } else {
        remote_unref(static_cast<loop_object *>(o));
    }
}

// The same on the loop's thread, where that is known.
inline void ref_here(loop_object *o) { ++o->refs; }
inline void unref_here(loop_object *o) {
    if (--o->refs > 0) return;
    if (o->refs == 0 && o->remote.load(std::memory_order_acquire) == 0) [[likely]] {
        info_of(o).destroy(o);
    } else {
        drop_last(o);
    }
}

// Owning pointer, for fields and locals; the count rules are those of unref().
template <typename T>
class ptr {
public:
    ptr() = default;
    explicit ptr(T *adopted) : object_(adopted) {}
    ptr(ptr &&other) noexcept : object_(other.object_) { other.object_ = nullptr; }
    ptr &operator=(ptr &&other) noexcept {
        reset(other.detach());
        return *this;
    }
    ~ptr() { reset(); }

    static ptr share(T *o) {
        if (o != nullptr) ref(o);
        return ptr(o);
    }

    T *get() const { return object_; }
    T *operator->() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }

    T *detach() {
        T *o = object_;
        object_ = nullptr;
        return o;
    }

    void reset(T *adopted = nullptr) {
        T *old = object_;
        object_ = adopted;
        if (old != nullptr) unref(old);
    }

private:
    T *object_ = nullptr;
};

}  // namespace aloop
