// SPDX-License-Identifier: MIT
#include "inlet.hpp"

#include <algorithm>
#include <cerrno>

#include "../base/locked.hpp"

namespace aloop {

namespace {

void hold(inlet_core *c) { c->holders.fetch_add(1, std::memory_order_relaxed); }

void let_go(inlet_core *c) {
    if (c->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(c);
}

void destroy_inlet(object *o) {
    inlet *i = static_cast<inlet *>(o);
    close_inlet(i->core);
    let_go(i->core);
    destroy(i);
}

const register_kind g_inlet(kind::inlet, {"inlet", destroy_inlet});

void init_locks(inlet_core *c) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&c->mutex, nullptr);
}

// Has the loop look. A closed loop has done so for the last time.
void post(inlet_core *c) {
    hold(c);
    if (c->home->post(c) < 0) let_go(c);
}

// The loop's side --------------------------------------------------------------------------

void free_items(inlet_core *c, item_store *store) {
    while (store->count() > 0) {
        void *item = store->pop();
        if (item != nullptr && c->to->item_free != nullptr) c->to->item_free(item);
    }
}

// Nothing more goes to the queue. Whoever waits learns why; the first reason stays.
void detach(inlet_core *c, int64_t reason) {
    if (!c->attached) return;
    c->attached = false;
    {
        locked held(&c->mutex);
        if (c->refusal == 0) c->refusal = reason;
        c->held = 0;
        pthread_cond_broadcast(&c->changed);
    }
    c->place.leave(c->to->putters);
    const bool rings = c->state == inlet_core::scheduled ||
                       (c->state == inlet_core::in_line && !c->turn->pending());
    if (c->state == inlet_core::in_line && !rings) c->turn->waiters.remove(&c->bell);
    unref(std::exchange(c->turn, nullptr));
    free_items(c, &c->taken);
    free_items(c, &c->arrived);  // refused by now, so that no thread comes near
    if (!rings) let_go(c);  // else the bell does
}

void on_loop_closed(resource *self) {
    inlet_core *c = static_cast<inlet_core *>(self);
    if (c->forked()) {  // its loop is made new in the child
        init_locks(c);
        c->forks = fork_generation();
    }
    detach(c, ALOOP_ESTALE);
}

void end(inlet_core *c, int64_t reason) {
    c->home->remove_resource(c);
    detach(c, reason);
}

void look_again(inlet_core *c) {
    c->state = inlet_core::scheduled;
    c->home->schedule(&c->bell);
}

// Behind the other putters.
void stand_in_line(inlet_core *c) {
    future *f = c->turn;
    f->state = k_pending;
    f->flags = 0;
    f->done = {nullptr, nullptr, 0};
    f->waiters.push(&c->bell);
    c->to->putters.push(&c->place);
    c->state = inlet_core::in_line;
}

// Takes over what has arrived.
void collect(inlet_core *c) {
    locked held(&c->mutex);
    c->taken.take_from(&c->arrived);
}

enum class rest { nothing, more, closed };

// The queue has taken `moved` items: tells the threads, and says what comes next.
rest make_room(inlet_core *c, int64_t moved) {
    locked held(&c->mutex);
    c->held -= moved;
    if (moved > 0 && c->threads > 0) pthread_cond_broadcast(&c->changed);
    if (c->taken.count() + c->arrived.count() > 0) return rest::more;
    if (c->refusal != 0) return rest::closed;
    c->is_posted = false;  // whoever comes now posts again
    return rest::nothing;
}

// Puts what there is room for. What arrives meanwhile has to wait for the next
// iteration, so that no thread can keep the loop here.
void feed(inlet_core *c) {
    c->state = inlet_core::idle;
    if (c->taken.count() == 0) collect(c);
    int64_t moved = 0;
    int64_t code = 0;
    while (c->taken.count() > 0) {
        code = put_now(c->to, c->taken.first());
        if (code < 0) break;
        c->taken.pop();
        moved++;
    }
    const rest left = make_room(c, moved);
    if (code == ALOOP_EQUEUESHUTDOWN) {
        end(c, code);
    } else if (code == ALOOP_EQUEUEFULL) {
        stand_in_line(c);
    } else if (left == rest::more) {
        look_again(c);  // also where there is no memory: perhaps there is then
    } else if (left == rest::closed) {
        end(c, ALOOP_ESTALE);
    }
}

void on_bell(node *item, action what) {
    inlet_core *c = static_cast<inlet_core::bell_node *>(item)->of;
    if (!c->attached) {
        let_go(c);
    } else if (what == action::run) {
        feed(c);
    }
}

void on_post(node *item, action what) {
    inlet_core *c = static_cast<inlet_core *>(static_cast<posted *>(item));
    // Else the bell has it look, or nothing does any more.
    if (what == action::run && c->attached && c->state == inlet_core::idle) feed(c);
    let_go(c);
}

}  // namespace

