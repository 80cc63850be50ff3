// SPDX-License-Identifier: MIT
#include "wait.hpp"

#include "../loop/alarm.hpp"
#include "../task/task.hpp"

namespace aloop {

namespace {

void destroy_lists(object *o) {
    wait_lists *w = static_cast<wait_lists *>(o);
    if (w->done != nullptr) unref(w->done);
    if (w->pending != nullptr) unref(w->pending);
    count_live(kind::free_other, -1);
    destroy(w);
}

const register_kind g_lists(kind::free_other, {"wait_lists", destroy_lists});

void free_lists(void *w) { unref(static_cast<wait_lists *>(w)); }

struct wait final : operation {
    struct entry {
        future *of;
        done_callback *observer;
        wait *home;
    };
    entry *entries;
    int64_t count;
    int64_t left = 0;
    int32_t mode;
    double limit;
    future *waiter = nullptr;  // what the task stands on; owned
    aloop::alarm alarm;

    wait(domain *d, entry *list, int64_t n, double seconds, int32_t return_when);
    ~wait();
};

void wake(wait *w) {
    if (w->waiter != nullptr && w->waiter->pending()) finish(w->waiter, 0, nullptr, nullptr);
}

int64_t on_done(aloop_future *, void *data) {
    wait::entry *e = static_cast<wait::entry *>(data);
    wait *w = e->home;
    w->left--;
    const bool failed = e->of->state == k_finished && e->of->failed();
    if (failed && w->mode == ALOOP_FIRST_EXCEPTION) e->of->clear(k_unretrieved);
    if (w->left <= 0 || w->mode == ALOOP_FIRST_COMPLETED ||
        (w->mode == ALOOP_FIRST_EXCEPTION && failed)) {
        if (w->alarm.is_set()) w->alarm.clear();
        wake(w);
    }
    return 0;
}

void observer_gone(void *data) { static_cast<wait::entry *>(data)->observer = nullptr; }

const register_observer g_awaits(on_done, [](void *data) -> future * {
    return static_cast<wait::entry *>(data)->home;
});

void stop_observing(wait *w) {
    for (int64_t i = 0; i < w->count; i++) {
        if (w->entries[i].observer != nullptr) forget(w->entries[i].observer);
        w->entries[i].observer = nullptr;
    }
}

int64_t begin(wait *w) {
    loop *l = loop_of(w);
    w->waiter = make_future(l);
    if (w->waiter == nullptr) return ALOOP_ENOMEM;
    if (w->limit >= 0) {
        const auto time_up = [](aloop::alarm *a) { wake(static_cast<wait *>(a->owner)); };
        w->alarm.set(w, time_up, deadline_after(l->now(), w->limit), false);
    }
    for (int64_t i = 0; i < w->count; i++) {
        wait::entry &e = w->entries[i];
        e.observer = observe(e.of, on_done, &e, observer_gone);
        if (e.observer == nullptr) return ALOOP_ENOMEM;
        w->left++;
    }
    ref(w->waiter);
    return w->await(w->waiter);
}

int64_t make_lists(wait *w) {
    wait_lists *lists = create<wait_lists>();
    if (lists == nullptr) return ALOOP_ENOMEM;
    count_live(kind::free_other, 1);
    int64_t n = 0;
    for (int64_t i = 0; i < w->count; i++) n += w->entries[i].of->pending() ? 0 : 1;
    lists->done = make_results(n);
    lists->pending = make_results(w->count - n);
    if (lists->done == nullptr || lists->pending == nullptr) {
        unref(static_cast<object *>(lists));
        return ALOOP_ENOMEM;
    }
    outcome *done = lists->done->entries;
    outcome *pending = lists->pending->entries;
    for (int64_t i = 0; i < w->count; i++) {
        future *f = w->entries[i].of;
        outcome *to = f->pending() ? pending++ : done++;
        to->from = f;
        to->status = f->status();
        ref(f);
    }
    w->give(lists, free_lists);
    return n;
}

int64_t step(operation *op, task *, int64_t status) {
    wait *w = static_cast<wait *>(op);
    if (w->phase++ == 0) {
        status = begin(w);
        if (status == ALOOP_PENDING) return status;
    }
    if (w->alarm.is_set()) w->alarm.clear();
    stop_observing(w);
    return status < 0 ? status : make_lists(w);
}

const op_info k_wait = {"wait", step, free_operation<wait>};

wait::wait(domain *d, entry *list, int64_t n, double seconds, int32_t return_when)
    : operation(d, &k_wait), entries(list), count(n), mode(return_when), limit(seconds) {}

wait::~wait() {
    stop_observing(this);
    for (int64_t i = 0; i < count; i++) unref(entries[i].of);
    release(entries);
    if (waiter != nullptr) unref(waiter);
}

}  // namespace

// Drops what stands twice; asyncio makes a set of its arguments.
static int64_t take_distinct(future *const *futures, int64_t n, future **out) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (futures[i]->has(k_marked)) {
            unref(futures[i]);
            continue;
        }
        futures[i]->set(k_marked);
        out[kept++] = futures[i];
    }
    for (int64_t i = 0; i < kept; i++) out[i]->clear(k_marked);
    return kept;
}

