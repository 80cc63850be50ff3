// watchdog.hpp: reports the stack of a callback while it blocks the loop.
//
// The loop records when a callback begins and ends, which costs two stores. A thread
// checks this at intervals. If a callback has run for too long, the thread asks the
// loop's thread for its stack with SIGURG: programs do not usually block that signal,
// and it is ignored if it arrives too late. The signal handler only stores return
// addresses; the thread writes the report. System calls of the callback that are not
// restarted may end with EINTR.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "../loop/loop.hpp"

namespace aloop {

// limit in ns, 0: none. The report goes to a descriptor, which stays the caller's.
int64_t set_watchdog(loop *l, int64_t limit, int fd);

}  // namespace aloop
