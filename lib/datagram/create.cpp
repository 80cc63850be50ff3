// create.cpp: create_datagram_endpoint: resolve the addresses, pair them by
// family, and take the first pair that can be bound and connected.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "../context/context.hpp"
#include "../resolver/resolver.hpp"
#include "datagram.hpp"

namespace aloop {

namespace {

struct create_op final : operation {
    datagram_options *options;  // owned
    address_list *local = nullptr;
    address_list *remote = nullptr;
    var_map *context = nullptr;
    error *first = nullptr;  // of the pairs that failed

    create_op(domain *d, datagram_options *o);
    ~create_op() {
        if (local != nullptr) free_addresses(local);
        if (remote != nullptr) free_addresses(remote);
        if (first != nullptr) unref(first);
        drop(context);
        unref(options);
    }
};

// A descriptor that is closed unless somebody takes it.
struct guarded {
    const sys_table *sys;
    int fd = -1;

    ~guarded() {
        if (fd >= 0) sys->close(fd);
    }
    int take() { return std::exchange(fd, -1); }
};

int64_t note(create_op *op, int64_t code, const char *what, const address *at) {
    if (op->first != nullptr) return code;
    char text[k_address_text];
    op->first = at != nullptr
                    ? format_error(code, "%s %s: %s", what,
                                   describe_address(*at, text, sizeof text), describe(code))
                    : format_error(code, "%s: %s", what, describe(code));
    return code;
}

int64_t switch_on(loop *l, int fd, int option) {
    const int one = 1;
    return l->sys()->setsockopt(fd, SOL_SOCKET, option, &one, sizeof one);
}

int64_t prepare(create_op *op, int fd) {
    loop *l = loop_of(op);
    const datagram_options *o = op->options;
    int64_t code = 0;
    if (o->reuse_port != 0) code = switch_on(l, fd, SO_REUSEPORT);
    if (code >= 0 && o->broadcast != 0) code = switch_on(l, fd, SO_BROADCAST);
    if (code >= 0 && o->receive_buffer > 0) {
        code = l->sys()->setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o->receive_buffer,
                                    sizeof o->receive_buffer);
    }
    return code;
}

// As asyncio: an old socket's file would be in the way.
void remove_stale(loop *l, const address &at) {
    if (at.family() != AF_UNIX || at.path.sun_path[0] == '\0') return;
    struct stat what;
    if (l->sys()->stat_path(at.path.sun_path, &what, 0) == 0 && S_ISSOCK(what.st_mode)) {
        l->sys()->unlink(at.path.sun_path);
    }
}

// The endpoint over fd, which is nonblocking.
int64_t finish_endpoint(create_op *op, int fd, const address *peer, bool connected) {
    loop *l = loop_of(op);
    datagram_options *o = op->options;
    address_object *to = peer != nullptr ? create<address_object>(*peer) : nullptr;
    if (peer != nullptr && to == nullptr) return ALOOP_ENOMEM;
    datagram *d = nullptr;
    const int64_t code = adopt_datagram(l, fd, *o, &d);
    if (code < 0) {
        if (to != nullptr) unref(to);
        return code;
    }
    d->peer = to;
    if (connected) d->on(d_connected);
    op->give(d, free_datagram);
    if (!o->has_protocol) return 0;
    d->has_protocol = true;
    d->protocol = o->protocol;
    d->data = o->data;
    d->data_free = o->data_free;
    d->context = std::exchange(op->context, nullptr);
    d->on(d_self);
    ref(static_cast<loop_object *>(d));
    d->on(d_made_due);
    enqueue(d, false);
    return 0;
}

int64_t try_pair(create_op *op, int family, const address *local, const address *remote) {
    loop *l = loop_of(op);
    const sys_table *sys = l->sys();
    const int64_t made = sys->socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) return note(op, made, "cannot make a socket", nullptr);
    guarded socket = {sys, static_cast<int>(made)};
    int64_t code = prepare(op, socket.fd);
    if (code < 0) return note(op, code, "cannot set an option", nullptr);
    if (local != nullptr) {
        remove_stale(l, *local);
        code = sys->bind(socket.fd, &local->any, local->size);
        if (code < 0) {
            return note(op, code, "error while attempting to bind on address", local);
        }
    }
    const bool connects = remote != nullptr && op->options->broadcast == 0;
    if (connects) {
        code = sys->connect(socket.fd, &remote->any, remote->size);
        if (code < 0) return note(op, code, "Connect call failed", remote);
    }
    code = finish_endpoint(op, socket.fd, remote, connects);
    if (code < 0) return note(op, code, "cannot watch the socket", nullptr);
    socket.take();
    return 0;
}

// The last of its family, as asyncio's table keeps it.
const address *of_family(const address_list *list, int family) {
    const address *found = nullptr;
    const address *all = list->entries;
    for (int64_t i = 0; i < list->count; i++) {
        if (all[i].family() == family) found = &all[i];
    }
    return found;
}

