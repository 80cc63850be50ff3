// given.cpp: sockets that the program made, for connections and servers: asyncio's
// sock= arguments.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include "connect.hpp"

namespace aloop {

namespace {

// A number that the kernel tells of a socket, or -errno.
int64_t ask(loop *l, int fd, int name) {
    int answer = 0;
    socklen_t size = sizeof answer;
    const int64_t code = l->sys()->getsockopt(fd, SOL_SOCKET, name, &answer, &size);
    return code < 0 ? code : answer;
}

}  // namespace

int64_t check_given(operation *op, int fd, bool of_unix) {
    loop *l = loop_of(op);
    const int64_t type = ask(l, fd, SO_TYPE);
    if (type < 0) return op->raise(type, make_error(type, nullptr));
    if (of_unix && (type != SOCK_STREAM || ask(l, fd, SO_DOMAIN) != AF_UNIX)) {
        return op->fail(ALOOP_EINVAL, "A UNIX Domain Stream Socket was expected");
    }
    if (type != SOCK_STREAM) return op->fail(ALOOP_EINVAL, "A Stream Socket was expected");
    int64_t code = l->sys()->fcntl(fd, F_GETFL, 0);
    if (code >= 0) code = l->sys()->fcntl(fd, F_SETFL, code | O_NONBLOCK);
    return code < 0 ? op->raise(code, make_error(code, nullptr)) : 0;
}

}  // namespace aloop
