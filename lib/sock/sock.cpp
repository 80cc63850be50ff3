// sock.cpp: waiting for a socket, and receiving, sending and accepting on it.
//
// SPDX-License-Identifier: MIT
#include "sock.hpp"

#include <fcntl.h>

#include <cerrno>

#include "../base/bytes.hpp"
#include "../datagram/packet.hpp"

namespace aloop {

namespace {

void wake(sock_op *op) {
    if (op->inner != nullptr && op->inner->pending()) finish(op->inner, 0, nullptr, nullptr);
}

int64_t on_ready(void *data) {
    sock_op *op = static_cast<sock_op *>(data);
    wake(op);
    op->stop();
    return 0;
}

// The watcher is gone: taken away by stop(), or replaced by another.
void on_gone(void *data) {
    sock_op *op = static_cast<sock_op *>(data);
    if (op->watching) {
        op->watching = false;
        op->replaced = true;
        wake(op);
    }
    unref(op);
}

}  // namespace

int64_t sock_op::wait_for(uint8_t direction) {
    watcher_set *watchers = watcher_set::of(loop_of(this));
    future *waiter = watchers != nullptr ? make_future(loop_of(this)) : nullptr;
    if (waiter == nullptr) return ALOOP_ENOMEM;
    const int64_t code = watchers->add(fd, direction, on_ready, this, on_gone);
    if (code < 0) {
        unref(waiter);
        return failed(code);
    }
    ref(this);
    watching = true;
    replaced = false;
    bit = direction;
    return await(waiter);
}

void sock_op::stop() {
    if (!watching) return;
    watching = false;
    loop *l = loop_of(this);
    if (l->watchers != nullptr) l->watchers->remove_own(fd, bit, this);
}

int64_t sock_op::woken(int64_t status) {
    stop();
    if (status < 0) return status;
    return replaced ? fail(ALOOP_EBUSY, "another operation took the descriptor's place") : 0;
}

int64_t sock_op::check_nonblocking() {
    loop *l = loop_of(this);
    if (!l->debug) return 0;
    const int64_t status_flags = l->sys()->fcntl(fd, F_GETFL, 0);
    // What is no descriptor the call itself will tell.
    if (status_flags < 0 || (status_flags & O_NONBLOCK) != 0) return 0;
    return fail(ALOOP_EINVAL, "the socket must be non-blocking");
}

namespace {

struct io_op;

// One try: the outcome, or -EAGAIN to wait for `bit`.
struct io_kind {
    op_info ops;
    int64_t (*attempt)(io_op *op);
    uint8_t bit;
};

struct io_op final : sock_op {
    void *place;
    size_t size;
    size_t done = 0;
    address_object *to = nullptr;  // a reference
    const io_kind *how;

