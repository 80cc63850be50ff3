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
    self_held *held = s;
    ring &list = s->server != nullptr ? s->server->clients : l->self_held;
    if (held->prev != nullptr) list.remove(held);
    drop_queue(s);
}

void leave_server(stream *s) {
    if (s->server == nullptr) return;
    server *from = std::exchange(s->server, nullptr);
    client_gone(from);
    unref(static_cast<loop_object *>(from));
}

void hold(stream *s) {
    if (s->is(k_held)) return;
    s->on(k_held);
    ref(static_cast<loop_object *>(s));
}

void let_loose(stream *s) {
    if (!s->is(k_held)) return;
    s->off(k_held);
    unref(static_cast<loop_object *>(s));
}

// asyncio's connection_lost: the user is told while the descriptor is open.
void end_stream(stream *s) {
    s->on(k_lost | k_closing);
    if (s->user != nullptr) s->user->calls->over(s->user, s);
    replace_user(s, nullptr);
    tear_down(s);
    if (s->loss == 0) s->on(k_at_end);
    wake_reader(s);
    wake_waiting(s->waiters, 0xff);
    leave_server(s);
    let_loose(s);
}

void enqueue(stream *s, bool from_poll) {
    if (s->is(k_queued)) return;
    s->on(k_queued);
    ref(static_cast<loop_object *>(s));
    loop *l = loop_of(s);
    if (from_poll) l->schedule_io(s);
    else l->schedule(s);
}

// Whether the peer's end has come: behind it asyncio does not read any more.
bool has_ended(const stream *s) {
    return !s->is(k_one_way_out) && (s->is(k_at_end) || (s->state & k_hangup) != 0);
}

// asyncio's TLS, which always reads, closes at the peer's end: who waits for that must not
// miss it where nobody else reads.
void read_to_end(stream *s) {
    int64_t got = 1;
    while (got > 0) {
        uint8_t *data;
        got = pull_shared(s, k_read_size, &data);
        if (got > 0 && !put_back(s, data, static_cast<size_t>(got))) return;
    }
    if (got != -EALREADY) return;
    s->on(k_suspect);
    stream_again(s);
}

// A reset that came while nobody reads: asyncio, which always reads, sees it. The
// kernel tells of it once: who connects asks for itself, though it may be woken yet.
void look_for_failure(stream *s) {
    s->off(k_suspect);
    if (s->is(k_connecting)) return;
    const bool read = s->reading != nullptr && s->reading->pending() && !s->is(k_reading_paused);
    const bool parts = s->is(k_flushing) && s->layer->finish != nullptr;
    if (read || parts) return;  // who reads finds it, in its place behind the data
    const int64_t code = has_ended(s) ? ALOOP_EPIPE : s->layer->failure(s);
    // EPIPE is a reset behind the end, at which asyncio's reading has stopped.
    if (code < 0 && code != ALOOP_EPIPE) lose(s, code, make_error(code, nullptr));
    else if (code < 0 && s->layer->finish != nullptr && !s->waiters.empty()) read_to_end(s);
}

void read_for_user(stream *s) {
    if (s->is(k_reading_paused | k_closing | k_at_end | k_sending_file | k_upgrading)) return;
    s->user->calls->readable(s->user, s);
    look_again(s);
}

// Whether an orderly close is done: all is sent, and the layer's farewell too.
bool is_flushed(stream *s) {
    if (s->layer->finish == nullptr) return s->queue_tail == nullptr;
    const int64_t code = s->layer->finish(s);
    if (code >= 0) return !s->is(k_lost);
    if (code != -EAGAIN) lose(s, code, make_error(code, nullptr));
    return false;
}

bool is_woken(const stream *s) { return s->reading != nullptr && !s->reading->pending(); }

void handle_io(stream *s) {
    if (s->is(k_lost)) return;
    const bool suspicious = s->is(k_suspect);
    if (suspicious) look_for_failure(s);
    if (s->is(k_lost)) return;
    const bool any = (s->ready_bits() & k_readable) != 0 || s->unread != nullptr;
    if (s->user != nullptr && any && !s->is(k_connecting)) read_for_user(s);
    else if (s->is(k_connecting) || any) wake_reader(s);
    if (s->is(k_lost)) return;
    if ((s->ready_bits() & k_writable) != 0) {
        const bool sends = s->queue_tail != nullptr || s->is(k_unsent);
        // As in asyncio what came is read before a write fails: the data before a
        // reset, the alert that tells why.
        if (sends && suspicious && is_woken(s)) stream_again(s);
        else if (sends) flush(s);
        else if (s->is(k_sending_file)) wake_waiting(s->waiters, k_for_writable);
    }
    if (s->is(k_flushing) && !s->is(k_lost) && is_flushed(s)) end_stream(s);
}

void tell_made(stream *s) {
    s->off(k_made_due);
    if (s->user != nullptr) s->user->calls->made(s->user, s);
    wake_waiting(s->waiters, k_for_made);
    look_again(s);
    if (s->is(k_io_due)) enqueue(s, false);
}

