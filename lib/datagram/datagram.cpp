// SPDX-License-Identifier: MIT
#include "datagram.hpp"

#include <cerrno>

#include "../context/context.hpp"
#include "../loop/watchers.hpp"

namespace aloop {

namespace {

void let_self_go(datagram *d) {
    if (!d->is(d_self)) return;
    d->off(d_self);
    unref(static_cast<loop_object *>(d));
}

// Out of the poller, the descriptor closed; what waits is not woken.
void tear_down(datagram *d) {
    if (d->is(d_over)) return;
    loop *l = loop_of(d);
    d->on(d_over);
    d->on(d_closing);
    if (d->retry.is_set()) d->retry.clear();
    l->io_poller()->remove(d);
    if (l->watchers != nullptr) l->watchers->disclaim(d->fd);
    l->sys()->close(d->fd);
    d->fd = -1;
    l->self_held.remove(static_cast<self_held *>(d));
    drop_queue(d);
    drop_received(d);
}

// asyncio's connection_lost.
void end_endpoint(datagram *d) {
    tear_down(d);
    wake_receiver(d);
    wake_waiting(d->waiters, k_for_drain | k_for_end);
    tell_lost(d);
    let_self_go(d);
}

void handle_io(datagram *d) {
    if (d->is(d_over)) return;
    if (!d->is(d_closing) && (d->ready_bits() & k_readable) != 0) {
        if (d->has_protocol) tell_received(d);
        else wake_receiver(d);
    }
    if (d->queue != nullptr && (d->ready_bits() & k_writable) != 0) flush(d);
    if (d->has_protocol && d->trouble != nullptr) tell_error(d);
}

void run_datagram(node *item, action what) {
    datagram *d = static_cast<datagram *>(item);
    d->off(d_queued);
    if (what == action::run) {
        if (d->is(d_made_due)) {
            d->off(d_made_due);
            tell_made(d);
        }
        if (d->is(d_io_due)) {
            d->off(d_io_due);
            const bool was_due = d->is(d_over_due);
            handle_io(d);
            if (was_due) enqueue(d, false);  // asked for in this iteration: for the next
        } else if (d->is(d_over_due) && !d->is(d_over)) {
            d->off(d_over_due);
            end_endpoint(d);
        }
        if (d->has_protocol) tell_paused(d);
    }
    unref(static_cast<loop_object *>(d));
}

void on_ready(io *self, uint8_t bits) {
    datagram *d = static_cast<datagram *>(self);
    d->ready_bits() |= bits;
    if (d->is(d_over)) return;
    const bool wanted = d->reading != nullptr || d->has_protocol;
    const bool write = d->queue != nullptr && (bits & k_writable) != 0;
    if (!(wanted && (bits & k_readable) != 0) && !write) return;
    d->on(d_io_due);
    enqueue(d, true);
}

void try_again(alarm *a) {
    datagram *d = static_cast<datagram *>(a->owner);
    d->ready_bits() |= k_readable | k_writable;
    d->on(d_io_due);
    enqueue(d, false);
}

// The loop closes.
void let_go(self_held *self) {
    datagram *d = static_cast<datagram *>(self);
    loop_of(d)->self_held.push(self);  // tear_down takes it out
    tear_down(d);
    let_self_go(d);
}

void destroy_datagram(object *o) {
    datagram *d = static_cast<datagram *>(o);
    loop *l = loop_of(d);
    if (!d->is(d_over) && !l->closed) {
        if (l->debug) l->report("unclosed datagram endpoint", 0, nullptr);
        d->refs = 1;
        close_endpoint(d);
        unref(static_cast<loop_object *>(d));
        return;
    }
    if (l->on_fiber && d->data_free != nullptr) {
        bury(d);
        return;
    }
    if (d->data_free != nullptr) d->data_free(d->data);
    if (d->trouble != nullptr) unref(d->trouble);
    if (d->peer != nullptr) unref(d->peer);
    drop(d->context);
    l->free_object(d);
}

const register_kind g_datagram(kind::datagram, {"datagram endpoint", destroy_datagram});

}  // namespace

int64_t adopt_datagram(loop *l, int fd, const datagram_options &options, datagram **out) {
    watcher_set *watchers = watcher_set::of(l);
    if (watchers == nullptr) return ALOOP_ENOMEM;
    int64_t code = watchers->claim(fd);
    if (code < 0) return code;
    datagram *d = l->make_object<datagram>(options);
    if (d == nullptr) {
        watchers->disclaim(fd);
        return ALOOP_ENOMEM;
    }
    d->fd = fd;
    d->bits = k_readable | k_writable;
    d->edge = true;
    d->ready = on_ready;
    d->node::fn = run_datagram;
    d->let_go = aloop::let_go;
    d->ready_bits() = k_readable | k_writable;  // until the kernel says otherwise
    code = l->io_poller()->add(d);
    if (code < 0) {
        watchers->disclaim(fd);
        l->free_object(d);
        return code;
    }
    l->self_held.push(static_cast<self_held *>(d));
    // How many the kernel had to drop comes with what it did not.
    const int one = 1;
    l->sys()->setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
    *out = d;
    return 0;
}

void free_datagram(void *d) { unref(static_cast<loop_object *>(static_cast<datagram *>(d))); }

void enqueue(datagram *d, bool from_poll) {
    if (d->is(d_queued)) return;
    d->on(d_queued);
    ref(static_cast<loop_object *>(d));
    loop *l = loop_of(d);
    if (from_poll) l->schedule_io(d);
    else l->schedule(d);
}

void retry_soon(datagram *d) {
    constexpr double k_pause = 0.01;
    if (d->retry.is_set() || d->is(d_over)) return;
    loop *l = loop_of(d);
    d->retry.set(d, try_again, deadline_after(l->now(), k_pause), false);
}

void note_trouble(datagram *d, error *adopted) {
    if (adopted == nullptr) return;
    if (d->trouble != nullptr) unref(d->trouble);
    d->trouble = adopted;
    if (d->has_protocol) {
        d->on(d_io_due);
        enqueue(d, false);
    } else {
        wake_receiver(d);
    }
}

int64_t take_trouble(datagram *d, operation *op) {
    if (d->trouble == nullptr) return 0;
    error *e = std::exchange(d->trouble, nullptr);
    return op->raise(e->code, e);
}

bool local_of(datagram *d, address *out) {
    if (d->fd < 0) return false;
    socklen_t size = sizeof out->path;
    const int64_t code = loop_of(d)->sys()->getsockname(d->fd, &out->any, &size);
    out->filled(size);
    return code >= 0;
}

bool remote_of(datagram *d, address *out) {
    if (d->peer == nullptr) return false;
    *out = d->peer->value;
    return true;
}

void close_endpoint(datagram *d) {
    if (d->is(d_closing)) return;
    d->on(d_closing);
    drop_received(d);
    wake_receiver(d);
    if (d->queue == nullptr) {
        d->on(d_over_due);
        enqueue(d, false);
    } else if (!d->is(d_self)) {
        d->on(d_self);
        ref(static_cast<loop_object *>(d));
    }
}

void abort_endpoint(datagram *d) {
    if (d->is(d_over)) return;
    d->on(d_closing);
    drop_received(d);
    drop_queue(d);
    d->on(d_over_due);
    enqueue(d, false);
}

}  // namespace aloop
