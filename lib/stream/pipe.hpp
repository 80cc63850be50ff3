// pipe.hpp: a stream over the reading end of a pipe.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "stream.hpp"

namespace aloop {

// As adopt_socket; writing to it is ALOOP_EINVALIDSTATE.
int64_t adopt_read_pipe(loop *l, int fd, size_t limit, stream **out);

}  // namespace aloop
