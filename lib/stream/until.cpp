// until.cpp: readuntil and readline.
//
// The search is asyncio's to the letter: the earliest end wins, the limit counts
// the bytes before the separator, and an overrun leaves the data where they are
// (readline drops them).
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "../base/bytes.hpp"
#include "stream.hpp"

namespace aloop {

namespace {

struct until_op final : operation {
    stream *from;
    aloop_buf *separators;  // a block of its own with the bytes behind; nullptr: "\n"
    size_t count;
    size_t shortest;
    size_t longest;
    size_t searched = 0;  // no separator begins before this
    bool line;

    until_op(domain *d, stream *s, aloop_buf *list, size_t n, bool for_line);
    ~until_op() {
        stop_waiting(this, from);
        unref(static_cast<loop_object *>(from));
        release(separators);
    }
};

struct match {
    size_t begin, end;
    bool found;
};

match find_one(const uint8_t *data, size_t n, size_t from, const void *separator, size_t size) {
    if (from > n || n - from < size) return {0, 0, false};
    const void *at =
        size == 1 ? std::memchr(data + from, *static_cast<const uint8_t *>(separator), n - from)
                  : memmem(data + from, n - from, separator, size);
    if (at == nullptr) return {0, 0, false};
    const size_t begin = static_cast<size_t>(static_cast<const uint8_t *>(at) - data);
    return {begin, begin + size, true};
}

match find_separator(const until_op *op, const uint8_t *data, size_t n) {
    if (op->separators == nullptr) return find_one(data, n, op->searched, "\n", 1);
    match best = {0, 0, false};
    for (size_t i = 0; i < op->count; i++) {
        const aloop_buf &one = op->separators[i];
        const match m = find_one(data, n, op->searched, one.base, one.len);
        if (m.found && (!best.found || m.end < best.end)) best = m;
    }
    return best;
}

// Too long. readline drops the line if its end is there, else all there is.
int64_t overrun(until_op *op, size_t consumed, bool found) {
    stream *s = op->from;
    error *e = make_overrun(found ? "Separator is found, but chunk is longer than limit"
                                  : "Separator is not found, and chunk exceed the limit",
                            consumed);
    if (op->line && found) take_unread(s, consumed + 1);
    else if (op->line) clear_unread(s);
    return op->raise(ALOOP_ELIMITOVERRUN, e);
}

int64_t at_end(until_op *op) {
    stream *s = op->from;
    const size_t have = s->unread_bytes();
    if (!op->line) return op->raise(ALOOP_EINCOMPLETEREAD, make_incomplete(s, -1));
    const int64_t status = give_bytes(op, have > 0 ? s->unread->data() + s->unread->begin : nullptr,
                                      have);
    if (status >= 0) clear_unread(s);
    return status;
}

// A whole line in what was just read, nothing of it kept: the usual case.
int64_t straight(until_op *op, const uint8_t *data, size_t n) {
    stream *s = op->from;
    const match m = find_separator(op, data, n);
    if (!m.found || m.begin > s->limit) return put_back(s, data, n) ? k_again : ALOOP_ENOMEM;
    const int64_t status = give_bytes(op, data, m.end);
    if (status < 0) put_back(s, data, n);
    else put_back(s, data + m.end, n - m.end);
    return status;
}

int64_t look(until_op *op) {
    stream *s = op->from;
    const size_t have = s->unread_bytes();
    if (op->searched > have) op->searched = 0;  // another read took some
    if (have > 0 && have - op->searched >= op->shortest) {
        const uint8_t *data = s->unread->data() + s->unread->begin;
        const match m = find_separator(op, data, have);
        if (m.found) {
            if (m.begin > s->limit) return overrun(op, m.begin, true);
            const int64_t status = give_bytes(op, data, m.end);
            if (status >= 0) take_unread(s, m.end);
            return status;
        }
        op->searched = have + 1 > op->longest ? have + 1 - op->longest : 0;
        if (op->searched > s->limit) return overrun(op, op->searched, false);
    }
    uint8_t *data;
    const int64_t got = pull_shared(s, k_read_size, &data);
    if (got < 0) return after_pull(op, s, got, op->line ? "readline" : "readuntil");
    if (got == 0) return at_end(op);
    const size_t n = static_cast<size_t>(got);
    if (have == 0) return straight(op, data, n);
    return put_back(s, data, n) ? k_again : ALOOP_ENOMEM;
}

int64_t step_until(operation *base, task *, int64_t status) {
    return step_reading(static_cast<until_op *>(base), status, look);
}

const op_info k_read_until = {"readuntil", step_until, free_operation<until_op>};

until_op::until_op(domain *d, stream *s, aloop_buf *list, size_t n, bool for_line)
    : operation(d, &k_read_until), from(s), separators(list), count(n), line(for_line) {
    ref(static_cast<loop_object *>(s));
    shortest = longest = list != nullptr ? list[0].len : 1;
    for (size_t i = 1; i < n; i++) {
        if (list[i].len < shortest) shortest = list[i].len;
        if (list[i].len > longest) longest = list[i].len;
    }
}

aloop_buf *copy_separators(const aloop_buf *list, size_t n) {
    size_t size = n * sizeof(aloop_buf);
    for (size_t i = 0; i < n; i++) size += list[i].len;
    aloop_buf *copy = static_cast<aloop_buf *>(allocate(size));
    if (copy == nullptr) return nullptr;
    uint8_t *at = reinterpret_cast<uint8_t *>(copy + n);
    for (size_t i = 0; i < n; i++) {
        std::memcpy(at, list[i].base, list[i].len);
        copy[i] = {at, list[i].len};
        at += list[i].len;
    }
    return copy;
}

}  // namespace

future *make_read_until(stream *s, const aloop_buf *separators, size_t count, bool line) {
    aloop_buf *copy = nullptr;
    if (!line) {
        copy = copy_separators(separators, count);
        if (copy == nullptr) return nullptr;
    }
    until_op *op = loop_of(s)->make_object<until_op>(s, copy, line ? size_t{1} : count, line);
    if (op == nullptr) release(copy);
    return op;
}

}  // namespace aloop
