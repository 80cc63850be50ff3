// SPDX-License-Identifier: MIT
#include "protocol.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include "../context/context.hpp"

namespace aloop {

namespace {

// One connection's. The node takes it to the loop's own stack to be freed.
struct connection final : stream_user, node {
    loop *home;
    protocol *of;  // a reference
    void *data;
    var_cell context;
    bool is_new;         // connection_made is still to be called
    int refs = 1;        // of the stream, and of each callback under way
    bool owns = false;   // the factory made the data
    bool paused = false; // as it was told

    connection(loop *l, protocol *p, void *argument, var_map *map, bool fresh);
};

connection *from_user(stream_user *u) { return static_cast<connection *>(u); }

void let_go(connection *c);

// While a callback runs, which may give the stream another protocol.
class kept {
public:
    explicit kept(stream_user *u) : c_(from_user(u)) { c_->refs++; }
    ~kept() { let_go(c_); }
    kept(const kept &) = delete;
    kept &operator=(const kept &) = delete;
    operator connection *() const { return c_; }
    connection *operator->() const { return c_; }

private:
    connection *c_;
};

template <typename Call>
int64_t in_context(connection *c, Call call) {
    if (c->home->raised) c->home->raised.reset();  // by a call that was answered long ago
    context_scope scope(&c->context);
    return call();
}

// What the callback raised, to be dropped by the caller; perhaps nullptr.
error *take_raised(connection *c, int64_t code) {
    ptr<error> raised(c->home->raised.detach());  // perhaps for an earlier failure
    return raised && raised->code == code ? raised.detach() : make_error(code, nullptr);
}

void report_failure(connection *c, const char *message, int64_t code) {
    if (code >= 0) return;
    const context_scope scope(&c->context);
    error *e = take_raised(c, code);
    c->home->report(message, code, e);
    if (e != nullptr) unref(e);
}

// asyncio's _fatal_error: the exception handler is told, and the connection ends.
void fatal(connection *c, stream *s, const char *message, int64_t code) {
    error *e = take_raised(c, code);
    {
        const context_scope scope(&c->context);
        c->home->report(message, code, e);
    }
    lose(s, code, e);
}

int64_t tell(connection *c, stream *s, aloop_transport_fn fn) {
    if (fn == nullptr) return 0;
    return in_context(c, [=] { return fn(to_c(s), c->data); });
}

// Life ---------------------------------------------------------------------------------------

bool make_data(connection *c, stream *s) {
    if (c->of->factory == nullptr) return true;
    void *made = nullptr;
    const int64_t code = in_context(c, [&] { return c->of->factory(c->data, &made); });
    if (code >= 0) {
        c->data = made;
        c->owns = true;
        return true;
    }
    error *e = take_raised(c, code);
    if (s->server != nullptr) {
        c->home->report("Error on transport creation for incoming connection", code, e);
    }
    lose(s, code, e);
    return false;
}

void made(stream_user *u, stream *s) {
    const kept c(u);
    if (!std::exchange(c->is_new, false)) return;
    if (!make_data(c, s)) {
        replace_user(s, nullptr);
        return;
    }
    report_failure(c, "Exception in callback", tell(c, s, c->of->connection_made));
}

void over(stream_user *u, stream *s) {
    const kept c(u);
    if (c->is_new || c->of->connection_lost == nullptr) return;
    const int64_t code = in_context(c, [&] {
        return c->of->connection_lost(to_c(s), s->loss, to_c(s->failure), c->data);
    });
    report_failure(c, "Exception in callback", code);
}

void free_connection(connection *c) {
    if (c->owns && c->of->data_free != nullptr) c->of->data_free(c->data);
    drop(c->context.map);
    unref(c->of);
    destroy(c);
}

void let_go(connection *c) {
    if (--c->refs > 0) return;
    if (c->home->on_fiber && c->owns) c->home->schedule(c);
    else free_connection(c);
}

void drop_user(stream_user *u) { let_go(from_user(u)); }

void writing(stream_user *u, stream *s, bool paused) {
    const kept c(u);
    if (std::exchange(c->paused, paused) == paused) return;
    if (paused) {
        report_failure(c, "protocol.pause_writing() failed", tell(c, s, c->of->pause_writing));
    } else {
        report_failure(c, "protocol.resume_writing() failed", tell(c, s, c->of->resume_writing));
    }
}

// Reading ------------------------------------------------------------------------------------

// What a stream had read ahead comes first.
int64_t take(stream *s, void *to, size_t n) {
    const size_t have = s->unread_bytes();
    if (have == 0) return pull(s, to, n);
    const size_t some = have < n ? have : n;
    std::memcpy(to, s->unread->data() + s->unread->begin, some);
    take_unread(s, some);
    return static_cast<int64_t>(some);
}

// How much came, and was handed out; what the callbacks answer is dealt with.
int64_t read_into_theirs(connection *c, stream *s) {
    void *buffer = nullptr;
    int64_t size = in_context(
        c, [&] { return c->of->get_buffer(to_c(s), -1, &buffer, c->data); });
    if (size == 0 || (size > 0 && buffer == nullptr)) {
        aloop_raise_message(ALOOP_EINVAL, "get_buffer() returned an empty buffer");
        size = ALOOP_EINVAL;
    }
    if (size < 0) {
        fatal(c, s, "Fatal error: protocol.get_buffer() call failed.", size);
        return size;
    }
    if (s->is(k_closing)) return -EAGAIN;
    const int64_t got = take(s, buffer, static_cast<size_t>(size));
    if (got <= 0 || c->of->buffer_updated == nullptr) return got;
    const int64_t code = in_context(
        c, [=] { return c->of->buffer_updated(to_c(s), got, c->data); });
    if (code < 0) fatal(c, s, "Fatal error: protocol.buffer_updated() call failed.", code);
    return got;
}

int64_t read_into_ours(connection *c, stream *s) {
    const lent_buffer lent(c->home);
    uint8_t *buffer = lent.data();
    if (buffer == nullptr) {
        lose(s, ALOOP_ENOMEM, make_error(ALOOP_ENOMEM, nullptr));
        return ALOOP_ENOMEM;
    }
    const int64_t got = take(s, buffer, k_read_size);
    if (got <= 0 || c->of->data_received == nullptr) return got;
    const int64_t code = in_context(c, [=] {
        return c->of->data_received(to_c(s), buffer, static_cast<size_t>(got), c->data);
    });
    if (code < 0) fatal(c, s, "Fatal error: protocol.data_received() call failed.", code);
    return got;
}

void at_end(connection *c, stream *s) {
    const int64_t keep = tell(c, s, c->of->eof_received);
    if (keep < 0) {
        fatal(c, s, "Fatal error: protocol.eof_received() call failed.", keep);
    } else if (keep == 0 || s->layer->end == nullptr) {
        close_stream(s);
    }
}

void readable(stream_user *u, stream *s) {
    const kept c(u);
    const int64_t got =
        c->of->get_buffer != nullptr ? read_into_theirs(c, s) : read_into_ours(c, s);
    if (got == 0 && !s->is(k_lost) && s->user == u) at_end(c, s);
}

const user_calls k_calls = {made, readable, writing, over, drop_user};

connection::connection(loop *l, protocol *p, void *argument, var_map *map, bool fresh)
    : stream_user{&k_calls}, home(l), of(p), data(argument), context{map, 0}, is_new(fresh) {
    ref(p);
    node::fn = [](node *self, action) { free_connection(static_cast<connection *>(self)); };
}

}  // namespace

int64_t give_protocol(stream *s, protocol *p, void *data, var_map *context) {
    connection *c = create<connection>(loop_of(s), p, data, context, true);
    if (c == nullptr) {
        drop(context);
        return ALOOP_ENOMEM;
    }
    attach(s, c);
    return 0;
}

int64_t change_protocol(stream *s, protocol *p, void *data) {
    if (s->is(k_closing)) return ALOOP_ESTALE;
    if (s->reading != nullptr) return ALOOP_EBUSY;
    connection *c = nullptr;
    if (p != nullptr) {
        var_map *context = capture_context();
        c = create<connection>(loop_of(s), p, data, context, false);
        if (c == nullptr) {
            drop(context);
            return ALOOP_ENOMEM;
        }
        c->paused = s->is(k_writing_paused);
    }
    replace_user(s, c);
    if (c != nullptr) attend(s);
    return 0;
}

protocol *protocol_of(stream *s, void **data) {
    if (s->user == nullptr || s->user->calls != &k_calls) return nullptr;
    connection *c = from_user(s->user);
    if (data != nullptr) *data = c->data;
    return c->of;
}

}  // namespace aloop
