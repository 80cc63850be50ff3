// sim_sys.cpp: the system-call table of a simulated world: calls on its
// descriptors go to it, all others to the kernel.
//
// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "sim_world.hpp"

namespace aloop {

namespace {

sim_socket *at(int fd) {
    sim_world *w = sim_world::current();
    return w != nullptr ? w->find(fd) : nullptr;
}

sim_world &world() { return *sim_world::current(); }

bool simulated(int fd) { return fd >= sim_world::k_first && sim_world::current() != nullptr; }

uint16_t port_of(const sockaddr *address) {
    if (address->sa_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        return ntohs(in.sin_port);
    }
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof in6);
    return ntohs(in6.sin6_port);
}

int64_t give_six(uint16_t port, sockaddr *address, socklen_t *size) {
    sockaddr_in6 in6 = {};
    in6.sin6_family = AF_INET6;
    in6.sin6_addr = in6addr_loopback;
    in6.sin6_port = htons(port);
    if (address != nullptr && *size >= sizeof in6) std::memcpy(address, &in6, sizeof in6);
    if (size != nullptr) *size = sizeof in6;
    return 0;
}

int64_t give_address(uint16_t port, sockaddr *address, socklen_t *size) {
    sockaddr_in in = {};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons(port);
    if (address != nullptr && *size >= sizeof in) std::memcpy(address, &in, sizeof in);
    if (size != nullptr) *size = sizeof in;
    return 0;
}

// Datagrams: one a call, whatever the vector.
bool has_datagrams(const sim_socket *s) {
    return s != nullptr && s->role == sim_socket::datagrams;
}

int64_t receive(sim_socket *s, msghdr *m) {
    sim_arrival got = {};
    const int64_t moved = world().receive(s, m->msg_iov, m->msg_iovlen, &got);
    if (moved < 0) return moved;
    m->msg_flags = got.cut ? MSG_TRUNC : 0;
    m->msg_controllen = 0;
    sockaddr *from = static_cast<sockaddr *>(m->msg_name);
    if (from != nullptr) {
        (s->of_six ? give_six : give_address)(got.from, from, &m->msg_namelen);
    }
    return moved;
}

int64_t send(sim_socket *s, const msghdr *m) {
    const sockaddr *to = static_cast<const sockaddr *>(m->msg_name);
    return world().send(s, to != nullptr ? port_of(to) : uint16_t{0}, m->msg_iov, m->msg_iovlen);
}

int64_t sim_recv(int fd, void *buffer, size_t n, int flags) {
    if (!simulated(fd)) return k_real_sys.recv(fd, buffer, n, flags);
    sim_socket *s = at(fd);
    if (has_datagrams(s)) {
        const iovec part = {buffer, n};
        sim_arrival got = {};
        return world().receive(s, &part, 1, &got);
    }
    return s != nullptr ? world().read(s, buffer, n, (flags & MSG_PEEK) != 0) : -EBADF;
}

int64_t sim_send(int fd, const void *data, size_t n, int flags) {
    if (!simulated(fd)) return k_real_sys.send(fd, data, n, flags);
    sim_socket *s = at(fd);
    if (has_datagrams(s)) {
        const iovec part = {const_cast<void *>(data), n};
        return world().send(s, 0, &part, 1);
    }
    return s != nullptr ? world().write(s, data, n) : -EBADF;
}

int64_t sim_read(int fd, void *buffer, size_t n) {
    return simulated(fd) ? sim_recv(fd, buffer, n, 0) : k_real_sys.read(fd, buffer, n);
}

int64_t sim_write(int fd, const void *data, size_t n) {
    return simulated(fd) ? sim_send(fd, data, n, 0) : k_real_sys.write(fd, data, n);
}

// Vectors: part by part, as far as it goes.
template <typename Move>
int64_t each_part(const iovec *parts, size_t n, Move move) {
    int64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].iov_len == 0) continue;
        const int64_t moved = move(parts[i].iov_base, parts[i].iov_len);
        if (moved < 0) return total > 0 ? total : moved;
        total += moved;
        if (static_cast<size_t>(moved) < parts[i].iov_len) break;
    }
    return total;
}

