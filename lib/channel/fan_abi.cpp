// SPDX-License-Identifier: MIT
#include "broadcast.hpp"
#include "entry.hpp"
#include "watch.hpp"

#include <algorithm>

using namespace aloop;

namespace {

// The end behind a handle; nullptr if it is none, or another one.
fan_end *end_from(void *handle, fan_way way, bool sends) {
    object *o = static_cast<object *>(handle);
    if (!is(o, kind::fan_end)) return nullptr;
    fan_end *end = static_cast<fan_end *>(o);
    return end->of->way == way && end->sends == sends ? end : nullptr;
}

fan_end *from_c(aloop_broadcast_sender *s) { return end_from(s, fan_way::every_value, true); }
fan_end *from_c(aloop_broadcast_receiver *r) { return end_from(r, fan_way::every_value, false); }
fan_end *from_c(aloop_watch_sender *s) { return end_from(s, fan_way::latest_value, true); }
fan_end *from_c(aloop_watch_receiver *r) { return end_from(r, fan_way::latest_value, false); }

template <typename C>
int64_t subscribe(fan_end *sender, int64_t at, C **out) {
    if (out == nullptr) return ALOOP_EINVAL;
    if (sender->is_closed) return ALOOP_ESTALE;
    fan_end *receiver = make_fan_receiver(loop_of(sender), sender->of, at);
    if (receiver == nullptr) return ALOOP_ENOMEM;
    *out = reinterpret_cast<C *>(receiver);
    return 0;
}

int64_t close(fan_end *end) {
    const int64_t code = check_end(end);
    if (code == 0) close_fan_end(end);
    return code;
}

int64_t broadcast_statistic(fan_end *end, int32_t which) {
    const int64_t code = check_end(end);
    if (code < 0) return code;
    const broadcast *b = broadcast_of(end);
    const int64_t unseen = end->is_closed ? 0 : std::min(b->next - end->place, b->capacity);
    switch (which) {
    case ALOOP_BROADCAST_STAT_ITEMS: return count_kept(b);
    case ALOOP_BROADCAST_STAT_CAPACITY: return b->capacity;
    case ALOOP_BROADCAST_STAT_RECEIVERS: return b->receivers;
    case ALOOP_BROADCAST_STAT_WAITING: return count_pending(end->of->waiters);
    case ALOOP_BROADCAST_STAT_SENDER_OPEN: return b->sender_open;
    case ALOOP_BROADCAST_STAT_UNSEEN: return end->sends ? ALOOP_EINVAL : unseen;
    case ALOOP_BROADCAST_STAT_MISSED: return end->sends ? ALOOP_EINVAL : end->missed;
    default: return ALOOP_EINVAL;
    }
}

int64_t watch_statistic(fan_end *end, int32_t which) {
    const int64_t code = check_end(end);
    if (code < 0) return code;
    switch (which) {
    case ALOOP_WATCH_STAT_RECEIVERS: return end->of->receivers;
    case ALOOP_WATCH_STAT_WAITING: return count_pending(end->of->waiters);
    case ALOOP_WATCH_STAT_WAITING_CLOSED: return count_pending(end->of->leaving);
    case ALOOP_WATCH_STAT_SENDER_OPEN: return end->of->sender_open;
    default: return ALOOP_EINVAL;
    }
}

int64_t change(fan_end *sender, void *item, bool anyway) {
    const int64_t code = check_end(sender);
    return code < 0 ? code : set_value(sender, item, anyway);
}

int64_t get(fan_end *end, aloop_message **out, bool seen) {
    const int64_t code = check_end(end);
    if (code < 0) return code;
    if (out == nullptr) return ALOOP_EINVAL;
    if (end->is_closed) return ALOOP_ESTALE;
    *out = reinterpret_cast<aloop_message *>(current_value(end, seen));
    return 0;
}

}  // namespace

void *aloop_message_value(aloop_message *handle) {
    object *o = reinterpret_cast<object *>(handle);
    return is(o, kind::message) ? static_cast<message *>(o)->value : nullptr;
}

// Broadcast -------------------------------------------------------------------------------

int64_t aloop_broadcast_new(aloop_broadcast_sender **out, int64_t capacity,
                            aloop_free_fn item_free) {
    if (out == nullptr || capacity < 1) return ALOOP_EINVAL;
    loop *l = nullptr;
    fan_end *sender = nullptr;
    int64_t code = loop_for_ends(&l);
    if (code == 0) code = make_broadcast(l, capacity, item_free, &sender);
    if (code == 0) *out = reinterpret_cast<aloop_broadcast_sender *>(sender);
    return code;
}

