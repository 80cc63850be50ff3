// watchers.hpp: add_reader and add_writer: level-triggered callbacks on
// descriptors of the program.
//
// A table indexed by descriptor, of one word each: its watchers, or the mark of a
// stream, which claims its descriptor so that a program cannot watch it.
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
    var_cell context;  // what a call sets, the next one finds
    watcher *other = nullptr;  // of the same descriptor, for the other direction
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
    static watcher *claimed_mark() { return reinterpret_cast<watcher *>(1); }
    static void close_all(resource *self);
    int64_t reserve(int fd);
    // Where the watcher for that direction hangs, or would; nullptr: no place.
    watcher **place_of(int fd, uint8_t bit) const;

    loop *home_;
    watcher **entries_ = nullptr;  // the first of each
    int room_ = 0;
};

}  // namespace aloop
