// write.cpp: what a stream sends: at once what the kernel takes, the rest from a
// queue of blocks, several of them with one call.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>
#include <utility>

#include "stream.hpp"

namespace aloop {

namespace {

constexpr int k_most_parts = 64;          // of one writev
constexpr size_t k_least_block = 4096;    // small writes share a block

// A write that went through proves that no reset has come: what the last read
// left empty is empty, and the kernel will tell when it is not.
void confirm(stream *s) {
    if (!s->is(k_drained)) return;
    s->off(k_drained);
    s->ready_bits() &= static_cast<uint8_t>(~k_readable);
}

int64_t send_parts(stream *s, const iovec *parts, int n) {
    int64_t sent;
    do {
        sent = s->layer->write(s, parts, n);
    } while (sent == -EINTR);
    if (sent > 0) {
        confirm(s);
    } else if (sent == -EAGAIN) {
        s->ready_bits() &= static_cast<uint8_t>(~k_writable);
    }
    return sent;
}

bool append(stream *s, const void *data, size_t n) {
    chunk *last = s->queue_tail;
    const size_t fits = last != nullptr ? last->room - last->end : 0;
    const size_t first = n < fits ? n : fits;
    if (n > first) {
        const size_t room = n - first > k_least_block ? n - first : k_least_block;
        if (room > SIZE_MAX / 2) return false;
        chunk *more = static_cast<chunk *>(allocate(sizeof(chunk) + room));
        if (more == nullptr) return false;
        *more = {more, 0, n - first, room};
        std::memcpy(more->data(), static_cast<const uint8_t *>(data) + first, n - first);
        if (last != nullptr) more->next = std::exchange(last->next, more);
        s->queue_tail = more;
    }
    if (first > 0) std::memcpy(last->data() + last->end, data, first);
    if (last != nullptr) last->end += first;
    s->queued_bytes += n;
    return true;
}

void drop_head(stream *s) {
    chunk *head = s->queue();
    if (head == s->queue_tail) s->queue_tail = nullptr;
    else s->queue_tail->next = head->next;
    release(head);
}

void take_sent(stream *s, size_t n) {
    s->queued_bytes -= n;
    while (chunk *c = s->queue()) {
        const size_t have = c->end - c->begin;
        if (n < have) {
            c->begin += n;
            return;
        }
        n -= have;
        drop_head(s);
    }
}

// asyncio's pause_writing, which is called from within the write, and
// resume_writing.
void check_high(stream *s) {
    if (s->is(k_writing_paused) || s->queued_bytes <= s->high) return;
    s->on(k_writing_paused);
    user_paused(s);
}

void check_low(stream *s) {
    if (!s->is(k_writing_paused) || s->queued_bytes > s->low) return;
    s->off(k_writing_paused);
    wake_waiting(s->waiters, k_for_drain | k_for_room);
    user_paused(s);
}

// Skips what was sent; the parts of the caller stay as they are.
int64_t queue_rest(stream *s, const iovec *parts, int n, size_t sent) {
    const bool partly = sent > 0;
    for (int i = 0; i < n; i++) {
        const size_t size = parts[i].iov_len;
        if (sent >= size) {
            sent -= size;
            continue;
        }
        if (!append(s, static_cast<const uint8_t *>(parts[i].iov_base) + sent, size - sent)) {
            // A gap in the data is worse than its end.
            if (partly || i > 0) lose(s, ALOOP_ENOMEM, make_error(ALOOP_ENOMEM, nullptr));
            return ALOOP_ENOMEM;
        }
        sent = 0;
    }
    return static_cast<int64_t>(s->queued_bytes);
}

// What the kernel does not take is queued.
int64_t write_some(stream *s, const iovec *parts, int n) {
    size_t total = 0;
    for (int i = 0; i < n; i++) total += parts[i].iov_len;
    if (total == 0) return static_cast<int64_t>(s->queued_bytes);
    size_t sent = 0;
    if (s->queue_tail == nullptr && (s->ready_bits() & k_writable) != 0) {
        const int64_t result = send_parts(s, parts, n);
        if (result < 0 && result != -EAGAIN) {
            lose(s, result, make_error(result, nullptr));
            return result;
        }
        if (result > 0) sent = static_cast<size_t>(result);
        if (sent == total) return 0;
    }
    return queue_rest(s, parts, n, sent);
}

}  // namespace

void flush(stream *s) {
    while (s->queue_tail != nullptr && (s->ready_bits() & k_writable) != 0) {
        iovec parts[k_most_parts];
        int n = 0;
        chunk *c = s->queue();
        do {
            parts[n++] = {c->data() + c->begin, c->end - c->begin};
            c = c->next;
        } while (c != s->queue() && n < k_most_parts);
        const int64_t sent = send_parts(s, parts, n);
        if (sent > 0) {
            take_sent(s, static_cast<size_t>(sent));
        } else if (sent != -EAGAIN) {
            lose(s, sent, make_error(sent, nullptr));
            return;
        }
    }
    if (s->queue_tail == nullptr && s->is(k_unsent) && (s->ready_bits() & k_writable) != 0) {
        const int64_t code = s->layer->flush(s);
        if (code < 0 && code != -EAGAIN) {
            lose(s, code, make_error(code, nullptr));
            return;
        }
    }
    check_low(s);
    if (s->queue_tail != nullptr || s->is(k_lost)) return;
    wake_waiting(s->waiters, k_for_empty);
    if (s->is(k_end_wanted) && s->layer->end != nullptr) s->layer->end(s);
}

void drop_queue(stream *s) {
    while (s->queue_tail != nullptr) drop_head(s);
    s->queued_bytes = 0;
}

int64_t write_parts(stream *s, const iovec *parts, int n, bool of_file) {
    if (s->is(k_end_wanted)) return ALOOP_EINVALIDSTATE;
    if (s->is(k_sending_file) && !of_file) return ALOOP_EBUSY;
    if (s->is(k_closing)) {
        constexpr uint16_t k_warn_at = 5;  // asyncio's LOG_THRESHOLD_FOR_CONNLOST_WRITES
        if (s->dropped_writes() < k_warn_at && ++s->dropped_writes() == k_warn_at) {
            loop_of(s)->report("socket.send() raised exception.", s->loss, s->failure);
        }
        return s->loss;
    }
    int64_t result = static_cast<int64_t>(s->queued_bytes);
    for (bool first = true; n > 0 && result >= 0; first = false) {
        const int some = n < k_most_parts ? n : k_most_parts;
        result = write_some(s, parts, some);
        // A gap in the data is worse than its end.
        if (result == ALOOP_ENOMEM && !first) lose(s, result, make_error(result, nullptr));
        parts += some;
        n -= some;
    }
    // The kernel may have taken less for another reason than being full, and tells of a
    // change only after it said so. Once all parts are queued: who is told of room here
    // may write, too.
    if (result > 0 && (s->ready_bits() & k_writable) != 0) {
        flush(s);
        result = s->loss != 0 ? s->loss : static_cast<int64_t>(s->queued_bytes);
    }
    check_high(s);
    return result;
}

int64_t end_writing(stream *s) {
    if (s->is(k_closing) || s->is(k_end_wanted)) return 0;
    if (s->is(k_one_way_out)) {
        close_stream(s);
        return 0;
    }
    if (s->layer->end == nullptr) return ALOOP_ENOSYS;
    if (s->is(k_sending_file)) return ALOOP_EBUSY;
    s->on(k_end_wanted);
    if (s->queue_tail != nullptr) return 0;
    const int64_t code = s->layer->end(s);
    return code < 0 && code != -ENOTCONN ? code : 0;
}

int64_t set_water_marks(stream *s, int64_t high, int64_t low) {
    constexpr int64_t k_most = UINT32_MAX;
    if (high < 0 && low < 0) high = 65536;
    if (high < 0) high = low > k_most / 4 ? k_most : 4 * low;
    if (low < 0) low = high / 4;
    if (low > high) return ALOOP_EINVAL;
    s->high = static_cast<uint32_t>(high < k_most ? high : k_most);
    s->low = static_cast<uint32_t>(low < k_most ? low : k_most);
    check_high(s);
    check_low(s);
    return 0;
}

// Waiting -----------------------------------------------------------------------------------

namespace {

stream *stream_of(ring_waiter *w) { return static_cast<stream *>(w->of); }

enum : uint32_t { k_begin, k_after_yield, k_waiting };

int64_t lost_status(operation *op, stream *s) {
    if (s->loss != 0) return fail_as(op, s);
    if (s->is(k_over)) return op->fail(ALOOP_ECONNRESET, "Connection lost");
    return 0;
}

int64_t step_drain(operation *op, task *, int64_t status) {
    ring_waiter *self = static_cast<ring_waiter *>(op);
    stream *s = stream_of(self);
    self->leave();
    if (status < 0) return status;
    switch (self->phase) {
    case k_begin:
        if (s->loss != 0) return fail_as(op, s);
        if (s->is(k_closing)) {
            self->phase = k_after_yield;
            return op->yield();
        }
        [[fallthrough]];
    case k_after_yield:
        if (const int64_t code = lost_status(op, s); code < 0) return code;
        if (!s->is(k_writing_paused)) return 0;
        self->phase = k_waiting;
        return self->wait_in(&s->waiters, k_for_drain);
    default:
        return s->loss != 0 ? fail_as(op, s) : 0;
    }
}

int64_t step_wait_closed(operation *op, task *, int64_t status) {
    ring_waiter *self = static_cast<ring_waiter *>(op);
    stream *s = stream_of(self);
    self->leave();
    if (status < 0) return status;
    if (!s->is(k_over)) {
        suspect(s);
        return self->wait_in(&s->waiters, k_for_end);
    }
    return s->loss != 0 ? fail_as(op, s) : 0;
}

// asyncio's waiter of a new transport.
int64_t step_wait_made(operation *op, task *, int64_t status) {
    ring_waiter *self = static_cast<ring_waiter *>(op);
    stream *s = stream_of(self);
    self->leave();
    if (status < 0) {
        close_stream(s);
        return status;
    }
    if (s->is(k_made_due)) return self->wait_in(&s->waiters, k_for_made);
    if (s->loss != 0) return fail_as(op, s);
    ref(static_cast<loop_object *>(s));
    op->give(s, free_stream);
    return 0;
}

constexpr auto k_free = free_operation<ring_waiter>;
const op_info k_drain = {"drain", step_drain, k_free};
const op_info k_wait_closed = {"wait_closed", step_wait_closed, k_free};
const op_info k_wait_made = {"connection_made", step_wait_made, k_free};

}  // namespace

future *make_drain(stream *s) { return loop_of(s)->make_object<ring_waiter>(&k_drain, s); }

future *make_wait_closed(stream *s) {
    return loop_of(s)->make_object<ring_waiter>(&k_wait_closed, s);
}

future *make_wait_made(stream *s) {
    future *f = loop_of(s)->make_object<ring_waiter>(&k_wait_made, s);
    unref(static_cast<loop_object *>(s));
    return f;
}

}  // namespace aloop
