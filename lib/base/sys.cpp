// SPDX-License-Identifier: MIT
#include "sys.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "quiet.hpp"

namespace aloop {

namespace {

int64_t answer(int64_t result) { return result < 0 ? -errno : result; }

int64_t real_read(int fd, void *b, size_t n) { return answer(::read(fd, b, n)); }
int64_t real_write(int fd, const void *d, size_t n) { return answer(::write(fd, d, n)); }
int64_t real_readv(int fd, const iovec *p, int n) { return answer(::readv(fd, p, n)); }
int64_t real_writev(int fd, const iovec *p, int n) { return answer(::writev(fd, p, n)); }
int64_t real_recv(int fd, void *b, size_t n, int f) { return answer(::recv(fd, b, n, f)); }
int64_t real_send(int fd, const void *d, size_t n, int f) { return answer(::send(fd, d, n, f)); }
int64_t real_recvmsg(int fd, msghdr *m, int f) { return answer(::recvmsg(fd, m, f)); }
int64_t real_sendmsg(int fd, const msghdr *m, int f) { return answer(::sendmsg(fd, m, f)); }
int64_t real_recvmmsg(int fd, mmsghdr *m, unsigned n, int f) {
    return answer(::recvmmsg(fd, m, n, f, nullptr));
}
int64_t real_sendmmsg(int fd, mmsghdr *m, unsigned n, int f) {
    return answer(::sendmmsg(fd, m, n, f));
}
int64_t real_socket(int family, int type, int protocol) {
    return answer(::socket(family, type, protocol));
}
int64_t real_socketpair(int family, int type, int protocol, int *pair) {
    return answer(::socketpair(family, type, protocol, pair));
}
int64_t real_bind(int fd, const sockaddr *a, socklen_t n) { return answer(::bind(fd, a, n)); }
int64_t real_listen(int fd, int backlog) { return answer(::listen(fd, backlog)); }
int64_t real_connect(int fd, const sockaddr *a, socklen_t n) { return answer(::connect(fd, a, n)); }
int64_t real_accept4(int fd, sockaddr *a, socklen_t *n, int f) {
    return answer(::accept4(fd, a, n, f));
}
int64_t real_getsockopt(int fd, int level, int name, void *v, socklen_t *n) {
    return answer(::getsockopt(fd, level, name, v, n));
}
int64_t real_setsockopt(int fd, int level, int name, const void *v, socklen_t n) {
    return answer(::setsockopt(fd, level, name, v, n));
}
int64_t real_getsockname(int fd, sockaddr *a, socklen_t *n) {
    return answer(::getsockname(fd, a, n));
}
int64_t real_getpeername(int fd, sockaddr *a, socklen_t *n) {
    return answer(::getpeername(fd, a, n));
}
int64_t real_shutdown(int fd, int how) { return answer(::shutdown(fd, how)); }
int64_t real_sendfile(int out, int in, off_t *offset, size_t n) {
    return without_sigpipe([&] { return answer(::sendfile(out, in, offset, n)); });
}
int64_t real_pipe2(int *pair, int flags) { return answer(::pipe2(pair, flags)); }
int64_t real_eventfd(unsigned value, int flags) { return answer(::eventfd(value, flags)); }
int64_t real_timerfd_create(int clock, int flags) { return answer(::timerfd_create(clock, flags)); }
int64_t real_timerfd_settime(int fd, int flags, const itimerspec *value) {
    return answer(::timerfd_settime(fd, flags, value, nullptr));
}
int64_t real_pidfd_open(int pid, unsigned flags) {
    return answer(::syscall(SYS_pidfd_open, pid, flags));
}
int64_t real_open(const char *path, int flags, int mode) {
    return answer(::open(path, flags, mode));
}
int64_t real_close(int fd) { return answer(::close(fd)); }
int64_t real_fcntl(int fd, int command, int64_t argument) {
    return answer(::fcntl(fd, command, argument));
}
int64_t real_getaddrinfo(const char *host, const char *service, const addrinfo *hints,
                         addrinfo **found) {
    return ::getaddrinfo(host, service, hints, found);
}
int64_t real_getnameinfo(const sockaddr *a, socklen_t n, char *host, socklen_t host_size,
                         char *service, socklen_t service_size, int flags) {
    return ::getnameinfo(a, n, host, host_size, service, service_size, flags);
}
int64_t real_pread(int fd, void *b, size_t n, int64_t at) { return answer(::pread(fd, b, n, at)); }
int64_t real_pwrite(int fd, const void *d, size_t n, int64_t at) {
    return answer(::pwrite(fd, d, n, at));
}
int64_t real_lseek(int fd, int64_t offset, int whence) {
    return answer(::lseek(fd, offset, whence));
}
int64_t real_fstat(int fd, struct stat *out) { return answer(::fstat(fd, out)); }
int64_t real_stat_path(const char *path, struct stat *out, int flags) {
    return answer(::fstatat(AT_FDCWD, path, out, flags));
}
int64_t real_fsync(int fd) { return answer(::fsync(fd)); }
int64_t real_fdatasync(int fd) { return answer(::fdatasync(fd)); }
int64_t real_ftruncate(int fd, int64_t size) { return answer(::ftruncate(fd, size)); }
int64_t real_rename(const char *from, const char *to) { return answer(::rename(from, to)); }
int64_t real_unlink(const char *path) { return answer(::unlink(path)); }
int64_t real_inotify_init1(int flags) { return answer(::inotify_init1(flags)); }
int64_t real_inotify_add_watch(int fd, const char *path, uint32_t mask) {
    return answer(::inotify_add_watch(fd, path, mask));
}

std::atomic<const sys_table *> g_default{nullptr};

}  // namespace

constinit const sys_table k_real_sys = {
    .read = real_read,
    .write = real_write,
    .readv = real_readv,
    .writev = real_writev,
    .recv = real_recv,
    .send = real_send,
    .recvmsg = real_recvmsg,
    .sendmsg = real_sendmsg,
    .recvmmsg = real_recvmmsg,
    .sendmmsg = real_sendmmsg,
    .socket = real_socket,
    .socketpair = real_socketpair,
    .bind = real_bind,
    .listen = real_listen,
    .connect = real_connect,
    .accept4 = real_accept4,
    .getsockopt = real_getsockopt,
    .setsockopt = real_setsockopt,
    .getsockname = real_getsockname,
    .getpeername = real_getpeername,
    .shutdown = real_shutdown,
    .sendfile = real_sendfile,
    .pipe2 = real_pipe2,
    .eventfd = real_eventfd,
    .timerfd_create = real_timerfd_create,
    .timerfd_settime = real_timerfd_settime,
    .pidfd_open = real_pidfd_open,
    .open = real_open,
    .close = real_close,
    .fcntl = real_fcntl,
    .getaddrinfo = real_getaddrinfo,
    .freeaddrinfo = ::freeaddrinfo,
    .getnameinfo = real_getnameinfo,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .lseek = real_lseek,
    .fstat = real_fstat,
    .stat_path = real_stat_path,
    .fsync = real_fsync,
    .fdatasync = real_fdatasync,
    .ftruncate = real_ftruncate,
    .rename = real_rename,
    .unlink = real_unlink,
    .inotify_init1 = real_inotify_init1,
    .inotify_add_watch = real_inotify_add_watch,
};

void set_default_sys(const sys_table *table) { g_default.store(table, std::memory_order_release); }

const sys_table *default_sys() {
    const sys_table *table = g_default.load(std::memory_order_acquire);
    return table != nullptr ? table : &k_real_sys;
}

}  // namespace aloop
