// The least that a loop can cost to make, turn once and close: one epoll, one eventfd to wake it,
// one timerfd.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "../common/bench.h"

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t i = 0; i < n; i++) {
        struct epoll_event in = {.events = EPOLLIN | EPOLLET};
        int epoll_fd = must_ok(epoll_create1(EPOLL_CLOEXEC));
        int event_fd = must_ok(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        int timer_fd = must_ok(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
        must_ok(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &in));
        must_ok(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &in));
        must_ok(epoll_wait(epoll_fd, &in, 1, 0));
        close(timer_fd);
        close(event_fd);
        close(epoll_fd);
    }
    emit("start", "loop", (double)(now_ns() - start) / (double)n / 1000, "us");
}
