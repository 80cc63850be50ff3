// sock.hpp: operations on the program's own sockets.
//
// Each tries its system call in its own step; where that would block it puts a
// reader or writer on the descriptor, which only wakes it, and tries again. So the
// call is made in the awaiting task's iteration, and a cancellation that comes
// before it has lost nothing. The watcher is looked up by its owner when it is
// taken away: a descriptor number may belong to somebody else by then.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/sock.h>

#include "../loop/watchers.hpp"
#include "../resolver/address_object.hpp"
#include "../task/operation.hpp"

namespace aloop {

struct sock_op : operation {
    int fd;
    bool watching = false;
    bool replaced = false;
    uint8_t bit = 0;

    sock_op(domain *d, const op_info *info, int socket) : operation(d, info), fd(socket) {}

    // Waits until fd is ready for it.
    int64_t wait_for(uint8_t direction);
    // Takes the watcher away, if it is still there.
    void stop();
    // To be asked first in a step: the status to go on with, or to end with.
    int64_t woken(int64_t status);
    // In debug mode: whether fd is nonblocking; raises.
    int64_t check_nonblocking();
    // A failed system call as this operation's outcome.
    int64_t failed(int64_t code) { return raise(code, make_error(code, nullptr)); }
};

future *make_sock_recv(loop *l, int fd, size_t n);
future *make_sock_recv_into(loop *l, int fd, void *buffer, size_t n);
future *make_sock_recvfrom(loop *l, int fd, size_t n);
future *make_sock_recvfrom_into(loop *l, int fd, void *buffer, size_t n);
future *make_sock_sendall(loop *l, int fd, const void *data, size_t n);
future *make_sock_sendto(loop *l, int fd, const void *data, size_t n, address_object *to);
future *make_sock_accept(loop *l, int fd);
future *make_sock_connect(loop *l, int fd, const char *host, int port);
future *make_sock_sendfile(loop *l, int fd, int file, int64_t offset, int64_t count, bool copies);

constexpr size_t k_most_fds = 253;  // the kernel's SCM_MAX_FD
future *make_sock_send_fds(loop *l, int fd, const aloop_buf &data, const int32_t *fds,
                           size_t count);
future *make_sock_recv_fds(loop *l, int fd, size_t n);

}  // namespace aloop
