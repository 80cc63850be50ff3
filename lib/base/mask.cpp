// SPDX-License-Identifier: MIT
#include "mask.hpp"

#include <pthread.h>

namespace aloop {

namespace {

struct thread_mask {
    bool masked;
    sigset_t blocked;
    sigset_t for_children;
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

// The child's only thread is a program's now.
void after_fork_in_child() {
    if (!t_mask.masked) return;
    const sigset_t mask = mask_for_children();
    t_mask.masked = false;
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

const int g_registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);

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
    (void)g_registered;
    t_mask = {true, mask_now(), before};
}

sigset_t mask_for_children() {
    const sigset_t now = mask_now();
    return t_mask.masked && same(now, t_mask.blocked) ? t_mask.for_children : now;
}

}  // namespace aloop