int64_t sim_readv(int fd, const iovec *parts, int n) {
    if (!simulated(fd)) return k_real_sys.readv(fd, parts, n);
    return each_part(parts, static_cast<size_t>(n),
                     [fd](void *base, size_t len) { return sim_recv(fd, base, len, 0); });
}

int64_t sim_writev(int fd, const iovec *parts, int n) {
    if (!simulated(fd)) return k_real_sys.writev(fd, parts, n);
    return each_part(parts, static_cast<size_t>(n),
                     [fd](void *base, size_t len) { return sim_send(fd, base, len, 0); });
}

int64_t sim_recvmsg(int fd, msghdr *message, int flags) {
    if (!simulated(fd)) return k_real_sys.recvmsg(fd, message, flags);
    if (has_datagrams(at(fd))) return receive(at(fd), message);
    return sim_readv(fd, message->msg_iov, static_cast<int>(message->msg_iovlen));
}

int64_t sim_sendmsg(int fd, const msghdr *message, int flags) {
    if (!simulated(fd)) return k_real_sys.sendmsg(fd, message, flags);
    if (has_datagrams(at(fd))) return send(at(fd), message);
    return sim_writev(fd, message->msg_iov, static_cast<int>(message->msg_iovlen));
}

// Several datagrams: as far as it goes.
int64_t sim_recvmmsg(int fd, mmsghdr *messages, unsigned n, int flags) {
    if (!simulated(fd)) return k_real_sys.recvmmsg(fd, messages, n, flags);
    if (!has_datagrams(at(fd))) return -ENOTSOCK;
    for (unsigned i = 0; i < n; i++) {
        const int64_t moved = receive(at(fd), &messages[i].msg_hdr);
        if (moved < 0) return i > 0 ? i : moved;
        messages[i].msg_len = static_cast<unsigned>(moved);
    }
    return n;
}

int64_t sim_sendmmsg(int fd, mmsghdr *messages, unsigned n, int flags) {
    if (!simulated(fd)) return k_real_sys.sendmmsg(fd, messages, n, flags);
    if (!has_datagrams(at(fd))) return -ENOTSOCK;
    for (unsigned i = 0; i < n; i++) {
        const int64_t moved = send(at(fd), &messages[i].msg_hdr);
        if (moved < 0) return i > 0 ? i : moved;
        messages[i].msg_len = static_cast<unsigned>(moved);
    }
    return n;
}

int64_t sim_new_socket(int family, int type, int protocol) {
    const int plain = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    const bool known = plain == SOCK_STREAM || plain == SOCK_DGRAM;
    const bool internet = family == AF_INET || family == AF_INET6;
    if (sim_world::current() == nullptr || !known || !internet) {
        return k_real_sys.socket(family, type, protocol);
    }
    const bool of_datagrams = plain == SOCK_DGRAM;
    return world().socket(of_datagrams, of_datagrams && family == AF_INET6);
}

int64_t sim_socketpair(int, int, int, int *out) { return world().pair(out); }

int64_t sim_pipe2(int *out, int) { return world().pair(out); }

int64_t sim_bind(int fd, const sockaddr *address, socklen_t size) {
    if (!simulated(fd)) return k_real_sys.bind(fd, address, size);
    return at(fd) != nullptr ? world().bind(at(fd), port_of(address)) : -EBADF;
}

int64_t sim_listen(int fd, int backlog) {
    if (!simulated(fd)) return k_real_sys.listen(fd, backlog);
    return at(fd) != nullptr ? world().listen(at(fd), backlog) : -EBADF;
}

int64_t sim_connect(int fd, const sockaddr *address, socklen_t size) {
    if (!simulated(fd)) return k_real_sys.connect(fd, address, size);
    return at(fd) != nullptr ? world().connect(at(fd), port_of(address)) : -EBADF;
}