future *make_wait(loop *l, future *const *futures, int64_t n, double limit, int32_t mode) {
    const size_t room = static_cast<size_t>(n);
    auto *entries = static_cast<wait::entry *>(allocate(room * sizeof(wait::entry)));
    auto **kept = static_cast<future **>(allocate(room * sizeof(future *)));
    wait *w = nullptr;
    if (entries != nullptr && kept != nullptr) w = l->make_object<wait>(entries, 0, limit, mode);
    if (w == nullptr) {
        for (int64_t i = 0; i < n; i++) unref(futures[i]);
        release(entries);
        release(kept);
        return failed_future(l, ALOOP_ENOMEM);
    }
    w->count = take_distinct(futures, n, kept);
    for (int64_t i = 0; i < w->count; i++) entries[i] = {kept[i], nullptr, w};
    release(kept);
    return w;
}

// As completed ------------------------------------------------------------------------------

// The futures that are done wait in `order`; who asks for the next one and finds
// none waits in `waiters` (plain futures, first come first served).
struct completions final : loop_object {
    struct entry {
        future *of;
        done_callback *observer;
        completions *home;
        int64_t next_done;
    };
    entry *entries = nullptr;
    int64_t count = 0;
    int64_t left = 0;       // not handed out
    int64_t head = -1;      // of the done ones
    int64_t tail = -1;
    int64_t outstanding = 0;
    bool timed_out = false;
    future **waiters = nullptr;  // a ring of as many as there are futures
    int64_t waiter_head = 0;
    int64_t waiter_count = 0;
    aloop::alarm alarm;

    explicit completions(domain *d) : loop_object(kind::completions, d) {}
};

namespace {

void wake_one(completions *c) {
    while (c->waiter_count > 0) {
        future *w = c->waiters[c->waiter_head];
        c->waiter_head = (c->waiter_head + 1) % (c->count + 1);
        c->waiter_count--;
        const bool waits = w->pending();
        if (waits) finish(w, 0, nullptr, nullptr);
        unref(w);
        if (waits) return;
    }
}

int64_t on_completed(aloop_future *, void *data) {
    auto *e = static_cast<completions::entry *>(data);
    completions *c = e->home;
    if (c->timed_out) return 0;
    const int64_t i = e - c->entries;
    e->next_done = -1;
    if (c->tail >= 0) c->entries[c->tail].next_done = i;
    else c->head = i;
    c->tail = i;
    wake_one(c);
    return 0;
}

void completion_observer_gone(void *data) {
    auto *e = static_cast<completions::entry *>(data);
    e->observer = nullptr;
    if (--e->home->outstanding == 0 && e->home->alarm.is_set()) e->home->alarm.clear();
}

void time_up(alarm *a) {
    completions *c = static_cast<completions *>(a->owner);
    c->timed_out = true;
    for (int64_t i = 0; i < c->count; i++) {
        if (c->entries[i].observer != nullptr) forget(c->entries[i].observer);
        c->entries[i].observer = nullptr;
    }
    while (c->waiter_count > 0) wake_one(c);
}

void destroy_completions(object *o) {
    completions *c = static_cast<completions *>(o);
    for (int64_t i = 0; i < c->count; i++) {
        if (c->entries[i].observer != nullptr) forget(c->entries[i].observer);
        unref(c->entries[i].of);
    }
    while (c->waiter_count > 0) wake_one(c);
    release(c->entries);
    release(c->waiters);
    loop_of(c)->free_object(c);
}

const register_kind g_completions(kind::completions, {"completions", destroy_completions});

struct next_op final : operation {
    completions *from;
    bool outcome;