int64_t aloop_broadcast_sender_subscribe(aloop_broadcast_sender *handle,
                                         aloop_broadcast_receiver **out) {
    fan_end *sender = from_c(handle);
    const int64_t code = check_end(sender);
    return code < 0 ? code : subscribe(sender, broadcast_of(sender)->next, out);
}

int64_t aloop_broadcast_sender_send(aloop_broadcast_sender *handle, void *item) {
    fan_end *sender = from_c(handle);
    const int64_t code = check_end(sender);
    return code < 0 ? code : send_to_all(sender, item);
}

aloop_future *aloop_broadcast_receiver_receive(aloop_broadcast_receiver *receiver) {
    return operate(from_c(receiver), make_broadcast_receive);
}

int64_t aloop_broadcast_receiver_try_receive(aloop_broadcast_receiver *handle,
                                             aloop_message **out) {
    fan_end *receiver = from_c(handle);
    int64_t code = check_end(receiver);
    if (code < 0) return code;
    if (out == nullptr) return ALOOP_EINVAL;
    message *m = nullptr;
    code = take_next(receiver, &m);
    if (code == 0) *out = reinterpret_cast<aloop_message *>(m);
    return code;
}

int64_t aloop_broadcast_sender_close(aloop_broadcast_sender *s) { return close(from_c(s)); }

int64_t aloop_broadcast_receiver_close(aloop_broadcast_receiver *r) { return close(from_c(r)); }

int64_t aloop_broadcast_sender_statistic(aloop_broadcast_sender *s, int32_t which) {
    return broadcast_statistic(from_c(s), which);
}

int64_t aloop_broadcast_receiver_statistic(aloop_broadcast_receiver *r, int32_t which) {
    return broadcast_statistic(from_c(r), which);
}

// Watch -----------------------------------------------------------------------------------

int64_t aloop_watch_new(aloop_watch_sender **out, void *item, aloop_free_fn item_free) {
    if (out == nullptr) return ALOOP_EINVAL;
    loop *l = nullptr;
    fan_end *sender = nullptr;
    int64_t code = loop_for_ends(&l);
    if (code == 0) code = make_watch(l, item, item_free, &sender);
    if (code == 0) *out = reinterpret_cast<aloop_watch_sender *>(sender);
    return code;
}

int64_t aloop_watch_sender_subscribe(aloop_watch_sender *handle, aloop_watch_receiver **out) {
    fan_end *sender = from_c(handle);
    const int64_t code = check_end(sender);
    return code < 0 ? code : subscribe(sender, watch_of(sender)->number, out);
}

int64_t aloop_watch_sender_send(aloop_watch_sender *sender, void *item) {
    return change(from_c(sender), item, false);
}

int64_t aloop_watch_sender_replace(aloop_watch_sender *sender, void *item) {
    return change(from_c(sender), item, true);
}

aloop_future *aloop_watch_sender_closed(aloop_watch_sender *sender) {
    return operate(from_c(sender), make_all_left);
}

aloop_future *aloop_watch_receiver_changed(aloop_watch_receiver *receiver) {
    return operate(from_c(receiver), make_changed);
}

int64_t aloop_watch_receiver_has_changed(aloop_watch_receiver *handle) {
    const fan_end *receiver = from_c(handle);
    const int64_t code = check_end(receiver);
    return code < 0 ? code : has_changed(receiver);
}

int64_t aloop_watch_sender_get(aloop_watch_sender *sender, aloop_message **out) {
    return get(from_c(sender), out, false);
}

int64_t aloop_watch_receiver_get(aloop_watch_receiver *receiver, aloop_message **out) {
    return get(from_c(receiver), out, false);
}

int64_t aloop_watch_receiver_get_and_update(aloop_watch_receiver *receiver, aloop_message **out) {
    return get(from_c(receiver), out, true);
}

int64_t aloop_watch_sender_close(aloop_watch_sender *s) { return close(from_c(s)); }

int64_t aloop_watch_receiver_close(aloop_watch_receiver *r) { return close(from_c(r)); }

int64_t aloop_watch_sender_statistic(aloop_watch_sender *s, int32_t which) {
    return watch_statistic(from_c(s), which);
}

int64_t aloop_watch_receiver_statistic(aloop_watch_receiver *r, int32_t which) {
    return watch_statistic(from_c(r), which);
}
