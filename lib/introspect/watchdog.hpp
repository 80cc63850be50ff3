// watchdog.hpp: reports the stack of a callback while it blocks the loop.
//
// The loop notes when a callback begins and when it ends, which is two stores. A
// thread looks now and then; where one callback has run for too long, it asks the
// loop's thread for its stack by a signal, SIGURG: nobody blocks it, and where it
// comes too late it is ignored. The handler stores return addresses, nothing else; the
// thread writes the report. System calls of the callback that are not restarted
// may end with EINTR.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../loop/loop.hpp"

namespace aloop {

// limit in ns, 0: none. The report goes to a descriptor, which stays the caller's.
int64_t set_watchdog(loop *l, int64_t limit, int fd);

}  // namespace aloop
