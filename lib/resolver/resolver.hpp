// resolver.hpp: names to addresses, in a few threads of their own.
//
// getaddrinfo blocks, for seconds where a name server does not answer; in the
// program's executor it would starve, and be starved by, other work. So each
// loop that resolves a name has up to four threads for it, started when there
// is a job that no idle thread could take. Numeric addresses never get here.
//
// A thread inside getaddrinfo cannot be interrupted: when the loop closes, idle
// threads end, and a busy one ends with its call, without touching the loop's
// objects.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../future/future.hpp"
#include "address.hpp"

namespace aloop {

// A future whose value is an address_list; done already if host is numeric,
// null or empty. passive: to bind (an empty host is every address), else to
// connect (an empty host is the loopback). Fails with ALOOP_ERESOLVE and
// getaddrinfo's text. nullptr: out of memory.
future *resolve(loop *l, const char *host, int port, int family, bool passive);

}  // namespace aloop
