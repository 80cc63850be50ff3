// reading.cpp: what the reading operations share: waiting for data, handing it
// out, and the errors that carry some.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstdio>

#include "../base/bytes.hpp"
#include "stream.hpp"

namespace aloop {

int64_t wait_for_data(operation *op, stream *s, const char *what) {
    if (s->reading != nullptr) {
        return op->fail(ALOOP_EBUSY,
                        "%s() called while another coroutine is already waiting for incoming data",
                        what);
    }
    s->reading = make_future(loop_of(s));
    if (s->reading == nullptr) return ALOOP_ENOMEM;
    return op->await(s->reading);
}

void stop_waiting(operation *op, stream *s) {
    if (op->inner != nullptr && s->reading == op->inner) s->reading = nullptr;
}

int64_t after_pull(operation *op, stream *s, int64_t got, const char *what) {
    if (got >= 0) return k_again;
    if (got == -EAGAIN) return wait_for_data(op, s, what);
    if (got == -EALREADY) return op->yield();
    return s->loss != 0 ? fail_as(op, s) : got;
}

int64_t fail_as(operation *op, stream *s) {
    if (s->failure != nullptr) ref(s->failure);
    return op->raise(s->loss, s->failure);
}

int64_t refuse_reading(operation *op) {
    return op->fail(ALOOP_EBUSY, "%s() called while start_tls() waits for incoming data",
                    op->ops->name);
}

int64_t give_bytes(operation *op, const void *data, size_t n) {
    bytes *b = make_bytes(data, n);
    if (b == nullptr) return ALOOP_ENOMEM;
    op->give(b, free_bytes);
    return static_cast<int64_t>(n);
}

int64_t pull_shared(stream *s, size_t most, uint8_t **data) {
    *data = read_buffer(loop_of(s));
    if (*data == nullptr) return ALOOP_ENOMEM;
    return pull(s, *data, most < k_read_size ? most : k_read_size);
}

bool put_back(stream *s, const void *data, size_t n) {
    if (keep_unread(s, data, n)) return true;
    lose(s, ALOOP_ENOMEM, make_error(ALOOP_ENOMEM, nullptr));
    return false;
}

// Errors -------------------------------------------------------------------------------------

namespace {

void free_detail(void *data) {
    read_detail *detail = static_cast<read_detail *>(data);
    if (detail->partial != nullptr) unref(detail->partial);
    destroy(detail);
}

bool attach(error *e, bytes *partial, int64_t number) {
    read_detail *detail = create<read_detail>();
    if (detail == nullptr) return false;
    *detail = {partial, number};
    e->payload = detail;
    e->payload_free = free_detail;
    return true;
}

}  // namespace

error *make_incomplete(stream *s, int64_t expected) {
    const size_t have = s->unread_bytes();
    bytes *partial = make_bytes(have > 0 ? s->unread->data() + s->unread->begin : nullptr, have);
    if (partial == nullptr) return nullptr;
    char wanted[32] = "undefined";
    if (expected >= 0) {
        std::snprintf(wanted, sizeof wanted, "%lld", static_cast<long long>(expected));
    }
    error *e = format_error(ALOOP_EINCOMPLETEREAD,
                            "%zu bytes read on a total of %s expected bytes", have, wanted);
    if (e != nullptr && attach(e, partial, expected)) {
        clear_unread(s);
        return e;
    }
    unref(partial);
    if (e != nullptr) unref(e);
    return nullptr;
}

error *make_overrun(const char *message, size_t consumed) {
    error *e = make_error(ALOOP_ELIMITOVERRUN, message);
    if (e != nullptr) attach(e, nullptr, static_cast<int64_t>(consumed));
    return e;
}

const read_detail *detail_of(const error *e) {
    return e->payload_free == free_detail ? static_cast<const read_detail *>(e->payload) : nullptr;
}

}  // namespace aloop
