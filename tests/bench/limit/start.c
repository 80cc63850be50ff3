// The least that a loop can cost to make, turn once and close: one epoll. What wakes it and what
// times it, an eventfd and a timerfd or a signal's handler, some loops make only when they are
// needed.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        struct epoll_event ready;
        int epoll_fd = must_ok(epoll_create1(EPOLL_CLOEXEC));
        must_ok(epoll_wait(epoll_fd, &ready, 1, 0));
        close(epoll_fd);
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
