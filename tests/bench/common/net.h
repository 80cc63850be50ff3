// What the servers share that bring their own sockets: a listening socket on a port of the kernel's
// choice, and the port on standard output, where the runner reads it.
//
// SPDX-License-Identifier: MIT
#ifndef NET_H
#define NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include "bench.h"

static inline void announce_port(int port) {
    printf("%d\n", port);
    fflush(stdout);
}

static inline int listen_loopback(void) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    int fd = must_ok(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    must_ok(bind(fd, (struct sockaddr *)&address, length));
    must_ok(listen(fd, 4096));
    must_ok(getsockname(fd, (struct sockaddr *)&address, &length));
    announce_port(ntohs(address.sin_port));
    return fd;
}

// The next connection, or -1 when none waits.
static inline int accept_next(int listener) {
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// An answer is not to wait for more to send.
static inline void no_delay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

// What a server is asked to do: `server echo`, `server accept` (close each connection at once) or
// `server tls CERT KEY`.
typedef struct {
    int accept_only, tls;
} server_mode;

static inline server_mode server_args(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    server_mode mode = {!strcmp(name, "accept"), !strcmp(name, "tls")};
    if ((!mode.accept_only && !mode.tls && strcmp(name, "echo")) || (mode.tls && argc != 4)) {
        fprintf(stderr, "usage: %s echo | accept | tls CERT KEY\n", argv[0]);
        exit(2);
    }
    return mode;
}

#endif
