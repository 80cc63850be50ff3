// mask.hpp: which signals are blocked in the library's threads that run code of the
// program, and with which mask their child processes start.
//
// Signals that the program handles are for its own threads, and are blocked here.
// Not blocked are those that concern the running code: faults, which would otherwise
// kill the process without the program's handler; SIGPROF; and SIGURG and the
// real-time signals, by which language runtimes interrupt their threads. A program
// that such a thread starts must not inherit the mask: nobody could terminate it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

namespace aloop {

// While it lives, threads that are started begin with the mask; it must end on
// the same thread.
class masked_start {
public:
    masked_start();
    ~masked_start() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    masked_start(const masked_start &) = delete;
    masked_start &operator=(const masked_start &) = delete;
    // What the children of the thread are to begin with: see began_masked.
    const sigset_t &before() const { return before_; }

private:
    sigset_t before_;
};

// In a thread that was started so. Its children by fork are covered, too.
void began_masked(const sigset_t &before);
// What a child begins with that this thread starts now: the thread's own mask,
// unless that is the one it was started with.
sigset_t mask_for_children();

}  // namespace aloop
