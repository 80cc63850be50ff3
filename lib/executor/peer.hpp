// peer.hpp: another process at the end of a socket, and the pidfd that tells of
// its end: the socket alone does not, where children of the other, which may live
// longer, hold copies of it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace aloop {

struct peer {
    int fd = -1;
    int pidfd = -1;  // -1: there is none, and the socket must do
};

int open_pidfd(int pid);
// Blocks until the socket is ready (POLLIN or POLLOUT). False: the peer has ended,
// and nothing that it wrote is left to be read.
bool await_peer(const peer &p, short events);
bool has_ended(const peer &p);
// False: the peer has ended, or its socket.
bool send_all(const peer &p, const void *data, size_t n);
bool receive_all(const peer &p, void *data, size_t n);

}  // namespace aloop