    io_op(domain *d, const io_kind *k, int socket, void *where, size_t n)
        : sock_op(d, &k->ops, socket), place(where), size(n), how(k) {}
    ~io_op() {
        stop();
        if (to != nullptr) unref(to);
    }
    const sys_table *sys() const { return loop_of(this)->sys(); }
};

int64_t step_io(operation *base, task *, int64_t status) {
    io_op *op = static_cast<io_op *>(base);
    status = op->woken(status);
    if (status >= 0 && op->phase++ == 0) status = op->check_nonblocking();
    if (status < 0) return status;
    do {
        status = op->how->attempt(op);
    } while (status == -EINTR);
    if (status == -EAGAIN) return op->wait_for(op->how->bit);
    return status < 0 ? op->failed(status) : status;
}

// Receiving -----------------------------------------------------------------------------

// What is asked for, within reason: a socket hands out no more at a time.
constexpr size_t k_most_received = 16 * 1024 * 1024;

int64_t recv_bytes(io_op *op) {
    bytes *b = make_bytes(nullptr, op->size < k_most_received ? op->size : k_most_received);
    if (b == nullptr) return ALOOP_ENOMEM;
    uint8_t *to = b->data;
    const int64_t got = op->sys()->recv(op->fd, to, b->size, MSG_DONTWAIT);
    if (got < 0) {
        unref(b);
        return got;
    }
    op->give(shrink_bytes(b, static_cast<size_t>(got)), free_bytes);
    return got;
}

int64_t recv_into(io_op *op) {
    return op->sys()->recv(op->fd, op->place, op->size, MSG_DONTWAIT);
}

int64_t receive_message(io_op *op, void *place, size_t n, msghdr *m, address *from) {
    iovec part = {place, n};
    m->msg_name = &from->any;
    m->msg_namelen = sizeof from->path;
    m->msg_iov = &part;
    m->msg_iovlen = 1;
    const int64_t got = op->sys()->recvmsg(op->fd, m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    from->filled(got >= 0 ? m->msg_namelen : 0);
    return got;
}

// Room for all descriptors and, before them, for what else the program may have told
// its socket to tell: who sends (SO_PASSCRED), under which label, when.
constexpr size_t k_control = CMSG_SPACE(k_most_fds * sizeof(int)) + 1024;

// Collects the descriptors that came along; returns how many. One that tells of the
// sender (SO_PASSPIDFD) has nobody to own it.
int32_t received_fds(const sys_table *sys, msghdr *m, int *fds) {
    constexpr int k_pidfd = 4;  // SCM_PIDFD
    int32_t n = 0;
    for (cmsghdr *c = CMSG_FIRSTHDR(m); c != nullptr; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        const size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_type == SCM_RIGHTS) {
            __builtin_memcpy(fds + n, CMSG_DATA(c), size);
            n += static_cast<int32_t>(size / sizeof(int));
        } else if (c->cmsg_type == k_pidfd) {
            int fd;
            __builtin_memcpy(&fd, CMSG_DATA(c), sizeof fd);
            if (fd >= 0) sys->close(fd);
        }
    }
    return n;
}

int64_t recv_packet(io_op *op, bool with_fds) {
    const size_t n = op->size < k_most_received ? op->size : k_most_received;
    void *place = allocate(n > 0 ? n : 1);
    if (place == nullptr) return ALOOP_ENOMEM;
    alignas(cmsghdr) char control[k_control];
    msghdr m = {};
    if (with_fds) {
        m.msg_control = control;
        m.msg_controllen = sizeof control;
    }
    address from;
    int64_t got = receive_message(op, place, n, &m, &from);
    if (got >= 0) {
        int fds[k_most_fds];
        const int32_t count = with_fds ? received_fds(op->sys(), &m, fds) : 0;
        const bool cut = (m.msg_flags & (MSG_TRUNC | (with_fds ? MSG_CTRUNC : 0))) != 0;
        packet *p = make_packet({place, static_cast<size_t>(got), &from, cut, fds, count,
                                 op->sys()});
        if (p != nullptr) op->give(p, free_packet);
        else got = ALOOP_ENOMEM;
    }
    release(place);
    return got;
}

int64_t recv_datagram(io_op *op) { return recv_packet(op, false); }
int64_t recv_fds(io_op *op) { return recv_packet(op, true); }

int64_t recv_datagram_into(io_op *op) {
    // First, so that no datagram is lost for want of memory.
    if (op->to == nullptr) op->to = create<address_object>(address());
    if (op->to == nullptr) return ALOOP_ENOMEM;
    msghdr m = {};
    const int64_t got = receive_message(op, op->place, op->size, &m, &op->to->value);
    if (got >= 0) op->give(std::exchange(op->to, nullptr), free_address);
    return got;
}

// Sending ----------------------------------------------------------------------------------

int64_t send_all(io_op *op) {
    while (op->done < op->size) {
        const int64_t sent = op->sys()->send(op->fd, static_cast<char *>(op->place) + op->done,
                                             op->size - op->done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) return sent;
        op->done += static_cast<size_t>(sent);
    }
    return static_cast<int64_t>(op->size);
}

int64_t send_datagram(io_op *op) {
    iovec part = {op->place, op->size};
    msghdr m = {};
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    if (op->to != nullptr) {
        m.msg_name = &op->to->value.any;
        m.msg_namelen = op->to->value.size;
    }
    return op->sys()->sendmsg(op->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Accepting --------------------------------------------------------------------------------

int64_t accept_one(io_op *op) {
    if (op->to == nullptr) op->to = create<address_object>(address());
    if (op->to == nullptr) return ALOOP_ENOMEM;
    address &from = op->to->value;
    socklen_t n = sizeof from.path;
    const int64_t fd = op->sys()->accept4(op->fd, &from.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return fd;
    from.filled(n);
    op->give(std::exchange(op->to, nullptr), free_address);
    return fd;
}

constexpr op_info info(const char *name) { return {name, step_io, free_operation<io_op>}; }

const io_kind k_recv = {info("sock_recv"), recv_bytes, k_readable};
const io_kind k_recv_into = {info("sock_recv_into"), recv_into, k_readable};
const io_kind k_recvfrom = {info("sock_recvfrom"), recv_datagram, k_readable};
const io_kind k_recvfrom_into = {info("sock_recvfrom_into"), recv_datagram_into, k_readable};
const io_kind k_recv_fds = {info("sock_recv_fds"), recv_fds, k_readable};
const io_kind k_sendall = {info("sock_sendall"), send_all, k_writable};
const io_kind k_sendto = {info("sock_sendto"), send_datagram, k_writable};
const io_kind k_accept = {info("sock_accept"), accept_one, k_readable};

}  // namespace

future *make_sock_recv(loop *l, int fd, size_t n) {
    return l->make_object<io_op>(&k_recv, fd, nullptr, n);
}

future *make_sock_recv_into(loop *l, int fd, void *buffer, size_t n) {
    return l->make_object<io_op>(&k_recv_into, fd, buffer, n);
}

future *make_sock_recvfrom(loop *l, int fd, size_t n) {
    return l->make_object<io_op>(&k_recvfrom, fd, nullptr, n);
}

future *make_sock_recvfrom_into(loop *l, int fd, void *buffer, size_t n) {
    return l->make_object<io_op>(&k_recvfrom_into, fd, buffer, n);
}

future *make_sock_recv_fds(loop *l, int fd, size_t n) {
    return l->make_object<io_op>(&k_recv_fds, fd, nullptr, n);
}

future *make_sock_sendall(loop *l, int fd, const void *data, size_t n) {
    return l->make_object<io_op>(&k_sendall, fd, const_cast<void *>(data), n);
}

future *make_sock_sendto(loop *l, int fd, const void *data, size_t n, address_object *to) {
    io_op *op = l->make_object<io_op>(&k_sendto, fd, const_cast<void *>(data), n);
    if (op != nullptr && to != nullptr) {
        ref(to);
        op->to = to;
    }
    return op;
}

future *make_sock_accept(loop *l, int fd) {
    return l->make_object<io_op>(&k_accept, fd, nullptr, size_t{0});
}

}  // namespace aloop
