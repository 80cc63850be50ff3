// SPDX-License-Identifier: MIT
#include "server.hpp"

#include <cmath>
#include <cstdio>
#include <utility>

#include "../context/context.hpp"
#include "../loop/watchers.hpp"
#include "../protocol/protocol.hpp"
#include "../task/task.hpp"
#include "../tls/tls.hpp"

namespace aloop {

namespace {

struct server_waiter final : ring_waiter {
    using ring_waiter::ring_waiter;
    server *home() const { return static_cast<server *>(of); }
    ~server_waiter() {
        if (inner != nullptr && home()->forever == inner) home()->forever = nullptr;
        if (is_given_up(this) && has_turn()) wake_acceptor(home());
    }
    // To accept: it was woken, or let others go first, and has not looked since.
    bool has_turn() const;
};

// Closed, and its last connection too: it keeps itself alive no longer.
void check_closed(server *s) {
    if (!s->closed || s->active > 0) return;
    wake_waiting(s->waiters, k_for_end);
    self_held *held = s;
    if (held->prev == nullptr) return;
    loop_of(s)->self_held.remove(held);
    unref(static_cast<loop_object *>(s));
}

void close_listeners(server *s) {
    loop *l = loop_of(s);
    for (int64_t i = 0; i < s->count; i++) {
        listener &at = s->listeners[i];
        if (static_cast<io &>(at).added) l->io_poller()->remove(&at);
        if (at.fd >= 0) {
            if (l->watchers != nullptr) l->watchers->disclaim(at.fd);
            l->sys()->close(at.fd);
        }
        at.fd = -1;
    }
    if (s->spare >= 0) l->sys()->close(s->spare);
    s->spare = -1;
    remove_file(std::exchange(s->file, nullptr));
    s->serving = false;
    if (s->retry.is_set()) s->retry.clear();
}

void destroy_server(object *o) {
    server *s = static_cast<server *>(o);
    loop *l = loop_of(s);
    if (l->on_fiber) {
        s->inbox_next = l->graveyard;  // frees what is the program's
        l->graveyard = s;
        return;
    }
    close_listeners(s);
    drop_secured(s);
    release(s->listeners);
    if (s->owns_data && s->options->data_free != nullptr) s->options->data_free(s->how.data);
    if (s->how.by != nullptr) unref(s->how.by);
    drop(s->context);
    unref(s->options);
    l->free_object(s);
}

const register_kind g_server(kind::server, {"server", destroy_server});

}  // namespace

// The loop closes.
void let_server_go(self_held *self) {
    server *s = static_cast<server *>(self);
    s->closed = true;
    close_listeners(s);
    while (link *l = s->clients.head()) {
        self_held *client = static_cast<self_held *>(l);
        client->let_go(client);
    }
    unref(static_cast<loop_object *>(s));
}

int64_t start_serving(server *s) {
    if (s->closed) return ALOOP_ESTALE;
    if (s->serving) return 0;
    loop *l = loop_of(s);
    for (int64_t i = 0; i < s->count; i++) {
        listener &at = s->listeners[i];
        int64_t code = l->sys()->listen(at.fd, s->options->backlog);
        if (code >= 0) code = l->io_poller()->add(&at);
        if (code < 0) {
            for (int64_t k = 0; k < i; k++) l->io_poller()->remove(&s->listeners[k]);
            return code;
        }
    }
    s->serving = true;
    return 0;
}

void close_server(server *s) {
    if (s->closed) return;
    s->closed = true;
    close_listeners(s);
    drop_secured(s);
    if (s->forever != nullptr) cancel(s->forever, nullptr);
    wake_waiting(s->waiters, k_for_client);
    check_closed(s);
}

void close_clients(server *s, bool abort) {
    for (link *l = s->clients.head(); l != nullptr; l = s->clients.after(l)) {
        stream *client = static_cast<stream *>(static_cast<self_held *>(l));
        if (abort) abort_stream(client);
        else close_stream(client);
    }
}

void add_client(server *s, stream *client) {
    client->server = s;
    ref(static_cast<loop_object *>(s));
    self_held *held = client;
    loop_of(s)->self_held.remove(held);
    s->clients.push(held);
    s->active++;
}

void client_gone(server *s) {
    s->active--;
    if (std::exchange(s->full, false)) accept_more(s);
    check_closed(s);
}

void wake_acceptor(server *s) { wake_waiting(s->waiters, k_for_client, 1); }

// Operations of a server ----------------------------------------------------------------------

namespace {

// False: it had its share of this iteration; the others have a turn.
bool take_share(server *s) {
    constexpr uint32_t k_share = 64;  // as with a handler
    const uint32_t iteration = static_cast<uint32_t>(loop_of(s)->iteration());
    if (s->given_in != iteration) {
        s->given_in = iteration;
        s->given = 0;
    }
    return s->given < k_share;
}

enum : uint32_t { k_accepting, k_took_turn };

int64_t step_accept(operation *op, task *, int64_t status) {
    server_waiter *self = static_cast<server_waiter *>(op);
    server *s = self->home();
    const bool had_turn = self->has_turn();
    self->leave();
    if (status < 0) {
        if (had_turn) wake_acceptor(s);  // it is the next one's then
        return status;
    }
    if (s->closed) return op->fail(ALOOP_ESTALE, "server is closed");
    if (!take_share(s)) {
        op->phase = k_took_turn;
        return op->yield();
    }
    stream *client = nullptr;
    const int64_t code =
        wants_tls(s->options) ? take_secured(s, &client) : accept_one(s, &client);
    if (code == 0) return self->wait_in(&s->waiters, k_for_client);
    wake_acceptor(s);  // where one came, usable or not, more may have come
    if (code < 0) return code;
    s->given++;
    op->give(client, free_stream);
    return 0;
}

bool server_waiter::has_turn() const {
    if (ops->step != step_accept) return false;
    return in != nullptr ? inner->state == k_finished : phase == k_took_turn;
}

int64_t step_start_serving(operation *op, task *, int64_t status) {
    server_waiter *self = static_cast<server_waiter *>(op);
    if (status < 0 || op->phase++ > 0) return status;
    const int64_t code = start_serving(self->home());
    return code < 0 ? code : op->yield();
}

enum : uint32_t { k_begin, k_serving, k_closing_down };

int64_t begin_forever(server_waiter *self) {
    server *s = self->home();
    if (s->forever != nullptr) {
        return self->fail(ALOOP_EBUSY, "server is already being awaited on serve_forever()");
    }
    if (s->closed) return self->fail(ALOOP_ESTALE, "server is closed");
    const int64_t code = start_serving(s);
    if (code < 0) return code;
    s->forever = make_future(loop_of(s));
    if (s->forever == nullptr) return ALOOP_ENOMEM;
    self->phase = k_serving;
    return self->await(s->forever);
}

int64_t step_serve_forever(operation *op, task *, int64_t status) {
    server_waiter *self = static_cast<server_waiter *>(op);
    server *s = self->home();
    self->leave();
    if (self->phase == k_begin) return begin_forever(self);
    if (self->phase == k_serving) {
        if (s->forever == op->inner) s->forever = nullptr;
        if (status != ALOOP_ECANCELED) return status;
        self->phase = k_closing_down;
        close_server(s);
    } else if (status < 0) {
        return status;
    }
    return s->active > 0 ? self->wait_in(&s->waiters, k_for_end) : ALOOP_ECANCELED;
}

int64_t step_wait_closed(operation *op, task *, int64_t status) {
    server_waiter *self = static_cast<server_waiter *>(op);
    server *s = self->home();
    self->leave();
    if (status < 0) return status;
    return s->closed && s->active == 0 ? 0 : self->wait_in(&s->waiters, k_for_end);
}

// Closing with a deadline ---------------------------------------------------------------------

struct shutdown_op final : ring_waiter {
    double limit;
    bool late = false;
    aloop::alarm deadline;

