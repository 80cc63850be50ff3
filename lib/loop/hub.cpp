// hub.cpp: the process's signal handlers.
//
// g_first is the list of loops that listen, changed under g_mutex and read by
// the handler. The handler's presence is a counter: a subscriber that was
// unlinked, and a slot that is about to change, are left alone until it is
// zero. All accesses are sequentially consistent, so that a handler that comes
// after the unlinking cannot find what was unlinked.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "signals.hpp"

namespace aloop {

namespace {

struct slot {
    int64_t users = 0;
    struct sigaction before = {};  // what the handler passes the signal on to
};

slot g_slots[k_signals];
std::atomic<signal_subscriber *> g_first{nullptr};
std::atomic<int> g_inside{0};
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

// The signals that this thread is passing on: handlers that were installed on
// top of ours and call it must not make us call them again without end.
thread_local uint64_t t_passing __attribute__((tls_model("initial-exec"))) = 0;

uint64_t bit_of(int signum) { return uint64_t{1} << (signum - 1); }

void note(signal_subscriber *s, int signum) {
    const uint64_t bit = bit_of(signum);
    if ((s->wanted.load() & bit) == 0) return;
    if (signum == SIGINT && s->interrupts.load() && s->unanswered.fetch_add(1) >= 2) {
        // The loop is stuck in a callback: the user gets what Ctrl-C does.
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
        return;
    }
    s->arrived.fetch_or(bit);
    if (!s->queued.exchange(true)) s->home->post_from_signal(s);
}

void pass_on(const struct sigaction &to, int signum, siginfo_t *info, void *context) {
    const bool function = to.sa_handler != SIG_DFL && to.sa_handler != SIG_IGN;
    if (!function || (t_passing & bit_of(signum)) != 0) return;
    t_passing |= bit_of(signum);
    if ((to.sa_flags & SA_SIGINFO) != 0) {
        to.sa_sigaction(signum, info, context);
    } else {
        to.sa_handler(signum);
    }
    t_passing &= ~bit_of(signum);
}

void on_signal(int signum, siginfo_t *info, void *context) {
    const int saved = errno;
    g_inside.fetch_add(1);
    for (signal_subscriber *s = g_first.load(); s != nullptr; s = s->following.load()) {
        note(s, signum);
    }
    const struct sigaction before = g_slots[signum - 1].before;
    g_inside.fetch_sub(1);
    pass_on(before, signum, info, context);
    errno = saved;
}

void wait_for_handlers() {
    while (g_inside.load() != 0) sched_yield();
}

bool is_ours(const struct sigaction &a) {
    return (a.sa_flags & SA_SIGINFO) != 0 && a.sa_sigaction == on_signal;
}

// Faults are raised again as soon as a handler returns; nothing to schedule.
bool is_fault(int signum) {
    return signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL;
}

void before_fork() { pthread_mutex_lock(&g_mutex); }
void after_fork_in_parent() { pthread_mutex_unlock(&g_mutex); }
void after_fork_in_child() {
    g_inside.store(0);  // handlers of threads that the child does not have
    pthread_mutex_unlock(&g_mutex);
}

const int g_registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

void subscribe(signal_subscriber *s) {
    (void)g_registered;
    pthread_mutex_lock(&g_mutex);
    s->following.store(g_first.load());
    g_first.store(s);
    pthread_mutex_unlock(&g_mutex);
}

void unsubscribe(signal_subscriber *s) {
    pthread_mutex_lock(&g_mutex);
    std::atomic<signal_subscriber *> *at = &g_first;
    while (at->load() != s) at = &at->load()->following;
    at->store(s->following.load());
    wait_for_handlers();
    pthread_mutex_unlock(&g_mutex);
}

int64_t install_signal(int signum) {
    if (signum < 1 || signum > k_signals || is_fault(signum)) return ALOOP_EINVAL;
    slot &at = g_slots[signum - 1];
    int64_t code = 0;
    pthread_mutex_lock(&g_mutex);
    struct sigaction now = {};
    if (sigaction(signum, nullptr, &now) < 0) {
        code = -errno;
    } else if (!is_ours(now)) {
        struct sigaction ours = {};
        ours.sa_sigaction = on_signal;
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
        sigemptyset(&ours.sa_mask);
        wait_for_handlers();
        const struct sigaction older = at.before;
        at.before = now;  // first: a signal may come as soon as ours is in place
        if (sigaction(signum, &ours, nullptr) < 0) {
            code = -errno;
            at.before = older;
        }
    }
    if (code == 0) at.users++;
    pthread_mutex_unlock(&g_mutex);
    return code;
}

void uninstall_signal(int signum) {
    slot &at = g_slots[signum - 1];
    pthread_mutex_lock(&g_mutex);
    struct sigaction now = {};
    if (--at.users == 0 && sigaction(signum, nullptr, &now) == 0 && is_ours(now)) {
        sigaction(signum, &at.before, nullptr);
    }
    pthread_mutex_unlock(&g_mutex);
}

bool interrupt_is_default() {
    struct sigaction now = {};
    return syscall(SYS_gettid) == getpid() && sigaction(SIGINT, nullptr, &now) == 0 &&
           now.sa_handler == SIG_DFL && (now.sa_flags & SA_SIGINFO) == 0;
}

}  // namespace aloop
