// SPDX-License-Identifier: MIT
#include "watch.hpp"

#include <sys/inotify.h>

#include <cerrno>
#include <cstring>

namespace aloop {

namespace {

constexpr uint32_t k_wanted = IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
                              IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;

void wake(file_watch *w) {
    if (w->reading != nullptr && w->reading->pending()) finish(w->reading, 0, nullptr, nullptr);
}

void tear_down(file_watch *w) {
    if (w->closed) return;
    w->closed = true;
    loop *l = loop_of(w);
    l->io_poller()->remove(w);
    l->sys()->close(w->fd);
    w->fd = -1;
    l->self_held.remove(static_cast<self_held *>(w));
}

void run_watch(node *item, action what) {
    file_watch *w = static_cast<file_watch *>(item);
    w->queued = false;
    if (what == action::run) wake(w);
    unref(static_cast<loop_object *>(w));
}

void on_ready(io *self, uint8_t) {
    file_watch *w = static_cast<file_watch *>(self);
    w->readable = true;
    if (w->reading == nullptr || w->queued) return;
    w->queued = true;
    ref(static_cast<loop_object *>(w));
    loop_of(w)->schedule_io(w);
}

// The loop closes.
void let_go(self_held *self) {
    file_watch *w = static_cast<file_watch *>(self);
    loop_of(w)->self_held.push(self);  // tear_down takes it out
    tear_down(w);
}

void destroy_watch(object *o) {
    file_watch *w = static_cast<file_watch *>(o);
    tear_down(w);
    loop_of(w)->free_object(w);
}

void destroy_event(object *o) { destroy(static_cast<file_event *>(o)); }

const register_kind g_watch(kind::file_watch, {"file watch", destroy_watch});
const register_kind g_event(kind::file_event, {"file event", destroy_event});

file_event *make_event(int32_t what, bool directory, const char *name, const char *old_name) {
    const size_t n = std::strlen(name) + 1;
    const size_t old = std::strlen(old_name) + 1;
    void *block = allocate(sizeof(file_event) + n + old);
    if (block == nullptr) return nullptr;
    file_event *e = new (block) file_event;
    e->what = what;
    e->directory = directory;
    e->name = reinterpret_cast<char *>(e + 1);
    e->old_name = e->name + n;
    std::memcpy(e->name, name, n);
    std::memcpy(e->old_name, old_name, old);
    return e;
}

// Events -----------------------------------------------------------------------------------

// The kernel's inotify_event without its name.
struct event_head {
    int32_t wd;
    uint32_t mask, cookie, len;
};
static_assert(sizeof(event_head) == sizeof(inotify_event));

struct raw_event {
    event_head head;
    const char *name;  // in the watch's buffer
    size_t size;
};

bool first_event(const file_watch *w, size_t at, raw_event *out) {
    if (w->end - at < sizeof out->head) return false;
    std::memcpy(&out->head, w->data + at, sizeof out->head);
    out->name = out->head.len > 0 ? w->data + at + sizeof out->head : "";
    out->size = sizeof out->head + out->head.len;
    return true;
}

// Behind what is left of the buffer. 0: more is there now; -EAGAIN.
int64_t refill(file_watch *w) {
    if (!w->readable) return -EAGAIN;
    std::memmove(w->data, w->data + w->begin, w->end - w->begin);
    w->end -= w->begin;
    w->begin = 0;
    int64_t got;
    do {
        got = loop_of(w)->sys()->read(w->fd, w->data + w->end, w->k_room - w->end);
    } while (got == -EINTR);
    if (got == -EAGAIN) w->readable = false;
    if (got < 0) return got;
    w->end += static_cast<size_t>(got);
    return 0;
}

// The other half of a move within the directory, right behind the first.
bool moved_to(file_watch *w, const raw_event &from, raw_event *out) {
    size_t at = w->begin + from.size;
    if (!first_event(w, at, out)) return false;
    return (out->head.mask & IN_MOVED_TO) != 0 && out->head.cookie == from.head.cookie;
}

int32_t kind_of(uint32_t mask) {
    if ((mask & IN_Q_OVERFLOW) != 0) return ALOOP_FILE_OVERFLOW;
    if ((mask & IN_CREATE) != 0) return ALOOP_FILE_CREATED;
    if ((mask & IN_MODIFY) != 0) return ALOOP_FILE_MODIFIED;
    if ((mask & IN_ATTRIB) != 0) return ALOOP_FILE_ATTRIBUTES;
    if ((mask & (IN_DELETE | IN_DELETE_SELF)) != 0) return ALOOP_FILE_DELETED;
    if ((mask & (IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF)) != 0) return ALOOP_FILE_MOVED;
    return 0;
}

// The next event, which is taken when there is memory for it. 0: none is for the
// program; else its kind, -EAGAIN, or an error.
int64_t take_event(file_watch *w, file_event **out) {
    raw_event e;
    if (!first_event(w, w->begin, &e)) {
        const int64_t code = refill(w);
        if (code < 0 || !first_event(w, w->begin, &e)) return code < 0 ? code : -EAGAIN;
    }
    if ((e.head.mask & IN_MOVED_FROM) != 0 && w->begin + e.size == w->end) {
        refill(w);  // perhaps the pair was cut in two; the buffer may have moved
        first_event(w, w->begin, &e);
    }
    raw_event second;
    const bool pair = (e.head.mask & IN_MOVED_FROM) != 0 && moved_to(w, e, &second);
    const bool from = (e.head.mask & IN_MOVED_FROM) != 0;
    const int32_t what = kind_of(e.head.mask);
    if (what != 0) {
        const char *name = pair ? second.name : from ? "" : e.name;
        *out = make_event(what, (e.head.mask & IN_ISDIR) != 0, name, from ? e.name : "");
        if (*out == nullptr) return ALOOP_ENOMEM;
    }
    w->begin += e.size + (pair ? second.size : 0);
    if ((e.head.mask & (IN_IGNORED | IN_UNMOUNT)) != 0) w->ended = true;
    return what;
}

// next ----------------------------------------------------------------------------------------

struct next_op final : operation {
    file_watch *of;

