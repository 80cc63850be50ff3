// connect.hpp: making connections; see connect.cpp.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "options.hpp"
#include "stream.hpp"

namespace aloop {

struct protocol;

// What a connection gets when it is there; none: it is a stream that is read.
struct wanted_protocol {
    protocol *of = nullptr;  // borrowed
    void *data = nullptr;
};

// An operation whose value is a stream. Takes the options over, also when it
// fails; nullptr: out of memory.
future *make_connect(loop *l, const char *host, int32_t port, stream_options *options,
                     wanted_protocol wanted = {});

// The same to a path; of size 0: over the options' descriptor, a Unix socket's.
future *make_unix_connect(loop *l, const address &to, stream_options *options,
                          wanted_protocol wanted = {});

// Whether the program's own socket is a stream's (of a Unix socket), which is made
// nonblocking then: 0, or why not, raised on op.
int64_t check_given(operation *op, int fd, bool of_unix);

// As every TCP connection of asyncio: no delay for small writes.
void prepare_tcp(loop *l, int fd, bool keep_alive);

}  // namespace aloop
