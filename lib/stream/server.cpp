// SPDX-License-Identifier: MIT
#include "server.hpp"

#include <fcntl.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "../context/context.hpp"
#include "../loop/watchers.hpp"
#include "../protocol/protocol.hpp"
#include "../resolver/resolver.hpp"

namespace aloop {

namespace {

struct server_waiter final : ring_waiter {
    using ring_waiter::ring_waiter;
    server *home() const { return static_cast<server *>(of); }
    ~server_waiter() {
        if (inner != nullptr && home()->forever == inner) home()->forever = nullptr;
    }
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

// The loop closes.
void let_go(self_held *self) {
    server *s = static_cast<server *>(self);
    s->closed = true;
    close_listeners(s);
    while (link *l = s->clients.head()) {
        self_held *client = static_cast<self_held *>(l);
        client->let_go(client);
    }
    unref(static_cast<loop_object *>(s));
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
    release(s->listeners);
    if (s->owns_data && s->options->data_free != nullptr) s->options->data_free(s->how.data);
    if (s->how.by != nullptr) unref(s->how.by);
    drop(s->context);
    unref(s->options);
    l->free_object(s);
}

const register_kind g_server(kind::server, {"server", destroy_server});

}  // namespace

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
    check_closed(s);
}

void wake_acceptor(server *s) { wake_waiting(s->waiters, k_for_client, 1); }

// Operations of a server ----------------------------------------------------------------------

namespace {

int64_t step_accept(operation *op, task *, int64_t status) {
    server_waiter *self = static_cast<server_waiter *>(op);
    server *s = self->home();
    const bool was_woken = self->in != nullptr && op->inner->state == k_finished;
    self->leave();
    if (status < 0) {
        if (was_woken) wake_acceptor(s);  // the wake is for the next one then
        return status;
    }
    if (s->closed) return op->fail(ALOOP_ESTALE, "server is closed");
    stream *client = nullptr;
    const int64_t code = accept_one(s, &client);
    if (code == 0) return self->wait_in(&s->waiters, k_for_client);
    wake_acceptor(s);  // where one came, usable or not, more may have come
    if (code < 0) return code;
    op->give(client, free_stream);
    return 0;
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

constexpr auto k_free = free_operation<server_waiter>;
const op_info k_accept = {"accept", step_accept, k_free};
const op_info k_start_serving = {"start_serving", step_start_serving, k_free};
const op_info k_serve_forever = {"serve_forever", step_serve_forever, k_free};
const op_info k_wait_closed = {"wait_closed", step_wait_closed, k_free};

}  // namespace

future *make_accept(server *s) { return loop_of(s)->make_object<server_waiter>(&k_accept, s); }

future *make_start_serving(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_start_serving, s);
}

future *make_serve_forever(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_serve_forever, s);
}

future *make_server_wait_closed(server *s) {
    return loop_of(s)->make_object<server_waiter>(&k_wait_closed, s);
}

// start_server ----------------------------------------------------------------------------------

namespace {

struct start_op final : operation {
    served how;  // a reference to its protocol
    char *host;
    int32_t port;
    stream_options *options;  // owned
    address_list *given = nullptr;  // owned: not to be resolved
    server *made = nullptr;   // owned

    start_op(domain *d, const served &h, char *name, int32_t number, stream_options *o);
    ~start_op() {
        if (made != nullptr) unref(static_cast<loop_object *>(made));
        if (given != nullptr) free_addresses(given);
        release(host);
        unref(options);
        if (how.by != nullptr) unref(how.by);
    }
};

void set_option(loop *l, int fd, int level, int name) {
    const int one = 1;
    l->sys()->setsockopt(fd, level, name, &one, sizeof one);
}

// 1 with a bound socket in *out, 0: this address does not exist here, or -errno.
int64_t bind_socket(start_op *op, const address &to, int *out) {
    loop *l = loop_of(op);
    const int64_t fd =
        l->sys()->socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -EAFNOSUPPORT || fd == -EPROTONOSUPPORT) return 0;
    if (fd < 0) return fd;
    const int s = static_cast<int>(fd);
    const bool internet = to.family() != AF_UNIX;
    if (internet && op->options->reuse_address != 0) set_option(l, s, SOL_SOCKET, SO_REUSEADDR);
    if (internet && op->options->reuse_port != 0) set_option(l, s, SOL_SOCKET, SO_REUSEPORT);
    if (internet && op->options->keep_alive != 0) set_option(l, s, SOL_SOCKET, SO_KEEPALIVE);
    if (to.family() == AF_INET6) set_option(l, s, IPPROTO_IPV6, IPV6_V6ONLY);
    remove_stale(to);
    const int64_t code = l->sys()->bind(s, &to.any, to.size);
    if (code >= 0) {
        *out = s;
        return 1;
    }
    l->sys()->close(s);
    if (code == -EADDRNOTAVAIL) return 0;
    char text[k_address_text];
    if (to.family() == AF_UNIX && code == -EADDRINUSE) {
        return op->fail(code, "Address %s is already in use",
                        describe_address(to, text, sizeof text));
    }
    char reason[96];
    std::snprintf(reason, sizeof reason, "%s", describe(code));
    reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
    return op->fail(code, "error while attempting to bind on address %s: %s",
                    describe_address(to, text, sizeof text), reason);
}