int64_t sim_accept4(int fd, sockaddr *address, socklen_t *size, int flags) {
    if (!simulated(fd)) return k_real_sys.accept4(fd, address, size, flags);
    if (at(fd) == nullptr) return -EBADF;
    const int64_t accepted = world().accept(at(fd));
    if (accepted >= 0 && address != nullptr) give_address(1, address, size);
    return accepted;
}

int64_t sim_getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
    if (!simulated(fd)) return k_real_sys.getsockopt(fd, level, name, value, size);
    if (at(fd) == nullptr) return -EBADF;
    const sim_socket *s = at(fd);
    int answer = 0;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        answer = static_cast<int>(world().connect_result(at(fd)));
    } else if (level == SOL_SOCKET && name == SO_TYPE) {
        answer = has_datagrams(s) ? SOCK_DGRAM : SOCK_STREAM;
    } else if (level == SOL_SOCKET && name == SO_DOMAIN) {
        answer = s->of_six ? AF_INET6 : AF_INET;
    }
    if (*size < sizeof answer) return -EINVAL;
    std::memcpy(value, &answer, sizeof answer);
    *size = sizeof answer;
    return 0;
}

int64_t sim_setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
    return simulated(fd) ? 0 : k_real_sys.setsockopt(fd, level, name, value, size);
}

int64_t sim_getsockname(int fd, sockaddr *address, socklen_t *size) {
    if (!simulated(fd)) return k_real_sys.getsockname(fd, address, size);
    const sim_socket *s = at(fd);
    if (s == nullptr) return -EBADF;
    return (s->of_six ? give_six : give_address)(s->port, address, size);
}

int64_t sim_getpeername(int fd, sockaddr *address, socklen_t *size) {
    if (!simulated(fd)) return k_real_sys.getpeername(fd, address, size);
    if (at(fd) == nullptr) return -EBADF;
    if (has_datagrams(at(fd))) {
        const sim_socket *s = at(fd);
        if (s->peer_port == 0) return -ENOTCONN;
        return (s->of_six ? give_six : give_address)(s->peer_port, address, size);
    }
    const sim_socket *peer = world().find(at(fd)->peer);
    return peer != nullptr ? give_address(peer->port, address, size) : -ENOTCONN;
}

int64_t sim_shutdown(int fd, int how) {
    if (!simulated(fd)) return k_real_sys.shutdown(fd, how);
    if (at(fd) == nullptr) return -EBADF;
    return how == SHUT_RD ? 0 : world().shutdown(at(fd));
}

int64_t sim_close(int fd) {
    if (!simulated(fd)) return k_real_sys.close(fd);
    return at(fd) != nullptr ? world().close(at(fd)) : -EBADF;
}

int64_t sim_fcntl(int fd, int command, int64_t argument) {
    return simulated(fd) ? 0 : k_real_sys.fcntl(fd, command, argument);
}

sys_table make_table() {
    sys_table t = k_real_sys;
    t.read = sim_read;
    t.write = sim_write;
    t.readv = sim_readv;
    t.writev = sim_writev;
    t.recv = sim_recv;
    t.send = sim_send;
    t.recvmsg = sim_recvmsg;
    t.sendmsg = sim_sendmsg;
    t.recvmmsg = sim_recvmmsg;
    t.sendmmsg = sim_sendmmsg;
    t.socket = sim_new_socket;
    t.socketpair = sim_socketpair;
    t.pipe2 = sim_pipe2;
    t.bind = sim_bind;
    t.listen = sim_listen;
    t.connect = sim_connect;
    t.accept4 = sim_accept4;
    t.getsockopt = sim_getsockopt;
    t.setsockopt = sim_setsockopt;
    t.getsockname = sim_getsockname;
    t.getpeername = sim_getpeername;
    t.shutdown = sim_shutdown;
    t.close = sim_close;
    t.fcntl = sim_fcntl;
    return t;
}

}  // namespace

const sys_table *sim_world::sys() {
    static const sys_table table = make_table();
    return &table;
}

}  // namespace aloop
