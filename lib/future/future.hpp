// future.hpp: a result that may not be there yet, in 64 bytes.
//
// While a future is pending, its three result words belong to the kind of future:
// a task keeps its coroutine in them, a sleep its timer. Whatever waits for it is
// in the ring `waiters`, with a node of its own, so awaiting allocates nothing.
// Finishing moves the nodes to the ready queue in order and never calls them
// (asyncio's rule: done-callbacks never run inline).
//
// After an error the value word holds the aloop_error, which is created on demand.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/future.h>
#include <asyncloop/task.h>

#include "../base/results.hpp"
#include "../loop/loop.hpp"

namespace aloop {

enum future_state : uint8_t { k_pending, k_finished, k_was_cancelled };

enum future_flags : uint16_t {
    k_unretrieved = 0x1,    // failed, and nobody has looked
    k_value_taken = 0x2,
    k_started = 0x4,        // an operation that runs, a sleep that is armed
    k_cancel_wanted = 0x8,  // an operation cancelled between two suspensions
    k_shown = 0x10,         // a task that a call graph, being made, has already
    k_raised = 0x20,        // an operation's value word holds an error
    k_marked = 0x40,        // seen, while a list is searched for duplicates
    k_swallowed = 0x80,     // a task that ended well although it was cancelled
    k_yields = 0x800,       // a sleep of no length
};

struct future : loop_object {
    // In the order of a node's words, so that a sleep that is cancelled while its
    // timer stands in the ready queue can keep its error in `value` (sleep.cpp).
    struct result {
        aloop_free_fn value_free;
        void *value;  // an error * if status is negative
        int64_t status;
    };
    struct coroutine {
        union {
            aloop_step_fn step;
            aloop_coro_fn fn;
        };
        void *frame;
        aloop_free_fn frame_free;
    };
    union {
        result done;
        coroutine run;
        node timer;
    };
    ring waiters;

    explicit future(domain *d, kind k = kind::future)
        : loop_object(k, d), done{nullptr, nullptr, 0} {}
    ~future() {}

    bool pending() const { return state == k_pending; }
    bool failed() const { return status() < 0 && state != k_pending; }
    // Pending: ALOOP_EINVALIDSTATE.
    int64_t status() const {
        if (state == k_finished) [[likely]] return done.status;
        return state == k_pending ? ALOOP_EINVALIDSTATE : ALOOP_ECANCELED;
    }
    bool has(future_flags f) const { return (flags & f) != 0; }
    void set(future_flags f) { flags |= f; }
    void clear(future_flags f) { flags &= static_cast<uint16_t>(~f); }
};
static_assert(sizeof(future) == 64);


inline future *from_c(aloop_future *f) { return reinterpret_cast<future *>(f); }
inline aloop_future *to_c(future *f) { return reinterpret_cast<aloop_future *>(f); }

// Keeps the failure aside that is given out when there is no memory for another.
int64_t prepare_futures(loop *l);

// nullptr: out of memory.
inline future *make_future(loop *l) { return l->make_object<future>(); }
// A future that has failed; when there is no memory even for that, the one
// that the loop keeps for this case.
future *failed_future(loop *l, int64_t code);
future *failed_future(loop *l, error *adopted, int64_t code);
future *finished_future(loop *l, int64_t status, void *value, aloop_free_fn free_fn);

// Finishing. The future must be pending. Errors are taken over (adopted).
inline void finish(future *f, int64_t status, void *value, aloop_free_fn free_fn);
void fail(future *f, int64_t code, error *adopted);
void cancel_now(future *f, error *adopted);
// Hands the waiters to the ready queue.
void wake_waiters(future *f);

inline void finish(future *f, int64_t status, void *value, aloop_free_fn free_fn) {
    f->state = k_finished;
    f->done = {free_fn, value, status};
    if (!f->waiters.empty()) wake_waiters(f);
}

// A sleep of no length that is awaited at once is done with and yet as it was made:
// the loop keeps one of them at hand for the next. Who takes it may get nullptr.
inline void keep_yield(loop *l, future *f) {
    const bool keep = l->next_yield == nullptr && !slab_passthrough() &&
                      !l->debug.load(std::memory_order_relaxed);  // where each has its origin
    if (!keep) [[unlikely]] {
        l->free_object(f);
        return;
    }
    l->next_yield = f;
    l->count_object(-1);
}
inline future *kept_yield(loop *l) {
    future *f = static_cast<future *>(l->next_yield);
    if (f == nullptr || l->debug.load(std::memory_order_relaxed)) return nullptr;
    l->next_yield = nullptr;
    l->count_object(1);
    return f;
}

// Any kind of future: whether the request was accepted.
bool cancel(future *f, const char *message);

// Its error, made on demand, borrowed; nullptr if there is none, or no memory.
error *error_of(future *f);
// Reading the value: status, and ALOOP_EVALUETAKEN where it went to another.
int64_t read_value(future *f, void **value);
int64_t take_value(future *f, void **value);
// Copies the outcome of from, whose value moves over.
void finish_like(future *to, future *from);
// The same into a list's entry; the value moves if move is set, else it is
// left with the future.
void record_outcome(outcome *to, future *from, bool move);

// An observer of a future: the program's done callback, or a combinator's.
struct done_callback final : node {
    future *of;
    aloop_done_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_map *context;
};
static_assert(sizeof(done_callback) == 64);

int64_t add_done_callback(future *f, aloop_done_fn fn, void *data, aloop_free_fn free_fn);
int64_t remove_done_callback(future *f, aloop_done_fn fn, void *data);
// For combinators: free_fn(data) tells that the observer is gone, also when it
// never ran because the loop closed. forget() takes it back without that, also
// when it stands in the ready queue already. nullptr: out of memory.
done_callback *observe(future *f, aloop_done_fn fn, void *data, aloop_free_fn free_fn);
void forget(done_callback *c);

// Whom an observer stands for: the future or task that its data belongs to. Each
// combinator announces it with a static object of this type, for call graphs.
struct register_observer {
    aloop_done_fn fn;
    future *(*awaiter)(void *data);
    const register_observer *next;

    register_observer(aloop_done_fn callback, future *(*of)(void *data));
};
// The awaiting side behind an entry of `waiters` that is an observer; nullptr
// for the program's callbacks, and for what is no observer.
future *observing(const link *waiter);

// What keeps itself alive until its futures are done; the loop's close ends it.
struct self_held : link {
    void (*let_go)(self_held *self) = nullptr;
};

// Frees a future of kind `future`, and the outcome of any other kind.
void release_outcome(future *f);
// Gives up the done callbacks of a future that will never be done.
void drop_callbacks(future *f);
void destroy_future(object *o);
// Reports a failure that nobody retrieved.
void report_unretrieved(future *f, const char *message);

// Asks for one thing that must not happen on a fiber's stack to happen later.
bool bury_if_on_fiber(future *f);
void bury(loop_object *o);  // in any case
void dig_graves(loop *l);

}  // namespace aloop