inlet_core::inlet_core(loop *l, queue *q, int64_t n, future *f)
    : home(l), to(q), capacity(n), forks(fork_generation()), turn(f) {
    ref(static_cast<object *>(l));
    ref(q);
    init_locks(this);
    resource::close = on_loop_closed;
    posted::fn = on_post;
    place.wait = f;
    bell.fn = on_bell;
    bell.of = this;
}

inlet_core::~inlet_core() {
    if (forked()) init_locks(this);  // or their end waits for the parent's threads
    unref(to);
    unref(static_cast<object *>(home));
    pthread_cond_destroy(&changed);
    pthread_mutex_destroy(&mutex);
}

int64_t make_inlet(loop *l, queue *q, int64_t capacity, inlet **out) {
    future *turn = make_future(l);
    if (turn == nullptr) return ALOOP_ENOMEM;
    inlet_core *c = create<inlet_core>(l, q, capacity, turn);
    const int64_t reserved = std::min(capacity, item_store::k_reserve);
    inlet *i = nullptr;
    if (c != nullptr && c->arrived.reserve(reserved) && c->taken.reserve(reserved)) {
        i = create<inlet>(c);
    }
    if (i == nullptr) {
        unref(turn);
        if (c != nullptr) let_go(c);
        return ALOOP_ENOMEM;
    }
    hold(c);  // the loop does
    l->add_resource(c);
    *out = i;
    return 0;
}

// Any thread -------------------------------------------------------------------------------

namespace {

// Under the mutex: 0 once there is room.
int64_t wait_for_room(inlet_core *c, int64_t until) {
    const timespec when = {until / 1000000000, until % 1000000000};
    int timed_out = 0;
    while (c->refusal == 0 && c->held >= c->capacity) {
        if (until == 0) return ALOOP_EQUEUEFULL;
        if (timed_out == ETIMEDOUT) return ALOOP_ETIMEDOUT;
        c->threads++;
        if (until == k_never) {
            pthread_cond_wait(&c->changed, &c->mutex);
        } else {
            timed_out = pthread_cond_timedwait(&c->changed, &c->mutex, &when);
        }
        c->threads--;
    }
    return c->refusal;
}

}  // namespace

int64_t put_from_thread(inlet_core *c, void *item, int64_t wait_until) {
    if (c->forked()) return ALOOP_ECHILD;
    bool first = false;
    {
        locked held(&c->mutex);
        const int64_t code = wait_for_room(c, wait_until);
        if (code < 0) return code;
        if (!c->arrived.push(item)) return ALOOP_ENOMEM;
        c->held++;
        first = !std::exchange(c->is_posted, true);
    }
    if (first) post(c);
    return 0;
}

void close_inlet(inlet_core *c) {
    if (c->forked()) return;
    bool first = false;
    {
        locked held(&c->mutex);
        if (c->refusal == 0) {
            c->refusal = ALOOP_ESTALE;
            pthread_cond_broadcast(&c->changed);
            first = !std::exchange(c->is_posted, true);
        }
    }
    if (first) post(c);
}

inlet_figures figures_of(inlet_core *c) {
    locked held(&c->mutex);
    return {c->held, c->threads, c->refusal == 0};
}

}  // namespace aloop
