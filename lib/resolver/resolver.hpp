// resolver.hpp: names to addresses and back, in a few threads of their own.
//
// getaddrinfo blocks, for seconds where a name server does not answer; in the
// program's executor it would starve, and be starved by, other work. So each
// loop that resolves a name has up to four threads for it (side_pool.hpp),
// started when there is a job that no idle thread could take. Numeric addresses
// never get there.
//
// A thread inside getaddrinfo cannot be interrupted: when the loop closes, idle
// threads end, and a busy one ends with its call, without touching the loop's
// objects.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../base/options.hpp"
#include "../future/side_pool.hpp"
#include "address.hpp"

struct addrinfo;

namespace aloop {

// A future whose value is an address_list; done already if host is numeric,
// null or empty. passive: to bind (an empty host is every address), else to
// connect (an empty host is the loopback). Fails with ALOOP_ERESOLVE and
// getaddrinfo's text. nullptr: out of memory.
future *resolve(loop *l, const char *host, int port, int family, bool passive,
                int type = SOCK_STREAM, int protocol = 0);

struct addrinfo_options final : options_of<addrinfo_options> {
    int32_t family = 0;
    int32_t type = 0;
    int32_t protocol = 0;
    int32_t flags = 0;
};

// The same for programs: the value is an `addresses` (address_object.hpp).
future *look_up(loop *l, const char *host, const char *service, const addrinfo_options &options);

struct host_name final : object {
    char *host;
    char *service;

    host_name() : object(kind::host_name) { count_live(kind::host_name, 1); }
    ~host_name() { count_live(kind::host_name, -1); }
};

// A future whose value is a host_name.
future *look_up_name(loop *l, const address &of, int flags);

// The pool for both; nullptr: out of memory.
side_pool *resolver_pool(loop *l);
// Fails f with what one of getaddrinfo's codes means. what may be nullptr.
void fail_lookup(future *f, const char *what, int64_t code, int system_error);

}  // namespace aloop
