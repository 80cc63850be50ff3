// accept.cpp: taking connections from listening sockets.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>

#include <cerrno>

#include "../tls/tls.hpp"
#include "connect.hpp"
#include "server.hpp"

namespace aloop {

namespace {

constexpr int k_most_accepts = 64;            // of one listener in one iteration
constexpr int k_most_bad = 1024;
constexpr int64_t k_retry_after = 1000000000;  // asyncio's ACCEPT_RETRY_DELAY

bool out_of_resources(int64_t code) {
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

// It is one connection's failure, or a passing one: others may wait behind it,
// and the kernel does not tell of them again. accept(2) names these.
bool of_one_connection(int64_t code) {
    switch (-code) {
    case EINTR: case ECONNABORTED: case EPROTO: case EPERM: case ENETDOWN: case ENOPROTOOPT:
    case EHOSTDOWN: case ENONET: case EHOSTUNREACH: case EOPNOTSUPP: case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

void schedule_listener(listener *at, bool from_poll) {
    if (at->queued) return;
    at->queued = true;
    ref(static_cast<loop_object *>(at->home));
    loop *l = loop_of(at->home);
    if (from_poll) l->schedule_io(at);
    else l->schedule(at);
}

void try_again(alarm *a) {
    server *s = static_cast<server *>(a->owner);
    s->backing_off = false;
    accept_more(s);
}

// Whether it has as many connections as it may; then others wait in the
// kernel's queue.
bool is_full(server *s) {
    const int64_t most = s->options->max_connections;
    s->full = most > 0 && s->active >= most;
    return s->full;
}

// Gives the spare descriptor up to close what waits, so that its clients learn
// of it, and takes it back.
void shed_load(server *s, int fd) {
    const sys_table *sys = loop_of(s)->sys();
    if (s->spare < 0) return;
    sys->close(s->spare);
    for (int i = 0; i < k_most_accepts; i++) {
        const int64_t got = sys->accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (got < 0) break;
        sys->close(static_cast<int>(got));
    }
    s->spare = static_cast<int>(sys->open("/dev/null", O_RDONLY | O_CLOEXEC, 0));
}

void back_off(server *s, int fd, int64_t code) {
    loop *l = loop_of(s);
    if (!s->starved) {
        s->starved = true;
        error *e = make_error(code, nullptr);
        l->report("socket.accept() out of system resource", code, e);
        if (e != nullptr) unref(e);
    }
    if (code == -EMFILE || code == -ENFILE) shed_load(s, fd);
    s->backing_off = true;
    if (!s->retry.is_set()) s->retry.set(s, try_again, l->now() + k_retry_after, false);
}

// Makes the stream of an accepted descriptor; on failure that is closed.
int64_t make_client(server *s, int fd, const address &peer, stream **out) {
    loop *l = loop_of(s);
    if (peer.family() != AF_UNIX) prepare_tcp(l, fd, s->options->keep_alive != 0);
    stream *client = nullptr;
    const int64_t code = adopt_socket(l, fd, s->options->limit, &client);
    if (code < 0) {
        l->sys()->close(fd);
        return code;
    }
    client->peer.set(peer);
    add_client(s, client);
    if (s->starved) {
        s->starved = false;
        if (s->spare < 0) {
            s->spare = static_cast<int>(l->sys()->open("/dev/null", O_RDONLY | O_CLOEXEC, 0));
        }
    }
    *out = client;
    return 1;
}

// From this listener: as accept_one.
int64_t accept_from(listener *at, stream **out) {
    server *s = at->home;
    int bad = 0;  // in a row; so many are a ban on accepting, not connections
    while (at->readable && s->serving && !s->backing_off && !is_full(s)) {
        address peer;
        socklen_t size = sizeof peer.path;
        const int64_t fd = loop_of(s)->sys()->accept4(at->fd, &peer.any, &size,
                                                      SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            peer.filled(size);
            return make_client(s, static_cast<int>(fd), peer, out);
        }
        if (fd == -EAGAIN) {
            at->readable = false;
        } else if (out_of_resources(fd)) {
            back_off(s, at->fd, fd);
        } else if (!of_one_connection(fd) || ++bad == k_most_bad) {
            at->readable = false;
            return fd;
        }
    }
    return 0;
}

void accept_ready(listener *at) {
    server *s = at->home;
    for (int i = 0; i < k_most_accepts; i++) {
        if (!has_place(s)) return;
        stream *client = nullptr;
        int64_t code = accept_from(at, &client);
        if (code == 0) return;
        if (code > 0) code = start_client(s, client);
        if (code == 0) continue;
        error *e = make_error(code, nullptr);
        loop_of(s)->report("Error on transport creation for incoming connection", code, e);
        if (e != nullptr) unref(e);
        if (!at->readable) return;
    }
    schedule_listener(at, false);  // there may be more: after the others
}

}  // namespace

void listener_ready(io *self, uint8_t bits) {
    listener *at = static_cast<listener *>(self);
    if ((bits & k_readable) == 0) return;
    at->readable = true;
    if (!at->home->backing_off) schedule_listener(at, true);
}

void run_listener(node *item, action what) {
    listener *at = static_cast<listener *>(item);
    server *s = at->home;
    at->queued = false;
    if (what == action::run && s->serving && !s->backing_off) {
        if (s->how.any() || wants_tls(s->options)) accept_ready(at);
        else wake_acceptor(s);
    }
    unref(static_cast<loop_object *>(s));
}

void accept_more(server *s) {
    if (!s->serving || s->backing_off) return;
    for (int64_t i = 0; i < s->count; i++) {
        if (s->listeners[i].readable) schedule_listener(&s->listeners[i], false);
    }
}

int64_t accept_one(server *s, stream **out) {
    for (int64_t i = 0; i < s->count; i++) {
        const int64_t code = accept_from(&s->listeners[i], out);
        if (code != 0) return code;
    }
    return 0;
}

}  // namespace aloop
