// receive.cpp: taking datagrams from the kernel in batches, and handing them out.
//
// A batch goes through one buffer of the loop, a slot a datagram; what came is
// copied out into blocks as long as needed. The buffer is big, but only the pages
// that datagrams touched are ever there.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "datagram.hpp"

namespace aloop {

namespace {

constexpr size_t k_room = 2 * 1024 * 1024;  // of all slots; at least two datagrams
constexpr int64_t k_share = 256;            // datagrams of one endpoint in an iteration

struct batch_buffer final : resource {
    loop *home;
    mmsghdr messages[k_most_batch];
    iovec parts[k_most_batch];
    address senders[k_most_batch];
    alignas(cmsghdr) char control[k_most_batch][64];
    uint8_t data[k_room];
};

batch_buffer *buffer_of(loop *l) {
    if (l->batch_buffer == nullptr) {
        batch_buffer *b = static_cast<batch_buffer *>(allocate(sizeof(batch_buffer)));
        if (b == nullptr) return nullptr;
        new (static_cast<resource *>(b)) resource;
        b->home = l;
        b->close = [](resource *self) {
            static_cast<batch_buffer *>(self)->home->batch_buffer = nullptr;
            release(self);
        };
        l->batch_buffer = b;
        l->add_resource(b);
    }
    return static_cast<batch_buffer *>(l->batch_buffer);
}

unsigned lay_out(batch_buffer *b, const datagram *d) {
    const size_t fit = k_room / d->max_size;
    const unsigned n = fit < static_cast<size_t>(d->batch) ? static_cast<unsigned>(fit)
                                                           : static_cast<unsigned>(d->batch);
    for (unsigned i = 0; i < n; i++) {
        b->parts[i] = {b->data + i * d->max_size, d->max_size};
        msghdr &m = b->messages[i].msg_hdr;
        m = {};
        m.msg_name = &b->senders[i].any;
        m.msg_namelen = sizeof b->senders[i].path;
        m.msg_iov = &b->parts[i];
        m.msg_iovlen = 1;
        m.msg_control = b->control[i];
        m.msg_controllen = sizeof b->control[i];
    }
    return n;
}

void note_drops(datagram *d, msghdr *m) {
    for (cmsghdr *c = CMSG_FIRSTHDR(m); c != nullptr; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
        uint32_t dropped;
        std::memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
        d->counts[ALOOP_DATAGRAM_STAT_DROPPED] = dropped;
    }
}

bool keep(datagram *d, batch_buffer *b, unsigned i) {
    msghdr &m = b->messages[i].msg_hdr;
    address &from = b->senders[i];
    from.filled(m.msg_namelen);
    note_drops(d, &m);
    const bool cut = (m.msg_flags & MSG_TRUNC) != 0;
    packet *p = make_packet({b->parts[i].iov_base, b->messages[i].msg_len, &from, cut, nullptr, 0,
                             nullptr});
    if (p == nullptr) return false;
    if (d->received_tail != nullptr) d->received_tail->next = p;
    else d->received = p;
    d->received_tail = p;
    d->received_count++;
    d->counts[ALOOP_DATAGRAM_STAT_RECEIVED]++;
    d->counts[ALOOP_DATAGRAM_STAT_TRUNCATED] += cut;
    return true;
}

bool trusts_short_batches(const loop *l) { return l->sys()->recvmmsg == k_real_sys.recvmmsg; }

}  // namespace

int64_t pull(datagram *d) {
    loop *l = loop_of(d);
    if ((d->ready_bits() & k_readable) == 0) return -EAGAIN;
    batch_buffer *b = buffer_of(l);
    if (b == nullptr) return ALOOP_ENOMEM;
    const unsigned n = lay_out(b, d);
    int64_t got;
    do {
        got = l->sys()->recvmmsg(d->fd, b->messages, n, MSG_DONTWAIT);
    } while (got == -EINTR);
    if (got == -EAGAIN) d->ready_bits() &= static_cast<uint8_t>(~k_readable);
    if (got < 0) return got;
    // Less than a batch: there was no more. (An error behind it sets the
    // descriptor ready again.)
    if (got < n && trusts_short_batches(l)) d->ready_bits() &= static_cast<uint8_t>(~k_readable);
    int64_t kept = 0;
    for (unsigned i = 0; i < static_cast<unsigned>(got); i++) kept += keep(d, b, i);
    d->counts[ALOOP_DATAGRAM_STAT_LOST] += got - kept;
    return kept > 0 ? kept : int64_t{ALOOP_ENOMEM};
}

packet *take_received(datagram *d) {
    packet *p = d->received;
    if (p == nullptr) return nullptr;
    d->received = p->next;
    if (d->received == nullptr) d->received_tail = nullptr;
    p->next = nullptr;
    d->received_count--;
    return p;
}

void drop_received(datagram *d) {
    while (packet *p = take_received(d)) unref(p);
}

void wake_receiver(datagram *d) {
    if (d->reading != nullptr && d->reading->pending()) finish(d->reading, 0, nullptr, nullptr);
}

namespace {

struct receive_op final : operation {
    datagram *of;
    int64_t most;  // 0: one, as a packet

