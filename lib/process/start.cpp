// start.cpp: preparing a start: the descriptors that the child gets, and where its
// program is. The start itself is in spawn.cpp.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "../stream/pipe.hpp"
#include "process.hpp"
#include "reap.hpp"

namespace aloop {

namespace {

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
    // A copy above every target of the child; where the numbers end there, one
    // between them.
    int64_t lift(int fd, const process_options &options, int highest) {
        int64_t copy = sys_->fcntl(fd, F_DUPFD_CLOEXEC, highest + 1);
        if (copy == -EINVAL || copy == -EMFILE) copy = lift_between(fd, options);
        return copy < 0 ? copy : keep(static_cast<int>(copy));
    }

private:
    int64_t lift_between(int fd, const process_options &options) {
        for (int lowest = 3;;) {
            const int64_t copy = sys_->fcntl(fd, F_DUPFD_CLOEXEC, lowest);
            if (copy < 0) return copy == -EINVAL ? -EMFILE : copy;
            if (!is_target(options, static_cast<int>(copy))) return copy;
            sys_->close(static_cast<int>(copy));
            lowest = static_cast<int>(copy) + 1;
        }
    }

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
        return code == 0 ? reserve() : code;
    }

    spawn_request &request() { return request_; }

private:
    // A number for the child's pidfd: a child that could not be watched is not
    // to start in the first place.
    int64_t reserve() {
        const int64_t fd = home_->sys()->pidfd_open(getpid(), 0);
        if (fd < 0) return fd;
        open_.keep(static_cast<int>(fd));
        return 0;
    }

    int64_t map(int from, int to) {
        const int64_t fd = open_.lift(from, *options_, request_.highest);
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

bool is_folder(const char *path) {
    struct stat info;
    return ::access(path, X_OK) == 0 && ::stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// The child's pid, or why there is none. What the start has opened is closed after
// it, also the reserve for the pidfd.
int64_t start_program(loop *l, process *p, char *const *argv, const process_options *options,
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
    if (code >= 0) *name = nullptr;
    else if (r.cwd != nullptr && !is_folder(r.cwd)) *name = r.cwd;
    return code;
}

int64_t launch(loop *l, process *p, char *const *argv, const process_options *options,
               const char **name) {
    reap_listed();
    int64_t code = start_program(l, p, argv, options, name);
    if (code < 0) return code;
    p->pid = static_cast<int>(code);
    p->leads_group = options->new_session || options->process_group == 0;
    p->output_limit = options->output_limit;
    code = watch_process(l, p);
    if (code < 0) end_child_by_pid(p->pid);
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
