// SPDX-License-Identifier: MIT
#include "pipe.hpp"

#include <cerrno>

#include "../loop/watchers.hpp"

namespace aloop {

namespace {

int64_t pipe_read(stream *s, void *to, size_t n) { return loop_of(s)->sys()->read(s->fd, to, n); }

// Not reached: the writing side counts as ended.
int64_t pipe_write(stream *, const iovec *, int) { return -EBADF; }

bool pipe_trusts(stream *) { return false; }

const stream_layer k_read_pipe = {pipe_read, pipe_write, nullptr, close_descriptor, pipe_trusts};

}  // namespace

int64_t adopt_read_pipe(loop *l, int fd, size_t limit, stream **out) {
    const int64_t code = adopt(l, fd, limit, &k_read_pipe, k_readable, out);
    if (code == 0) (*out)->on(k_end_wanted);
    return code;
}

}  // namespace aloop
