// SPDX-License-Identifier: MIT
#include "channel.hpp"
#include "entry.hpp"

using namespace aloop;

namespace {

// The end behind a handle; nullptr if it is none, or the other one.
channel_end *end_from(void *handle, bool sends) {
    object *o = static_cast<object *>(handle);
    if (!is(o, kind::channel_end)) return nullptr;
    channel_end *end = static_cast<channel_end *>(o);
    return end->sends == sends ? end : nullptr;
}

int64_t make_pair(aloop_sender **sender, aloop_receiver **receiver, int64_t capacity, bool once,
                  aloop_free_fn item_free) {
    if (sender == nullptr || receiver == nullptr) return ALOOP_EINVAL;
    loop *l = nullptr;
    int64_t code = loop_for_ends(&l);
    if (code < 0) return code;
    channel_end *in = nullptr;
    channel_end *out = nullptr;
    code = make_channel(l, capacity, once, item_free, &in, &out);
    if (code < 0) return code;
    *sender = reinterpret_cast<aloop_sender *>(in);
    *receiver = reinterpret_cast<aloop_receiver *>(out);
    return 0;
}

int64_t close(channel_end *end) {
    const int64_t code = check_end(end);
    if (code < 0) return code;
    close_end(end);
    return 0;
}

int64_t statistic(channel_end *end, int32_t which) {
    const int64_t code = check_end(end);
    if (code < 0) return code;
    queue *q = end->items;
    switch (which) {
    case ALOOP_CHANNEL_STAT_ITEMS: return q->items.count();
    case ALOOP_CHANNEL_STAT_CAPACITY: return q->maxsize;
    case ALOOP_CHANNEL_STAT_SENDING: return count_pending(q->putters);
    case ALOOP_CHANNEL_STAT_RECEIVING: return count_pending(q->getters);
    case ALOOP_CHANNEL_STAT_SENDER_OPEN: return end->open(true);
    case ALOOP_CHANNEL_STAT_RECEIVER_OPEN: return end->open(false);
    default: return ALOOP_EINVAL;
    }
}

}  // namespace

int64_t aloop_channel_new(aloop_sender **sender, aloop_receiver **receiver, int64_t capacity,
                          aloop_free_fn item_free) {
    return make_pair(sender, receiver, capacity, false, item_free);
}

int64_t aloop_oneshot_new(aloop_sender **sender, aloop_receiver **receiver,
                          aloop_free_fn item_free) {
    return make_pair(sender, receiver, 1, true, item_free);
}

aloop_future *aloop_sender_send(aloop_sender *handle, void *item) {
    channel_end *end = end_from(handle, true);
    bool taken = false;
    aloop_future *f = operate(end, [&](channel_end *to) {
        future *made = make_channel_send(to, item);
        taken = made != nullptr;
        return made;
    });
    // The caller gave the item away, whatever happened to the send.
    if (!taken && end != nullptr) free_refused(loop_of(end), end->items->item_free, item);
    return f;
}

int64_t aloop_sender_try_send(aloop_sender *handle, void *item) {
    channel_end *end = end_from(handle, true);
    const int64_t code = check_end(end);
    return code < 0 ? code : try_send(end, item);
}

aloop_future *aloop_receiver_receive(aloop_receiver *handle) {
    return operate(end_from(handle, false), make_receive);
}

int64_t aloop_receiver_try_receive(aloop_receiver *handle, void **item) {
    channel_end *end = end_from(handle, false);
    const int64_t code = check_end(end);
    if (code < 0) return code;
    return item != nullptr ? try_receive(end, item) : ALOOP_EINVAL;
}

int64_t aloop_sender_close(aloop_sender *sender) { return close(end_from(sender, true)); }

int64_t aloop_receiver_close(aloop_receiver *receiver) { return close(end_from(receiver, false)); }

int64_t aloop_sender_statistic(aloop_sender *sender, int32_t which) {
    return statistic(end_from(sender, true), which);
}

int64_t aloop_receiver_statistic(aloop_receiver *receiver, int32_t which) {
    return statistic(end_from(receiver, false), which);
}
