// SPDX-License-Identifier: MIT
#include "peer.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace aloop {

namespace {

// What a call on the socket says: to be tried again?
bool passes(ssize_t result) { return result < 0 && (errno == EINTR || errno == EAGAIN); }

}  // namespace

int open_pidfd(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

bool await_peer(const peer &p, short events) {
    pollfd both[2] = {{p.fd, events, 0}, {p.pidfd, POLLIN, 0}};
    while (poll(both, 2, -1) < 0) {
        if (errno != EINTR) return false;
    }
    return both[0].revents != 0 && (events == POLLIN || both[1].revents == 0);
}

bool has_ended(const peer &p) {
    pollfd end = {p.pidfd, POLLIN, 0};
    return poll(&end, 1, 0) > 0;
}

bool send_all(const peer &p, const void *data, size_t n) {
    const char *at = static_cast<const char *>(data);
    while (n > 0) {
        if (!await_peer(p, POLLOUT)) return false;
        const ssize_t sent = send(p.fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (passes(sent)) continue;
        if (sent <= 0) return false;
        at += sent;
        n -= static_cast<size_t>(sent);
    }
    return true;
}

bool receive_all(const peer &p, void *data, size_t n) {
    char *at = static_cast<char *>(data);
    while (n > 0) {
        if (!await_peer(p, POLLIN)) return false;
        const ssize_t got = recv(p.fd, at, n, MSG_DONTWAIT);
        if (passes(got)) continue;
        if (got <= 0) return false;
        at += got;
        n -= static_cast<size_t>(got);
    }
    return true;
}

}  // namespace aloop
