// SPDX-License-Identifier: MIT
#include "reap.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "../base/clock.hpp"
#include "../base/fork.hpp"
#include "../base/list.hpp"
#include "../base/locked.hpp"
#include "../base/memory.hpp"

namespace aloop {

namespace {

// P_PIDFD, which glibc has from 2.36 on.
constexpr idtype_t k_by_pidfd = static_cast<idtype_t>(3);
// How long a killed child may take: to give back much memory takes a while.
constexpr int64_t k_patience = 5000000000;

struct listed_child : link {
    int pidfd;
};

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
whole_at_fork g_whole(&g_mutex);
ring g_listed;  // in a forked child those of the parent are found lost

// One whose pidfd tells of its end, but that is not to be reaped, a tracer reaps
// first: that takes it a moment, and nothing tells of it.
end reap_in_time(int pidfd, int64_t until) {
    for (;;) {
        siginfo_t info;
        const end found = reap(pidfd, &info);
        const int64_t left = until - monotonic_now();
        if (found != end::not_yet || left <= 0) return found;
        pollfd p = {pidfd, POLLIN, 0};
        if (poll(&p, 1, 0) > 0) {
            poll(nullptr, 0, 1);
        } else {
            poll(&p, 1, static_cast<int>(left / 1000000) + 1);
        }
    }
}

// Without memory for it the zombie stays until the program ends.
void list_child(int pidfd) {
    listed_child *c = create<listed_child>();
    if (c == nullptr) {
        close(pidfd);
        return;
    }
    c->pidfd = pidfd;
    locked hold(&g_mutex);
    g_listed.push(c);
}

}  // namespace

end reap(int pidfd, siginfo_t *info) {
    *info = {};
    int code;
    do {
        code = waitid(k_by_pidfd, static_cast<id_t>(pidfd), info, WEXITED | WNOHANG);
    } while (code < 0 && errno == EINTR);
    if (code < 0) return end::lost;
    return info->si_pid == 0 ? end::not_yet : end::known;
}

void reap_by_pid(int pid) {
    siginfo_t info;
    while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) < 0 && errno == EINTR) {
    }
}

int64_t end_of_patience() { return monotonic_now() + k_patience; }

int64_t kill_child(int pidfd) {
    const bool sent = syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0) == 0;
    return sent || errno == ESRCH ? 0 : -errno;
}

int64_t end_child(int pidfd, int64_t until) {
    const int64_t code = kill_child(pidfd);
    if (reap_in_time(pidfd, code == 0 ? until : 0) == end::not_yet) {
        list_child(pidfd);
        return code < 0 ? code : -ETIMEDOUT;
    }
    close(pidfd);
    return 0;
}

void end_child_by_pid(int pid) {
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (pidfd >= 0) {
        end_child(pidfd, end_of_patience());
    } else if (kill(pid, SIGKILL) == 0) {
        reap_by_pid(pid);
    }
}

void reap_listed() {
    locked hold(&g_mutex);
    for (link *at = g_listed.head(); at != nullptr;) {
        listed_child *c = static_cast<listed_child *>(at);
        at = g_listed.after(at);
        siginfo_t info;
        if (reap(c->pidfd, &info) == end::not_yet) continue;
        g_listed.remove(c);
        close(c->pidfd);
        destroy(c);
    }
}

}  // namespace aloop