int64_t try_pairs(create_op *op) {
    const address_list *order = op->local != nullptr ? op->local : op->remote;
    const address *all = order->entries;
    int64_t code = 0;
    bool tried = false;
    for (int64_t i = 0; i < order->count; i++) {
        const int family = all[i].family();
        bool seen = false;
        for (int64_t j = 0; j < i; j++) seen = seen || all[j].family() == family;
        if (seen) continue;
        const address *local = op->local != nullptr ? of_family(op->local, family) : nullptr;
        const address *remote = op->remote != nullptr ? of_family(op->remote, family) : nullptr;
        if (op->local != nullptr && op->remote != nullptr && remote == nullptr) continue;
        code = try_pair(op, family, local, remote);
        if (code >= 0) return 0;
        tried = true;
    }
    if (!tried) return op->fail(ALOOP_EINVAL, "can not get address information");
    if (op->first == nullptr) return code;
    code = op->first->code;
    return op->raise(code, std::exchange(op->first, nullptr));
}

int64_t adopt_given(create_op *op) {
    const datagram_options *o = op->options;
    const sys_table *sys = loop_of(op)->sys();
    if (o->local != nullptr || o->remote != nullptr || o->family != 0 || o->reuse_port != 0 ||
        o->broadcast != 0) {
        return op->fail(ALOOP_EINVAL,
                        "socket modifier options can not be used with a descriptor");
    }
    int type = 0;
    socklen_t size = sizeof type;
    int64_t code = sys->getsockopt(o->descriptor, SOL_SOCKET, SO_TYPE, &type, &size);
    if (code < 0) return code;
    if (type != SOCK_DGRAM) return op->fail(ALOOP_EINVAL, "a datagram socket was expected");
    code = sys->fcntl(o->descriptor, F_GETFL, 0);
    if (code >= 0) code = sys->fcntl(o->descriptor, F_SETFL, code | O_NONBLOCK);
    if (code >= 0) code = prepare(op, o->descriptor);
    if (code < 0) return code;
    address peer;
    socklen_t n = sizeof peer.path;
    const bool connected = sys->getpeername(o->descriptor, &peer.any, &n) >= 0;
    peer.filled(n);
    return finish_endpoint(op, o->descriptor, connected ? &peer : nullptr, connected);
}

address_list *path_list(const char *path) {
    if (path == nullptr) return nullptr;
    address_list *list = make_addresses(1);
    if (list != nullptr) path_address(path, std::strlen(path), list->entries);
    return list;
}

int64_t without_names(create_op *op) {
    datagram_options *o = op->options;
    if (o->family == AF_UNIX) {
        op->local = path_list(o->local);
        op->remote = path_list(o->remote);
        if (o->local != nullptr && op->local == nullptr) return ALOOP_ENOMEM;
        if (o->remote != nullptr && op->remote == nullptr) return ALOOP_ENOMEM;
    }
    if (op->local != nullptr || op->remote != nullptr) return try_pairs(op);
    const int64_t code = try_pair(op, o->family, nullptr, nullptr);
    if (code >= 0 || op->first == nullptr) return code;
    return op->raise(code, std::exchange(op->first, nullptr));
}

enum : uint32_t { k_begin, k_local, k_remote };

void take_list(create_op *op, address_list **to) {
    void *list = nullptr;
    take_value(op->inner, &list);
    *to = static_cast<address_list *>(list);
}

int64_t ask(create_op *op, uint32_t phase) {
    const datagram_options *o = op->options;
    const bool local = phase == k_local;
    op->phase = phase;
    return op->await(resolve(loop_of(op), local ? o->local : o->remote,
                             local ? o->local_port : o->remote_port, o->family, local, SOCK_DGRAM));
}

int64_t step_create(operation *base, task *, int64_t status) {
    create_op *op = static_cast<create_op *>(base);
    const datagram_options *o = op->options;
    if (status < 0) return status;
    switch (op->phase) {
    case k_begin:
        op->context = capture_context();
        if (o->descriptor >= 0) return adopt_given(op);
        if (o->local == nullptr && o->remote == nullptr && o->family == 0) {
            return op->fail(ALOOP_EINVAL, "unexpected address family");
        }
        if (o->family == AF_UNIX || (o->local == nullptr && o->remote == nullptr)) {
            return without_names(op);
        }
        return ask(op, o->local != nullptr ? k_local : k_remote);
    case k_local:
        take_list(op, &op->local);
        if (o->remote != nullptr) return ask(op, k_remote);
        break;
    default:
        take_list(op, &op->remote);
        break;
    }
    return try_pairs(op);
}

const op_info k_create = {"create_datagram_endpoint", step_create, free_operation<create_op>};

create_op::create_op(domain *d, datagram_options *o) : operation(d, &k_create), options(o) {}

}  // namespace

future *make_create_endpoint(loop *l, datagram_options *options) {
    create_op *op = l->make_object<create_op>(options);
    if (op == nullptr) unref(options);
    return op;
}

}  // namespace aloop
