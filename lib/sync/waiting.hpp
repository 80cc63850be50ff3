// waiting.hpp: how operations wait in the list of a lock or a queue.
//
// A waiter is the operation's own link in the list of what it waits for; what
// the task stands on is a plain future, as in asyncio: finishing it wakes the
// task in the next iteration, and the operation itself takes its link out when
// it runs again. Between the two the waiter is in the list but no longer
// pending; that is what "woken" means below, and all fairness rests on it.
//
// Such an object belongs to no loop until an operation blocks on it; from then
// on it belongs to that one (asyncio's rule). It keeps the loop's memory, so
// that another loop at the same address is never taken for it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <limits>

#include "../task/operation.hpp"
#include "../task/task.hpp"

namespace aloop {

struct loop_bound : object {
    ptr<loop> home;

    explicit loop_bound(kind k) : object(k) { count_live(k, 1); }
    ~loop_bound() { count_live(type, -1); }

    // op is about to block: 0, or it has failed with ALOOP_EWRONGLOOP.
    int64_t bind(operation *op) {
        return home.get() == loop_of(op) ? 0 : bind_at_first(op);
    }
    int64_t bind_at_first(operation *op);
    // Whether the calling thread may change it: 0 or why not. Nobody waits on
    // an object whose loop is closed, so that it is free again.
    int64_t check() const {
        if (!home || home->owned()) return 0;
        const int64_t code = home->check();
        return code == ALOOP_ESTALE ? 0 : code;
    }
};

struct waiter : link {
    future *wait = nullptr;  // the operation's `inner`; borrowed

    bool queued() const { return prev != nullptr; }
    bool pending() const { return wait->pending(); }
    bool cancelled() const { return wait->state == k_was_cancelled; }
    bool woken() const { return wait->state == k_finished; }
    void leave(ring &list) {
        if (queued()) list.remove(this);
    }
    // Wakes it unless that was done: whether it did.
    bool wake() {
        if (!wait->pending()) return false;
        finish(wait, 0, nullptr, nullptr);
        return true;
    }
};

inline waiter *waiter_of(link *l) { return static_cast<waiter *>(l); }

constexpr int64_t k_all = std::numeric_limits<int64_t>::max();

// A line in which waiters stand until they run, those who were woken or cancelled as
// well. Neither is ever undone there, so that each of them is passed over once,
// however many wakes there are before they run.
struct line {
    ring all;
    link *passed = nullptr;  // up to it nobody is pending; nullptr: somebody may be
    link *gone = nullptr;    // up to it everybody was cancelled; nullptr: perhaps nobody

    // Wakes the first n who are pending: how many there were.
    int64_t wake(int64_t n) { return all.empty() ? 0 : wake_some(n); }
    bool all_cancelled() { return all.empty() || all_seem_cancelled(); }
    void leave(waiter *w) {
        if (!w->queued()) return;
        link *before = w != all.head() ? w->prev : nullptr;
        if (passed == w) passed = before;
        if (gone == w) gone = before;
        all.remove(w);
    }

private:
    int64_t wake_some(int64_t n);
    bool all_seem_cancelled();
};

// An operation on a primitive, and its place in the line there. What derives from
// it leaves the line in its destructor: the loop may close meanwhile.
template <typename T, typename W = waiter>
struct op_on : operation {
    T *of;  // owned
    W node;

    op_on(domain *d, const op_info *info, T *target) : operation(d, info), of(target) {
        loop_of(this)->kept.take(of);
    }
    ~op_on() { loop_of(this)->kept.give(of); }
    // The same of one that was woken, and has not run since.
    bool is_given_up_woken() const {
        return is_given_up(this) && node.wait != nullptr && node.woken();
    }
};

// The operation waits at the end of the list, on f (consumed; nullptr: out of
// memory). ALOOP_PENDING or ALOOP_ENOMEM.
inline int64_t stand_in(ring &list, waiter *w, operation *op, future *f) {
    if (f == nullptr) return ALOOP_ENOMEM;
    w->wait = f;
    list.push(w);
    return op->await(f);
}
// The same on a future of its own, on behalf of the object whose list it is,
// which from now on belongs to op's loop.
inline int64_t block(loop_bound *on, ring &list, waiter *w, operation *op) {
    const int64_t code = on->bind(op);
    return code < 0 ? code : stand_in(list, w, op, make_future(loop_of(op)));
}
// A whole step of an operation that waits at most once: unless it is `satisfied`.
template <typename T>
int64_t wait_once(op_on<T> *self, line &list, bool satisfied, task *by, int64_t status);
// The future that op waited on, made pending again, for what may not fail; a
// reference.
future *renew_wait(operation *op);

// Takes waiters off the list until it has woken one (or, all: them all).
void pop_and_wake_any(ring &list, bool all);
inline void pop_and_wake(ring &list, bool all) {
    if (!list.empty()) pop_and_wake_any(list, all);
}
int64_t count_pending(ring &list);
inline int64_t count_pending(line &list) { return count_pending(list.all); }

// How a step ends that was cancelled: with the message of that cancellation,
// also where it came too late for the future that was waited on.
int64_t pass_cancellation(operation *op, task *by);
// The error of that cancellation, as a reference; nullptr: it has no message.
error *cancellation_of(operation *op, task *by);

// Something of o that is code of the program is to run on the stack of o's loop, or,
// where nobody owns that, of the running one: whether it cannot be run at once. Then
// later, a part of o, runs there; or is dropped, when the loop closes.
bool has_to_wait(loop_bound *o, posted *later);

// A plain call's error, with a text if it is what the running task ends with.
int64_t refuse(int64_t code, const char *text);

template <typename T>
int64_t wait_once(op_on<T> *self, line &list, bool satisfied, task *by, int64_t status) {
    if (self->phase++ == 0) return satisfied ? 0 : block(self->of, list.all, &self->node, self);
    list.leave(&self->node);
    return status < 0 ? pass_cancellation(self, by) : 0;  // whatever is so since
}

// The end of op_info::at_once: away with self, which waits nowhere. O: an op_on.
template <typename O>
int64_t end_at_once(O *self, void **value, void *result = nullptr) {
    loop *l = loop_of(self);
    auto *of = self->of;
    l->take_back(self);
    if (value != nullptr) *value = result;
    l->kept.give(of);
    return 0;
}

template <typename T>
void destroy_free(object *o) {
    destroy(static_cast<T *>(o));
}

}  // namespace aloop
