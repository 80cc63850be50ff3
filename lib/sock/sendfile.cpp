// sendfile.cpp: sock_sendfile: by the kernel alone, or, where it cannot, by
// reading blocks in the default executor and sending them.
//
// The file's position is behind what was sent when it ends, however it ends.
//
// SPDX-License-Identifier: MIT
#include <cerrno>

#include "../executor/executor.hpp"
#include "sock.hpp"

namespace aloop {

namespace {

constexpr int64_t k_most_at_once = 1 << 20;  // then the others have a turn
constexpr size_t k_block = 256 * 1024;       // asyncio's SENDFILE_FALLBACK_READBUFFER

// Shared by the operation and the job that fills it: whichever ends last.
struct file_block {
    std::atomic<int> users{1};
    const sys_table *sys;
    int fd;
    int64_t offset = 0;
    size_t wanted = 0;
    uint8_t data[k_block];
};

void drop_block(void *data) {
    file_block *b = static_cast<file_block *>(data);
    if (b->users.fetch_sub(1) == 1) destroy(b);
}

// On a thread of the executor.
int64_t fill_block(void *data, void **) {
    file_block *b = static_cast<file_block *>(data);
    int64_t got;
    do {
        got = b->sys->pread(b->fd, b->data, b->wanted, b->offset);
    } while (got == -EINTR);
    return got;
}

enum : uint32_t { k_begin, k_native, k_read, k_send };

struct sendfile_op final : sock_op {
    int file;
    bool copies;
    bool moved = false;  // the file's position is to be set
    int64_t offset;
    int64_t left;  // negative: to the end
    int64_t total = 0;
    file_block *block = nullptr;
    size_t begin = 0;  // of what is in the block and not sent
    size_t end = 0;

    sendfile_op(domain *d, int socket, int source, int64_t from, int64_t n, bool may_copy);
    ~sendfile_op() {
        stop();
        finish_file();
        if (block != nullptr) drop_block(block);
    }
    const sys_table *sys() const { return loop_of(this)->sys(); }
    void finish_file() {
        if (std::exchange(moved, false)) sys()->lseek(file, offset, SEEK_SET);
    }
    void count(int64_t n) {
        total += n;
        offset += n;
        moved = true;
        if (left > 0) left -= n;
    }
    size_t wanted(int64_t most) const {
        return static_cast<size_t>(left >= 0 && left < most ? left : most);
    }
};

int64_t read_block(sendfile_op *op) {
    if (op->left == 0) return op->total;
    op->phase = k_read;
    if (op->block == nullptr) {
        op->block = create<file_block>();
        if (op->block == nullptr) return ALOOP_ENOMEM;
        op->block->sys = op->sys();
        op->block->fd = op->file;
    }
    file_block *b = op->block;
    b->offset = op->offset;
    b->wanted = op->wanted(k_block);
    b->users++;
    return op->await(submit_job(loop_of(op), nullptr, {fill_block, b, drop_block, nullptr}));
}

int64_t send_block(sendfile_op *op) {
    op->phase = k_send;
    while (op->begin < op->end) {
        const int64_t sent = op->sys()->send(op->fd, op->block->data + op->begin,
                                             op->end - op->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == -EAGAIN) return op->wait_for(k_writable);
        if (sent == -EINTR) continue;
        if (sent < 0) return op->failed(sent);
        op->begin += static_cast<size_t>(sent);
        op->count(sent);
    }
    return read_block(op);
}

int64_t take_block(sendfile_op *op, int64_t got) {
    if (got == 0) return op->total;
    op->begin = 0;
    op->end = static_cast<size_t>(got);
    return send_block(op);
}

// Whether it is the file, or the pair of both, that the kernel does not take.
bool not_possible(int64_t code) {
    return code == -EINVAL || code == -ENOSYS || code == -EOPNOTSUPP || code == -EOVERFLOW ||
           code == -ESPIPE;
}

int64_t send_natively(sendfile_op *op) {
    op->phase = k_native;
    if (op->left == 0) return op->total;
    off_t at = op->offset;
    int64_t sent;
    do {
        sent = op->sys()->sendfile(op->fd, op->file, &at, op->wanted(k_most_at_once));
    } while (sent == -EINTR);
    if (sent == 0) return op->total;
    if (sent > 0) {
        op->count(sent);
        return op->left == 0 ? op->total : op->yield();
    }
    if (sent == -EAGAIN) return op->wait_for(k_writable);
    if (op->total > 0 || !not_possible(sent)) return op->failed(sent);
    if (op->copies) return read_block(op);
    return op->fail(ALOOP_ENOSENDFILE, "sendfile is not possible for this file and socket");
}

int64_t begin_sending(sendfile_op *op) {
    int64_t code = op->check_nonblocking();
    if (code < 0) return code;
    int type = 0;
    socklen_t size = sizeof type;
    code = op->sys()->getsockopt(op->fd, SOL_SOCKET, SO_TYPE, &type, &size);
    if (code < 0) return op->failed(code);
    if (type != SOCK_STREAM) {
        return op->fail(ALOOP_EINVAL, "only SOCK_STREAM type sockets are supported");
    }
    return send_natively(op);
}

int64_t advance(sendfile_op *op, int64_t status) {
    switch (op->phase) {
    case k_begin: return begin_sending(op);
    case k_native: return send_natively(op);
    case k_read: return take_block(op, status);
    default: return send_block(op);
    }
}

int64_t step_sendfile(operation *base, task *, int64_t status) {
    sendfile_op *op = static_cast<sendfile_op *>(base);
    const int64_t woken = op->woken(status);
    status = woken < 0 ? woken : advance(op, status);
    if (status != ALOOP_PENDING) op->finish_file();
    return status;
}

const op_info k_sendfile = {"sock_sendfile", step_sendfile, free_operation<sendfile_op>};

sendfile_op::sendfile_op(domain *d, int socket, int source, int64_t from, int64_t n, bool may_copy)
    : sock_op(d, &k_sendfile, socket), file(source), copies(may_copy), offset(from), left(n) {}

}  // namespace

future *make_sock_sendfile(loop *l, int fd, int file, int64_t offset, int64_t count, bool copies) {
    return l->make_object<sendfile_op>(fd, file, offset, count, copies);
}

}  // namespace aloop
