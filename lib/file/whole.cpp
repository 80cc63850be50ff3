// whole.cpp: whole files and directories by their path.
//
// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../base/bytes.hpp"
#include "file.hpp"

namespace aloop {

namespace {

void destroy_stat(object *o) { destroy(static_cast<file_stat *>(o)); }
void destroy_names(object *o) { destroy(static_cast<file_names *>(o)); }

const register_kind g_stat(kind::file_stat, {"file status", destroy_stat});
const register_kind g_names(kind::file_names, {"file names", destroy_names});

double seconds(const timespec &t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// A descriptor that this thread closes.
struct open_fd {
    const sys_table *sys;
    int fd = -1;

    ~open_fd() {
        if (fd >= 0) sys->close(fd);
    }
    int64_t open(const char *path, int flags, int mode = 0) {
        int64_t result;
        do {
            result = sys->open(path, flags | O_CLOEXEC, mode);
        } while (result == -EINTR);
        if (result >= 0) fd = static_cast<int>(result);
        return result;
    }
    int64_t close() { return sys->close(std::exchange(fd, -1)); }
};

// More than the file has, so that the end shows; at least a page where the
// system does not say (/proc).
constexpr size_t k_least_room = 4096;

int64_t read_all(file_job *j, int fd, size_t room) {
    bytes *b = make_bytes(nullptr, room);
    size_t have = 0;
    int64_t got = b != nullptr ? 1 : int64_t{ALOOP_ENOMEM};
    while (got > 0 || got == -EINTR) {
        if (have == b->size) {
            bytes *bigger = b->size < SIZE_MAX / 4 ? make_bytes(nullptr, b->size * 2) : nullptr;
            if (bigger == nullptr) {
                got = ALOOP_ENOMEM;
                break;
            }
            uint8_t *to = bigger->data;
            std::memcpy(to, b->data, have);
            unref(std::exchange(b, bigger));
        }
        uint8_t *to = b->data;
        got = j->sys->read(fd, to + have, b->size - have);
        if (got > 0) have += static_cast<size_t>(got);
        if (j->offset >= 0 && have > static_cast<size_t>(j->offset)) got = -EFBIG;
    }
    if (got < 0) {
        if (b != nullptr) unref(b);
        return got;
    }
    j->value = shrink_bytes(b, have);
    j->value_free = free_bytes;
    return static_cast<int64_t>(have);
}

int64_t write_all(const sys_table *sys, int fd, const uint8_t *data, size_t n) {
    while (n > 0) {
        const int64_t written = sys->write(fd, data, n);
        if (written == -EINTR) continue;
        if (written < 0) return written;
        data += written;
        n -= static_cast<size_t>(written);
    }
    return 0;
}

int64_t sync(const sys_table *sys, int fd) {
    int64_t code;
    do {
        code = sys->fsync(fd);
    } while (code == -EINTR);
    return code;
}

// The directory's entry is synced, too; some file systems cannot, and need not.
void sync_directory(const sys_table *sys, char *path) {
    char *slash = std::strrchr(path, '/');
    const char *directory = slash == nullptr ? "." : slash == path ? "/" : path;
    if (slash != nullptr && slash != path) *slash = '\0';
    open_fd d = {sys};
    if (d.open(directory, O_RDONLY | O_DIRECTORY) >= 0) sys->fsync(d.fd);
    if (slash != nullptr && slash != path) *slash = '/';
}

// Beside path, under a name that nobody else has. temporary has room for it.
int64_t open_beside(file_job *j, open_fd *out, char *temporary, size_t room) {
    static std::atomic<unsigned> number{0};
    struct stat old;
    const bool exists = j->sys->stat_path(j->path, &old, 0) >= 0;
    const int mode = exists ? static_cast<int>(old.st_mode & 07777) : 0666;
    for (int i = 0; i < 100; i++) {
        std::snprintf(temporary, room, "%s.%d-%u.tmp", j->path, static_cast<int>(getpid()),
                      number.fetch_add(1));
        const int64_t code = out->open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (code != -EEXIST) {
            // open's mode is cut by the umask; the old one's was, already.
            if (code >= 0 && exists) fchmod(out->fd, static_cast<mode_t>(mode));
            return code;
        }
    }
    return -EEXIST;
}

bool add_name(file_names *names, const char *name) {
    if (names->count == names->room) {
        const int64_t room = names->room > 0 ? names->room * 2 : 16;
        void *block = reallocate(names->names, static_cast<size_t>(room) * sizeof(char *));
        if (block == nullptr) return false;
        names->names = static_cast<char **>(block);
        names->room = room;
    }
    char *copy = copy_string(name);
    if (copy == nullptr) return false;
    names->names[names->count++] = copy;
    return true;
}

bool is_dots(const char *name) {
    return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// 0, or why not all names are there.
int64_t read_names(DIR *directory, file_names *names) {
    for (;;) {
        errno = 0;
        const dirent *entry = readdir(directory);
        if (entry == nullptr) return -errno;
        if (!is_dots(entry->d_name) && !add_name(names, entry->d_name)) return ALOOP_ENOMEM;
    }
}

}  // namespace

file_stat::file_stat(const struct ::stat &from)
    : object(kind::file_stat),
      size(from.st_size),
      mode(from.st_mode),
      inode(static_cast<int64_t>(from.st_ino)),
      links(static_cast<int64_t>(from.st_nlink)),
      uid(from.st_uid),
      gid(from.st_gid),
      mtime(seconds(from.st_mtim)),
      atime(seconds(from.st_atim)),
      ctime(seconds(from.st_ctim)) {
    count_live(kind::file_stat, 1);
}

file_names::~file_names() {
    for (int64_t i = 0; i < count; i++) release(names[i]);
    release(names);
    count_live(kind::file_names, -1);
}

int64_t run_read_file(file_job *j) {
    open_fd f = {j->sys};
    int64_t code = f.open(j->path, O_RDONLY | O_NONBLOCK);
    if (code < 0) return code;
    struct stat what;
    code = j->sys->fstat(f.fd, &what);
    if (code < 0) return code;
    if (S_ISDIR(what.st_mode)) return -EISDIR;
    if (S_ISFIFO(what.st_mode)) return ALOOP_EINVAL;
    if (j->offset >= 0 && what.st_size > j->offset) return -EFBIG;
    const size_t known = static_cast<size_t>(what.st_size) + 1;
    return read_all(j, f.fd, known > k_least_room ? known : k_least_room);
}

int64_t run_write_file(file_job *j) {
    const size_t room = std::strlen(j->path) + 40;
    char *temporary = static_cast<char *>(allocate(room));
    if (temporary == nullptr) return ALOOP_ENOMEM;
    open_fd f = {j->sys};
    int64_t code = open_beside(j, &f, temporary, room);
    if (code >= 0) {
        code = write_all(j->sys, f.fd, j->data, j->size);
        if (code >= 0) code = sync(j->sys, f.fd);
        const int64_t closed = f.close();
        if (code >= 0) code = closed;
        if (code >= 0) code = j->sys->rename(temporary, j->path);
        if (code >= 0) sync_directory(j->sys, j->path);
        else j->sys->unlink(temporary);
    }
    release(temporary);
    return code < 0 ? code : static_cast<int64_t>(j->size);
}

int64_t run_stat_file(file_job *j) {
    struct stat what;
    const int64_t code = j->sys->stat_path(j->path, &what, j->flags);
    if (code < 0) return code;
    file_stat *s = create<file_stat>(what);
    if (s == nullptr) return ALOOP_ENOMEM;
    j->value = s;
    j->value_free = [](void *value) { unref(static_cast<file_stat *>(value)); };
    return 0;
}

int64_t run_list(file_job *j) {
    open_fd f = {j->sys};
    int64_t code = f.open(j->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (code < 0) return code;
    DIR *directory = fdopendir(f.fd);
    if (directory == nullptr) return -errno;
    f.fd = -1;  // the directory's
    file_names *names = create<file_names>();
    code = names != nullptr ? read_names(directory, names) : int64_t{ALOOP_ENOMEM};
    closedir(directory);
    if (code < 0) {
        if (names != nullptr) unref(names);
        return code;
    }
    j->value = names;
    j->value_free = [](void *value) { unref(static_cast<file_names *>(value)); };
    return names->count;
}

}  // namespace aloop
