// pipe.hpp: streams over the ends of pipes, and pairs of streams in memory.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "stream.hpp"

namespace aloop {

// As adopt_socket, for the reading end of a pipe; writing to it is
// ALOOP_EINVALIDSTATE.
int64_t adopt_read_pipe(loop *l, int fd, size_t limit, stream **out);
// The same for the writing end, nonblocking already; its write_eof closes it.
int64_t adopt_write_pipe(loop *l, int fd, size_t limit, stream **out);
// For the program's own descriptors: pipes, sockets and character devices, which
// become nonblocking; ALOOP_EINVAL for others.
int64_t connect_read_pipe(loop *l, int fd, size_t limit, stream **out);
int64_t connect_write_pipe(loop *l, int fd, size_t limit, stream **out);

int64_t make_pair(loop *l, size_t limit, stream **a, stream **b);

}  // namespace aloop
