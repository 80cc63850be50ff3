// hub.cpp: the process's signal handlers.
//
// g_first is the list of loops that listen, changed under g_mutex and read by
// the handler. The handler's presence is a counter: a subscriber that was
// unlinked, and a link of a chain that is about to change, are left alone until
// it is zero. All accesses are sequentially consistent, so that a handler that comes
// after the unlinking cannot find what was unlinked. While it is counted all signals
// are blocked: a handler of another one, that is left by longjmp, would take it along.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../base/fork.hpp"
#include "../base/locked.hpp"
#include "signals.hpp"

namespace aloop {

namespace {

// What the handlers below ours were: the last is the one to pass a signal on to,
// and when that calls ours again, because it was installed on top once, the one
// before it. A handler may read the first `depth` of them at any time.
constexpr int k_chain = 8;
struct slot {
    int64_t users = 0;
    std::atomic<int> depth{0};
    struct sigaction before[k_chain] = {};
};

slot g_slots[k_signals];
std::atomic<signal_subscriber *> g_first{nullptr};
std::atomic<int> g_inside{0};
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

// The signal that this thread passes on, and how deep in its chain that is. A
// handler that is left by longjmp does not come back to put the outer one back:
// so it is known again by its context, and a new delivery by its frame, which
// then lies where the other one's did.
struct delivery {
    int signum;
    int level;
    const void *context;
    const void *frame;
};
thread_local constinit delivery t_passing __attribute__((tls_model("initial-exec"))) = {};

// 0 where the kernel calls, or a handler that is on top of ours.
int level_of(const delivery &now) {
    if (t_passing.signum != now.signum) return 0;
    const bool known = now.context == nullptr || now.context == t_passing.context;
    return known && now.frame != t_passing.frame ? t_passing.level + 1 : 0;
}

uint64_t bit_of(int signum) { return uint64_t{1} << (signum - 1); }

// Masks as the kernel has them: a bit for each signal.
constexpr uint64_t k_all_signals = ~uint64_t{0};

uint64_t set_mask(uint64_t mask) {
    uint64_t before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &before, sizeof mask);
    return before;
}

// What no mask has: the kernel's two and the C library's.
bool is_all(uint64_t mask) {
    return (mask | bit_of(SIGKILL) | bit_of(SIGSTOP) | bit_of(32) | bit_of(33)) == k_all_signals;
}

// Loops are told at any level, but one Ctrl-C is one.
void note(signal_subscriber *s, int signum, int level) {
    const uint64_t bit = bit_of(signum);
    if ((s->wanted.load() & bit) == 0) return;
    if (signum == SIGINT && level == 0 && s->interrupts.load() &&
        s->unanswered.fetch_add(1) >= 2) {
        // The loop is stuck in a callback: the user gets what Ctrl-C does.
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
        return;
    }
    s->arrived.fetch_or(bit);
    if (!s->queued.exchange(true)) s->home->post_from_signal(s);
}

bool is_function(const struct sigaction &a) {
    return a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN;
}

// The mask that the handler would have if it were called instead of ours.
uint64_t mask_for(const struct sigaction &to, int signum, const void *context) {
    const ucontext_t *interrupted = static_cast<const ucontext_t *>(context);
    uint64_t mask;
    uint64_t own;
    std::memcpy(&mask, &interrupted->uc_sigmask, sizeof mask);
    std::memcpy(&own, &to.sa_mask, sizeof own);
    return mask | own | ((to.sa_flags & SA_NODEFER) != 0 ? 0 : bit_of(signum));
}

void pass_on(const struct sigaction &to, const delivery &now, siginfo_t *info, void *context) {
    const delivery outer = t_passing;
    t_passing = now;
    if ((to.sa_flags & SA_SIGINFO) != 0) {
        to.sa_sigaction(now.signum, info, context);
    } else {
        to.sa_handler(now.signum);
    }
    t_passing = outer;
}

// The handler below that of `level`; SIG_DFL where there is none.
struct sigaction tell_loops(int signum, int level) {
    struct sigaction next = {};
    const slot &at = g_slots[signum - 1];
    g_inside.fetch_add(1);
    for (signal_subscriber *s = g_first.load(); s != nullptr; s = s->following.load()) {
        note(s, signum, level);
    }
    const int below = at.depth.load() - 1 - level;
    if (below >= 0) next = at.before[below];
    g_inside.fetch_sub(1);
    return next;
}

// The kernel comes with all signals blocked, a handler on top with its own mask.
void on_signal(int signum, siginfo_t *info, void *context) {
    const int saved = errno;
    delivery now = {signum, 0, context, __builtin_frame_address(0)};
    now.level = level_of(now);
    const uint64_t before = set_mask(k_all_signals);
    const struct sigaction next = tell_loops(signum, now.level);
    if (is_function(next)) {
        const bool by_kernel = context != nullptr && is_all(before);
        set_mask(by_kernel ? mask_for(next, signum, context) : before);
        pass_on(next, now, info, context);
    }
    set_mask(before);
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

bool equal(const struct sigaction &a, const struct sigaction &b) {
    return a.sa_handler == b.sa_handler && (a.sa_flags & SA_SIGINFO) == (b.sa_flags & SA_SIGINFO);
}

// Under the mutex. What lies above an equal handler is out of use by now; and of
// a chain that is too long one link in the middle is lost.
void push_before(slot &at, const struct sigaction &now) {
    int depth = at.depth.load();
    if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) depth = 0;
    for (int i = 0; i < depth; i++) {
        if (equal(at.before[i], now)) depth = i;
    }
    if (depth == k_chain) depth--;
    at.depth.store(depth);
    wait_for_handlers();  // that may read what is written now
    at.before[depth] = now;
    at.depth.store(depth + 1);
}

// Under the mutex: puts back what was there, unless somebody came on top.
void restore(int signum) {
    slot &at = g_slots[signum - 1];
    struct sigaction now = {};
    if (sigaction(signum, nullptr, &now) < 0 || !is_ours(now)) return;
    struct sigaction before = {};
    const int depth = at.depth.load();
    if (depth > 0) before = at.before[depth - 1];
    sigaction(signum, &before, nullptr);
    if (depth > 0) at.depth.store(depth - 1);
}

void before_fork() { pthread_mutex_lock(&g_mutex); }
void after_fork() { pthread_mutex_unlock(&g_mutex); }

// A child has none of the parent's loops: its signals go where they went before
// those subscribed. None comes in between, to be told to the parent: see fork.hpp.
void after_fork_in_child() {
    g_inside.store(0);  // handlers of threads that the child does not have
    g_first.store(nullptr);
    for (int signum = 1; signum <= k_signals; signum++) {
        slot &at = g_slots[signum - 1];
        if (at.users == 0) continue;
        at.users = 0;
        restore(signum);
    }
    after_fork();
}

const takes_part_in_fork g_part(fork_step::handlers,
                                {before_fork, after_fork, after_fork_in_child});

}  // namespace

