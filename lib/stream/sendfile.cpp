// sendfile.cpp: sends a file: by the kernel alone, or, where it cannot (a source
// that is no regular file, a stream over memory or TLS), by reading blocks in the
// default executor and writing them.
//
// As asyncio: what was queued goes first, nothing else may be written meanwhile,
// nothing is read for a protocol, and the file's position is behind what was
// sent, also after an error or a cancellation.
//
// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "../executor/executor.hpp"
#include "stream.hpp"

namespace aloop {

namespace {

constexpr int64_t k_most_at_once = 1 << 20;  // then the others have a turn
constexpr size_t k_block = 65536;

// Shared by the operation and the job that fills it, which may outlive the loop.
struct block {
    std::atomic<int> users{1};
    int fd;
    int64_t offset;
    bool by_position = true;
    size_t wanted = 0;
    uint8_t data[k_block];
};

void drop_block(void *data) {
    block *b = static_cast<block *>(data);
    if (b->users.fetch_sub(1) == 1) destroy(b);
}

// On a thread of the executor.
int64_t fill_block(void *data, void **) {
    block *b = static_cast<block *>(data);
    for (;;) {
        const int64_t got = b->by_position ? pread(b->fd, b->data, b->wanted, b->offset)
                                           : read(b->fd, b->data, b->wanted);
        if (got >= 0) return got;
        if (errno == ESPIPE && b->by_position && b->offset == 0) b->by_position = false;
        else if (errno != EINTR) return -errno;
    }
}

enum : uint32_t { k_begin, k_emptying, k_sending, k_reading, k_draining };

struct file_op final : ring_waiter {
    int fd;
    bool copies;
    bool holds = false;  // k_sending_file is its own
    int64_t offset;
    int64_t left;  // negative: to the end
    int64_t total = 0;
    block *copy = nullptr;

    file_op(domain *d, stream *s, int file, int64_t from, int64_t n, bool may_copy);
    ~file_op() {
        end();
        if (copy != nullptr) drop_block(copy);
    }
    stream *to() const { return static_cast<stream *>(of); }
    void end() {
        if (!std::exchange(holds, false)) return;
        to()->off(k_sending_file);
        if (total > 0) lseek(fd, offset, SEEK_SET);
        look_again(to());
    }
    void count(int64_t n) {
        total += n;
        offset += n;
        if (left > 0) left -= n;
    }
};

int64_t read_block(file_op *op) {
    if (op->left == 0) return op->total;
    if (op->copy == nullptr) {
        op->copy = create<block>();
        if (op->copy == nullptr) return ALOOP_ENOMEM;
        op->copy->fd = op->fd;
    }
    block *b = op->copy;
    b->offset = b->by_position ? op->offset : 0;
    const bool few = op->left > 0 && op->left < int64_t{k_block};
    b->wanted = few ? static_cast<size_t>(op->left) : k_block;
    b->users++;
    op->phase = k_reading;
    return op->await(submit_job(loop_of(op), nullptr, {fill_block, b, drop_block, nullptr}));
}

int64_t write_block(file_op *op, size_t n) {
    stream *s = op->to();
    if (n == 0) return op->total;
    const iovec part = {op->copy->data, n};
    const int64_t queued = write_parts(s, &part, 1, true);
    if (queued < 0) return s->loss != 0 ? fail_as(op, s) : queued;
    op->count(static_cast<int64_t>(n));
    op->phase = k_draining;
    return s->is(k_writing_paused) ? op->wait_in(&s->waiters, k_for_room) : read_block(op);
}

// The kernel sends none of this: by reading, unless only the kernel is wanted.
int64_t give_up_kernel(file_op *op) {
    if (op->copies) return read_block(op);
    return op->fail(ALOOP_ENOSENDFILE, "sendfile is not possible for this file and stream");
}

bool is_the_peers(int64_t code) { return code == -EPIPE || code == ALOOP_ECONNRESET; }

int64_t send_some(file_op *op) {
    stream *s = op->to();
    op->phase = k_sending;
    if (op->left == 0) return op->total;
    const int64_t most = op->left > 0 && op->left < k_most_at_once ? op->left : k_most_at_once;
    int64_t sent;
    int64_t at = op->offset;
    do {
        sent = s->layer->send_file(s, op->fd, &at, static_cast<size_t>(most));
    } while (sent == -EINTR);
    if (sent > 0) {
        op->count(sent);
        return op->left == 0 ? op->total : op->yield();
    }
    if (sent == 0) return op->total;
    if (sent == -EAGAIN) {
        s->ready_bits() &= static_cast<uint8_t>(~k_writable);
        return op->wait_in(&s->waiters, k_for_writable);
    }
    if (is_the_peers(sent)) {
        lose(s, sent, make_error(sent, nullptr));
        return fail_as(op, s);
    }
    return op->total == 0 ? give_up_kernel(op) : sent;
}

int64_t begin_sending(file_op *op) {
    struct stat info;
    const bool regular = fstat(op->fd, &info) == 0 && S_ISREG(info.st_mode);
    if (!regular || op->to()->layer->send_file == nullptr) return give_up_kernel(op);
    return send_some(op);
}

int64_t begin(file_op *op) {
    stream *s = op->to();
    if (s->is(k_closing)) return op->fail(ALOOP_EINVALIDSTATE, "Transport is closing");
    if (s->is(k_end_wanted)) {
        return op->fail(ALOOP_EINVALIDSTATE, "Cannot call sendfile() after write_eof()");
    }
    if (s->is(k_sending_file)) return op->fail(ALOOP_EBUSY, "sendfile is in progress");
    s->on(k_sending_file);
    op->holds = true;
    op->phase = k_emptying;
    return s->queue_tail != nullptr ? op->wait_in(&s->waiters, k_for_empty) : begin_sending(op);
}

int64_t advance(file_op *op, int64_t status) {
    stream *s = op->to();
    if (op->phase == k_begin) return begin(op);
    if (s->loss != 0) return fail_as(op, s);
    if (s->is(k_closing)) return op->fail(ALOOP_ECONNRESET, "Connection closed by peer");
    switch (op->phase) {
    case k_emptying: return begin_sending(op);
    case k_sending: return send_some(op);
    case k_reading: return write_block(op, static_cast<size_t>(status));
    default: return read_block(op);
    }
}

int64_t step_file(operation *base, task *, int64_t status) {
    file_op *op = static_cast<file_op *>(base);
    op->leave();
    if (status >= 0) status = advance(op, status);
    if (status != ALOOP_PENDING) op->end();
    return status;
}

const op_info k_send_file = {"sendfile", step_file, free_operation<file_op>};

file_op::file_op(domain *d, stream *s, int file, int64_t from, int64_t n, bool may_copy)
    : ring_waiter(d, &k_send_file, s), fd(file), copies(may_copy), offset(from), left(n) {}

}  // namespace

future *make_send_file(stream *s, int fd, int64_t offset, int64_t n, bool copies) {
    return loop_of(s)->make_object<file_op>(s, fd, offset, n, copies);
}

}  // namespace aloop
