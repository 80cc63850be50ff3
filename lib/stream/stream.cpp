// SPDX-License-Identifier: MIT
#include "stream.hpp"

#include <cerrno>
#include <cstring>

#include "../loop/watchers.hpp"
#include "server.hpp"

namespace aloop {

namespace {

// Out of the poller, the descriptor closed; what waits is not woken.
void tear_down(stream *s) {
    loop *l = loop_of(s);
    if (s->is(k_over)) return;
    s->on(k_over);
    s->on(k_lost);
    s->on(k_closing);
    if (static_cast<io *>(s)->added) l->io_poller()->remove(s);
    s->layer->close(s);
    l->self_held.remove(static_cast<self_held *>(s));
    drop_queue(s);
}

void leave_server(stream *s) {
    if (s->server == nullptr) return;
    server *from = std::exchange(s->server, nullptr);
    client_gone(from, s);
    unref(static_cast<loop_object *>(from));
}

// asyncio's connection_lost.
void end_stream(stream *s) {
    tear_down(s);
    if (s->loss == 0) s->on(k_at_end);
    wake_reader(s);
    wake_all(s->drains);
    wake_all(s->closers);
    leave_server(s);
    if (!s->is(k_flushing)) return;
    s->off(k_flushing);
    unref(static_cast<loop_object *>(s));
}

void enqueue(stream *s, bool from_poll) {
    if (s->is(k_queued)) return;
    s->on(k_queued);
    ref(static_cast<loop_object *>(s));
    loop *l = loop_of(s);
    if (from_poll) l->schedule_io(s);
    else l->schedule(s);
}

void handle_io(stream *s) {
    if (s->is(k_lost)) return;
    if (s->is(k_connecting) || (s->ready_bits() & k_readable) != 0) wake_reader(s);
    if (s->queue != nullptr && (s->ready_bits() & k_writable) != 0) flush(s);
    if (s->is(k_flushing) && s->queue == nullptr && !s->is(k_lost)) end_stream(s);
}

void run_stream(node *item, action what) {
    stream *s = static_cast<stream *>(item);
    s->off(k_queued);
    if (what == action::run) {
        if (s->is(k_io_due)) {
            s->off(k_io_due);
            const bool was_due = s->is(k_over_due);
            handle_io(s);
            if (was_due) enqueue(s, false);  // asked for in this iteration: for the next
        } else if (s->is(k_over_due)) {
            s->off(k_over_due);
            end_stream(s);
        }
    }
    unref(static_cast<loop_object *>(s));
}

void on_ready(io *self, uint8_t bits) { stream_ready(static_cast<stream *>(self), bits); }

// The loop closes.
void let_go(self_held *self) {
    stream *s = static_cast<stream *>(self);
    loop_of(s)->self_held.push(self);  // tear_down takes it out
    tear_down(s);
    leave_server(s);
    if (!s->is(k_flushing)) return;
    s->off(k_flushing);
    unref(static_cast<loop_object *>(s));
}

void destroy_stream(object *o) {
    stream *s = static_cast<stream *>(o);
    loop *l = loop_of(s);
    if (s->is(k_connecting)) tear_down(s);
    if (!s->is(k_over) && !l->closed) {
        if (l->debug) l->report("unclosed stream", 0, nullptr);
        s->refs = 1;
        close_stream(s);
        unref(static_cast<loop_object *>(s));
        return;
    }
    clear_unread(s);
    drop_queue(s);
    if (s->failure != nullptr) unref(s->failure);
    release(s->peer);
    l->free_object(s);
}

const register_kind g_stream(kind::stream, {"stream", destroy_stream});

// The shared read buffer ends with the loop.
struct read_buffer_resource final : resource {
    loop *home;
    uint8_t data[k_read_size];
};

// Descriptors ----------------------------------------------------------------------------

int64_t socket_read(stream *s, void *to, size_t n) {
    return loop_of(s)->sys()->recv(s->fd, to, n, 0);
}

int64_t socket_write(stream *s, const iovec *parts, int n) {
    const sys_table *sys = loop_of(s)->sys();
    if (n == 1) return sys->send(s->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
    msghdr message = {};
    message.msg_iov = const_cast<iovec *>(parts);
    message.msg_iovlen = static_cast<size_t>(n);
    return sys->sendmsg(s->fd, &message, MSG_NOSIGNAL);
}

int64_t socket_end(stream *s) { return loop_of(s)->sys()->shutdown(s->fd, SHUT_WR); }

// Unread data in the kernel would make the close a reset, which can destroy
// what the peer has not read yet; as much as asyncio would have read is read.
void socket_close(stream *s) {
    loop *l = loop_of(s);
    const bool in_order = s->is(k_in_order) && s->loss == 0 && !s->is(k_at_end);
    if (in_order && (s->ready_bits() & k_readable) != 0 && !s->is(k_drained)) {
        uint8_t *scratch = read_buffer(l);
        for (int i = 0; scratch != nullptr && i < 2; i++) {
            if (l->sys()->recv(s->fd, scratch, k_read_size, 0) < int64_t{k_read_size}) break;
        }
    }
    if (l->watchers != nullptr) l->watchers->disclaim(s->fd);
    l->sys()->close(s->fd);
    s->fd = -1;
}

// The kernel's do; a test's table that cuts reads short does not.
bool socket_trusts(stream *s) { return loop_of(s)->sys()->recv == k_real_sys.recv; }

const stream_layer k_socket = {socket_read, socket_write, socket_end, socket_close, socket_trusts};

}  // namespace

int64_t adopt_socket(loop *l, int fd, size_t limit, stream **out) {
    return adopt(l, fd, limit, &k_socket, k_readable | k_writable | k_hangup, out);
}

int64_t adopt(loop *l, int fd, size_t limit, const stream_layer *layer, uint8_t bits,
              stream **out) {
    watcher_set *watchers = watcher_set::of(l);
    if (watchers == nullptr) return ALOOP_ENOMEM;
    int64_t code = watchers->claim(fd);
    if (code < 0) return code;
    stream *s = l->make_object<stream>(layer);
    if (s == nullptr) {
        watchers->disclaim(fd);
        return ALOOP_ENOMEM;
    }
    s->fd = fd;
    s->bits = bits;
    s->edge = true;
    s->ready = on_ready;
    s->node::fn = run_stream;
    s->let_go = aloop::let_go;
    s->limit = limit;
    s->ready_bits() = k_writable;  // until the kernel says otherwise
    code = l->io_poller()->add(s);
    if (code < 0) {
        watchers->disclaim(fd);
        l->free_object(s);
        return code;
    }
    l->self_held.push(static_cast<self_held *>(s));
    *out = s;
    return 0;
}

void free_stream(void *s) { unref(static_cast<loop_object *>(static_cast<stream *>(s))); }

void discard_stream(stream *s) {
    tear_down(s);
    unref(static_cast<loop_object *>(s));
}

void stream_ready(stream *s, uint8_t bits) {
    s->ready_bits() |= bits;
    if ((bits & k_readable) != 0) s->off(k_drained);
    if (s->is(k_lost)) return;
    const bool read = s->reading != nullptr && (bits & k_readable) != 0;
    const bool write = s->queue != nullptr && (bits & k_writable) != 0;
    if (!read && !write && !s->is(k_connecting)) return;
    s->on(k_io_due);
    enqueue(s, true);
}

void wake_reader(stream *s) {
    if (s->reading == nullptr || !s->reading->pending()) return;
    if (s->is(k_reading_paused) && !s->is(k_over)) return;
    finish(s->reading, 0, nullptr, nullptr);
}

// Reading ----------------------------------------------------------------------------------

uint8_t *read_buffer(loop *l) {
    if (l->read_buffer == nullptr) {
        read_buffer_resource *r = create<read_buffer_resource>();
        if (r == nullptr) return nullptr;
        r->home = l;
        r->close = [](resource *self) {
            static_cast<read_buffer_resource *>(self)->home->read_buffer = nullptr;
            destroy(static_cast<read_buffer_resource *>(self));
        };
        l->read_buffer = r;
        l->add_resource(r);
    }
    return static_cast<read_buffer_resource *>(l->read_buffer)->data;
}

int64_t pull(stream *s, void *to, size_t n) {
    // As much as asyncio reads of one descriptor in one iteration: a peer that is
    // faster than its reader must not keep the others waiting.
    constexpr uint32_t k_share = 256 * 1024;
    loop *l = loop_of(s);
    if (s->is(k_lost)) return s->loss != 0 ? s->loss : 0;
    if (s->is(k_at_end)) return 0;
    if ((s->ready_bits() & k_readable) == 0 || s->is(k_reading_paused)) return -EAGAIN;
    if (s->pulled_in != l->iteration()) {
        s->pulled_in = l->iteration();
        s->pulled = 0;
    }
    if (s->pulled >= k_share) return -EALREADY;
    int64_t got;
    do {
        got = s->layer->read(s, to, n);
    } while (got == -EINTR);
    s->off(k_drained);
    if (got > 0) {
        s->pulled += static_cast<uint32_t>(got);
        const bool less = static_cast<size_t>(got) < n && (s->ready_bits() & k_hangup) == 0;
        if (less && s->layer->trusts_short_reads(s)) s->on(k_drained);
    } else if (got == 0) {
        s->on(k_at_end);
    } else if (got == -EAGAIN) {
        s->ready_bits() &= static_cast<uint8_t>(~k_readable);
    } else {
        lose(s, got, make_error(got, nullptr));
    }
    return got;
}

uint8_t *reserve_unread(stream *s, size_t n) {
    stash *b = s->unread;
    if (b != nullptr && b->room - b->end >= n) return b->data() + b->end;
    const size_t have = s->unread_bytes();
    if (n > SIZE_MAX / 4 || have > SIZE_MAX / 4) return nullptr;
    if (b != nullptr && b->room >= have + n && b->begin >= b->room / 2) {
        std::memmove(b->data(), b->data() + b->begin, have);
        b->begin = 0;
        b->end = have;
        return b->data() + have;
    }
    size_t room = b != nullptr ? b->room * 2 : 1024;
    if (room < have + n) room = have + n;
    stash *bigger = static_cast<stash *>(allocate(sizeof(stash) + room));
    if (bigger == nullptr) return nullptr;
    *bigger = {0, have, room};
    if (have > 0) std::memcpy(bigger->data(), b->data() + b->begin, have);
    release(b);
    s->unread = bigger;
    return bigger->data() + have;
}

bool keep_unread(stream *s, const void *data, size_t n) {
    if (n == 0) return true;
    uint8_t *to = reserve_unread(s, n);
    if (to == nullptr) return false;
    std::memcpy(to, data, n);
    s->unread->end += n;
    return true;
}

void take_unread(stream *s, size_t n) {
    s->unread->begin += n;
    if (s->unread->begin == s->unread->end) clear_unread(s);
}

void clear_unread(stream *s) {
    release(s->unread);
    s->unread = nullptr;
}

// Ending -------------------------------------------------------------------------------------

void close_stream(stream *s) {
    if (s->is(k_closing)) return;
    s->on(k_closing);
    s->on(k_in_order);
    if (s->queue == nullptr) {
        lose(s, 0, nullptr);
        return;
    }
    s->on(k_flushing);
    ref(static_cast<loop_object *>(s));
}

void abort_stream(stream *s) {
    s->off(k_in_order);
    lose(s, 0, nullptr);
}

void lose(stream *s, int64_t code, error *adopted) {
    if (s->is(k_lost)) {
        if (adopted != nullptr) unref(adopted);
        return;
    }
    s->on(k_closing);
    s->on(k_lost);
    s->loss = static_cast<int32_t>(code);
    s->failure = adopted;
    drop_queue(s);
    if (static_cast<io *>(s)->added) loop_of(s)->io_poller()->remove(s);
    s->on(k_over_due);
    enqueue(s, false);
}

}  // namespace aloop
