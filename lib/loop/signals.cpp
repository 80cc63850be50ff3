// SPDX-License-Identifier: MIT
#include "signals.hpp"

#include <signal.h>

namespace aloop {

namespace {

void free_callback(signal_callback *c) {
    if (c->free_fn != nullptr) c->free_fn(c->data);
    drop(c->context.map);
    destroy(c);
}

void run_callback(node *item, action what) {
    signal_callback *c = static_cast<signal_callback *>(item);
    loop *l = c->home;
    if (c->told && what == action::run) {
        c->told = false;
        {
            context_scope scope(&c->context);
            const int64_t result = c->callback(c->data);  // scheduled still: it is not freed
            if (result < 0) l->report("Exception in callback", result, l->raised.get());
        }
        if (l->raised) l->raised.reset();
    }
    c->scheduled = false;
    if (c->removed) free_callback(c);
}

uint64_t bit_of(int signum) { return uint64_t{1} << (signum - 1); }

}  // namespace

signal_set::signal_set(loop *l) : home_(l) {
    close = close_all;
    subscriber_.fn = arrive;
    subscriber_.home = l;
    subscriber_.set = this;
    subscribe(&subscriber_);
}

signal_set *signal_set::of(loop *l) {
    if (l->signals == nullptr) {
        l->signals = create<signal_set>(l);
        if (l->signals != nullptr) l->add_resource(l->signals);
    }
    return l->signals;
}

int64_t signal_set::add(int signum, aloop_callback_fn fn, void *data, aloop_free_fn free_fn) {
    if (signum < 1 || signum > k_signals) return ALOOP_EINVAL;
    signal_callback *c = create<signal_callback>();
    if (c == nullptr) return ALOOP_ENOMEM;
    const int64_t code = install_signal(signum);
    if (code < 0) {
        destroy(c);
        return code;
    }
    c->fn = run_callback;
    c->home = home_;
    c->callback = fn;
    c->data = data;
    c->free_fn = free_fn;
    c->context.map = capture_context();
    signal_callback *old = callbacks_[signum - 1];
    callbacks_[signum - 1] = c;
    renew_wishes(signum);
    if (old != nullptr) {
        uninstall(signum);
        retire(old);
    }
    return 0;
}

int64_t signal_set::remove(int signum) {
    if (signum < 1 || signum > k_signals) return ALOOP_EINVAL;
    signal_callback *c = callbacks_[signum - 1];
    if (c == nullptr) return 0;
    callbacks_[signum - 1] = nullptr;
    renew_wishes(signum);
    uninstall(signum);
    retire(c);
    return 1;
}

// The hub of a forked child knows nothing of a parent's set.
void signal_set::uninstall(int signum) {
    if (!of_parent()) uninstall_signal(signum);
}

// What was told of a signal before runs still, and is freed then. Its destructor
// is the program's: never on a fiber.
void signal_set::retire(signal_callback *c) {
    c->removed = true;
    if (!c->scheduled && home_->on_fiber && c->free_fn != nullptr) {
        c->scheduled = true;
        home_->schedule(c);
    }
    if (!c->scheduled) free_callback(c);
}

void signal_set::renew_wishes(int signum) {
    const bool interrupt = signum == SIGINT && interrupt_ != nullptr;
    const bool program = callbacks_[signum - 1] != nullptr;
    if (signum == SIGINT) subscriber_.interrupts.store(interrupt && !program);
    if (program || interrupt) {
        subscriber_.wanted.fetch_or(bit_of(signum));
    } else {
        subscriber_.wanted.fetch_and(~bit_of(signum));
    }
}

int64_t signal_set::set_interrupt(void (*fn)(void *data), void *data) {
    const int64_t code = install_signal(SIGINT);
    if (code < 0) return code;
    interrupt_ = fn;
    interrupt_data_ = data;
    subscriber_.unanswered.store(0);
    renew_wishes(SIGINT);
    return 0;
}

void signal_set::clear_interrupt() {
    interrupt_ = nullptr;
    renew_wishes(SIGINT);
    uninstall(SIGINT);
}

// `queued` goes first: a signal that comes after it queues the node anew.
void signal_set::arrive(node *item, action what) {
    signal_subscriber *s = static_cast<signal_subscriber *>(item);
    signal_set *set = s->set;
    s->queued.store(false);
    const uint64_t signals = s->arrived.exchange(0);
    const uint32_t interrupts = s->unanswered.exchange(0);
    if (set->dead_) {
        destroy(set);
    } else if (what == action::run) {
        set->deliver(signals, interrupts);
    }
}

void signal_set::deliver(uint64_t signals, uint32_t interrupts) {
    while (signals != 0) {
        const int signum = __builtin_ctzll(signals) + 1;
        signals &= signals - 1;
        signal_callback *c = callbacks_[signum - 1];
        if (c == nullptr || c->scheduled) continue;
        c->scheduled = true;
        c->told = true;
        c->told = true;
        home_->schedule(c);
    }
    while (interrupts-- > 0 && interrupt_ != nullptr) interrupt_(interrupt_data_);
}

void signal_set::close_all(resource *self) {
    signal_set *set = static_cast<signal_set *>(self);
    for (int signum = 1; signum <= k_signals; signum++) set->remove(signum);
    if (set->interrupt_ != nullptr) set->clear_interrupt();
    if (!set->of_parent()) unsubscribe(&set->subscriber_);
    set->home_->signals = nullptr;
    if (set->subscriber_.queued.load()) {
        set->dead_ = true;
    } else {
        destroy(set);
    }
}

}  // namespace aloop
