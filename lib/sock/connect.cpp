// connect.cpp: sock_connect: a name, its first address, the connection.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "../resolver/resolver.hpp"
#include "sock.hpp"

namespace aloop {

namespace {

struct sock_connect_op final : sock_op {
    char *host;
    int32_t port;
    address to;

    sock_connect_op(domain *d, int socket, char *name, int number);
    ~sock_connect_op() {
        stop();
        release(host);
    }
};

enum : uint32_t { k_begin, k_resolved, k_connecting };

int64_t refused(sock_connect_op *op, int64_t code) {
    char text[k_address_text];
    return op->fail(code, "Connect call failed %s: %s",
                    describe_address(op->to, text, sizeof text), describe(code));
}

int64_t option(sock_connect_op *op, int which, int *value) {
    socklen_t size = sizeof *value;
    return loop_of(op)->sys()->getsockopt(op->fd, SOL_SOCKET, which, value, &size);
}

int64_t begin_connect(sock_connect_op *op) {
    op->phase = k_connecting;
    const int64_t code = loop_of(op)->sys()->connect(op->fd, &op->to.any, op->to.size);
    if (code == -EINPROGRESS || code == -EINTR) return op->wait_for(k_writable);
    return code < 0 ? refused(op, code) : 0;
}

// The socket itself says which addresses suit it.
int64_t find_address(sock_connect_op *op) {
    int family = 0, type = 0, protocol = 0;
    int64_t code = option(op, SO_DOMAIN, &family);
    if (code >= 0) code = option(op, SO_TYPE, &type);
    if (code >= 0) code = option(op, SO_PROTOCOL, &protocol);
    if (code < 0) return op->failed(code);
    if (family == AF_UNIX) {
        if (op->host == nullptr || !path_address(op->host, std::strlen(op->host), &op->to)) {
            return op->fail(ALOOP_EINVAL, "no path, or one that is too long");
        }
        return begin_connect(op);
    }
    op->phase = k_resolved;
    return op->await(resolve(loop_of(op), op->host, op->port, family, false, type, protocol));
}

int64_t connect_to_first(sock_connect_op *op) {
    void *value = nullptr;
    take_value(op->inner, &value);
    address_list *list = static_cast<address_list *>(value);
    if (list->count > 0) op->to = list->entries[0];
    const bool found = list->count > 0;
    free_addresses(list);
    return found ? begin_connect(op) : op->fail(ALOOP_ERESOLVE, "no address was found");
}

int64_t connected(sock_connect_op *op) {
    int failure = 0;
    const int64_t code = option(op, SO_ERROR, &failure);
    if (code < 0) return op->failed(code);
    return failure != 0 ? refused(op, -int64_t{failure}) : 0;
}

int64_t step_sock_connect(operation *base, task *, int64_t status) {
    sock_connect_op *op = static_cast<sock_connect_op *>(base);
    status = op->woken(status);
    if (status >= 0 && op->phase == k_begin) status = op->check_nonblocking();
    if (status < 0) return status;
    switch (op->phase) {
    case k_begin: return find_address(op);
    case k_resolved: return connect_to_first(op);
    default: return connected(op);
    }
}

const op_info k_sock_connect = {"sock_connect", step_sock_connect,
                                free_operation<sock_connect_op>};

sock_connect_op::sock_connect_op(domain *d, int socket, char *name, int number)
    : sock_op(d, &k_sock_connect, socket), host(name), port(number) {}

}  // namespace

future *make_sock_connect(loop *l, int fd, const char *host, int port) {
    char *name = host != nullptr ? copy_string(host) : nullptr;
    if (host != nullptr && name == nullptr) return nullptr;
    sock_connect_op *op = l->make_object<sock_connect_op>(fd, name, port);
    if (op == nullptr) release(name);
    return op;
}

}  // namespace aloop
