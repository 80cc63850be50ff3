// SPDX-License-Identifier: MIT
#include "fork_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../base/locked.hpp"

namespace aloop {

namespace {

// P_PIDFD, which glibc has from 2.36 on.
constexpr idtype_t k_by_pidfd = static_cast<idtype_t>(3);

// What a request says; a new worker's socket comes with it.
struct request {
    int32_t reap;  // the pid of a worker to wait for; 0: start one
};
struct reply {
    int32_t result;  // a pid, or a wait status; -errno
};

union control {
    char space[CMSG_SPACE(sizeof(int))];
    cmsghdr align;
};

// The server --------------------------------------------------------------------------------

// The program may run with some of the first three closed.
int above_standard(int fd) {
    return fd < 0 || fd > 2 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

// All but these. Their numbers were free in the program: a FILE that it has, and
// the workers have a copy of, writes into neither.
void close_around(const peer &program) {
    const bool in_order = program.fd < program.pidfd;
    const int kept[] = {in_order ? program.fd : program.pidfd,
                        in_order ? program.pidfd : program.fd};
    int first = 3;
    for (int fd : kept) {
        if (fd < first) continue;
        if (fd > first) syscall(SYS_close_range, first, fd - 1, 0);
        first = fd + 1;
    }
    syscall(SYS_close_range, first, ~0u, 0);
}

void do_nothing(int) {}

// Nothing of the parent's: neither its descriptors nor its handlers. Ctrl-C is
// for the program to answer, which then ends its pool; what a worker executes
// would inherit that it is ignored, so there is a handler.
peer leave_parent(const peer &given) {
    const peer program = {above_standard(given.fd), above_standard(given.pidfd)};
    for (int fd : {given.fd, given.pidfd}) {
        if (fd >= 0 && fd < 3) close(fd);
    }
    close_around(program);
    for (int signum = 1; signum < NSIG; signum++) {
        struct sigaction action = {};
        action.sa_handler = signum == SIGINT ? do_nothing : SIG_DFL;
        action.sa_flags = signum == SIGINT ? SA_RESTART : 0;
        sigaction(signum, &action, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    __fpurge(stdout);  // what the program has not written yet it will write itself
    __fpurge(stderr);
    return program;
}

// Closed in what a worker executes: its end must be seen, whatever runs on.
int32_t fork_worker(int fd, const peer &program) {
    const pid_t pid = fork();
    if (pid != 0) return pid < 0 ? -errno : pid;
    dup3(fd, program.fd, O_CLOEXEC);
    close(fd);
    serve_calls(program);
    _exit(0);
}

int32_t reap(int pid) {
    int status = 0;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid ? status : -1;
}

int received_fd(msghdr *message) {
    int fd = -1;
    const cmsghdr *part = CMSG_FIRSTHDR(message);
    if (part != nullptr && part->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    }
    return fd;
}

[[noreturn]] void serve(const peer &given) {
    const peer program = leave_parent(given);
    while (await_peer(program, POLLIN)) {
        request r;
        iovec part = {&r, sizeof r};
        control space = {};
        msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = &space;
        message.msg_controllen = sizeof space;
        const ssize_t got = recvmsg(program.fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) continue;
        if (got != sizeof r) break;
        reply answer;
        if (r.reap != 0) {
            answer.result = reap(r.reap);
        } else {
            const int worker = received_fd(&message);
            answer.result = fork_worker(worker, program);
            close(worker);
        }
        if (send(program.fd, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) break;
    }
    _exit(0);
}

// The parent's side -----------------------------------------------------------------------------

void send_signal(int pidfd, int signum) {
    syscall(SYS_pidfd_send_signal, pidfd, signum, nullptr, 0);
}

// Copies of it elsewhere see the end, too.
void end_socket(int fd) {
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

void await_end(int pidfd) {
    pollfd end = {pidfd, POLLIN, 0};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) {
    }
}

// False: the server is gone. One that was stopped goes on.
bool ask(fork_server *s, const request &r, int pass, int32_t *result) {
    locked hold(&s->talk);
    request copy = r;
    iovec part = {&copy, sizeof copy};
    control space = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (pass >= 0) {
        message.msg_control = &space;
        message.msg_controllen = sizeof space;
        cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof pass);
        std::memcpy(CMSG_DATA(header), &pass, sizeof pass);
    }
    reply answer;
    ssize_t n;
    send_signal(s->pidfd, SIGCONT);
    do {
        n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n != sizeof copy) return false;
    do {
        n = recv(s->fd, &answer, sizeof answer, 0);
    } while (n < 0 && errno == EINTR);
    *result = answer.result;
    return n == sizeof answer;
}

}  // namespace

fork_server *start_server(int64_t *code) {
    fork_server *s = create<fork_server>();
    int pair[2];
    *code = ALOOP_ENOMEM;
    if (s == nullptr) return nullptr;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        *code = -errno;
        destroy(s);
        return nullptr;
    }
    const int self = open_pidfd(getpid());
    // No handler of the parent may run in the child before it has left it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    int failure = errno;
    if (pid == 0) {
        close(pair[0]);
        serve({pair[1], self});
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    close(pair[1]);
    if (self >= 0) close(self);
    s->fd = pair[0];
    if (pid > 0) {
        s->pidfd = open_pidfd(pid);
        if (s->pidfd >= 0) return s;
        failure = errno;
    }
    end_socket(s->fd);
    while (pid > 0 && waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    *code = -failure;
    destroy(s);
    return nullptr;
}

void drop_server(fork_server *s) {
    if (s->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    end_socket(s->fd);
    send_signal(s->pidfd, SIGKILL);  // it has no worker any more, and may be stopped
    siginfo_t info;
    const id_t server = static_cast<id_t>(s->pidfd);
    while (waitid(k_by_pidfd, server, &info, WEXITED) < 0 && errno == EINTR) {
    }
    close(s->pidfd);
    destroy(s);
}

// Where a thread of the parent holds the mutex the list may be in the making.
void forget_server(fork_server *s) {
    const bool whole = pthread_mutex_trylock(&s->mutex) == 0;
    while (link *first = whole ? s->workers.pop() : nullptr) {
        worker_process *w = static_cast<worker_process *>(first);
        close(w->fd);
        close(w->pidfd);
        destroy(w);
    }
    close(s->fd);
    close(s->pidfd);
    destroy(s);
}

worker_process *start_worker_process(fork_server *s, int64_t *code) {
    worker_process *w = create<worker_process>();
    int pair[2];
    *code = ALOOP_ENOMEM;
    if (w == nullptr) return nullptr;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        *code = -errno;
        destroy(w);
        return nullptr;
    }
    int32_t pid = -1;
    if (workers_killed(s) || !ask(s, {0}, pair[1], &pid)) pid = ALOOP_EBROKENPOOL;
    close(pair[1]);
    if (pid < 0) {
        *code = pid;
        close(pair[0]);
        destroy(w);
        return nullptr;
    }
    w->server = s;
    w->fd = pair[0];
    w->pid = pid;
    w->pidfd = open_pidfd(pid);  // it is not reaped before we ask for that
    const int failure = errno;
    s->refs.fetch_add(1, std::memory_order_relaxed);
    bool late;
    {
        locked hold(&s->mutex);
        s->workers.push(w);
        late = s->killed;
    }
    if (w->pidfd >= 0 && !late) return w;
    *code = late ? ALOOP_EBROKENPOOL : -failure;
    end_worker_process(w);
    return nullptr;
}

// It has no job, or none that anybody waits for: it may as well be killed. One
// that has begun to die does so of its own cause.
int end_worker_process(worker_process *w) {
    fork_server *s = w->server;
    end_socket(w->fd);
    if (w->pidfd >= 0) {
        send_signal(w->pidfd, SIGKILL);
        await_end(w->pidfd);
    }
    {
        locked hold(&s->mutex);
        s->workers.remove(w);
    }
    if (w->pidfd >= 0) close(w->pidfd);
    int32_t status = -1;
    if (!ask(s, {w->pid}, -1, &status)) status = -1;
    destroy(w);
    drop_server(s);
    return status;
}

void kill_workers(fork_server *s) {
    locked hold(&s->mutex);
    s->killed = true;
    for (link *at = s->workers.head(); at != nullptr; at = s->workers.after(at)) {
        send_signal(static_cast<worker_process *>(at)->pidfd, SIGKILL);
    }
    send_signal(s->pidfd, SIGCONT);
}

bool workers_killed(fork_server *s) {
    locked hold(&s->mutex);
    return s->killed;
}

}  // namespace aloop