void tell_writing(stream *s) {
    s->off(k_writing_due);
    if (s->user != nullptr) s->user->calls->writing(s->user, s, s->is(k_writing_paused));
}

void run_stream(node *item, action what) {
    stream *s = static_cast<stream *>(item);
    s->off(k_queued);
    if (what == action::run) {
        // What its own calls ask for is for the next iteration.
        const bool io_due = s->is(k_io_due) && !s->is(k_made_due), over_due = s->is(k_over_due);
        if (s->is(k_writing_due)) tell_writing(s);
        if (s->is(k_made_due)) {
            tell_made(s);
        } else if (io_due) {
            s->off(k_io_due);
            handle_io(s);
        }
        if (over_due && !io_due) {
            s->off(k_over_due);
            end_stream(s);
        } else if (over_due) {
            enqueue(s, false);
        }
    }
    unref(static_cast<loop_object *>(s));
}

void on_ready(io *self, uint8_t bits) { stream_ready(static_cast<stream *>(self), bits, true); }

// The loop closes.
void let_go(self_held *self) {
    stream *s = static_cast<stream *>(self);
    replace_user(s, nullptr);
    tear_down(s);
    leave_server(s);
    let_loose(s);
}

void destroy_stream(object *o) {
    stream *s = static_cast<stream *>(o);
    loop *l = loop_of(s);
    if (s->is(k_connecting)) {  // its attempt, or its handshake, is given up
        tear_down(s);
        leave_server(s);
    }
    if (!s->is(k_over) && !l->closed) {
        if (l->debug) l->report("unclosed stream", 0, nullptr);
        s->refs = 1;
        close_stream(s);
        unref(static_cast<loop_object *>(s));
        return;
    }
    replace_user(s, nullptr);
    clear_unread(s);
    drop_queue(s);
    if (s->failure != nullptr) unref(s->failure);
    l->free_object(s);
}

const register_kind g_stream(kind::stream, {"stream", destroy_stream});

// The shared read buffer ends with the loop.
struct read_buffer_resource final : resource {
    loop *home;
    uint8_t data[k_read_size];
};

// Descriptors ----------------------------------------------------------------------------

// A Unix socket's read stops at a message that carries descriptors, and tells of those that
// it drops.
int64_t socket_read(stream *s, void *to, size_t n) {
    const sys_table *sys = loop_of(s)->sys();
    if (s->peer.is_internet()) return sys->recv(s->fd, to, n, 0);
    iovec part = {to, n};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const int64_t got = sys->recvmsg(s->fd, &message, 0);
    s->off(k_stopped);
    if (got > 0 && (message.msg_flags & MSG_CTRUNC) != 0) s->on(k_stopped);
    return got;
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

int64_t socket_failure(stream *s) {
    int failure = 0;
    socklen_t size = sizeof failure;
    const int64_t code =
        loop_of(s)->sys()->getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    return code < 0 ? 0 : -int64_t{failure};
}

int64_t socket_send_file(stream *s, int fd, int64_t *offset, size_t n) {
    off_t at = *offset;
    const int64_t sent = loop_of(s)->sys()->sendfile(s->fd, fd, &at, n);
    if (sent > 0) *offset = at;
    return sent;
}

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
    close_descriptor(s);
}

// The kernel's do, but where they stop at a message; a test's table that cuts reads short
// does not.
bool socket_trusts(stream *s) {
    const sys_table *sys = loop_of(s)->sys();
    return !s->is(k_stopped) && sys->recv == k_real_sys.recv &&
           sys->recvmsg == k_real_sys.recvmsg;
}

const stream_layer k_socket = {socket_read,  socket_write,   socket_end,      socket_close,
                               socket_trusts, socket_failure, socket_send_file};

uint32_t cut(size_t n) { return n < UINT32_MAX ? static_cast<uint32_t>(n) : UINT32_MAX; }

}  // namespace

void close_descriptor(stream *s) {
    loop *l = loop_of(s);
    if (l->watchers != nullptr) l->watchers->disclaim(s->fd);
    l->sys()->close(s->fd);
    s->fd = -1;
}

int64_t adopt_socket(loop *l, int fd, size_t limit, stream **out) {
    return adopt(l, fd, limit, &k_socket, k_readable | k_writable | k_hangup, out);
}

stream *adopt_layer(loop *l, size_t limit, const stream_layer *layer) {
    stream *s = l->make_object<stream>(layer);
    if (s == nullptr) return nullptr;
    s->edge = true;
    s->ready = on_ready;
    s->node::fn = run_stream;
    s->let_go = aloop::let_go;
    s->limit = cut(limit);
    s->ready_bits() = k_writable;  // until the layer says otherwise
    l->self_held.push(static_cast<self_held *>(s));
    return s;
}

