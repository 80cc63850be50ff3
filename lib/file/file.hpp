// file.hpp: files whose system calls are made by threads beside the loop.
//
// A file is two things: the descriptor, counted between the loop and the job that
// runs on it (core), and the loop's object, which hands one job at a time to the
// pool and keeps the others in line. So calls on one file run in order, a close
// runs behind them, and the descriptor's number is never given back while a thread
// uses it. Jobs own all the memory they touch.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncloop/file.h>

#include <atomic>

#include "../future/side_pool.hpp"

struct stat;

namespace aloop {

struct file;

// Closes the descriptor with its last holder.
struct file_core {
    std::atomic<int> holders{1};
    const sys_table *sys;
    int fd = -1;
};
file_core *make_core(const sys_table *sys);  // nullptr: out of memory
void drop_core(file_core *core);

struct file_link : link {};

struct file_job final : side_job, file_link {
    int64_t (*run)(file_job *) = nullptr;  // on a thread; the status
    const sys_table *sys;
    const char *verb = "";
    char *path = nullptr;
    file_core *core = nullptr;  // held
    file *of = nullptr;         // a reference, the loop's thread's
    bool in_line = false;       // of its file
    uint8_t *data = nullptr;    // owned
    size_t size = 0;
    int64_t offset = 0;
    int32_t flags = 0;
    int32_t mode = 0;
    int64_t status = 0;
    void *value = nullptr;
    aloop_free_fn value_free = nullptr;
};

struct file final : loop_object {
    file_core *core;
    char *path;         // for the texts of errors
    ring line;          // file_link: behind the one that runs
    bool busy = false;  // a job is with the pool
    bool closed = false;

    file(domain *d, file_core *c, char *name) : loop_object(kind::file, d), core(c), path(name) {}
};

inline file *from_c(aloop_file *f) { return reinterpret_cast<file *>(f); }
inline aloop_file *to_c(file *f) { return reinterpret_cast<aloop_file *>(f); }

// A job that is not started yet; nullptr: out of memory. path may be nullptr.
file_job *make_file_job(loop *l, const char *verb, int64_t (*run)(file_job *), const char *path);
// Copies what is to be written. False: out of memory; j is gone.
bool carry(file_job *j, const void *data, size_t n);
// Starts it: at once, or in the line of f. nullptr: out of memory.
future *start_file_job(loop *l, file_job *j, file *f);
future *open_file(loop *l, const char *path, int32_t flags, int32_t mode);

// What jobs run (calls.cpp, whole.cpp).
int64_t run_open(file_job *j);
int64_t run_read(file_job *j);
int64_t run_pread(file_job *j);
int64_t run_write(file_job *j);
int64_t run_pwrite(file_job *j);
int64_t run_seek(file_job *j);
int64_t run_fstat(file_job *j);
int64_t run_fsync(file_job *j);
int64_t run_fdatasync(file_job *j);
int64_t run_truncate(file_job *j);
int64_t run_close(file_job *j);
int64_t run_read_file(file_job *j);
int64_t run_write_file(file_job *j);
int64_t run_stat_file(file_job *j);
int64_t run_list(file_job *j);

struct file_stat final : object {
    int64_t size, mode, inode, links, uid, gid;
    double mtime, atime, ctime;

    explicit file_stat(const struct ::stat &from);
    ~file_stat() { count_live(kind::file_stat, -1); }
};

// Names one behind the other, and where each begins.
struct file_names final : object {
    int64_t count = 0;
    int64_t room = 0;
    char **names = nullptr;

    file_names() : object(kind::file_names) { count_live(kind::file_names, 1); }
    ~file_names();
};

}  // namespace aloop
