// send_fds.cpp: descriptors over a Unix socket.
//
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <cstring>

#include "sock.hpp"

namespace aloop {

namespace {

struct send_fds_op final : sock_op {
    aloop_buf data;
    const int32_t *fds;
    size_t count;

    send_fds_op(domain *d, int socket, const aloop_buf &bytes, const int32_t *list, size_t n);
    ~send_fds_op() { stop(); }
};

int64_t send_message(send_fds_op *op) {
    alignas(cmsghdr) char control[CMSG_SPACE(k_most_fds * sizeof(int))] = {};
    const size_t size = op->count * sizeof(int);
    iovec part = {const_cast<void *>(op->data.base), op->data.len};
    msghdr m = {};
    m.msg_iov = &part;
    m.msg_iovlen = 1;
    m.msg_control = control;
    m.msg_controllen = CMSG_SPACE(size);
    cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(c), op->fds, size);
    return loop_of(op)->sys()->sendmsg(op->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int64_t step_send_fds(operation *base, task *, int64_t status) {
    send_fds_op *op = static_cast<send_fds_op *>(base);
    status = op->woken(status);
    if (status >= 0 && op->phase++ == 0) status = op->check_nonblocking();
    if (status < 0) return status;
    do {
        status = send_message(op);
    } while (status == -EINTR);
    if (status == -EAGAIN) return op->wait_for(k_writable);
    return status < 0 ? op->failed(status) : status;
}

const op_info k_send_fds = {"sock_send_fds", step_send_fds, free_operation<send_fds_op>};

send_fds_op::send_fds_op(domain *d, int socket, const aloop_buf &bytes, const int32_t *list,
                         size_t n)
    : sock_op(d, &k_send_fds, socket), data(bytes), fds(list), count(n) {}

}  // namespace

future *make_sock_send_fds(loop *l, int fd, const aloop_buf &data, const int32_t *fds,
                           size_t count) {
    return l->make_object<send_fds_op>(fd, data, fds, count);
}

}  // namespace aloop
