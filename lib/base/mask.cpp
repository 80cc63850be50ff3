// SPDX-License-Identifier: MIT
#include "mask.hpp"

#include <pthread.h>

#include "fork.hpp"

namespace aloop {

namespace {

struct thread_mask {
    bool masked;
    sigset_t blocked;
    sigset_t for_children;
    sigset_t held;  // around a fork: what it was before
};

thread_local thread_mask t_mask;

bool same(const sigset_t &a, const sigset_t &b) {
    for (int signum = 1; signum < NSIG; signum++) {
        if (sigismember(&a, signum) != sigismember(&b, signum)) return false;
    }
    return true;
}

sigset_t mask_now() {
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, nullptr, &now);
    return now;
}

// The thread's own mask, unless that is the one it was started with.
const sigset_t &child_mask(const sigset_t &now) {
    return t_mask.masked && same(now, t_mask.blocked) ? t_mask.for_children : now;
}

void hold_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &t_mask.held);
}

void release_signals() { pthread_sigmask(SIG_SETMASK, &t_mask.held, nullptr); }

// The child's only thread is a program's now.
void release_signals_in_child() {
    const sigset_t mask = child_mask(t_mask.held);
    t_mask.masked = false;
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

const takes_part_in_fork g_part(fork_step::signals,
                                {hold_signals, release_signals, release_signals_in_child});

}  // namespace

masked_start::masked_start() {
    sigset_t blocked;
    sigfillset(&blocked);
    const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF, SIGURG};
    for (int signum : open) sigdelset(&blocked, signum);
    for (int signum = SIGRTMIN; signum <= SIGRTMAX; signum++) sigdelset(&blocked, signum);
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

void began_masked(const sigset_t &before) {
    t_mask.masked = true;
    t_mask.blocked = mask_now();
    t_mask.for_children = before;
}

sigset_t mask_for_children() { return child_mask(mask_now()); }

}  // namespace aloop
