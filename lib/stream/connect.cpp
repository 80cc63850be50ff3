// connect.cpp: open_connection: resolve the name, then try its addresses, one
// after the other, or staggered as RFC 8305 has it (happy eyeballs): the next
// attempt starts when the one before has failed or the delay is over, and the
// first that succeeds wins.
//
// SPDX-License-Identifier: MIT
#include "connect.hpp"

#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

#include "../context/context.hpp"
#include "../loop/alarm.hpp"
#include "../protocol/protocol.hpp"
#include "../resolver/resolver.hpp"
#include "../tls/tls.hpp"

namespace aloop {

void prepare_tcp(loop *l, int fd, bool keep_alive) {
    const int one = 1;
    l->sys()->setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (keep_alive) l->sys()->setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

namespace {

struct connect_op final : operation {
    stream_options *options;  // owned
    char *host;
    int32_t port;
    address_list *remote = nullptr;
    address_list *local = nullptr;
    stream **attempts = nullptr;  // by address; nullptr: not begun, or over
    int64_t next = 0;
    int64_t running = 0;
    error **errors = nullptr;
    int64_t error_count = 0;
    int64_t first_code = 0;
    stream *made = nullptr;    // the winner, while it shakes hands
    bool hurry = true;         // the next attempt may begin
    future *progress = nullptr;
    aloop::alarm delay;
    wanted_protocol wanted;    // a reference
    bool of_unix = false;

    connect_op(domain *d, stream_options *o, char *name, int32_t number, wanted_protocol w);
    ~connect_op();
};

void wake(connect_op *op) {
    if (op->progress != nullptr && op->progress->pending()) {
        finish(op->progress, 0, nullptr, nullptr);
    }
}

void time_for_next(alarm *a) {
    connect_op *op = static_cast<connect_op *>(a->owner);
    op->hurry = true;
    wake(op);
}

void add_error(connect_op *op, error *e, int64_t code) {
    if (op->first_code == 0) op->first_code = code;
    if (e != nullptr) op->errors[op->error_count++] = e;
}

void attempt_failed(connect_op *op, const address &to, int64_t code) {
    char text[k_address_text];
    add_error(op,
              format_error(code, "Connect call failed %s: %s",
                           describe_address(to, text, sizeof text), describe(code)),
              code);
    op->hurry = true;
}

// Binds to the first local address of the same family that is free.
int64_t bind_local(connect_op *op, int fd, int family, error **why) {
    if (op->local == nullptr) return 0;
    char text[k_address_text];
    int64_t code = -EAFNOSUPPORT;
    *why = nullptr;
    const address *list = op->local->entries;
    for (int64_t i = 0; i < op->local->count; i++) {
        if (list[i].family() != family) continue;
        code = loop_of(op)->sys()->bind(fd, &list[i].any, list[i].size);
        if (code >= 0) break;
        if (*why != nullptr) unref(*why);
        *why = format_error(code, "error while attempting to bind on address %s: %s",
                            describe_address(list[i], text, sizeof text), describe(code));
    }
    if (code >= 0 && *why != nullptr) unref(std::exchange(*why, nullptr));
    if (code < 0 && *why == nullptr) {
        *why = format_error(code, "no matching local address with family=%d found", family);
    }
    return code;
}

// Takes fd over. 0: under way, or connected (*done).
int64_t begin_on(connect_op *op, int fd, const address &to, stream **out, bool *done) {
    loop *l = loop_of(op);
    int64_t code = l->sys()->connect(fd, &to.any, to.size);
    *done = code >= 0;
    if (code == -EINPROGRESS || code == -EINTR) code = 0;
    stream *s = nullptr;
    if (code >= 0) code = adopt_socket(l, fd, op->options->limit, &s);
    if (code >= 0) {
        s->on(k_connecting);
        if (!*done) s->ready_bits() = 0;
        s->peer.set(to);
        *out = s;
        return 0;
    }
    l->sys()->close(fd);
    return code;
}

// Whether the attempt is connected already.
bool begin_attempt(connect_op *op, int64_t i) {
    loop *l = loop_of(op);
    const address &to = op->remote->entries[i];
    const int64_t fd =
        l->sys()->socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        attempt_failed(op, to, fd);
        return false;
    }
    if (to.family() != AF_UNIX) {
        prepare_tcp(l, static_cast<int>(fd), op->options->keep_alive != 0);
    }
    error *why = nullptr;
    int64_t code = bind_local(op, static_cast<int>(fd), to.family(), &why);
    if (code < 0) {
        add_error(op, why, code);
        op->hurry = true;
        l->sys()->close(static_cast<int>(fd));
        return false;
    }
    bool done = false;
    code = begin_on(op, static_cast<int>(fd), to, &op->attempts[i], &done);
    if (code < 0) {
        attempt_failed(op, to, code);
        return false;
    }
    op->running++;
    return done;
}

// 1: connected, 0: not yet, or why it failed.
int64_t state_of_attempt(stream *s) {
    if ((s->ready_bits() & k_writable) == 0) return 0;
    int failure = 0;
    socklen_t size = sizeof failure;
    const int64_t code =
        loop_of(s)->sys()->getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    if (code < 0) return code;
    return failure != 0 ? -int64_t{failure} : 1;
}

// The losers are closed as soon as the race is over.
void end_race(connect_op *op) {
    if (op->delay.is_set()) op->delay.clear();
    for (int64_t i = 0; op->attempts != nullptr && i < op->next; i++) {
        if (op->attempts[i] != nullptr) discard_stream(std::exchange(op->attempts[i], nullptr));
    }
}

enum : uint32_t { k_begin, k_resolved, k_local_resolved, k_racing, k_securing, k_meeting };

// Hands the stream over, or gives it its protocol and waits until that knows.
int64_t meet(connect_op *op, stream *s) {
    if (op->wanted.of == nullptr) {
        op->give(s, free_stream);
        return 0;
    }
    const int64_t code = give_protocol(s, op->wanted.of, op->wanted.data, capture_context());
    if (code < 0) {
        discard_stream(s);
        return code;
    }
    op->phase = k_meeting;
    return op->await(make_wait_made(s));
}

int64_t secure(connect_op *op, stream *s) {
    if (!wants_tls(op->options)) return meet(op, s);
    op->made = s;
    op->phase = k_securing;
    return op->await(make_start_tls(s, op->options->tls.context.get(), op->options, op->host));
}

int64_t won(connect_op *op, int64_t i) {
    stream *s = std::exchange(op->attempts[i], nullptr);
    s->off(k_connecting);
    s->reading = nullptr;
    end_race(op);
    return secure(op, s);
}

// The program's own socket in place of an attempt.
int64_t use_given(connect_op *op) {
    loop *l = loop_of(op);
    const int fd = op->options->descriptor;
    int64_t code = check_given(op, fd, op->of_unix);
    if (code < 0) return code;
    stream *s = nullptr;
    code = adopt_socket(l, fd, op->options->limit, &s);
    if (code < 0) return code;
    address peer;
    socklen_t size = sizeof peer.path;
    if (l->sys()->getpeername(fd, &peer.any, &size) >= 0) {
        peer.filled(size);
        s->peer.set(peer);
    }
    prepare_tcp(l, fd, op->options->keep_alive != 0);
    return secure(op, s);
}

// What all the failures come to, as asyncio tells it.
int64_t lost_all(connect_op *op) {
    bool equal = true;
    size_t length = 32;
    for (int64_t i = 0; i < op->error_count; i++) {
        const char *text = message_of(op->errors[i]);
        length += std::strlen(text) + 2;
        if (std::strcmp(text, message_of(op->errors[0])) != 0) equal = false;
    }
    if (op->error_count == 0) return op->first_code != 0 ? op->first_code : ALOOP_ENOMEM;
    if (equal) {
        ref(op->errors[0]);
        return op->raise(op->errors[0]->code, op->errors[0]);
    }
    char *text = static_cast<char *>(allocate(length));
    if (text == nullptr) return op->first_code;
    char *at = stpcpy(text, "Multiple exceptions: ");
    for (int64_t i = 0; i < op->error_count; i++) {
        if (i > 0) at = stpcpy(at, ", ");
        at = stpcpy(at, message_of(op->errors[i]));
    }
    const int64_t code = op->raise(op->first_code, make_error(op->first_code, text));
    release(text);
    return code;
}

void start_delay(connect_op *op) {
    if (op->options->eyeballs_delay < 0 || op->next >= op->remote->count) return;
    loop *l = loop_of(op);
    op->delay.set(op, time_for_next, deadline_after(l->now(), op->options->eyeballs_delay), false);
}

// Goes on with the race: looks at what runs, begins what may begin.
int64_t race(connect_op *op) {
    for (int64_t i = 0; i < op->next; i++) {
        stream *s = op->attempts[i];
        if (s == nullptr) continue;
        const int64_t state = state_of_attempt(s);
        if (state > 0) return won(op, i);
        if (state == 0) continue;
        op->attempts[i] = nullptr;
        op->running--;
        discard_stream(s);
        attempt_failed(op, op->remote->entries[i], state);
    }
    while (op->next < op->remote->count && (op->hurry || op->running == 0)) {
        const int64_t i = op->next++;
        op->hurry = false;
        if (op->delay.is_set()) op->delay.clear();
        if (begin_attempt(op, i)) return won(op, i);
        if (op->attempts[i] != nullptr) start_delay(op);
    }
    if (op->running == 0) return lost_all(op);
    if (op->progress != nullptr) unref(op->progress);
    op->progress = make_future(loop_of(op));
    if (op->progress == nullptr) return ALOOP_ENOMEM;
    for (int64_t i = 0; i < op->next; i++) {
        if (op->attempts[i] != nullptr) op->attempts[i]->reading = op->progress;
    }
    ref(op->progress);
    return op->await(op->progress);
}

// With a delay the families take turns, beginning with the resolver's first.
void interleave(address_list *list) {
    address *all = list->entries;
    for (int64_t i = 1; i < list->count; i++) {
        int64_t j = i;
        while (j < list->count && all[j].family() == all[i - 1].family()) j++;
        if (j == list->count) return;
        const address other = all[j];
        for (; j > i; j--) all[j] = all[j - 1];
        all[i] = other;
    }
}

int64_t begin_race(connect_op *op) {
    const size_t n = static_cast<size_t>(op->remote->count);
    op->attempts = static_cast<stream **>(allocate(n * sizeof(stream *)));
    op->errors = static_cast<error **>(allocate(n * sizeof(error *)));
    if (op->attempts == nullptr || op->errors == nullptr) return ALOOP_ENOMEM;
    for (size_t i = 0; i < n; i++) op->attempts[i] = nullptr;
    if (op->options->eyeballs_delay >= 0) interleave(op->remote);
    return race(op);
}

address_list *take_addresses(operation *op) {
    void *list = nullptr;
    take_value(op->inner, &list);
    return static_cast<address_list *>(list);
}

int64_t advance(connect_op *op) {
    loop *l = loop_of(op);
    switch (op->phase) {
    case k_begin:
        if (op->options->descriptor >= 0) return use_given(op);
        if (op->remote != nullptr) break;  // a path
        op->phase = k_resolved;
        return op->await(resolve(l, op->host, op->port, op->options->family, false));
    case k_resolved:
        op->remote = take_addresses(op);
        if (op->options->local_host == nullptr) break;
        op->phase = k_local_resolved;
        return op->await(resolve(l, op->options->local_host, op->options->local_port,
                                 op->options->family, true));
    case k_local_resolved:
        op->local = take_addresses(op);
        break;
    case k_securing:
        return meet(op, std::exchange(op->made, nullptr));
    case k_racing:
        return race(op);
    default:
        void *met = nullptr;
        take_value(op->inner, &met);
        op->give(met, free_stream);
        return 0;
    }
    op->phase = k_racing;
    return begin_race(op);
}

int64_t step_connect(operation *base, task *, int64_t status) {
    connect_op *op = static_cast<connect_op *>(base);
    if (status >= 0) status = advance(op);
    if (status == ALOOP_PENDING) return status;
    end_race(op);
    if (op->made != nullptr) discard_stream(std::exchange(op->made, nullptr));
    return status;
}

const op_info k_connect = {"open_connection", step_connect, free_operation<connect_op>};

connect_op::connect_op(domain *d, stream_options *o, char *name, int32_t number,
                       wanted_protocol w)
    : operation(d, &k_connect), options(o), host(name), port(number), wanted(w) {
    if (w.of != nullptr) ref(w.of);
}

connect_op::~connect_op() {
    end_race(this);
    if (made != nullptr) discard_stream(made);
    for (int64_t i = 0; i < error_count; i++) unref(errors[i]);
    release(attempts);
    release(errors);
    if (remote != nullptr) free_addresses(remote);
    if (local != nullptr) free_addresses(local);
    if (progress != nullptr) unref(progress);
    release(host);
    unref(options);
    if (wanted.of != nullptr) unref(wanted.of);
}

}  // namespace

future *make_connect(loop *l, const char *host, int32_t port, stream_options *options,
                     wanted_protocol wanted) {
    char *name = host != nullptr ? copy_string(host) : nullptr;
    if (host != nullptr && name == nullptr) {
        unref(options);
        return nullptr;
    }
    connect_op *op = l->make_object<connect_op>(options, name, port, wanted);
    if (op == nullptr) {
        release(name);
        unref(options);
    }
    return op;
}

future *make_unix_connect(loop *l, const address &to, stream_options *options,
                          wanted_protocol wanted) {
    future *f = make_connect(l, nullptr, 0, options, wanted);
    if (f == nullptr) return nullptr;
    connect_op *op = static_cast<connect_op *>(f);
    op->of_unix = true;
    if (to.size == 0) return op;
    op->remote = make_addresses(1);
    if (op->remote == nullptr) {
        unref(f);
        return nullptr;
    }
    op->remote->entries[0] = to;
    return f;
}

}  // namespace aloop
