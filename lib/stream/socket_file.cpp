// SPDX-License-Identifier: MIT
#include "socket_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "../base/memory.hpp"

namespace aloop {

namespace {

bool has_file(const address &a) { return a.family() == AF_UNIX && a.path.sun_path[0] != '\0'; }

}  // namespace

void remove_stale(const address &a) {
    struct stat info;
    if (!has_file(a) || stat(a.path.sun_path, &info) < 0) return;
    if (S_ISSOCK(info.st_mode)) unlink(a.path.sun_path);
}

socket_file *remember_file(const address &a) {
    struct stat info;
    if (!has_file(a) || stat(a.path.sun_path, &info) < 0) return nullptr;
    socket_file *f = create<socket_file>();
    if (f == nullptr) return nullptr;
    f->device = info.st_dev;
    f->inode = info.st_ino;
    std::snprintf(f->path, sizeof f->path, "%s", a.path.sun_path);
    return f;
}

void remove_file(socket_file *f) {
    if (f == nullptr) return;
    struct stat info;
    const bool ours =
        stat(f->path, &info) == 0 && info.st_dev == f->device && info.st_ino == f->inode;
    if (ours) unlink(f->path);
    destroy(f);
}

void forget_file(socket_file *f) { destroy(f); }

}  // namespace aloop
