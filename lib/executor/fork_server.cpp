// SPDX-License-Identifier: MIT
#include "fork_server.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace aloop {

namespace {

constexpr int k_server_fd = 3;  // in the server and in its workers

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

// Nothing of the parent's: neither its descriptors nor its handlers. Ctrl-C is
// for the program to answer, which then ends its pool.
void leave_parent(int fd) {
    dup2(fd, k_server_fd);
    syscall(SYS_close_range, k_server_fd + 1, ~0u, 0);
    struct sigaction action = {};
    for (int signum = 1; signum < NSIG; signum++) {
        action.sa_handler = signum == SIGINT ? SIG_IGN : SIG_DFL;
        sigaction(signum, &action, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

int32_t fork_worker(int fd) {
    const pid_t pid = fork();
    if (pid != 0) return pid < 0 ? -errno : pid;
    dup2(fd, k_server_fd);
    if (fd != k_server_fd) close(fd);
    serve_calls(k_server_fd);
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

[[noreturn]] void serve(int fd) {
    leave_parent(fd);
    for (;;) {
        request r;
        iovec part = {&r, sizeof r};
        control space = {};
        msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = &space;
        message.msg_controllen = sizeof space;
        const ssize_t got = recvmsg(k_server_fd, &message, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got != sizeof r) _exit(0);
        reply answer;
        if (r.reap != 0) {
            answer.result = reap(r.reap);
        } else {
            const int worker = received_fd(&message);
            answer.result = fork_worker(worker);
            close(worker);
        }
        if (send(k_server_fd, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) _exit(0);
    }
}

// The parent's side -----------------------------------------------------------------------------

struct locked {
    explicit locked(fork_server *s) : server(s) { pthread_mutex_lock(&s->mutex); }
    ~locked() { pthread_mutex_unlock(&server->mutex); }
    locked(const locked &) = delete;
    locked &operator=(const locked &) = delete;
    fork_server *server;
};

// Under the mutex. False: the server is gone.
bool ask(fork_server *s, const request &r, int pass, int32_t *result) {
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
    // No handler of the parent may run in the child before it has left it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->pid = fork();
    const int failure = errno;
    if (s->pid == 0) {
        close(pair[0]);
        serve(pair[1]);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    close(pair[1]);
    s->fd = pair[0];
    if (s->pid > 0) return s;
    *code = -failure;
    close(s->fd);
    destroy(s);
    return nullptr;
}

void drop_server(fork_server *s) {
    if (s->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    close(s->fd);
    siginfo_t info;
    while (waitid(P_PID, static_cast<id_t>(s->pid), &info, WEXITED) < 0 && errno == EINTR) {
    }
    destroy(s);
}

int64_t start_worker_process(fork_server *s, worker_process *w) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    int32_t pid = -1;
    {
        locked hold(s);
        if (s->killed || !ask(s, {0}, pair[1], &pid)) pid = ALOOP_EBROKENPOOL;
        if (pid > 0) {
            w->server = s;
            w->fd = pair[0];
            w->pid = pid;
            s->workers.push(w);
        }
    }
    close(pair[1]);
    if (pid > 0) {
        s->refs.fetch_add(1, std::memory_order_relaxed);
        return 0;
    }
    close(pair[0]);
    return pid;
}

int end_worker_process(worker_process *w) {
    fork_server *s = w->server;
    int32_t status = -1;
    {
        locked hold(s);
        s->workers.remove(w);
        close(w->fd);
        if (!ask(s, {w->pid}, -1, &status)) status = -1;
    }
    w->fd = -1;
    drop_server(s);
    return status;
}

void kill_workers(fork_server *s) {
    locked hold(s);
    s->killed = true;
    for (link *at = s->workers.head(); at != nullptr; at = s->workers.after(at)) {
        kill(static_cast<worker_process *>(at)->pid, SIGKILL);
    }
}

bool workers_killed(fork_server *s) {
    locked hold(s);
    return s->killed;
}

bool send_all(int fd, const void *data, size_t n) {
    const char *at = static_cast<const char *>(data);
    while (n > 0) {
        const ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += sent;
        n -= static_cast<size_t>(sent);
    }
    return true;
}

bool receive_all(int fd, void *data, size_t n) {
    char *at = static_cast<char *>(data);
    while (n > 0) {
        const ssize_t got = recv(fd, at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        n -= static_cast<size_t>(got);
    }
    return true;
}

}  // namespace aloop
