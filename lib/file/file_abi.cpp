// SPDX-License-Identifier: MIT
#include <asyncloop/file.h>

#include <fcntl.h>
#include <unistd.h>

#include "../future/entry.hpp"
#include "file.hpp"
#include "watch.hpp"

using namespace aloop;

namespace {

int64_t check_file(const aloop_file *handle) {
    const file *f = reinterpret_cast<const file *>(handle);
    if (!is(f, kind::file)) return ALOOP_EINVAL;
    const int64_t code = loop_of(f)->check();
    if (code < 0) return code;
    return f->closed ? int64_t{ALOOP_ESTALE} : 0;
}

// A call on an open file: set fills in the job.
template <typename Set>
aloop_future *call(aloop_file *handle, bool good, const char *verb, int64_t (*run)(file_job *),
                   Set set) {
    const int64_t code = check_file(handle);
    if (code == ALOOP_ESTALE) return refused(code, "The file is closed");
    if (code < 0 || !good) return refused(code < 0 ? code : int64_t{ALOOP_EINVAL});
    file *f = from_c(handle);
    loop *l = loop_of(f);
    file_job *j = make_file_job(l, verb, run, nullptr);
    if (j == nullptr || !set(j)) return made(l, nullptr);
    return made(l, start_file_job(l, j, f));
}

// A call on a path.
template <typename Set>
aloop_future *call_path(const char *path, bool good, const char *verb,
                        int64_t (*run)(file_job *), Set set) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (path == nullptr || !good) return refused(ALOOP_EINVAL);
    file_job *j = make_file_job(l, verb, run, path);
    if (j == nullptr || !set(j)) return made(l, nullptr);
    return made(l, start_file_job(l, j, nullptr));
}

bool unchanged(file_job *) { return true; }

const file_stat *good(const aloop_file_stat *handle) {
    const file_stat *s = reinterpret_cast<const file_stat *>(handle);
    return is(s, kind::file_stat) ? s : nullptr;
}

int64_t number_of(const aloop_file_stat *handle, int64_t file_stat::*which) {
    const file_stat *s = good(handle);
    return s != nullptr ? s->*which : int64_t{ALOOP_EINVAL};
}

double time_of(const aloop_file_stat *handle, double file_stat::*which) {
    const file_stat *s = good(handle);
    return s != nullptr ? s->*which : 0;
}

const file_event *good(const aloop_file_event *handle) {
    const file_event *e = reinterpret_cast<const file_event *>(handle);
    return is(e, kind::file_event) ? e : nullptr;
}

int64_t check_watch(const aloop_file_watch *handle) {
    const file_watch *w = reinterpret_cast<const file_watch *>(handle);
    return is(w, kind::file_watch) ? loop_of(w)->check() : int64_t{ALOOP_EINVAL};
}

}  // namespace

// An open file -------------------------------------------------------------------------------

aloop_future *aloop_file_open(const char *path, int32_t flags, int32_t mode) {
    loop *l = usable_loop();
    if (l == nullptr) return nullptr;
    if (path == nullptr) return refused(ALOOP_EINVAL);
    return made(l, open_file(l, path, flags, mode));
}

aloop_future *aloop_file_read(aloop_file *file, size_t n) {
    return call(file, !bad_size(n), "read", run_read, [=](file_job *j) {
        j->size = n;
        return true;
    });
}

aloop_future *aloop_file_pread(aloop_file *file, size_t n, int64_t offset) {
    return call(file, !bad_size(n) && offset >= 0, "read", run_pread, [=](file_job *j) {
        j->size = n;
        j->offset = offset;
        return true;
    });
}

aloop_future *aloop_file_write(aloop_file *file, const void *data, size_t len) {
    return call(file, !bad_memory(data, len), "write", run_write,
                [=](file_job *j) { return carry(j, data, len); });
}

aloop_future *aloop_file_pwrite(aloop_file *file, const void *data, size_t len, int64_t offset) {
    return call(file, !bad_memory(data, len) && offset >= 0, "write", run_pwrite,
                [=](file_job *j) {
                    j->offset = offset;
                    return carry(j, data, len);
                });
}

aloop_future *aloop_file_seek(aloop_file *file, int64_t offset, int32_t whence) {
    return call(file, true, "seek in", run_seek, [=](file_job *j) {
        j->offset = offset;
        j->flags = whence;
        return true;
    });
}

aloop_future *aloop_file_fstat(aloop_file *file) {
    return call(file, true, "stat", run_fstat, unchanged);
}

aloop_future *aloop_file_fsync(aloop_file *file) {
    return call(file, true, "sync", run_fsync, unchanged);
}

aloop_future *aloop_file_fdatasync(aloop_file *file) {
    return call(file, true, "sync", run_fdatasync, unchanged);
}

