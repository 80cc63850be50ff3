// read.cpp: read, read_into, readexactly, and reading to the end.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "../base/bytes.hpp"
#include "stream.hpp"

namespace aloop {

namespace {

struct read_op final : operation {
    stream *from;
    size_t n;
    void *into;

    read_op(domain *d, stream *s, size_t count, void *place);
    ~read_op() {
        stop_waiting(this, from);
        unref(static_cast<loop_object *>(from));
    }
    read_mode mode() const { return static_cast<read_mode>(scratch); }
};

// Straight behind what is unread.
int64_t pull_unread(stream *s, size_t most) {
    constexpr size_t k_step = 256 * 1024;
    const size_t n = most < k_step ? most : k_step;
    uint8_t *to = reserve_unread(s, n);
    if (to == nullptr) return ALOOP_ENOMEM;
    const int64_t got = pull(s, to, n);
    if (got > 0) s->unread->end += static_cast<size_t>(got);
    if (s->unread_bytes() == 0) clear_unread(s);
    return got;
}

int64_t give_unread(operation *op, stream *s, size_t n) {
    if (s->unread_bytes() == 0) return give_bytes(op, nullptr, 0);
    const int64_t status = give_bytes(op, s->unread->data() + s->unread->begin, n);
    if (status >= 0) take_unread(s, n);
    return status;
}

int64_t read_some(read_op *op) {
    stream *s = op->from;
    const size_t have = s->unread_bytes();
    if (have > 0 || op->n == 0) return give_unread(op, s, have < op->n ? have : op->n);
    uint8_t *data;
    const int64_t got = pull_shared(s, op->n, &data);
    if (got < 0) return after_pull(op, s, got, "read");
    const int64_t status = give_bytes(op, data, static_cast<size_t>(got));
    if (status < 0) put_back(s, data, static_cast<size_t>(got));
    return status;
}

int64_t read_into(read_op *op) {
    stream *s = op->from;
    const size_t have = s->unread_bytes();
    if (have > 0) {
        const size_t n = have < op->n ? have : op->n;
        std::memcpy(op->into, s->unread->data() + s->unread->begin, n);
        take_unread(s, n);
        return static_cast<int64_t>(n);
    }
    if (op->n == 0) return 0;
    const int64_t got = pull(s, op->into, op->n);
    return got < 0 ? after_pull(op, s, got, "read") : got;
}

int64_t read_exactly(read_op *op) {
    stream *s = op->from;
    if (s->unread_bytes() >= op->n) return give_unread(op, s, op->n);
    int64_t got;
    if (s->unread_bytes() == 0 && op->n <= k_read_size) {
        uint8_t *data;
        got = pull_shared(s, op->n, &data);
        if (got == static_cast<int64_t>(op->n)) {
            const int64_t status = give_bytes(op, data, op->n);
            if (status < 0) put_back(s, data, op->n);
            return status;
        }
        if (got > 0 && !put_back(s, data, static_cast<size_t>(got))) return ALOOP_ENOMEM;
    } else {
        got = pull_unread(s, op->n - s->unread_bytes());
    }
    if (got != 0) return after_pull(op, s, got, "readexactly");
    return op->raise(ALOOP_EINCOMPLETEREAD, make_incomplete(s, static_cast<int64_t>(op->n)));
}

int64_t read_to_end(read_op *op) {
    stream *s = op->from;
    const int64_t got = pull_unread(s, k_read_size);
    return got != 0 ? after_pull(op, s, got, "read") : give_unread(op, s, s->unread_bytes());
}

int64_t read_once(read_op *op) {
    switch (op->mode()) {
    case read_mode::some: return read_some(op);
    case read_mode::into: return read_into(op);
    case read_mode::exactly: return read_exactly(op);
    case read_mode::to_end: break;
    }
    return read_to_end(op);
}

int64_t step_read(operation *base, task *, int64_t status) {
    return step_reading(static_cast<read_op *>(base), status, read_once);
}

const op_info k_read = {"read", step_read, free_operation<read_op>};

read_op::read_op(domain *d, stream *s, size_t count, void *place)
    : operation(d, &k_read), from(s), n(count), into(place) {
    ref(static_cast<loop_object *>(s));
}

}  // namespace

future *make_read(stream *s, read_mode mode, size_t n, void *into) {
    read_op *op = loop_of(s)->make_object<read_op>(s, n, into);
    if (op != nullptr) op->scratch = static_cast<uint32_t>(mode);
    return op;
}

}  // namespace aloop
