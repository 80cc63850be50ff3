// SPDX-License-Identifier: MIT
#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../loop/signals.hpp"
#include "../stream/pipe.hpp"

namespace aloop {

namespace {

// The end ----------------------------------------------------------------------------------

void stop_watching(process *p) {
    loop *l = loop_of(p);
    p->running = false;
    if (p->fd >= 0) {
        l->io_poller()->remove(p);
        if (p->leads_group) {
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

enum class end { not_yet, known, lost };

// By the pidfd, for the number of a child that was reaped elsewhere may be
// another's by now.
end reap(process *p, int flags) {
    if (p->fd < 0) return end::lost;
    siginfo_t info = {};
    int code;
    do {
        code = waitid(P_PIDFD, static_cast<id_t>(p->fd), &info, WEXITED | flags);
    } while (code < 0 && errno == EINTR);
    if (code < 0) return end::lost;
    if (info.si_pid == 0) return end::not_yet;  // a tracer has it first
    note_end(p, info);
    return end::known;
}

// The pidfd is readable, or there never was one: reap this child and no other.
void run_process(node *item, action what) {
    process *p = static_cast<process *>(item);
    p->state = 0;
    const end found = what == action::run && p->running ? reap(p, WNOHANG) : end::not_yet;
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

// The loop closes: nobody could tell any more when the child ends.
void let_go(self_held *self) {
    process *p = static_cast<process *>(self);
    loop_of(p)->self_held.push(self);  // stop_watching takes it out
    if (p->forks == fork_generation()) {
        signal_process(p, SIGKILL);
        reap(p, 0);
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

// The beginning -------------------------------------------------------------------------------

// The descriptors of a start that are closed when it is over.
class descriptors {
public:
    explicit descriptors(const sys_table *sys) : sys_(sys) {}
    ~descriptors() {
        for (int i = 0; i < count_; i++) sys_->close(list_[i]);
    }
    descriptors(const descriptors &) = delete;
    descriptors &operator=(const descriptors &) = delete;

    int keep(int fd) { return list_[count_++] = fd; }
    // A copy above every target of the child.
    int64_t lift(int fd, int lowest) {
        const int64_t copy = sys_->fcntl(fd, F_DUPFD_CLOEXEC, lowest);
        return copy < 0 ? copy : keep(static_cast<int>(copy));
    }

private:
    const sys_table *sys_;
    int list_[2 * (k_most_mappings + 3) + 8];
    int count_ = 0;
};

class starter {
public:
    starter(loop *l, process *p, const process_options *options)
        : home_(l), process_(p), open_(l->sys()), options_(options) {
        request_.options = options;
        for (int i = 0; i < options->mapping_count; i++) {
            if (options->mappings[i].to > request_.highest) {
                request_.highest = options->mappings[i].to;
            }
        }
    }

    // First what is there, and only then what is opened: that may get the number
    // of a descriptor that the program meant and that is closed.
    int64_t prepare() {
        int64_t code = 0;
        for (int i = 0; i < 3 && code == 0; i++) code = map_given(i);
        for (int i = 0; i < options_->mapping_count && code == 0; i++) {
            code = map(options_->mappings[i].from, options_->mappings[i].to);
        }
        for (int i = 0; i < 3 && code == 0; i++) code = open_new(i);
        return code;
    }

    spawn_request &request() { return request_; }

private:
    int64_t map(int from, int to) {
        const int64_t fd = open_.lift(from, request_.highest + 1);
        if (fd < 0) return fd;
        request_.mappings[request_.mapping_count++] = {static_cast<int>(fd), to};
        return 0;
    }

    bool inherits_stdout() const { return options_->stdio[1] == ALOOP_INHERIT; }

    int64_t map_given(int i) {
        const int what = options_->stdio[i];
        if (what >= 0) return map(what, i);
        return what == ALOOP_STDOUT && inherits_stdout() ? map(1, i) : 0;
    }

    int64_t open_new(int i) {
        const int what = options_->stdio[i];
        if (what == ALOOP_STDOUT) return inherits_stdout() ? 0 : map_like_stdout();
        if (what == ALOOP_PIPE) return open_pipe(i);
        if (what != ALOOP_DEVNULL) return 0;
        const int64_t null = home_->sys()->open("/dev/null", O_RDWR | O_CLOEXEC, 0);
        return null < 0 ? null : map(open_.keep(static_cast<int>(null)), i);
    }

    int64_t map_like_stdout() {
        int i = 0;
        while (request_.mappings[i].to != 1) i++;
        return map(request_.mappings[i].from, 2);
    }

    int64_t open_pipe(int i) {
        int pair[2];
        int64_t code = home_->sys()->pipe2(pair, O_CLOEXEC);
        if (code < 0) return code;
        const int ours = i == 0 ? pair[1] : pair[0];
        const int theirs = open_.keep(i == 0 ? pair[0] : pair[1]);
        home_->sys()->fcntl(ours, F_SETFL, O_NONBLOCK);
        stream **out = &process_->streams[i];
        code = i == 0 ? adopt_write_pipe(home_, ours, options_->limit, out)
                      : adopt_read_pipe(home_, ours, options_->limit, out);
        if (code < 0) {
            home_->sys()->close(ours);
            return code;
        }
        return map(theirs, i);
    }

    loop *home_;
    process *process_;
    descriptors open_;
    const process_options *options_;
    spawn_request request_ = {};
};

const char *path_of(char *const *env) {
    if (env == nullptr) return std::getenv("PATH");
    for (; *env != nullptr; env++) {
        if (std::strncmp(*env, "PATH=", 5) == 0) return *env + 5;
    }
    return nullptr;
}

// The folder that a child starts in: relative paths of its program begin there.
class folder {
public:
    explicit folder(const char *path) {
        if (path != nullptr) fd_ = ::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    ~folder() {
        if (fd_ >= 0) ::close(fd_);
    }
    folder(const folder &) = delete;
    folder &operator=(const folder &) = delete;

    bool has(const char *path) const { return ::faccessat(fd_, path, F_OK, 0) == 0; }
    bool has_program(const char *path) const {
        struct stat info;
        return ::faccessat(fd_, path, X_OK, 0) == 0 && ::fstatat(fd_, path, &info, 0) == 0 &&
               !S_ISDIR(info.st_mode);
    }

private:
    int fd_ = AT_FDCWD;
};

// Where name is found along PATH; it is copied to buffer.
int64_t find_program(const char *name, const process_options *options, char *buffer, size_t size) {
    if (std::strchr(name, '/') != nullptr) {
        return std::snprintf(buffer, size, "%s", name) < static_cast<int>(size) ? 0 : -ENAMETOOLONG;
    }
    const folder start(options->cwd);
    const char *path = path_of(options->env);
    if (path == nullptr) path = "/bin:/usr/bin";
    int64_t code = -ENOENT;
    for (const char *at = path; name[0] != '\0';) {
        const char *end = ::strchrnul(at, ':');
        const int n = static_cast<int>(end - at);
        if (std::snprintf(buffer, size, "%.*s%s%s", n, at, n > 0 ? "/" : "./", name) <
            static_cast<int>(size)) {
            if (start.has_program(buffer)) return 0;
            if (start.has(buffer)) code = -EACCES;
        }
        if (*end == '\0') break;
        at = end + 1;
    }
    return code;
}

// Of a child that the kernel or a stranger has reaped already there is no pidfd:
// its end is told in the next iteration.
int64_t watch(loop *l, process *p) {
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

bool is_folder(const char *path) {
    struct stat info;
    return ::access(path, X_OK) == 0 && ::stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t launch(loop *l, process *p, char *const *argv, const process_options *options,
               const char **name) {
    starter start(l, p, options);
    int64_t code = start.prepare();
    if (code < 0) return code;
    char path[4096];
    *name = argv[0];
    code = find_program(argv[0], options, path, sizeof path);
    spawn_request &r = start.request();
    r.path = path;
    r.argv = argv;
    r.env = options->env != nullptr ? options->env : environ;
    r.cwd = options->cwd;
    if (code == 0) code = spawn(r);
    if (code < 0) {
        if (r.cwd != nullptr && !is_folder(r.cwd)) *name = r.cwd;
        return code;
    }
    *name = nullptr;
    p->pid = static_cast<int>(code);
    p->leads_group = options->new_session || options->process_group == 0;
    p->output_limit = options->output_limit;
    code = watch(l, p);
    if (code < 0) {
        siginfo_t info;
        ::kill(p->pid, SIGKILL);
        waitid(P_PID, static_cast<id_t>(p->pid), &info, WEXITED);
    }
    return code;
}

}  // namespace

int64_t start_process(loop *l, char *const *argv, const process_options *options, process **out,
                      const char **name) {
    process *p = l->make_object<process>();
    if (p == nullptr) return ALOOP_ENOMEM;
    const int64_t code = launch(l, p, argv, options, name);
    if (code < 0) {
        for (stream *&s : p->streams) {
            if (s != nullptr) discard_stream(std::exchange(s, nullptr));
        }
        unref(static_cast<loop_object *>(p));
        return code;
    }
    *out = p;
    return 0;
}

int64_t wait_status(const process *p) {
    return p->returncode >= 0 ? p->returncode : ALOOP_SIGNALED - p->returncode;
}

int64_t signal_process(process *p, int signum) {
    if (!p->running) return -ESRCH;
    if (signum < 0 || signum > k_signals) return ALOOP_EINVAL;
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

char **copy_strings(const char *const *strings) {
    size_t n = 0;
    size_t size = 0;
    for (; strings[n] != nullptr; n++) size += std::strlen(strings[n]) + 1;
    char **copy = static_cast<char **>(allocate((n + 1) * sizeof(char *) + size));
    if (copy == nullptr) return nullptr;
    char *at = reinterpret_cast<char *>(copy + n + 1);
    for (size_t i = 0; i < n; i++) {
        const size_t length = std::strlen(strings[i]) + 1;
        copy[i] = static_cast<char *>(std::memcpy(at, strings[i], length));
        at += length;
    }
    copy[n] = nullptr;
    return copy;
}

}  // namespace aloop