aloop_future *aloop_file_truncate(aloop_file *file, int64_t size) {
    return call(file, size >= 0, "truncate", run_truncate, [=](file_job *j) {
        j->offset = size;
        return true;
    });
}

aloop_future *aloop_file_close(aloop_file *handle) {
    aloop_future *outcome = call(handle, true, "close", run_close, [](file_job *j) {
        j->stays = true;
        return true;
    });
    // It may not have begun, for want of memory or of a thread.
    const bool begun = outcome != nullptr && from_c(outcome)->pending();
    if (begun && check_file(handle) == 0) from_c(handle)->closed = true;
    return outcome;
}

int64_t aloop_file_descriptor(aloop_file *handle) {
    const int64_t code = check_file(handle);
    return code < 0 ? code : from_c(handle)->core->fd;
}

// Whole files ----------------------------------------------------------------------------------

aloop_future *aloop_read_file(const char *path, int64_t limit) {
    return call_path(path, true, "read", run_read_file, [=](file_job *j) {
        j->offset = limit;
        return true;
    });
}

aloop_future *aloop_write_file(const char *path, const void *data, size_t len) {
    return call_path(path, !bad_memory(data, len), "write", run_write_file,
                     [=](file_job *j) { return carry(j, data, len); });
}

aloop_future *aloop_stat_file(const char *path, int32_t follow) {
    return call_path(path, true, "stat", run_stat_file, [=](file_job *j) {
        j->flags = follow != 0 ? 0 : AT_SYMLINK_NOFOLLOW;
        return true;
    });
}

aloop_future *aloop_list_directory(const char *path) {
    return call_path(path, true, "list", run_list, unchanged);
}

int64_t aloop_file_stat_size(const aloop_file_stat *s) { return number_of(s, &file_stat::size); }
int64_t aloop_file_stat_mode(const aloop_file_stat *s) { return number_of(s, &file_stat::mode); }
int64_t aloop_file_stat_inode(const aloop_file_stat *s) { return number_of(s, &file_stat::inode); }
int64_t aloop_file_stat_links(const aloop_file_stat *s) { return number_of(s, &file_stat::links); }
int64_t aloop_file_stat_uid(const aloop_file_stat *s) { return number_of(s, &file_stat::uid); }
int64_t aloop_file_stat_gid(const aloop_file_stat *s) { return number_of(s, &file_stat::gid); }
double aloop_file_stat_mtime(const aloop_file_stat *s) { return time_of(s, &file_stat::mtime); }
double aloop_file_stat_atime(const aloop_file_stat *s) { return time_of(s, &file_stat::atime); }
double aloop_file_stat_ctime(const aloop_file_stat *s) { return time_of(s, &file_stat::ctime); }

int64_t aloop_file_names_count(const aloop_file_names *handle) {
    const file_names *n = reinterpret_cast<const file_names *>(handle);
    return is(n, kind::file_names) ? n->count : int64_t{ALOOP_EINVAL};
}

const char *aloop_file_names_at(const aloop_file_names *handle, int64_t index) {
    const file_names *n = reinterpret_cast<const file_names *>(handle);
    if (!is(n, kind::file_names) || index < 0 || index >= n->count) return nullptr;
    return n->names[index];
}

// Watching -------------------------------------------------------------------------------------

int64_t aloop_file_watch_new(aloop_file_watch **out, const char *path) {
    if (out == nullptr || path == nullptr) return ALOOP_EINVAL;
    loop *l = usable_loop();
    if (l == nullptr) return ALOOP_ENORUNNINGLOOP;
    file_watch *w = nullptr;
    const int64_t code = make_watch(l, path, &w);
    if (code == 0) *out = to_c(w);
    return code;
}

aloop_future *aloop_file_watch_next(aloop_file_watch *handle) {
    const int64_t code = check_watch(handle);
    if (code < 0) return refused(code);
    return made(loop_of(from_c(handle)), make_next(from_c(handle)));
}

int64_t aloop_file_watch_close(aloop_file_watch *handle) {
    const int64_t code = check_watch(handle);
    if (code == 0) close_watch(from_c(handle));
    return code;
}

int64_t aloop_file_event_kind(const aloop_file_event *handle) {
    const file_event *e = good(handle);
    return e != nullptr ? e->what : int64_t{ALOOP_EINVAL};
}

int64_t aloop_file_event_is_directory(const aloop_file_event *handle) {
    const file_event *e = good(handle);
    return e != nullptr ? e->directory : int64_t{ALOOP_EINVAL};
}

const char *aloop_file_event_name(const aloop_file_event *handle) {
    const file_event *e = good(handle);
    return e != nullptr ? e->name : "";
}

const char *aloop_file_event_old_name(const aloop_file_event *handle) {
    const file_event *e = good(handle);
    return e != nullptr ? e->old_name : "";
}
