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

struct addrinfo;
struct itimerspec;
struct stat;

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
    // Names: the codes are getaddrinfo's (EAI_SYSTEM: see errno).
    int64_t (*getaddrinfo)(const char *host, const char *service, const addrinfo *hints,
                           addrinfo **found);
    void (*freeaddrinfo)(addrinfo *found);
    int64_t (*getnameinfo)(const sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                           char *service, socklen_t service_size, int flags);
    // Files.
    int64_t (*pread)(int fd, void *buffer, size_t n, int64_t offset);
    int64_t (*pwrite)(int fd, const void *data, size_t n, int64_t offset);
    int64_t (*lseek)(int fd, int64_t offset, int whence);
    int64_t (*fstat)(int fd, struct stat *out);
    int64_t (*stat_path)(const char *path, struct stat *out, int flags);  // AT_ flags
    int64_t (*fsync)(int fd);
    int64_t (*fdatasync)(int fd);
    int64_t (*ftruncate)(int fd, int64_t size);
    int64_t (*rename)(const char *from, const char *to);
    int64_t (*unlink)(const char *path);
    int64_t (*inotify_init1)(int flags);
    int64_t (*inotify_add_watch)(int fd, const char *path, uint32_t mask);
};

extern const sys_table k_real_sys;

// The table of loops made from now on; tests put theirs here. nullptr: the real.
void set_default_sys(const sys_table *table);
const sys_table *default_sys();

}  // namespace aloop