    shutdown_op(domain *d, server *s, double seconds);
    ~shutdown_op() {
        if (deadline.is_set()) deadline.clear();
    }
};

void too_late(alarm *a) {
    shutdown_op *op = static_cast<shutdown_op *>(a->owner);
    op->late = true;
    if (op->inner != nullptr && op->inner->pending()) finish(op->inner, 0, nullptr, nullptr);
}

// "2 connections are still open: 127.0.0.1:4711, 127.0.0.1:4712"
int64_t name_the_open(operation *op, server *s) {
    constexpr int k_most = 8;
    char text[1200];
    size_t used = static_cast<size_t>(
        std::snprintf(text, sizeof text, "%lld connection%s still open:",
                      static_cast<long long>(s->active), s->active == 1 ? " is" : "s are"));
    int named = 0;
    for (link *l = s->clients.head(); l != nullptr && named < k_most; l = s->clients.after(l)) {
        const stream *client = static_cast<stream *>(static_cast<self_held *>(l));
        address peer;
        char name[k_address_text] = "?";
        if (client->peer.get(&peer)) format_address(peer, name, sizeof name);
        used += static_cast<size_t>(std::snprintf(text + used, sizeof text - used, "%s %s",
                                                  named++ > 0 ? "," : "", name));
    }
    if (s->active > named) {
        std::snprintf(text + used, sizeof text - used, ", and %lld more",
                      static_cast<long long>(s->active - named));
    }
    return op->raise(ALOOP_ETIMEDOUT, make_error(ALOOP_ETIMEDOUT, text));
}

int64_t wait_for_the_open(shutdown_op *op) {
    server *s = static_cast<server *>(op->of);
    op->leave();
    if (s->active == 0) return 0;
    return op->late ? name_the_open(op, s) : op->wait_in(&s->waiters, k_for_end);
}

int64_t step_shutdown(operation *base, task *, int64_t status) {
    shutdown_op *op = static_cast<shutdown_op *>(base);
    loop *l = loop_of(op);
    if (op->phase++ == 0) {
        close_server(static_cast<server *>(op->of));
        if (op->limit <= 0) op->late = true;
        else if (!std::isinf(op->limit)) {
            op->deadline.set(op, too_late, deadline_after(l->now(), op->limit), false);
        }
    }
    if (status >= 0) status = wait_for_the_open(op);
    else op->leave();
    if (status != ALOOP_PENDING && op->deadline.is_set()) op->deadline.clear();
    return status;
}

const op_info k_shutdown = {"shutdown", step_shutdown, free_operation<shutdown_op>};

shutdown_op::shutdown_op(domain *d, server *s, double seconds)
    : ring_waiter(d, &k_shutdown, s), limit(seconds) {}

constexpr auto k_free = free_operation<server_waiter>;
const op_info k_accept = {"accept", step_accept, k_free};
const op_info k_start_serving = {"start_serving", step_start_serving, k_free};
const op_info k_serve_forever = {"serve_forever", step_serve_forever, k_free};
const op_info k_wait_closed = {"wait_closed", step_wait_closed, k_free};

}  // namespace

future *make_accept(server *s) { return loop_of(s)->make_object<server_waiter>(&k_accept, s); }

future *make_shutdown(server *s, double timeout) {
    return loop_of(s)->make_object<shutdown_op>(s, timeout);
}

future *make_start_serving(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_start_serving, s);
}

future *make_serve_forever(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_serve_forever, s);
}

future *make_server_wait_closed(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_wait_closed, s);
}

}  // namespace aloop
