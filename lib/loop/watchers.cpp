// SPDX-License-Identifier: MIT
#include "watchers.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace aloop {

namespace {

void free_watcher(watcher *w) {
    if (w->free_fn != nullptr) w->free_fn(w->data);
    drop(w->context.map);
    destroy(w);
}

void run_watcher(node *item, action what) {
    watcher *w = static_cast<watcher *>(item);
    w->scheduled = false;
    if (w->removed) {
        free_watcher(w);
        return;
    }
    if (what == action::drop) return;
    loop *l = w->home;
    w->scheduled = true;  // keeps it alive while it runs
    {
        context_scope scope(&w->context);
        const int64_t result = w->callback(w->data);
        if (result < 0) l->report("Exception in callback", result, l->raised.get());
    }
    w->scheduled = false;
    if (l->raised) l->raised.reset();
    if (w->removed) free_watcher(w);
}

void on_ready(io *self, uint8_t) {
    watcher *w = static_cast<watcher *>(self);
    if (w->scheduled) return;
    w->scheduled = true;
    w->home->schedule_io(w);
}

void retire(loop *l, watcher *w) {
    l->io_poller()->remove(w);
    w->removed = true;
    if (!w->scheduled && l->on_fiber && w->free_fn != nullptr) {
        w->scheduled = true;  // the destructor runs on the loop's own stack
        l->schedule(w);
    }
    if (!w->scheduled) free_watcher(w);
}

}  // namespace

watcher_set *watcher_set::of(loop *l) {
    if (l->watchers == nullptr) {
        l->watchers = create<watcher_set>(l);
        if (l->watchers != nullptr) l->add_resource(l->watchers);
    }
    return l->watchers;
}

watcher **watcher_set::place_of(int fd, uint8_t bit) const {
    if (fd < 0 || fd >= room_ || entries_[fd] == claimed_mark()) return nullptr;
    watcher **at = &entries_[fd];
    while (*at != nullptr && (*at)->bits != bit) at = &(*at)->other;
    return at;
}

int64_t watcher_set::reserve(int fd) {
    if (fd < room_) return 0;
    int room = room_ != 0 ? room_ : 32;
    while (room <= fd) room *= 2;
    void *block = reallocate(entries_, static_cast<size_t>(room) * sizeof(watcher *));
    if (block == nullptr) return ALOOP_ENOMEM;
    entries_ = static_cast<watcher **>(block);
    for (int i = room_; i < room; i++) entries_[i] = nullptr;
    room_ = room;
    return 0;
}

int64_t watcher_set::add(int fd, uint8_t bit, aloop_callback_fn fn, void *data,
                         aloop_free_fn free_fn) {
    struct stat what;
    if (fd < 0 || fstat(fd, &what) < 0) return ALOOP_EBADF;
    // epoll would refuse them, and libevent write a warning about it.
    if (S_ISREG(what.st_mode) || S_ISDIR(what.st_mode)) return -EPERM;
    int64_t code = reserve(fd);
    if (code < 0) return code;
    watcher **at = place_of(fd, bit);
    if (at == nullptr) return ALOOP_EBUSY;
    watcher *w = create<watcher>();
    if (w == nullptr) return ALOOP_ENOMEM;
    w->io::fd = fd;
    w->bits = bit;
    w->ready = on_ready;
    w->node::fn = run_watcher;
    w->home = home_;
    w->callback = fn;
    w->data = data;
    watcher *old = *at;
    if (old != nullptr) home_->io_poller()->remove(old);
    code = home_->io_poller()->add(w);
    if (code < 0) {
        w->free_fn = nullptr;
        destroy(w);
        if (old != nullptr) home_->io_poller()->add(old);
        return code;
    }
    w->free_fn = free_fn;
    w->context.map = capture_context();
    w->other = old != nullptr ? old->other : nullptr;
    *at = w;
    if (old != nullptr) retire(home_, old);
    return 0;
}

int64_t watcher_set::remove(int fd, uint8_t bit) {
    watcher **at = place_of(fd, bit);
    if (at == nullptr || *at == nullptr) return 0;
    watcher *w = *at;
    *at = w->other;
    retire(home_, w);
    return 1;
}

int64_t watcher_set::remove_own(int fd, uint8_t bit, const void *data) {
    watcher **at = place_of(fd, bit);
    return at != nullptr && *at != nullptr && (*at)->data == data ? remove(fd, bit) : 0;
}

int64_t watcher_set::claim(int fd) {
    const int64_t code = reserve(fd);
    if (code < 0) return code;
    if (entries_[fd] != nullptr) return ALOOP_EBUSY;
    entries_[fd] = claimed_mark();
    return 0;
}

void watcher_set::disclaim(int fd) {
    if (fd >= 0 && fd < room_ && entries_[fd] == claimed_mark()) entries_[fd] = nullptr;
}

void watcher_set::close_all(resource *self) {
    watcher_set *set = static_cast<watcher_set *>(self);
    for (int fd = 0; fd < set->room_; fd++) {
        if (set->entries_[fd] == claimed_mark()) continue;
        while (watcher *w = set->entries_[fd]) {
            set->entries_[fd] = w->other;
            retire(set->home_, w);
        }
    }
    set->home_->watchers = nullptr;
    destroy(set);
}

}  // namespace aloop
