// send.cpp: sending datagrams: at once, or from a queue when the kernel is full.
//
// A Unix socket that is not connected is told of room only when one of its own
// datagrams was read: where a receiver's queue is full of others', nothing would
// ever wake it. So it also tries again every 10 ms.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "datagram.hpp"

namespace aloop {

namespace {

constexpr size_t k_header = 8;  // what asyncio counts a queued datagram for, besides its data

void fill(mmsghdr *m, iovec *part, const void *data, size_t n, const address_object *to) {
    *part = {const_cast<void *>(data), n};
    *m = {};
    m->msg_hdr.msg_iov = part;
    m->msg_hdr.msg_iovlen = 1;
    if (to == nullptr) return;
    m->msg_hdr.msg_name = const_cast<sockaddr *>(&to->value.any);
    m->msg_hdr.msg_namelen = to->value.size;
}

// Where a datagram for `to` goes; nullptr: where the kernel sends it.
address_object *target_of(datagram *d, address_object *to) {
    if (d->is(d_connected)) return nullptr;
    return to != nullptr ? to : d->peer;
}

void expect_room(datagram *d, const msghdr &m) {
    const sockaddr *to = static_cast<const sockaddr *>(m.msg_name);
    if (to != nullptr && to->sa_family == AF_UNIX) retry_soon(d);
}

// How many were sent, -EAGAIN, or why the first one was not.
int64_t transmit(datagram *d, mmsghdr *messages, unsigned n) {
    const sys_table *sys = loop_of(d)->sys();
    int64_t sent;
    do {
        sent = n == 1 ? sys->sendmsg(d->fd, &messages->msg_hdr, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : sys->sendmmsg(d->fd, messages, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent == -EINTR);
    if (n == 1 && sent >= 0) sent = 1;
    if (sent == -EAGAIN) {
        d->ready_bits() &= static_cast<uint8_t>(~k_writable);
        expect_room(d, messages->msg_hdr);
    } else if (sent < 0) {
        d->counts[ALOOP_DATAGRAM_STAT_SEND_ERRORS]++;
    } else {
        d->counts[ALOOP_DATAGRAM_STAT_SENT] += sent;
    }
    return sent;
}

bool append(datagram *d, const void *data, size_t n, address_object *to) {
    outgoing *o = static_cast<outgoing *>(allocate(sizeof(outgoing) + n));
    if (o == nullptr) return false;
    *o = {nullptr, to, n};
    if (to != nullptr) ref(to);
    if (n > 0) std::memcpy(o->data(), data, n);
    if (d->queue_tail != nullptr) d->queue_tail->next = o;
    else d->queue = o;
    d->queue_tail = o;
    d->queued_bytes += n + k_header;
    return true;
}

void drop_first(datagram *d) {
    outgoing *o = d->queue;
    d->queue = o->next;
    if (d->queue == nullptr) d->queue_tail = nullptr;
    d->queued_bytes -= o->size + k_header;
    if (o->to != nullptr) unref(o->to);
    release(o);
}

// Who has a protocol is told by the node, not inside the program's call.
void check_marks(datagram *d) {
    const bool paused = d->is(d_paused);
    if (!paused && d->queued_bytes > d->high) {
        d->on(d_paused);
    } else if (paused && d->queued_bytes <= d->low) {
        d->off(d_paused);
        wake_waiting(d->waiters, k_for_drain);
    }
    if (paused != d->is(d_paused) && d->has_protocol) enqueue(d, false);
}

}  // namespace

int64_t check_target(datagram *d, const address_object *to, error **why) {
    if (to == nullptr) {
        if (d->peer != nullptr || d->is(d_connected)) return 0;
        *why = make_error(-EDESTADDRREQ, "an address is needed: the endpoint has no remote one");
        return -EDESTADDRREQ;
    }
    if (d->peer == nullptr || same_address(d->peer->value, to->value)) return 0;
    char peer[k_address_text];
    *why = format_error(ALOOP_EINVAL, "Invalid address: must be None or %s",
                        describe_address(d->peer->value, peer, sizeof peer));
    return ALOOP_EINVAL;
}

int64_t send_or_queue(datagram *d, const void *data, size_t n, address_object *to) {
    if (d->is(d_closing)) return ALOOP_ESTALE;
    to = target_of(d, to);
    if (d->queue == nullptr && (d->ready_bits() & k_writable) != 0) {
        mmsghdr message;
        iovec part;
        fill(&message, &part, data, n, to);
        const int64_t sent = transmit(d, &message, 1);
        if (sent == 1) return 0;
        if (sent != -EAGAIN) return sent;
    }
    if (!append(d, data, n, to)) return ALOOP_ENOMEM;
    check_marks(d);
    return static_cast<int64_t>(d->queued_bytes);
}

void flush(datagram *d) {
    while (d->queue != nullptr && (d->ready_bits() & k_writable) != 0) {
        mmsghdr messages[k_most_batch];
        iovec parts[k_most_batch];
        unsigned n = 0;
        for (outgoing *o = d->queue; o != nullptr && n < k_most_batch; o = o->next, n++) {
            fill(&messages[n], &parts[n], o->data(), o->size, o->to);
        }
        int64_t sent = transmit(d, messages, n);
        if (sent < 0 && sent != -EAGAIN) {
            note_trouble(d, make_error(sent, nullptr));
            sent = 1;  // that one is gone
        }
        for (; sent > 0; sent--) drop_first(d);
    }
    check_marks(d);
    if (d->queue == nullptr && d->is(d_closing) && !d->is(d_over_due)) {
        d->on(d_over_due);
        enqueue(d, false);
    }
}

void drop_queue(datagram *d) {
    while (d->queue != nullptr) drop_first(d);
    check_marks(d);
}

int64_t set_water_marks(datagram *d, int64_t high, int64_t low) {
    if (high < 0 && low < 0) high = 65536;
    if (high < 0) high = low > INT64_MAX / 4 ? INT64_MAX : 4 * low;
    if (low < 0) low = high / 4;
    if (low > high) return ALOOP_EINVAL;
    d->high = static_cast<size_t>(high);
    d->low = static_cast<size_t>(low);
    check_marks(d);
    return 0;
}

// Operations --------------------------------------------------------------------------------

namespace {

datagram *endpoint_of(const ring_waiter *op) { return static_cast<datagram *>(op->of); }

int64_t wait_for_drain(ring_waiter *op) {
    return op->wait_in(&endpoint_of(op)->waiters, k_for_drain);
}

struct send_op final : ring_waiter {
    const void *data;
    size_t size;
    address_object *to;  // a reference

    send_op(domain *d, datagram *e, const void *bytes, size_t n, address_object *a);
    ~send_op() {
        if (to != nullptr) unref(to);
    }
};

int64_t closed(operation *op) { return op->fail(ALOOP_ESTALE, "The endpoint is closed"); }

int64_t step_send(operation *base, task *, int64_t status) {
    send_op *op = static_cast<send_op *>(base);
    datagram *d = endpoint_of(op);
    op->leave();
    if (status < 0) return status;
    if (d->is(d_closing)) return closed(op);
    if (const int64_t code = take_trouble(d, op); code < 0) return code;
    if (d->is(d_paused)) return wait_for_drain(op);
    status = send_or_queue(d, op->data, op->size, op->to);
    if (status < 0) return op->raise(status, make_error(status, nullptr));
    return static_cast<int64_t>(op->size);
}

const op_info k_send = {"sendto", step_send, free_operation<send_op>};

send_op::send_op(domain *d, datagram *e, const void *bytes, size_t n, address_object *a)
    : ring_waiter(d, &k_send, e), data(bytes), size(n), to(a) {
    if (a != nullptr) ref(a);
}

struct outgoing_entry {
    aloop_buf data;
    address_object *to;  // a reference; nullptr: the peer
};

struct send_many_op final : ring_waiter {
    outgoing_entry *list;  // owned
    size_t n;
    size_t sent = 0;

    send_many_op(domain *d, datagram *e, outgoing_entry *entries, size_t count);
    ~send_many_op() {
        for (size_t i = 0; i < n; i++) {
            if (list[i].to != nullptr) unref(list[i].to);
        }
        release(list);
    }
    address_object *target(size_t i) { return target_of(endpoint_of(this), list[i].to); }
};

// Straight from the caller's memory. As transmit.
int64_t send_some(send_many_op *op) {
    mmsghdr messages[k_most_batch];
    iovec parts[k_most_batch];
    unsigned n = 0;
    for (size_t i = op->sent; i < op->n && n < k_most_batch; i++, n++) {
        const aloop_buf &one = op->list[i].data;
        fill(&messages[n], &parts[n], one.base, one.len, op->target(i));
    }
    return transmit(endpoint_of(op), messages, n);
}

// What the kernel does not take is queued, up to the high-water mark.
int64_t queue_some(send_many_op *op) {
    datagram *d = endpoint_of(op);
    while (op->sent < op->n && !d->is(d_paused)) {
        const aloop_buf &one = op->list[op->sent].data;
        if (!append(d, one.base, one.len, op->target(op->sent))) return ALOOP_ENOMEM;
        op->sent++;
        check_marks(d);
    }
    return 0;
}

int64_t step_send_many(operation *base, task *, int64_t status) {
    send_many_op *op = static_cast<send_many_op *>(base);
    datagram *d = endpoint_of(op);
    op->leave();
    if (status < 0) return status;
    int64_t code = 0;
    if (op->sent == 0 && !d->is(d_closing)) {
        code = take_trouble(d, op);
        if (code < 0) return code;
    }
    while (code >= 0 && op->sent < op->n) {
        if (d->is(d_closing)) {
            code = ALOOP_ESTALE;
        } else if (d->is(d_paused)) {
            return wait_for_drain(op);
        } else if (d->queue == nullptr && (d->ready_bits() & k_writable) != 0) {
            code = send_some(op);
            if (code > 0) op->sent += static_cast<size_t>(code);
            if (code == -EAGAIN) code = 0;
        } else {
            code = queue_some(op);
        }
    }
    if (code >= 0 || op->sent > 0) return static_cast<int64_t>(op->sent);
    return code == ALOOP_ESTALE ? closed(op) : op->raise(code, make_error(code, nullptr));
}

const op_info k_send_many = {"sendmany", step_send_many, free_operation<send_many_op>};

send_many_op::send_many_op(domain *d, datagram *e, outgoing_entry *entries, size_t count)
    : ring_waiter(d, &k_send_many, e), list(entries), n(count) {}

int64_t step_drain(operation *base, task *, int64_t status) {
    ring_waiter *op = static_cast<ring_waiter *>(base);
    op->leave();
    if (status < 0) return status;
    if (endpoint_of(op)->is(d_closing)) return closed(op);
    return endpoint_of(op)->is(d_paused) ? wait_for_drain(op) : 0;
}

int64_t step_wait_closed(operation *base, task *, int64_t status) {
    ring_waiter *op = static_cast<ring_waiter *>(base);
    op->leave();
    if (status < 0) return status;
    datagram *d = endpoint_of(op);
    return d->is(d_over) ? 0 : op->wait_in(&d->waiters, k_for_end);
}

const op_info k_drain = {"drain", step_drain, free_operation<ring_waiter>};
const op_info k_wait_closed = {"wait_closed", step_wait_closed, free_operation<ring_waiter>};

}  // namespace

future *make_send(datagram *d, const void *data, size_t n, address_object *to) {
    return loop_of(d)->make_object<send_op>(d, data, n, to);
}

future *make_send_many(datagram *d, const outgoing_list &list) {
    const size_t size = (list.n > 0 ? list.n : 1) * sizeof(outgoing_entry);
    outgoing_entry *copy = static_cast<outgoing_entry *>(allocate(size));
    if (copy == nullptr) return nullptr;
    for (size_t i = 0; i < list.n; i++) {
        copy[i] = {list.data[i], list.to != nullptr ? from_c(list.to[i]) : nullptr};
        if (copy[i].to != nullptr) ref(copy[i].to);
    }
    send_many_op *op = loop_of(d)->make_object<send_many_op>(d, copy, list.n);
    if (op != nullptr) return op;
    for (size_t i = 0; i < list.n; i++) {
        if (copy[i].to != nullptr) unref(copy[i].to);
    }
    release(copy);
    return nullptr;
}

future *make_drain(datagram *d) { return loop_of(d)->make_object<ring_waiter>(&k_drain, d); }

future *make_wait_closed(datagram *d) {
    return loop_of(d)->make_object<ring_waiter>(&k_wait_closed, d);
}

}  // namespace aloop