int64_t adopt(loop *l, int fd, size_t limit, const stream_layer *layer, uint8_t bits,
              stream **out) {
    watcher_set *watchers = watcher_set::of(l);
    if (watchers == nullptr) return ALOOP_ENOMEM;
    int64_t code = watchers->claim(fd);
    if (code < 0) return code;
    stream *s = adopt_layer(l, limit, layer);
    if (s == nullptr) {
        watchers->disclaim(fd);
        return ALOOP_ENOMEM;
    }
    s->fd = fd;
    s->bits = bits;
    if (bits != 0) code = l->io_poller()->add(s);
    if (code < 0) {
        watchers->disclaim(fd);
        l->self_held.remove(static_cast<self_held *>(s));
        l->free_object(s);
        return code;
    }
    *out = s;
    return 0;
}

void free_stream(void *s) { unref(static_cast<loop_object *>(static_cast<stream *>(s))); }

void discard_stream(stream *s) {
    s->reading = nullptr;  // it may stand in the ready queue yet
    tear_down(s);
    unref(static_cast<loop_object *>(s));
}

void stream_ready(stream *s, uint8_t bits, bool from_poll) {
    s->ready_bits() |= bits;
    if ((bits & k_readable) != 0) s->off(k_drained);
    if (s->is(k_lost)) return;
    const bool asked = s->user != nullptr || (s->reading != nullptr && !s->is(k_reading_paused));
    const bool read = asked && (bits & k_readable) != 0;
    const bool sends = s->queue_tail != nullptr || s->is(k_sending_file | k_unsent);
    const bool write = sends && (bits & k_writable) != 0;
    // The kernel's failures come as both, without a hangup.
    const bool failed = s->user == nullptr && bits == (k_readable | k_writable);
    const bool left = s->is(k_one_way_out) && (bits & k_readable) != 0;
    if ((failed || left) && s->layer->failure != nullptr) s->on(k_suspect);
    const bool parting = s->is(k_flushing) && s->layer->finish != nullptr;
    if (!read && !write && !parting && !s->is(k_connecting | k_suspect)) return;
    s->on(k_io_due);
    enqueue(s, from_poll);
}

void suspect(stream *s) {
    const bool quiet = (s->ready_bits() & k_readable) == 0 || s->is(k_lost | k_connecting);
    if (quiet || s->user != nullptr || s->layer->failure == nullptr) return;
    if (s->reading != nullptr && s->reading->pending()) return;  // finds it
    s->on(k_suspect | k_io_due);
    enqueue(s, false);
}

void stream_again(stream *s) {
    s->on(k_io_due);
    enqueue(s, false);
}

void attach(stream *s, stream_user *u) {
    replace_user(s, u);
    hold(s);
    s->on(k_made_due);
    enqueue(s, false);
}

void attend(stream *s) {
    hold(s);
    look_again(s);
}

void user_paused(stream *s) {
    if (s->user == nullptr) return;
    if (!loop_of(s)->on_fiber) {
        s->user->calls->writing(s->user, s, s->is(k_writing_paused));
        return;
    }
    s->on(k_writing_due);
    enqueue(s, false);
}

void replace_user(stream *s, stream_user *u) {
    stream_user *old = std::exchange(s->user, u);
    if (old != nullptr) old->calls->drop(old);
}

void look_again(stream *s) {
    const bool any = (s->ready_bits() & k_readable) != 0 || s->unread != nullptr;
    if (s->user == nullptr || !any) return;
    if (s->is(k_lost | k_closing | k_at_end | k_reading_paused | k_upgrading)) return;
    s->on(k_io_due);
    enqueue(s, false);
}

void wake_reader(stream *s) {
    if (s->reading == nullptr || !s->reading->pending()) return;
    if (s->is(k_reading_paused) && !s->is(k_over | k_connecting)) return;
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

// One for a loop is enough.
lent_buffer::~lent_buffer() {
    if (home_->read_buffer == nullptr) {
        home_->read_buffer = lent_;
    } else if (lent_ != nullptr) {
        read_buffer_resource *r = static_cast<read_buffer_resource *>(lent_);
        home_->remove_resource(r);
        destroy(r);
    }
}

int64_t pull(stream *s, void *to, size_t n) {
    // As much as asyncio reads of one descriptor in one iteration: a peer that is
    // faster than its reader must not keep the others waiting.
    constexpr uint32_t k_share = 256 * 1024;
    loop *l = loop_of(s);
    if (s->is(k_lost)) return s->loss != 0 ? s->loss : 0;
    if (s->is(k_at_end)) return 0;
    if ((s->ready_bits() & k_readable) == 0 || s->is(k_reading_paused)) return -EAGAIN;
    const uint32_t iteration = static_cast<uint32_t>(l->iteration());
    if (s->pulled_in != iteration) {
        s->pulled_in = iteration;
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
        if (s->layer->finish != nullptr && s->user == nullptr) close_stream(s);
    } else if (got == -EAGAIN) {
        s->ready_bits() &= static_cast<uint8_t>(~k_readable);
    } else if (got != -EALREADY) {
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
    s->on(k_closing | k_in_order);
    if (s->is(k_sending_file)) {
        wake_waiting(s->waiters, k_for_empty | k_for_writable | k_for_room);
    }
    if (is_flushed(s)) lose(s, 0, nullptr);
    if (s->is(k_lost)) return;
    s->on(k_flushing);
    hold(s);
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
