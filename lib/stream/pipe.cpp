// SPDX-License-Identifier: MIT
#include "pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "../base/quiet.hpp"

namespace aloop {

namespace {

int64_t pipe_read(stream *s, void *to, size_t n) { return loop_of(s)->sys()->read(s->fd, to, n); }

// Not reached: the other side of the stream counts as ended.
int64_t no_write(stream *, const iovec *, int) { return -EBADF; }
int64_t no_read(stream *, void *, size_t) { return 0; }

bool pipe_trusts(stream *) { return false; }

const stream_layer k_read_pipe = {pipe_read, no_write, nullptr, close_descriptor, pipe_trusts};

int64_t quiet_write(stream *s, const iovec *parts, int n) {
    return without_sigpipe([&] { return loop_of(s)->sys()->writev(s->fd, parts, n); });
}

// asyncio's _read_ready of a pipe that is written to: the reader is gone. That
// is in order unless something was still to be sent.
int64_t reader_gone(stream *s) {
    const int64_t code = s->queue_tail != nullptr ? -EPIPE : 0;
    lose(s, code, code < 0 ? make_error(code, nullptr) : nullptr);
    return 0;
}

int64_t socket_write(stream *s, const iovec *parts, int n) {
    msghdr message = {};
    message.msg_iov = const_cast<iovec *>(parts);
    message.msg_iovlen = static_cast<size_t>(n);
    return loop_of(s)->sys()->sendmsg(s->fd, &message, MSG_NOSIGNAL);
}

// A socket may have something to read, which nobody wants, before its end.
int64_t socket_reader_gone(stream *s) {
    uint8_t *scratch = read_buffer(loop_of(s));
    if (scratch == nullptr) return ALOOP_ENOMEM;
    int64_t got;
    do {
        got = loop_of(s)->sys()->recv(s->fd, scratch, k_read_size, MSG_DONTWAIT);
    } while (got > 0 || got == -EINTR);
    return got == -EAGAIN ? 0 : reader_gone(s);
}

const stream_layer k_write_pipe = {no_read,          quiet_write, nullptr,
                                   close_descriptor, pipe_trusts, reader_gone};
const stream_layer k_write_socket = {no_read,          socket_write, nullptr,
                                     close_descriptor, pipe_trusts,  socket_reader_gone};

// What kind of file a descriptor is; 0: none that a stream can be made of.
mode_t kind_of(int fd, struct stat *info) {
    if (fd < 0 || fstat(fd, info) < 0) return 0;
    const mode_t what = info->st_mode & S_IFMT;
    return what == S_IFIFO || what == S_IFSOCK || what == S_IFCHR ? what : 0;
}

// Always ready, and nothing that epoll would watch: /dev/null, zero and full.
bool is_memory_device(const struct stat &info) {
    const unsigned number = minor(info.st_rdev);
    return S_ISCHR(info.st_mode) && major(info.st_rdev) == 1 &&
           (number == 3 || number == 5 || number == 7);
}

int64_t unblock(loop *l, int fd) {
    const int64_t flags = l->sys()->fcntl(fd, F_GETFL, 0);
    return flags < 0 ? flags : l->sys()->fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

int64_t adopt_read_pipe(loop *l, int fd, size_t limit, stream **out) {
    const int64_t code = adopt(l, fd, limit, &k_read_pipe, k_readable, out);
    if (code == 0) (*out)->on(k_end_wanted);
    return code;
}

// A pipe's writing end is never readable, but when its reader is gone.
int64_t adopt_write_pipe(loop *l, int fd, size_t limit, stream **out) {
    const int64_t code = adopt(l, fd, limit, &k_write_pipe, k_readable | k_writable, out);
    if (code == 0) (*out)->on(k_one_way_out | k_at_end);
    return code;
}

int64_t connect_read_pipe(loop *l, int fd, size_t limit, stream **out) {
    struct stat info = {};
    if (kind_of(fd, &info) == 0) return ALOOP_EINVAL;
    if (is_memory_device(info)) return -EPERM;
    const int64_t code = unblock(l, fd);
    return code < 0 ? code : adopt_read_pipe(l, fd, limit, out);
}

int64_t connect_write_pipe(loop *l, int fd, size_t limit, stream **out) {
    struct stat info = {};
    const mode_t what = kind_of(fd, &info);
    if (what == 0) return ALOOP_EINVAL;
    int64_t code = unblock(l, fd);
    if (code < 0) return code;
    const bool socket = what == S_IFSOCK;
    // One that is open both ways has always a reader, itself.
    const int64_t mode = l->sys()->fcntl(fd, F_GETFL, 0) & O_ACCMODE;
    if (what == S_IFIFO && mode == O_WRONLY) return adopt_write_pipe(l, fd, limit, out);
    uint8_t bits = socket ? k_readable | k_writable : k_writable;
    if (is_memory_device(info)) bits = 0;
    code = adopt(l, fd, limit, socket ? &k_write_socket : &k_write_pipe, bits, out);
    if (code == 0) (*out)->on(k_one_way_out | k_at_end);
    return code;
}

}  // namespace aloop