void subscribe(signal_subscriber *s) {
    locked hold(&g_mutex);
    s->following.store(g_first.load());
    g_first.store(s);
}

void unsubscribe(signal_subscriber *s) {
    locked hold(&g_mutex);
    std::atomic<signal_subscriber *> *at = &g_first;
    while (at->load() != s) at = &at->load()->following;
    at->store(s->following.load());
    wait_for_handlers();
}

int64_t install_signal(int signum) {
    if (signum < 1 || signum > k_signals || is_fault(signum)) return ALOOP_EINVAL;
    slot &at = g_slots[signum - 1];
    int64_t code = 0;
    locked hold(&g_mutex);
    struct sigaction now = {};
    if (sigaction(signum, nullptr, &now) < 0) {
        code = -errno;
    } else if (!is_ours(now)) {
        struct sigaction ours = {};
        ours.sa_sigaction = on_signal;
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
        sigfillset(&ours.sa_mask);
        push_before(at, now);  // first: a signal may come as soon as ours is in place
        if (sigaction(signum, &ours, nullptr) < 0) {
            code = -errno;
            at.depth.fetch_sub(1);
        }
    }
    if (code == 0) at.users++;
    return code;
}

void uninstall_signal(int signum) {
    locked hold(&g_mutex);
    if (--g_slots[signum - 1].users == 0) restore(signum);
}

bool interrupt_is_default() {
    struct sigaction now = {};
    return syscall(SYS_gettid) == getpid() && sigaction(SIGINT, nullptr, &now) == 0 &&
           now.sa_handler == SIG_DFL && (now.sa_flags & SA_SIGINFO) == 0;
}

}  // namespace aloop