    next_op(domain *d, file_watch *w);
    ~next_op() {
        stop();
        unref(static_cast<loop_object *>(of));
    }
    void stop() {
        if (inner != nullptr && of->reading == inner) of->reading = nullptr;
    }
};

// False: it had its share of this iteration; the others have a turn.
bool take_share(file_watch *w) {
    constexpr uint32_t k_share = 256;
    const uint32_t iteration = static_cast<uint32_t>(loop_of(w)->iteration());
    if (w->given_in != iteration) {
        w->given_in = iteration;
        w->given = 0;
    }
    return w->given < k_share;
}

int64_t step_next(operation *base, task *, int64_t status) {
    next_op *op = static_cast<next_op *>(base);
    file_watch *w = op->of;
    op->stop();
    if (status < 0) return status;
    for (;;) {
        if (w->closed) return op->fail(ALOOP_ESTALE, "The watch is closed");
        if (w->ended) return ALOOP_ESTOPITERATION;
        if (!take_share(w)) return op->yield();
        file_event *e = nullptr;
        const int64_t what = take_event(w, &e);
        if (what > 0) {
            w->given++;
            op->give(e, [](void *value) { unref(static_cast<file_event *>(value)); });
            return what;
        }
        if (what == 0) continue;
        if (what != -EAGAIN) return op->raise(what, make_error(what, nullptr));
        if (w->reading != nullptr) return op->fail(ALOOP_EBUSY, "another next waits already");
        future *waiter = make_future(loop_of(op));
        if (waiter == nullptr) return ALOOP_ENOMEM;
        w->reading = waiter;
        return op->await(waiter);
    }
}

const op_info k_next = {"file_watch_next", step_next, free_operation<next_op>};

next_op::next_op(domain *d, file_watch *w) : operation(d, &k_next), of(w) {
    ref(static_cast<loop_object *>(w));
}

}  // namespace

int64_t make_watch(loop *l, const char *path, file_watch **out) {
    const sys_table *sys = l->sys();
    const int64_t fd = sys->inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return fd;
    int64_t code = sys->inotify_add_watch(static_cast<int>(fd), path, k_wanted);
    file_watch *w = code >= 0 ? l->make_object<file_watch>() : nullptr;
    if (code >= 0 && w == nullptr) code = ALOOP_ENOMEM;
    if (code >= 0) {
        w->fd = static_cast<int>(fd);
        w->bits = k_readable;
        w->edge = true;
        w->ready = on_ready;
        w->fn = run_watch;
        w->let_go = aloop::let_go;
        code = l->io_poller()->add(w);
        if (code < 0) l->free_object(w);
    }
    if (code < 0) {
        sys->close(static_cast<int>(fd));
        return code;
    }
    l->self_held.push(static_cast<self_held *>(w));
    *out = w;
    return 0;
}

future *make_next(file_watch *w) { return loop_of(w)->make_object<next_op>(w); }

void close_watch(file_watch *w) {
    tear_down(w);
    wake(w);
}

}  // namespace aloop
