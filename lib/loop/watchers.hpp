// watchers.hpp: add_reader and add_writer: level-triggered callbacks on
// descriptors of the program.
//
// A table indexed by descriptor. Streams claim theirs in it, so that a program
// cannot watch what a stream owns.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "loop.hpp"

namespace aloop {

struct watcher : io, node {
    loop *home;
    aloop_callback_fn callback;
    void *data;
    aloop_free_fn free_fn;
    var_map *context;
    bool scheduled = false;
    bool removed = false;
};

class watcher_set final : public resource {
public:
    static watcher_set *of(loop *l);  // made on first use; nullptr: out of memory

    explicit watcher_set(loop *l) : home_(l) { close = close_all; }
    ~watcher_set() { release(entries_); }

    int64_t add(int fd, uint8_t bit, aloop_callback_fn fn, void *data, aloop_free_fn free_fn);
    int64_t remove(int fd, uint8_t bit);
    // The same, if the callback has this data: not what took its place.
    int64_t remove_own(int fd, uint8_t bit, const void *data);
    // A stream owns fd from now on. ALOOP_EBUSY if it is watched.
    int64_t claim(int fd);
    void disclaim(int fd);

private:
    struct entry {
        watcher *by_bit[2];
        bool claimed;
    };

    static void close_all(resource *self);
    int64_t reserve(int fd);
    entry *find(int fd) const;

    loop *home_;
    entry *entries_ = nullptr;
    int room_ = 0;
};

}  // namespace aloop
