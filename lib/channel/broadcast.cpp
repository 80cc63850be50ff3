// SPDX-License-Identifier: MIT
#include "broadcast.hpp"
#include "entry.hpp"

#include <algorithm>
#include <memory>

namespace aloop {

namespace {

constexpr int64_t k_first_room = 8;

// nullptr: out of memory.
broadcast::slot *make_slots(int64_t n) {
    void *room = allocate(static_cast<size_t>(n) * sizeof(broadcast::slot));
    auto *slots = static_cast<broadcast::slot *>(room);
    if (slots != nullptr) std::uninitialized_fill_n(slots, n, broadcast::slot{});
    return slots;
}

// The ring is full of what somebody has yet to see: makes it twice as large, or as
// large as it may be. false: out of memory.
bool grow(broadcast *b) {
    const int64_t room = std::min(b->room * 2, b->capacity);
    broadcast::slot *slots = make_slots(room);
    if (slots == nullptr) return false;
    for (int64_t n = b->next - b->room; n < b->next; n++) slots[n % room] = *b->at(n);
    release(std::exchange(b->slots, slots));
    b->room = room;
    return true;
}

void destroy_broadcast(fan *f) { destroy(static_cast<broadcast *>(f)); }

// One end less has to see it. Program code may run.
void see(broadcast::slot *s) {
    if (s->held != nullptr && --s->unseen == 0) unref(std::exchange(s->held, nullptr));
}

void give_up(fan *f, fan_end *e) {
    broadcast *b = static_cast<broadcast *>(f);
    ref(b);  // a destructor may drop the last one
    const int64_t end = b->next;
    const int64_t from = std::max(e->place, b->oldest());
    e->place = end;
    for (int64_t n = from; n < end; n++) {
        // What a destructor sends may take the place of what is still to be given up.
        if (n >= b->oldest()) see(b->at(n));
    }
    unref(b);
}

int64_t step(operation *op, task *by, int64_t status) {
    fan_op *self = static_cast<fan_op *>(op);
    if (!self->resume(by, &status)) return status;
    message *m = nullptr;
    status = take_next(self->end, &m);
    if (status == ALOOP_EQUEUEEMPTY) return self->wait();
    if (status == ALOOP_ELAGGED) {
        return op->fail(status, "%lld values were missed",
                        static_cast<long long>(self->end->missed));
    }
    if (status == ALOOP_ESTALE) return fail_closed(op);
    if (status == 0) op->give(m, aloop_unref);
    return status;
}

const op_info k_receive = {"broadcast.receive", step, free_operation<fan_op>};

}  // namespace

broadcast::broadcast(slot *first, int64_t n, int64_t most, aloop_free_fn free_fn)
    : fan(fan_way::every_value, free_fn, destroy_broadcast), slots(first), room(n), capacity(most) {
    give_up = aloop::give_up;
}

broadcast::~broadcast() {
    for (int64_t i = 0; i < room; i++) {
        if (slots[i].held != nullptr) unref(slots[i].held);
    }
    release(slots);
}

int64_t make_broadcast(loop *l, int64_t capacity, aloop_free_fn item_free, fan_end **sender) {
    const int64_t room = std::min(capacity, k_first_room);
    broadcast::slot *slots = make_slots(room);
    if (slots == nullptr) return ALOOP_ENOMEM;
    broadcast *b = create<broadcast>(slots, room, capacity, item_free);
    if (b == nullptr) {
        release(slots);
        return ALOOP_ENOMEM;
    }
    fan_end *end = make_fan_sender(l, b);
    if (end == nullptr) return ALOOP_ENOMEM;
    *sender = end;
    return 0;
}

int64_t send_to_all(fan_end *sender, void *item) {
    broadcast *b = broadcast_of(sender);
    if (sender->is_closed) return ALOOP_ESTALE;
    if (b->receivers == 0) return ALOOP_EPIPE;
    const bool is_full = b->at(b->next)->held != nullptr && b->room < b->capacity;
    if (is_full && !grow(b)) return ALOOP_ENOMEM;
    message *m = loop_of(sender)->make_object<message>(item, b->item_free);
    if (m == nullptr) return ALOOP_ENOMEM;
    broadcast::slot *s = b->at(b->next++);
    message *oldest = std::exchange(s->held, m);
    const int64_t n = s->unseen = b->receivers;
    pop_and_wake(b->waiters, true);
    if (oldest != nullptr) unref(oldest);  // last: program code may run
    return n;
}

int64_t take_next(fan_end *receiver, message **m) {
    broadcast *b = broadcast_of(receiver);
    if (receiver->is_closed) return ALOOP_ESTALE;
    if (receiver->place < b->oldest()) {
        receiver->missed = b->oldest() - receiver->place;
        receiver->place = b->oldest();
        return ALOOP_ELAGGED;
    }
    if (receiver->place == b->next) {
        return b->sender_open ? ALOOP_EQUEUEEMPTY : ALOOP_ESTOPITERATION;
    }
    broadcast::slot *s = b->at(receiver->place++);
    *m = s->held;
    ref(*m);
    see(s);
    return 0;
}

future *make_broadcast_receive(fan_end *receiver) {
    return loop_of(receiver)->make_object<fan_op>(&k_receive, receiver);
}

int64_t count_kept(const broadcast *b) {
    int64_t n = 0;
    for (int64_t i = 0; i < b->room; i++) n += b->slots[i].held != nullptr;
    return n;
}

}  // namespace aloop