    next_op(domain *d, completions *c, bool as_outcome);
    ~next_op();
};

int64_t hand_out(next_op *self) {
    completions *c = self->from;
    completions::entry &e = c->entries[c->head];
    c->head = e.next_done;
    if (c->head < 0) c->tail = -1;
    ref(e.of);
    if (!self->outcome) {
        self->give(e.of, [](void *f) { unref(static_cast<future *>(f)); });
        return 0;
    }
    self->phase = 2;
    return self->await(e.of);
}

// Of those who wait for the next one the first gets it.
const register_observer g_completes(on_completed, [](void *data) -> future * {
    completions *c = static_cast<completions::entry *>(data)->home;
    return c->waiter_count > 0 ? c->waiters[c->waiter_head] : nullptr;
});

// Takes out the waiters that were cancelled, so that there is room for as many
// as there are futures.
void drop_waiters(completions *c) {
    const int64_t room = c->count + 1;
    int64_t kept = 0;
    for (int64_t i = 0; i < c->waiter_count; i++) {
        future *w = c->waiters[(c->waiter_head + i) % room];
        if (w->pending()) {
            c->waiters[(c->waiter_head + kept++) % room] = w;
        } else {
            unref(w);
        }
    }
    c->waiter_count = kept;
}

// Of one that waited, and will not have what it waited for: the next one has.
void give_turn_back(completions *c) {
    c->left++;
    drop_waiters(c);
    if (c->head >= 0) wake_one(c);
}

next_op::~next_op() {
    if (phase == 1 && is_given_up(this)) {
        if (inner->pending()) cancel_now(inner, nullptr);
        give_turn_back(from);
    }
    unref(static_cast<loop_object *>(from));
}

int64_t next_step(operation *op, task *, int64_t status) {
    next_op *self = static_cast<next_op *>(op);
    completions *c = self->from;
    if (self->phase == 2) {
        if (status < 0) return status;
        void *value = nullptr;
        const aloop_free_fn free_fn = self->inner->done.value_free;
        status = take_value(self->inner, &value);
        if (status >= 0) self->give(value, free_fn);
        return status;
    }
    if (self->phase++ == 0) {
        if (c->left == 0) return ALOOP_ESTOPITERATION;
        c->left--;
    }
    if (status < 0) {
        give_turn_back(c);
        return status;
    }
    if (c->head >= 0) return hand_out(self);
    if (c->timed_out) return ALOOP_ETIMEDOUT;
    self->phase = 1;
    future *waiter = make_future(loop_of(op));
    if (waiter == nullptr) return ALOOP_ENOMEM;
    if (c->waiter_count == c->count + 1) {
        unref(waiter);
        return ALOOP_EBUSY;
    }
    ref(waiter);
    c->waiters[(c->waiter_head + c->waiter_count++) % (c->count + 1)] = waiter;
    return op->await(waiter);
}

const op_info k_next = {"as_completed", next_step, free_operation<next_op>};

next_op::next_op(domain *d, completions *c, bool as_outcome)
    : operation(d, &k_next), from(c), outcome(as_outcome) {
    ref(static_cast<loop_object *>(c));
}

}  // namespace

completions *make_completions(loop *l, future *const *futures, int64_t n, double limit) {
    const size_t room = static_cast<size_t>(n) + 1;
    completions *c = l->make_object<completions>();
    auto *entries = static_cast<completions::entry *>(allocate(room * sizeof(completions::entry)));
    auto **waiters = static_cast<future **>(allocate(room * sizeof(future *)));
    if (c == nullptr || entries == nullptr || waiters == nullptr) {
        for (int64_t i = 0; i < n; i++) unref(futures[i]);
        release(entries);
        release(waiters);
        if (c != nullptr) l->free_object(c);
        return nullptr;
    }
    c->entries = entries;
    c->waiters = waiters;
    const int64_t distinct = take_distinct(futures, n, waiters);
    c->count = distinct;
    // As in asyncio all tasks begin before the callback of the first done future.
    for (int64_t i = 0; i < distinct; i++) {
        entries[i] = {ensure_future(waiters[i]), nullptr, c, -1};
    }
    for (int64_t i = 0; i < distinct; i++) {
        completions::entry &e = entries[i];
        e.observer = observe(e.of, on_completed, &e, completion_observer_gone);
        if (e.observer == nullptr) {
            unref(static_cast<loop_object *>(c));
            return nullptr;
        }
        c->outstanding++;
    }
    c->left = distinct;
    if (limit >= 0 && distinct > 0) {
        c->alarm.set(c, time_up, deadline_after(l->now(), limit), false);
    }
    return c;
}

future *next_completion(completions *c, bool outcome) {
    loop *l = loop_of(c);
    future *f = l->make_object<next_op>(c, outcome);
    return f != nullptr ? f : failed_future(l, ALOOP_ENOMEM);
}

}  // namespace aloop
