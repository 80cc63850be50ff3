// spawn.cpp: the start of a child, without a fork of the parent's memory.
//
// posix_spawn does it; for what it cannot do (ids, umask, limits, descriptors of any
// number below the limit) a vfork child of our own does. That uses bare system calls
// only: it runs in the parent's memory, where the C library's versions would act on
// the parent's threads.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "../base/mask.hpp"
#include "process.hpp"
#include "reap.hpp"

namespace aloop {

namespace {

// The leader of a session leads a group, too, and must not ask for one.
bool wants_group(const process_options &o) {
    return o.process_group > 0 || (o.process_group == 0 && !o.new_session);
}

// posix_spawn -----------------------------------------------------------------------------

class spawn_setup {
public:
    spawn_setup() {
        code_ = posix_spawn_file_actions_init(&actions_);
        if (code_ == 0) code_ = posix_spawnattr_init(&attributes_);
    }
    ~spawn_setup() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    spawn_setup(const spawn_setup &) = delete;
    spawn_setup &operator=(const spawn_setup &) = delete;

    int64_t start(const spawn_request &r) {
        describe_descriptors(r);
        describe_attributes(r);
        pid_t pid = 0;
        if (code_ == 0) {
            code_ = posix_spawn(&pid, r.path, &actions_, &attributes_, r.argv, r.env);
        }
        return code_ == 0 ? pid : -code_;
    }

private:
    void note(int code) {
        if (code_ == 0) code_ = code;
    }

    // The program's own descriptors that lack O_CLOEXEC are not for the child.
    // No target is above 2 here.
    void describe_descriptors(const spawn_request &r) {
        for (int i = 0; i < r.mapping_count; i++) {
            note(posix_spawn_file_actions_adddup2(&actions_, r.mappings[i].from,
                                                  r.mappings[i].to));
        }
        note(posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
        if (r.cwd != nullptr) note(posix_spawn_file_actions_addchdir_np(&actions_, r.cwd));
    }

    // SIGPIPE and SIGXFSZ: ignored by many hosts, expected by every program.
    void describe_attributes(const spawn_request &r) {
        short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
        const sigset_t mask = mask_for_children();
        note(posix_spawnattr_setsigmask(&attributes_, &mask));
        sigset_t defaults;
        sigemptyset(&defaults);
        sigaddset(&defaults, SIGPIPE);
        sigaddset(&defaults, SIGXFSZ);
        note(posix_spawnattr_setsigdefault(&attributes_, &defaults));
        if (r.options->new_session) flags |= POSIX_SPAWN_SETSID;
        if (wants_group(*r.options)) {
            flags |= POSIX_SPAWN_SETPGROUP;
            note(posix_spawnattr_setpgroup(&attributes_, r.options->process_group));
        }
        note(posix_spawnattr_setflags(&attributes_, flags));
    }

    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
    int code_;
};

// A child of our own ------------------------------------------------------------------------

// Both read and write this: it lies in the memory that they share.
struct shared {
    const spawn_request *request;
    sigset_t mask;
    volatile int failure = 0;
};

// For the program: not for the descriptors that it is given.
bool set_limits(const process_options &o) {
    for (int i = 0; i < o.limit_count; i++) {
        if (syscall(SYS_prlimit64, 0, o.limits[i].resource, &o.limits[i].value, nullptr) != 0) {
            return false;
        }
    }
    return true;
}

bool set_identity(const process_options &o) {
    if (o.has_group && (syscall(SYS_setgroups, 0, nullptr) != 0 ||
                        syscall(SYS_setresgid, o.group, o.group, o.group) != 0)) {
        return false;
    }
    return !o.has_user || syscall(SYS_setresuid, o.user, o.user, o.user) == 0;
}

void close_all(unsigned first, unsigned last) {
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
    rlimit open_files = {};  // before Linux 5.9
    getrlimit(RLIMIT_NOFILE, &open_files);
    for (unsigned fd = first; fd <= last && fd < open_files.rlim_cur; fd++) {
        close(static_cast<int>(fd));
    }
}

bool set_descriptors(const spawn_request &r) {
    for (int i = 0; i < r.mapping_count; i++) {
        if (dup2(r.mappings[i].from, r.mappings[i].to) < 0) return false;
    }
    unsigned first = 3;
    for (int fd = 3; fd <= r.highest; fd++) {
        if (!is_target(*r.options, fd)) continue;
        close_all(first, static_cast<unsigned>(fd) - 1);
        first = static_cast<unsigned>(fd) + 1;
    }
    close_all(first, ~0u);
    return true;
}

// Handlers of the parent must not run here once signals are unblocked.
void reset_signals(const sigset_t &mask) {
    for (int signum = 1; signum < NSIG; signum++) {
        struct sigaction now;
        if (sigaction(signum, nullptr, &now) != 0) continue;
        const bool ignored = now.sa_handler == SIG_IGN && signum != SIGPIPE && signum != SIGXFSZ;
        if (ignored || now.sa_handler == SIG_DFL) continue;
        now.sa_handler = SIG_DFL;
        now.sa_flags = 0;
        sigaction(signum, &now, nullptr);
    }
    sigprocmask(SIG_SETMASK, &mask, nullptr);
}

bool become(const spawn_request &r, const sigset_t &mask) {
    const process_options &o = *r.options;
    if (o.new_session && setsid() < 0) return false;
    if (wants_group(o) && setpgid(0, o.process_group) != 0) return false;
    if (o.mask >= 0) umask(static_cast<mode_t>(o.mask));
    if (!set_descriptors(r)) return false;
    if (r.cwd != nullptr && chdir(r.cwd) != 0) return false;
    if (!set_limits(o) || !set_identity(o)) return false;
    reset_signals(mask);
    return true;
}

__attribute__((noinline)) pid_t vfork_child(shared *s) {
    const pid_t pid = vfork();
    if (pid != 0) return pid;
    if (become(*s->request, s->mask)) {
        execve(s->request->path, s->request->argv, s->request->env);
    }
    s->failure = errno;
    _exit(127);
}

int64_t spawn_by_vfork(const spawn_request &r) {
    shared s;
    s.request = &r;
    s.mask = mask_for_children();
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = vfork_child(&s);
    const int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return -code;
    if (s.failure == 0) return pid;
    reap_by_pid(pid);
    return -s.failure;
}

}  // namespace

bool is_target(const process_options &options, int fd) {
    if (fd <= 2) return true;
    for (int i = 0; i < options.mapping_count; i++) {
        if (options.mappings[i].to == fd) return true;
    }
    return false;
}

int64_t spawn(const spawn_request &r) {
    const process_options &o = *r.options;
    const bool special = o.has_user || o.has_group || o.mask >= 0 || o.limit_count > 0 ||
                         o.mapping_count > 0;
    if (special) return spawn_by_vfork(r);
    spawn_setup setup;
    return setup.start(r);
}

}  // namespace aloop