int64_t add_listener(server *s, int fd) {
    loop *l = loop_of(s);
    watcher_set *watchers = watcher_set::of(l);
    const int64_t code = watchers != nullptr ? watchers->claim(fd) : int64_t{ALOOP_ENOMEM};
    if (code < 0) {
        l->sys()->close(fd);
        return code;
    }
    listener *at = new (&s->listeners[s->count++]) listener;
    at->io::fd = fd;
    at->bits = k_readable;
    at->edge = true;
    at->ready = listener_ready;
    at->node::fn = run_listener;
    at->home = s;
    return 0;
}

int64_t bind_all(start_op *op, address_list *list) {
    server *s = op->made;
    const address *all = list->entries;
    for (int64_t i = 0; i < list->count; i++) {
        int fd = -1;
        int64_t code = bind_socket(op, all[i], &fd);
        if (code > 0) code = add_listener(s, fd);
        if (code < 0) return code;
    }
    if (s->count > 0) return 0;
    char text[k_address_text];
    return op->fail(-EADDRNOTAVAIL, "could not bind on any address out of [%s%s]",
                    describe_address(all[0], text, sizeof text), list->count > 1 ? ", ..." : "");
}

int64_t make_server(start_op *op, address_list *list) {
    loop *l = loop_of(op);
    ref(op->options);
    server *s = l->make_object<server>(op->options);
    if (s == nullptr) {
        unref(op->options);
        return ALOOP_ENOMEM;
    }
    op->made = s;
    s->context = capture_context();
    s->let_go = let_go;
    s->listeners = static_cast<listener *>(
        allocate(static_cast<size_t>(list->count) * sizeof(listener)));
    if (s->listeners == nullptr) return ALOOP_ENOMEM;
    int64_t code = bind_all(op, list);
    if (code < 0) return code;
    s->file = remember_file(list->entries[0]);
    s->spare = static_cast<int>(l->sys()->open("/dev/null", O_RDONLY | O_CLOEXEC, 0));
    if (op->options->start_serving != 0) code = start_serving(s);
    if (code < 0) return code;
    s->how = op->how;
    if (s->how.by != nullptr) ref(s->how.by);
    s->owns_data = true;
    ref(static_cast<loop_object *>(s));  // its own, until it is closed
    l->self_held.push(static_cast<self_held *>(s));
    return 0;
}

void free_server(void *s) {
    close_server(static_cast<server *>(s));
    unref(static_cast<loop_object *>(static_cast<server *>(s)));
}

enum : uint32_t { k_resolve = 0, k_listen, k_started };

int64_t step_start(operation *base, task *, int64_t status) {
    start_op *op = static_cast<start_op *>(base);
    if (status < 0) {
        if (op->phase == k_started) {
            op->made->owns_data = false;  // the data stay the caller's
            close_server(op->made);
        }
        return status;
    }
    if (op->phase == k_resolve) {
        op->phase = k_listen;
        if (op->given == nullptr) {
            return op->await(
                resolve(loop_of(op), op->host, op->port, op->options->family, true));
        }
    }
    if (op->phase == k_listen) {
        void *list = std::exchange(op->given, nullptr);
        if (list == nullptr) take_value(op->inner, &list);
        const int64_t code = make_server(op, static_cast<address_list *>(list));
        free_addresses(list);
        if (code < 0) return code;
        op->phase = k_started;
        if (op->options->start_serving != 0) return op->yield();
    }
    op->give(std::exchange(op->made, nullptr), free_server);
    return 0;
}

const op_info k_start = {"start_server", step_start, free_operation<start_op>};

start_op::start_op(domain *d, const served &h, char *name, int32_t number, stream_options *o)
    : operation(d, &k_start), how(h), host(name), port(number), options(o) {
    if (how.by != nullptr) ref(how.by);
}

}  // namespace

future *make_start_server(loop *l, const served &how, const char *host, int32_t port,
                          stream_options *options) {
    char *name = host != nullptr ? copy_string(host) : nullptr;
    start_op *op = nullptr;
    if (host == nullptr || name != nullptr) {
        op = l->make_object<start_op>(how, name, port, options);
    }
    if (op == nullptr) {
        release(name);
        unref(options);
    }
    return op;
}

future *make_start_unix_server(loop *l, const served &how, const address &at,
                               stream_options *options) {
    future *f = make_start_server(l, how, nullptr, 0, options);
    if (f == nullptr) return nullptr;
    start_op *op = static_cast<start_op *>(f);
    op->given = make_addresses(1);
    if (op->given == nullptr) {
        unref(f);
        return nullptr;
    }
    op->given->entries[0] = at;
    return f;
}

}  // namespace aloop
