// socket_file.hpp: the file that a Unix server's socket has in the file system:
// one left behind by a server that died is removed before binding, and ours is
// removed with the server, unless another has taken its place.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../resolver/address.hpp"

namespace aloop {

struct socket_file {
    uint64_t device;
    uint64_t inode;
    char path[sizeof(sockaddr_un::sun_path) + 1];
};

void remove_stale(const address &a);
// After binding. nullptr: an abstract name, or out of memory.
socket_file *remember_file(const address &a);
void remove_file(socket_file *f);  // frees f too; nullptr is legal
void forget_file(socket_file *f);  // frees f alone

}  // namespace aloop
