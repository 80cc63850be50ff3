// SPDX-License-Identifier: MIT
#include "channel.hpp"
#include "entry.hpp"

#include <algorithm>

#include "../base/locked.hpp"

namespace aloop {

namespace {

// The last end to go is the end of the channel.
void part(channel_end *end) {
    if (end->peer != nullptr) {
        end->peer->peer = nullptr;
    } else if (end->counted) {
        count_live(kind::channel, -1);
    }
}

void destroy_end(object *o) {
    channel_end *end = static_cast<channel_end *>(o);
    loop *l = loop_of(end);
    if (!l->closed) {
        close_end(end);
        part(end);
    } else {
        // Other threads may drop the peer now; nobody can use the queue any more.
        locked hold(&l->closed_mutex);
        part(end);
    }
    l->free_object(end);
}

const register_kind g_end(kind::channel_end, {"channel_end", destroy_end});

// The queue's refusals in the channel's words.
int64_t translated(const channel_end *end, int64_t code) {
    if (code != ALOOP_EQUEUESHUTDOWN) return code;
    if (end->is_closed) return ALOOP_ESTALE;
    return end->sends ? ALOOP_EPIPE : ALOOP_ESTOPITERATION;
}

struct channel_op final : operation {
    channel_end *end;  // owned
    future *work = nullptr;  // the queue's operation; owned until it is awaited

    channel_op(domain *d, const op_info *info, channel_end *of) : operation(d, info), end(of) {
        ref(of);
    }
    ~channel_op() {
        if (work != nullptr) {
            work->set(k_started);  // debug mode has reported this operation, once is enough
            unref(work);
        }
        unref(end);
    }
};

int64_t failed(channel_op *self, int64_t status) {
    const int64_t code = translated(self->end, status);
    if (code == ALOOP_ESTALE) return fail_closed(self);
    return code == status ? status : self->raise(code, nullptr);
}

int64_t step_send(operation *op, task *, int64_t status) {
    channel_op *self = static_cast<channel_op *>(op);
    if (self->phase++ == 0) return op->await(std::exchange(self->work, nullptr));
    if (status < 0) return failed(self, status);
    if (self->end->once) close_end(self->end);
    return 0;
}

int64_t step_receive(operation *op, task *, int64_t status) {
    channel_op *self = static_cast<channel_op *>(op);
    if (self->phase++ == 0) return op->await(std::exchange(self->work, nullptr));
    if (status < 0) return failed(self, status);
    void *item = nullptr;
    const aloop_free_fn item_free = op->inner->done.value_free;
    status = take_value(op->inner, &item);
    if (status >= 0) op->give(item, item_free);
    return status;
}

const op_info k_send = {"channel.send", step_send, free_operation<channel_op>};
const op_info k_receive = {"channel.receive", step_receive, free_operation<channel_op>};

}  // namespace

void close_end(channel_end *end) {
    if (end->is_closed) return;
    end->is_closed = true;
    shut_down(end->items, !end->sends);
}

int64_t make_channel(loop *l, int64_t capacity, bool once, aloop_free_fn item_free,
                     channel_end **sender, channel_end **receiver) {
    queue *q = make_queue(nullptr);
    if (q == nullptr) return ALOOP_ENOMEM;
    q->maxsize = std::max<int64_t>(capacity, 0);
    q->item_free = item_free;
    channel_end *in = nullptr;
    channel_end *out = nullptr;
    if (q->items.reserve(std::min(q->maxsize, item_store::k_reserve))) {
        in = l->make_object<channel_end>(q, true, once);
        out = l->make_object<channel_end>(q, false, false);
    }
    unref(q);
    if (in != nullptr && out != nullptr) {
        in->peer = out;
        out->peer = in;
        in->counted = out->counted = true;
        count_live(kind::channel, 1);
        *sender = in;
        *receiver = out;
        return 0;
    }
    if (in != nullptr) unref(in);
    if (out != nullptr) unref(out);
    return ALOOP_ENOMEM;
}

int64_t try_send(channel_end *sender, void *item) {
    const int64_t code = put_now(sender->items, item);
    if (code < 0) return translated(sender, code);
    if (sender->once) close_end(sender);
    return 0;
}

int64_t try_receive(channel_end *receiver, void **item) {
    return translated(receiver, get_now(receiver->items, item));
}

future *make_channel_send(channel_end *sender, void *item) {
    loop *l = loop_of(sender);
    channel_op *op = l->make_object<channel_op>(&k_send, sender);
    if (op == nullptr) return nullptr;
    op->work = make_put(l, sender->items, item);
    if (op->work != nullptr) return op;
    l->free_object(op);
    return nullptr;
}

future *make_receive(channel_end *receiver) {
    loop *l = loop_of(receiver);
    channel_op *op = l->make_object<channel_op>(&k_receive, receiver);
    if (op == nullptr) return nullptr;
    op->work = make_get(l, receiver->items);
    if (op->work != nullptr) return op;
    l->free_object(op);
    return nullptr;
}

}  // namespace aloop
