// sys.hpp: the table of system calls.
//
// Every call into the kernel that a loop makes for its descriptors goes through
// its table: the real one, the simulator's, or a test's that lets the n-th call
// of a kind fail. Each entry returns what the call returns, or -errno.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

struct itimerspec;

namespace aloop {

struct sys_table {
    int64_t (*read)(int fd, void *buffer, size_t n);
    int64_t (*write)(int fd, const void *data, size_t n);
    int64_t (*readv)(int fd, const iovec *parts, int n);
    int64_t (*writev)(int fd, const iovec *parts, int n);
    int64_t (*recv)(int fd, void *buffer, size_t n, int flags);
    int64_t (*send)(int fd, const void *data, size_t n, int flags);
    int64_t (*recvmsg)(int fd, msghdr *message, int flags);
    int64_t (*sendmsg)(int fd, const msghdr *message, int flags);
    int64_t (*recvmmsg)(int fd, mmsghdr *messages, unsigned n, int flags);
    int64_t (*sendmmsg)(int fd, mmsghdr *messages, unsigned n, int flags);
    int64_t (*socket)(int family, int type, int protocol);
    int64_t (*socketpair)(int family, int type, int protocol, int *pair);
    int64_t (*bind)(int fd, const sockaddr *address, socklen_t size);
    int64_t (*listen)(int fd, int backlog);
    int64_t (*connect)(int fd, const sockaddr *address, socklen_t size);
    int64_t (*accept4)(int fd, sockaddr *address, socklen_t *size, int flags);
    int64_t (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
    int64_t (*setsockopt)(int fd, int level, int name, const void *value, socklen_t size);
    int64_t (*getsockname)(int fd, sockaddr *address, socklen_t *size);
    int64_t (*getpeername)(int fd, sockaddr *address, socklen_t *size);
    int64_t (*shutdown)(int fd, int how);
    int64_t (*sendfile)(int out, int in, off_t *offset, size_t n);
    int64_t (*pipe2)(int *pair, int flags);
    int64_t (*eventfd)(unsigned value, int flags);
    int64_t (*timerfd_create)(int clock, int flags);
    int64_t (*timerfd_settime)(int fd, int flags, const itimerspec *value);
    int64_t (*pidfd_open)(int pid, unsigned flags);
    int64_t (*open)(const char *path, int flags, int mode);
    int64_t (*close)(int fd);
    int64_t (*fcntl)(int fd, int command, int64_t argument);
};

extern const sys_table k_real_sys;

// The table of loops made from now on; tests put theirs here. nullptr: the real.
void set_default_sys(const sys_table *table);
const sys_table *default_sys();

}  // namespace aloop
