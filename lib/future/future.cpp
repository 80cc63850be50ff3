// SPDX-License-Identifier: MIT
#include "future.hpp"

#include "../context/context.hpp"

namespace aloop {

namespace {

void free_callback(done_callback *c) {
    loop *home = loop_of(c->of);
    if (c->free_fn != nullptr) c->free_fn(c->data);
    drop(c->context);
    home->free_object(c);
}

// Scheduled: holds a reference to the future since then.
void run_done_callback(node *item, action what) {
    done_callback *c = static_cast<done_callback *>(item);
    future *f = c->of;
    if (what == action::run && c->callback != nullptr) {
        loop *l = loop_of(f);
        callback_scope scope(&c->context);
        const int64_t result = c->callback(to_c(f), c->data);
        if (result < 0) {
            l->report("Exception in callback", result, l->raised.get(), f);
        }
        if (l->raised) l->raised.reset();
    }
    free_callback(c);
    unref(f);
}

bool is_callback(const link *l) { return static_cast<const node *>(l)->fn == run_done_callback; }

const register_runnable g_callback(run_done_callback, nullptr, [](node *item) {
    return reinterpret_cast<const void *>(static_cast<done_callback *>(item)->callback);
});

const register_kind g_future(kind::future, {"future", destroy_future});

const register_observer *g_observers = nullptr;

}  // namespace

register_observer::register_observer(aloop_done_fn callback, future *(*of)(void *data))
    : fn(callback), awaiter(of), next(g_observers) {
    g_observers = this;
}

future *observing(const link *waiter) {
    if (!is_callback(waiter)) return nullptr;
    const done_callback *c = static_cast<const done_callback *>(static_cast<const node *>(waiter));
    for (const register_observer *o = g_observers; o != nullptr; o = o->next) {
        if (o->fn == c->callback) return o->awaiter(c->data);
    }
    return nullptr;
}

future *failed_future(loop *l, error *adopted, int64_t code) {
    future *f = make_future(l);
    if (f == nullptr) {
        if (adopted != nullptr) unref(adopted);
        f = static_cast<future *>(l->out_of_memory);
        if (f != nullptr) ref(f);
        return f;
    }
    f->state = k_finished;
    f->done = {nullptr, adopted, code};
    return f;
}

static void drop_spares(loop *l) {
    for (object **o : {&l->out_of_memory, &l->yielded}) {
        if (*o != nullptr) unref(std::exchange(*o, nullptr));
    }
    if (l->next_yield == nullptr) return;
    l->count_object(1);  // as long as it was kept it was not counted
    l->free_object(static_cast<future *>(std::exchange(l->next_yield, nullptr)));
}

int64_t prepare_futures(loop *l) {
    struct spare : resource {
        loop *home;
    };
    spare *s = create<spare>();
    future *f = make_future(l);
    if (s == nullptr || f == nullptr) {
        if (f != nullptr) unref(f);
        destroy(s);
        return ALOOP_ENOMEM;
    }
    f->state = k_finished;
    f->done = {nullptr, nullptr, ALOOP_ENOMEM};
    l->out_of_memory = f;
    l->yielded = finished_future(l, 0, nullptr, nullptr);
    if (l->yielded == nullptr || error_of(f) == nullptr) {
        drop_spares(l);
        destroy(s);
        return ALOOP_ENOMEM;
    }
    s->home = l;
    s->close = [](resource *r) {
        spare *self = static_cast<spare *>(r);
        while (link *first = self->home->self_held.head()) {
            aloop::self_held *held = static_cast<aloop::self_held *>(first);
            self->home->self_held.remove(held);
            held->let_go(held);
        }
        drop_spares(self->home);
        destroy(self);
    };
    l->add_resource(s);
    return 0;
}

future *failed_future(loop *l, int64_t code) { return failed_future(l, nullptr, code); }

future *finished_future(loop *l, int64_t status, void *value, aloop_free_fn free_fn) {
    future *f = make_future(l);
    if (f == nullptr) return nullptr;
    f->state = k_finished;
    f->done = {free_fn, value, status};
    return f;
}

void wake_waiters(future *f) {
    link *waiter = f->waiters.detach();
    if (waiter == nullptr) return;
    loop *l = loop_of(f);
    while (waiter != nullptr) {
        link *next = waiter->next;
        waiter->prev = nullptr;
        if (is_callback(waiter)) ref(f);
        l->schedule(static_cast<node *>(waiter));
        waiter = next;
    }
}

void fail(future *f, int64_t code, error *adopted) {
    if (code == ALOOP_PENDING) [[unlikely]] {  // whoever awaits it would wait on
        if (adopted != nullptr) unref(adopted);
        adopted = nullptr;
        code = ALOOP_EINVAL;
    }
    f->state = k_finished;
    f->done = {nullptr, adopted, code};
    if (code != ALOOP_ECANCELED) f->set(k_unretrieved);
    wake_waiters(f);
}

void cancel_now(future *f, error *adopted) {
    f->state = k_was_cancelled;
    f->done = {nullptr, adopted, ALOOP_ECANCELED};
    wake_waiters(f);
}

bool cancel(future *f, const char *message) {
    if (!f->pending()) return false;
    if (const auto special = info_of(f).cancel) return special(f, message);
    cancel_now(f, message != nullptr ? make_error(ALOOP_ECANCELED, message) : nullptr);
    return true;
}

error *error_of(future *f) {
    if (!f->failed()) return nullptr;
    f->clear(k_unretrieved);
    if (f->done.value == nullptr) f->done.value = make_error(f->status(), nullptr);
    return static_cast<error *>(f->done.value);
}

int64_t read_value(future *f, void **value) {
    if (f->pending()) return ALOOP_EINVALIDSTATE;
    f->clear(k_unretrieved);
    const int64_t status = f->status();
    if (value == nullptr || status < 0) return status;
    if (f->has(k_value_taken)) return ALOOP_EVALUETAKEN;
    *value = f->done.value;
    return status;
}

int64_t take_value(future *f, void **value) {
    const int64_t status = read_value(f, value);
    if (value != nullptr && status >= 0 && f->done.value_free != nullptr) {
        f->done.value = nullptr;
        f->done.value_free = nullptr;
        f->set(k_value_taken);
    }
    return status;
}

void finish_like(future *to, future *from) {
    if (from->state == k_was_cancelled || from->failed()) {
        error *e = static_cast<error *>(from->done.value);
        if (e != nullptr) ref(e);
        from->clear(k_unretrieved);
        if (from->state == k_was_cancelled) {
            cancel_now(to, e);
        } else {
            fail(to, from->status(), e);
        }
        return;
    }
    void *value = nullptr;
    const aloop_free_fn free_fn = from->done.value_free;
    const int64_t status = take_value(from, &value);
    if (status < 0) {
        fail(to, status, nullptr);
    } else {
        finish(to, status, value, free_fn);
    }
}

void record_outcome(outcome *to, future *from, bool move) {
    to->status = from->status();
    if (to->status < 0) {
        to->failure = error_of(from);
        if (to->failure != nullptr) ref(to->failure);
        return;
    }
    if (!move) return;
    to->value_free = from->done.value_free;
    const int64_t status = take_value(from, &to->value);
    if (status < 0) to->status = status;
}

done_callback *observe(future *f, aloop_done_fn fn, void *data, aloop_free_fn free_fn) {
    loop *l = loop_of(f);
    done_callback *c = l->make_part<done_callback>();
    if (c == nullptr) return nullptr;
    c->fn = run_done_callback;
    c->of = f;
    c->callback = fn;
    c->data = data;
    c->free_fn = free_fn;
    c->context = nullptr;
    if (f->pending()) {
        f->waiters.push(c);
    } else {
        ref(f);
        l->schedule(c);
    }
    return c;
}

void forget(done_callback *c) {
    c->free_fn = nullptr;
    domain *home = c->of->home;
    // After the close several threads may take theirs off one future at a time.
    const bool closed = home->closed.load(std::memory_order_relaxed);
    if (closed) pthread_mutex_lock(&home->closed_mutex);
    const bool waits = c->prev != nullptr;
    if (waits) c->of->waiters.remove(c);
    if (closed) pthread_mutex_unlock(&home->closed_mutex);
    if (waits) {
        free_callback(c);
    } else {
        c->callback = nullptr;
    }
}

done_callback *last_observer(const future *f, aloop_done_fn fn) {
    for (link *at = f->waiters.tail(); at != nullptr;) {
        done_callback *c = static_cast<done_callback *>(static_cast<node *>(at));
        if (is_callback(at) && c->callback == fn) return c;
        at = at != f->waiters.head() ? at->prev : nullptr;
    }
    return nullptr;
}

int64_t add_done_callback(future *f, aloop_done_fn fn, void *data, aloop_free_fn free_fn) {
    done_callback *c = observe(f, fn, data, free_fn);
    if (c == nullptr) return ALOOP_ENOMEM;
    c->context = capture_context();
    return 0;
}

int64_t remove_done_callback(future *f, aloop_done_fn fn, void *data) {
    // All are out before the first destructor runs, which may remove others.
    fifo removed;
    for (link *at = f->waiters.head(); at != nullptr;) {
        link *next = f->waiters.after(at);
        done_callback *c = static_cast<done_callback *>(static_cast<node *>(at));
        if (is_callback(at) && c->callback == fn && c->data == data) {
            f->waiters.remove(c);
            removed.push(c);
        }
        at = next;
    }
    int64_t n = 0;
    ref(f);
    while (node *item = removed.pop()) {
        done_callback *c = static_cast<done_callback *>(item);
        n++;
        if (loop_of(f)->on_fiber && c->free_fn != nullptr) {
            c->callback = nullptr;
            ref(f);
            loop_of(f)->schedule(c);  // its destructor runs on the loop's stack
        } else {
            free_callback(c);
        }
    }
    unref(f);
    return n;
}

void report_unretrieved(future *f, const char *message) {
    f->clear(k_unretrieved);
    error *e = error_of(f);
    loop_of(f)->report(message, f->status(), e, f, f->type == kind::task ? f : nullptr);
}

bool bury_if_on_fiber(future *f) {
    loop *l = loop_of(f);
    const bool program_code = (!f->pending() && f->done.value_free != nullptr) ||
                              f->has(k_unretrieved) || !f->waiters.empty();
    if (!l->on_fiber || !program_code) return false;
    bury(f);
    return true;
}

void bury(loop_object *o) {
    loop *l = loop_of(o);
    o->inbox_next = l->graveyard;
    l->graveyard = o;
}

void dig_graves(loop *l) {
    // In the order in which they came; what they end in turn comes after them.
    deferred *first = nullptr;
    for (deferred *d = std::exchange(l->put_off, nullptr); d != nullptr;) {
        deferred *before = d->next;
        d->next = first;
        first = d;
        d = before;
    }
    while (deferred *d = first) {
        first = d->next;
        d->finish(d);
    }
    while (loop_object *o = l->graveyard) {
        l->graveyard = o->inbox_next;
        finalize(o);
    }
}

void drop_callbacks(future *f) {
    fifo gone;
    for (link *at = f->waiters.head(); at != nullptr;) {
        link *next = f->waiters.after(at);
        if (is_callback(at)) {
            f->waiters.remove(at);
            gone.push(static_cast<node *>(at));
        }
        at = next;
    }
    while (node *c = gone.pop()) free_callback(static_cast<done_callback *>(c));
}

void release_outcome(future *f) {
    for (link *l = f->waiters.detach(); l != nullptr;) {
        done_callback *c = static_cast<done_callback *>(static_cast<node *>(l));
        l = l->next;
        free_callback(c);
    }
    if (f->pending()) return;
    if (f->status() < 0) {
        if (f->done.value != nullptr) unref(static_cast<error *>(f->done.value));
    } else if (f->done.value_free != nullptr && f->done.value != nullptr) {
        f->done.value_free(f->done.value);
    }
}

void destroy_future(object *o) {
    future *f = static_cast<future *>(o);
    if (bury_if_on_fiber(f)) return;
    if (f->has(k_unretrieved)) {
        f->refs = 1;  // the handler may look at it
        report_unretrieved(f, "Future exception was never retrieved");
        if (--f->refs != 0) return;  // and it kept it
    }
    release_outcome(f);
    loop_of(f)->free_object(f);
}

}  // namespace aloop
