// options.hpp: what may be chosen about connections and servers.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/stream.h>

#include <cstring>
#include <utility>

#include "../base/bytes.hpp"
#include "../base/options.hpp"

namespace aloop {

struct extra_host {
    extra_host *next;
    char name[8];  // as long as it is
};

// The TLS side. Negative times: not chosen.
struct tls_choice {
    ptr<object> context;
    char *server_hostname = nullptr;
    double handshake_timeout = -1;
    double shutdown_timeout = -1;
    ptr<bytes> session;

    ~tls_choice() { release(server_hostname); }
    // False: out of memory.
    bool set_name(const char *name) {
        char *copy = name != nullptr ? copy_string(name) : nullptr;
        if (name != nullptr && copy == nullptr) return false;
        release(std::exchange(server_hostname, copy));
        return true;
    }
    bool copy(const tls_choice &from) {
        context = ptr<object>::share(from.context.get());
        handshake_timeout = from.handshake_timeout;
        shutdown_timeout = from.shutdown_timeout;
        session = ptr<bytes>::share(from.session.get());
        return set_name(from.server_hostname);
    }
};

struct stream_options final : options_of<stream_options> {
    size_t limit = 65536;
    tls_choice tls;
    int32_t family = 0;
    int32_t backlog = 100;
    double eyeballs_delay = -1;  // negative: one address after the other
    char *local_host = nullptr;
    int32_t local_port = 0;
    int32_t reuse_address = 1;
    int32_t reuse_port = 0;
    int32_t keep_alive = 0;
    int32_t start_serving = 1;
    int32_t cleanup_socket = 1;
    int32_t descriptor = -1;      // of a socket that the program made; -1: none
    int64_t max_connections = 0;  // 0: no limit
    extra_host *more_hosts = nullptr;
    aloop_free_fn data_free = nullptr;

    ~stream_options() {
        release(local_host);
        while (more_hosts != nullptr) release(std::exchange(more_hosts, more_hosts->next));
    }
    // Behind those that are there; false: out of memory.
    bool add_host(const char *host) {
        const size_t size = std::strlen(host) + 1;
        extra_host *more = static_cast<extra_host *>(allocate(sizeof(extra_host) + size));
        if (more == nullptr) return false;
        more->next = nullptr;
        std::memcpy(more->name, host, size);
        extra_host **at = &more_hosts;
        while (*at != nullptr) at = &(*at)->next;
        *at = more;
        return true;
    }
};

// What was passed, or the defaults for nullptr; nullptr: out of memory.
inline stream_options *copy_options(const stream_options *from) {
    stream_options *o = create<stream_options>();
    if (o == nullptr || from == nullptr) return o;
    if (!o->tls.copy(from->tls)) {
        destroy(o);
        return nullptr;
    }
    o->limit = from->limit;
    o->family = from->family;
    o->backlog = from->backlog;
    o->eyeballs_delay = from->eyeballs_delay;
    o->local_port = from->local_port;
    o->reuse_address = from->reuse_address;
    o->reuse_port = from->reuse_port;
    o->keep_alive = from->keep_alive;
    o->start_serving = from->start_serving;
    o->cleanup_socket = from->cleanup_socket;
    o->descriptor = from->descriptor;
    o->data_free = from->data_free;
    o->max_connections = from->max_connections;
    bool whole = true;
    for (extra_host *h = from->more_hosts; h != nullptr && whole; h = h->next) {
        whole = o->add_host(h->name);
    }
    if (whole && from->local_host != nullptr) {
        o->local_host = copy_string(from->local_host);
        whole = o->local_host != nullptr;
    }
    if (whole) return o;
    destroy(o);
    return nullptr;
}

}  // namespace aloop
