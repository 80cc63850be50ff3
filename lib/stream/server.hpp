// server.hpp: listening sockets, and the connections that came from them.
//
// A server keeps itself alive while it listens; each of its connections keeps a
// reference to it. With a handler, connections are accepted as they come, each
// with a task of its own; without one they stay in the kernel's queue until
// somebody accepts them (aloop_server_accept). With TLS each connection shakes
// hands in its task first, so that a slow one keeps nobody waiting. Without a
// handler they do so before anybody accepts, until a backlog of them is done; those
// that shake hands do not count, or as many that never begin would shut the door.
//
// When descriptors run out, waiting connections would keep the loop spinning: a
// spare descriptor is given up to accept and close them, and for a second
// nothing is accepted; one report for each such episode.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/server.h>

#include "../loop/alarm.hpp"
#include "options.hpp"
#include "socket_file.hpp"
#include "stream.hpp"

namespace aloop {

struct listener final : io, node {
    server *home = nullptr;
    bool queued = false;
    bool readable = false;
};

struct protocol;

// What a server does with its connections: a task for each, or a protocol, or
// neither: they wait to be accepted.
struct served {
    aloop_client_fn handler = nullptr;
    protocol *by = nullptr;  // borrowed, but by the server
    void *data = nullptr;
    bool any() const { return handler != nullptr || by != nullptr; }
};

// A connection whose handshake is done, until somebody accepts it.
struct secured_client final : link {
    stream *client;  // owned
};

struct server final : loop_object, self_held {
    listener *listeners = nullptr;
    int64_t count = 0;
    served how;
    stream_options *options;  // owned
    var_map *context;         // of its making
    ring clients;             // self_held, in place of the loop's list
    int64_t active = 0;
    ring waiters;             // ring_waiter
    ring secured;             // secured_client
    int64_t unaccepted = 0;   // how many those are
    uint32_t given_in = 0;    // an iteration, and how many were accepted in it
    uint32_t given = 0;
    future *forever = nullptr;  // what serve_forever waits on; borrowed
    aloop::alarm retry;
    socket_file *file = nullptr;  // of a Unix server
    int spare = -1;
    bool owns_data = false;   // the caller's until the server is made
    bool serving = false;
    bool closed = false;
    bool full = false;        // as many connections as wanted; others wait
    bool starved = false;     // an episode of EMFILE is under way
    bool backing_off = false;

    server(domain *d, stream_options *o) : loop_object(kind::server, d), options(o) {}
};

inline server *from_c(aloop_server *s) { return reinterpret_cast<server *>(s); }
inline aloop_server *to_c(server *s) { return reinterpret_cast<aloop_server *>(s); }

// An operation whose value is a server. Takes the options over.
future *make_start_server(loop *l, const served &how, const char *host, int32_t port,
                          stream_options *options);

// The same on a path; of size 0: on the options' descriptor, a Unix socket's.
future *make_start_unix_server(loop *l, const served &how, const address &at,
                               stream_options *options);

int64_t start_serving(server *s);
void close_server(server *s);
void close_clients(server *s, bool abort);
// A client counts from here until it is gone, and stands in `clients`.
void add_client(server *s, stream *client);
void client_gone(server *s);

void let_server_go(self_held *self);

future *make_accept(server *s);
// Closes it and waits for its connections, but not longer than so many seconds.
future *make_shutdown(server *s, double timeout);
future *make_start_serving(server *s);
future *make_serve_forever(server *s);
future *make_server_wait_closed(server *s);

// Accepting (accept.cpp).
void listener_ready(io *self, uint8_t bits);
void run_listener(node *item, action what);
// The next connection of any listener: 1 with *out, 0: none now, or why not.
int64_t accept_one(server *s, stream **out);

// Connections (client.cpp). Whether one more may be accepted now.
bool has_place(const server *s);
// Gives it its task or protocol. Takes the stream over.
int64_t start_client(server *s, stream *client);
// As accept_one, of those whose handshake is done.
int64_t take_secured(server *s, stream **out);
// Closes those that nobody will accept any more.
void drop_secured(server *s);
void wake_acceptor(server *s);
void accept_more(server *s);  // looks again at what waits

}  // namespace aloop
