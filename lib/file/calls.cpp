// calls.cpp: what the threads do with an open file. No loop, no program code.
//
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "../base/bytes.hpp"
#include "file.hpp"

namespace aloop {

namespace {

template <typename Call>
int64_t uninterrupted(Call call) {
    int64_t result;
    do {
        result = call();
    } while (result == -EINTR);
    return result;
}

// How much memory a read needs: not what was asked for where the file has less. What
// is no plain file hands out no more at a time.
size_t room_for(const file_job *j, int64_t offset) {
    constexpr size_t k_much = 16 * 1024 * 1024;
    if (j->size <= k_much) return j->size;
    struct stat what;
    if (j->sys->fstat(j->core->fd, &what) < 0 || !S_ISREG(what.st_mode)) return k_much;
    if (offset < 0) offset = j->sys->lseek(j->core->fd, 0, SEEK_CUR);
    const int64_t left = offset >= 0 && offset < what.st_size ? what.st_size - offset : 0;
    return std::min(std::max(static_cast<size_t>(left), k_much), j->size);
}

int64_t read_at(file_job *j, int64_t offset) {
    const size_t room = room_for(j, offset);
    bytes *b = make_bytes(nullptr, room);
    if (b == nullptr) return ALOOP_ENOMEM;
    uint8_t *to = b->data;
    const int64_t got = uninterrupted([&] {
        return offset < 0 ? j->sys->read(j->core->fd, to, room)
                          : j->sys->pread(j->core->fd, to, room, offset);
    });
    if (got < 0) {
        unref(b);
        return got;
    }
    j->value = shrink_bytes(b, static_cast<size_t>(got));
    j->value_free = free_bytes;
    return got;
}

int64_t write_at(file_job *j, int64_t offset) {
    size_t done = 0;
    while (done < j->size) {
        const uint8_t *from = j->data + done;
        const size_t n = j->size - done;
        const int64_t written = uninterrupted([&] {
            return offset < 0 ? j->sys->write(j->core->fd, from, n)
                              : j->sys->pwrite(j->core->fd, from, n,
                                               offset + static_cast<int64_t>(done));
        });
        if (written < 0) return written;
        done += static_cast<size_t>(written);
    }
    return static_cast<int64_t>(j->size);
}

}  // namespace

// Nonblocking, so that a FIFO without a peer does not hold the thread; a FIFO or
// a socket is then refused, and files do not care.
int64_t run_open(file_job *j) {
    const int flags = j->flags | O_CLOEXEC | O_NONBLOCK;
    const int64_t fd = uninterrupted([&] { return j->sys->open(j->path, flags, j->mode); });
    if (fd < 0) return fd;
    j->core->fd = static_cast<int>(fd);
    struct stat what;
    const int64_t code = j->sys->fstat(j->core->fd, &what);
    if (code < 0) return code;
    return S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode) ? int64_t{ALOOP_EINVAL} : 0;
}

int64_t run_read(file_job *j) { return read_at(j, -1); }
int64_t run_pread(file_job *j) { return read_at(j, j->offset); }
int64_t run_write(file_job *j) { return write_at(j, -1); }
int64_t run_pwrite(file_job *j) { return write_at(j, j->offset); }

int64_t run_seek(file_job *j) { return j->sys->lseek(j->core->fd, j->offset, j->flags); }

int64_t run_fstat(file_job *j) {
    struct stat what;
    const int64_t code = j->sys->fstat(j->core->fd, &what);
    if (code < 0) return code;
    file_stat *s = create<file_stat>(what);
    if (s == nullptr) return ALOOP_ENOMEM;
    j->value = s;
    j->value_free = [](void *value) { unref(static_cast<file_stat *>(value)); };
    return 0;
}

int64_t run_fsync(file_job *j) {
    return uninterrupted([&] { return j->sys->fsync(j->core->fd); });
}

int64_t run_fdatasync(file_job *j) {
    return uninterrupted([&] { return j->sys->fdatasync(j->core->fd); });
}

int64_t run_truncate(file_job *j) {
    return uninterrupted([&] { return j->sys->ftruncate(j->core->fd, j->offset); });
}

// Linux has closed it, whatever close answers; the answer may tell of a write
// that failed late.
int64_t run_close(file_job *j) {
    const int64_t code = j->sys->close(std::exchange(j->core->fd, -1));
    return code == -EINTR ? 0 : code;
}

}  // namespace aloop
