// SPDX-License-Identifier: MIT
#include "process.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "../loop/signals.hpp"
#include "reap.hpp"

namespace aloop {

namespace {

void stop_watching(process *p) {
    loop *l = loop_of(p);
    p->running = false;
    if (p->fd >= 0) {
        l->io_poller()->remove(p);
        if (p->leads_group && !p->of_parent()) {
            p->group = p->fd;  // it may have left some behind
        } else {
            l->sys()->close(p->fd);
        }
        p->fd = -1;
    }
    l->unpin();
    l->self_held.remove(static_cast<self_held *>(p));
}

void note_end(process *p, const siginfo_t &info) {
    p->returncode = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

end reap_child(process *p) {
    siginfo_t info;
    const end found = p->fd >= 0 ? reap(p->fd, &info) : end::lost;
    if (found == end::known) note_end(p, info);
    return found;
}

// The pidfd is readable, or there never was one: reap this child and no other.
void run_process(node *item, action what) {
    process *p = static_cast<process *>(item);
    p->state = 0;
    const end found = what == action::run && p->running ? reap_child(p) : end::not_yet;
    if (found != end::not_yet) {
        if (found == end::lost) {
            p->returncode = 255;  // asyncio's answer, too
            loop_of(p)->report("a child process was reaped elsewhere: its exit status is lost",
                               ALOOP_ECHILD, nullptr);
        }
        stop_watching(p);
        wake_exit_waiters(p);
        unref(static_cast<loop_object *>(p));  // its own
    }
    unref(static_cast<loop_object *>(p));
}

void on_ready(io *self, uint8_t) {
    process *p = static_cast<process *>(self);
    if (p->state != 0) return;
    p->state = 1;  // the node is queued, once: the descriptor stays readable
    ref(static_cast<loop_object *>(p));
    loop_of(p)->schedule_io(p);
}

void tell_of_survivor(const process *p, int64_t code) {
    const char *why = code == -ETIMEDOUT ? "was killed, but has not ended"
                                         : "may not be killed by this process";
    error *failure = format_error(code, "child %d %s; it is reaped when it ends", p->pid, why);
    loop_of(p)->report("a child process outlives its loop", code, failure);
    if (failure != nullptr) unref(failure);
}

void let_go(self_held *self);

// None waits until another one was waited for, and all share the patience.
void kill_all(loop *l) {
    const int64_t until = end_of_patience();
    for (link *at = l->self_held.head(); at != nullptr; at = l->self_held.after(at)) {
        self_held *held = static_cast<self_held *>(at);
        if (held->let_go != let_go) continue;
        process *p = static_cast<process *>(held);
        p->patience = until;
        if (!p->of_parent() && p->fd >= 0) kill_child(p->fd);
    }
}

// The loop closes: nobody could tell any more when the child ends.
void let_go(self_held *self) {
    process *p = static_cast<process *>(self);
    loop_of(p)->self_held.push(self);  // stop_watching takes it out
    reap_listed();
    if (p->patience == 0) kill_all(loop_of(p));
    if (!p->of_parent() && p->fd >= 0) {
        loop_of(p)->io_poller()->remove(p);
        const int64_t code = end_child(std::exchange(p->fd, -1), p->patience);
        if (code < 0) tell_of_survivor(p, code);
    }
    stop_watching(p);
    unref(static_cast<loop_object *>(p));
}

void destroy_process(object *o) {
    process *p = static_cast<process *>(o);
    for (stream *s : p->streams) {
        if (s != nullptr) unref(static_cast<loop_object *>(s));
    }
    for (output &out : p->outputs) release(out.data);
    if (p->input != nullptr) unref(p->input);
    if (p->group >= 0) loop_of(p)->sys()->close(p->group);
    loop_of(p)->free_object(p);
}

const register_kind g_process(kind::process, {"process", destroy_process});

}  // namespace

// Of a child that the kernel or a stranger has reaped already there is no pidfd:
// its end is told in the next iteration.
int64_t watch_process(loop *l, process *p) {
    const int64_t fd = l->sys()->pidfd_open(p->pid, 0);
    if (fd < 0 && fd != -ESRCH) return fd;
    p->bits = k_readable;
    p->edge = true;
    p->ready = on_ready;
    p->node::fn = run_process;
    p->let_go = aloop::let_go;
    if (fd >= 0) {
        p->fd = static_cast<int>(fd);
        const int64_t code = l->io_poller()->add(p);
        if (code < 0) {
            l->sys()->close(p->fd);
            return code;
        }
    }
    p->running = true;
    l->pin();
    l->self_held.push(static_cast<self_held *>(p));
    ref(static_cast<loop_object *>(p));
    if (fd < 0) {
        p->fd = -1;
        p->state = 1;
        ref(static_cast<loop_object *>(p));
        l->schedule(p);
    }
    return 0;
}

int64_t wait_status(const process *p) {
    return p->returncode >= 0 ? p->returncode : ALOOP_SIGNALED - p->returncode;
}

int64_t signal_process(process *p, int signum) {
    if (signum < 0 || signum > k_signals) return ALOOP_EINVAL;
    if (!p->running) return -ESRCH;
    if (p->fd < 0) return 0;  // as of one that has ended just now
    if (syscall(SYS_pidfd_send_signal, p->fd, signum, nullptr, 0) == 0) return 0;
    return errno == ESRCH ? 0 : -errno;
}

// By the pidfd, which is never a stranger's; before Linux 6.9 that cannot be, and
// the number is safe while the leader is not reaped.
int64_t signal_group(process *p, int signum) {
    constexpr unsigned k_process_group = 4;  // PIDFD_SIGNAL_PROCESS_GROUP
    const int fd = p->running ? p->fd : p->group;
    if (!p->leads_group || signum < 0 || signum > k_signals) return ALOOP_EINVAL;
    if (fd < 0) return -ESRCH;
    if (syscall(SYS_pidfd_send_signal, fd, signum, nullptr, k_process_group) == 0) return 0;
    if (errno != EINVAL) return -errno;
    if (!p->running) return -ESRCH;
    return ::kill(-p->pid, signum) == 0 ? 0 : -errno;
}

}  // namespace aloop