    receive_op(domain *d, datagram *from, int64_t n);
    ~receive_op() {
        stop();
        unref(static_cast<loop_object *>(of));
    }
    void stop() {
        if (inner != nullptr && of->reading == inner) of->reading = nullptr;
    }
};

// False: it had its share of this iteration.
bool take_share(datagram *d) {
    const int64_t now = loop_of(d)->iteration();
    if (d->pulled_in != now) {
        d->pulled_in = now;
        d->pulled = 0;
    }
    return d->pulled < k_share;
}

int64_t give_one(receive_op *op) {
    packet *p = take_received(op->of);
    op->give(p, free_packet);
    op->of->pulled++;
    return static_cast<int64_t>(p->size);
}

// What is there, up to `most`; it waits for one alone.
int64_t give_many(receive_op *op) {
    datagram *d = op->of;
    const int64_t room = op->most < d->received_count ? op->most : d->received_count;
    packets *list = make_packets(room);
    if (list == nullptr) return ALOOP_ENOMEM;
    packet **all = list->entries;
    while (list->count < room) all[list->count++] = take_received(d);
    d->pulled += room;
    op->give(list, free_packets);
    return room;
}

int64_t step_receive(operation *base, task *, int64_t status) {
    receive_op *op = static_cast<receive_op *>(base);
    datagram *d = op->of;
    op->stop();
    if (status < 0) return status;
    if (d->has_protocol) return op->fail(ALOOP_EINVALIDSTATE, "the protocol receives");
    if (d->is(d_closing)) return op->fail(ALOOP_ESTALE, "The endpoint is closed");
    if (const int64_t code = take_trouble(d, op); code < 0) return code;
    if (!take_share(d)) return op->yield();
    if (d->received == nullptr) {
        const int64_t got = pull(d);
        if (got == -EAGAIN) {
            if (d->reading != nullptr) {
                return op->fail(ALOOP_EBUSY, "another recvfrom waits already");
            }
            future *waiter = make_future(loop_of(op));
            if (waiter == nullptr) return ALOOP_ENOMEM;
            d->reading = waiter;
            return op->await(waiter);
        }
        if (got < 0) return op->raise(got, make_error(got, nullptr));
    }
    return op->most == 0 ? give_one(op) : give_many(op);
}

const op_info k_receive = {"recvfrom", step_receive, free_operation<receive_op>};

receive_op::receive_op(domain *d, datagram *from, int64_t n)
    : operation(d, &k_receive), of(from), most(n) {
    ref(static_cast<loop_object *>(of));
}

}  // namespace

future *make_receive(datagram *d, int64_t most) {
    return loop_of(d)->make_object<receive_op>(d, most);
}

}  // namespace aloop
