// SPDX-License-Identifier: MIT
#include <asyncloop/sock.h>

#include "../datagram/packet.hpp"
#include "../future/entry.hpp"
#include "sock.hpp"

using namespace aloop;

namespace {

template <typename Make>
aloop_future *start(bool good, Make make) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    return good ? made(l, make(l)) : refused(ALOOP_EINVAL);
}

bool good_address(const aloop_address *a) {
    return a == nullptr || is(from_c(a), kind::address);
}

aloop_future *send_file(int32_t fd, int32_t file, int64_t offset, int64_t count, bool copies) {
    const bool good = file >= 0 && offset >= 0 && count != 0;
    return start(good, [=](loop *l) {
        return make_sock_sendfile(l, fd, file, offset, count, copies);
    });
}

const packet *good_packet(const aloop_packet *handle) {
    const packet *p = reinterpret_cast<const packet *>(handle);
    return is(p, kind::packet) ? p : nullptr;
}

}  // namespace

aloop_future *aloop_sock_recv(int32_t fd, size_t n) {
    return start(!bad_size(n), [=](loop *l) { return make_sock_recv(l, fd, n); });
}

aloop_future *aloop_sock_recv_into(int32_t fd, void *buffer, size_t n) {
    return start(!bad_memory(buffer, n),
                 [=](loop *l) { return make_sock_recv_into(l, fd, buffer, n); });
}

aloop_future *aloop_sock_recvfrom(int32_t fd, size_t n) {
    return start(!bad_size(n), [=](loop *l) { return make_sock_recvfrom(l, fd, n); });
}

aloop_future *aloop_sock_recvfrom_into(int32_t fd, void *buffer, size_t n) {
    return start(!bad_memory(buffer, n),
                 [=](loop *l) { return make_sock_recvfrom_into(l, fd, buffer, n); });
}

aloop_future *aloop_sock_sendall(int32_t fd, const void *data, size_t n) {
    return start(!bad_memory(data, n),
                 [=](loop *l) { return make_sock_sendall(l, fd, data, n); });
}

aloop_future *aloop_sock_sendto(int32_t fd, const void *data, size_t n, aloop_address *address) {
    return start(!bad_memory(data, n) && good_address(address), [=](loop *l) {
        return make_sock_sendto(l, fd, data, n, from_c(address));
    });
}

aloop_future *aloop_sock_sendfile(int32_t fd, int32_t file, int64_t offset, int64_t count) {
    return send_file(fd, file, offset, count, true);
}

aloop_future *aloop_sock_sendfile_native(int32_t fd, int32_t file, int64_t offset,
                                         int64_t count) {
    return send_file(fd, file, offset, count, false);
}

aloop_future *aloop_sock_connect(int32_t fd, const char *host, int32_t port) {
    return start(port >= 0 && port <= 65535,
                 [=](loop *l) { return make_sock_connect(l, fd, host, port); });
}

aloop_future *aloop_sock_accept(int32_t fd) {
    return start(true, [=](loop *l) { return make_sock_accept(l, fd); });
}

aloop_future *aloop_sock_send_fds(int32_t fd, const void *data, size_t n, const int32_t *fds,
                                  size_t count) {
    const bool good = n > 0 && !bad_memory(data, n) && fds != nullptr && count >= 1 &&
                      count <= k_most_fds;
    return start(good, [=](loop *l) { return make_sock_send_fds(l, fd, {data, n}, fds, count); });
}

aloop_future *aloop_sock_recv_fds(int32_t fd, size_t n) {
    return start(!bad_size(n), [=](loop *l) { return make_sock_recv_fds(l, fd, n); });
}

int64_t aloop_packet_fd_count(const aloop_packet *handle) {
    const packet *p = good_packet(handle);
    return p != nullptr ? p->fd_count : int64_t{ALOOP_EINVAL};
}

int64_t aloop_packet_take_fd(aloop_packet *handle, int64_t index) {
    const packet *p = good_packet(handle);
    if (p == nullptr || index < 0 || index >= p->fd_count) return ALOOP_EINVAL;
    const int32_t fd = std::exchange(p->fds[index], -1);
    return fd >= 0 ? fd : int64_t{ALOOP_EBADF};
}
