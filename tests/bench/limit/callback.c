// The least that a ready queue can cost: an intrusive FIFO, one indirect call a callback, nothing
// else.
//
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include "../common/bench.h"

typedef struct node node;
struct node {
    node *next;
    void (*fn)(node *);
};

static node *head, **tail = &head;
static size_t left;

static void push(node *n) {
    n->next = NULL;
    *tail = n;
    tail = &n->next;
}

static void again(node *n) {
    if (left > 0) {
        left--;
        push(n);
    }
}

static double run(size_t nodes, size_t calls, int poll_fd) {
    node *all = must(calloc(nodes, sizeof *all));
    left = calls - nodes;
    for (size_t i = 0; i < nodes; i++) {
        all[i].fn = again;
        push(&all[i]);
    }
    uint64_t start = now_ns();
    for (node *n; (n = head);) {
        struct epoll_event ready;
        if (poll_fd >= 0) epoll_wait(poll_fd, &ready, 1, 0);
        head = n->next;
        if (!head) tail = &head;
        n->fn(n);
    }
    double ns = (double)(now_ns() - start) / (double)calls;
    free(all);
    return ns;
}

int main(int argc, char **argv) {
    size_t calls = count_arg(argc, argv);
    emit("callback", "among 1000", run(1000, calls, -1), "ns");
    emit("callback", "alone", run(1, calls, -1), "ns");
    // What a loop pays that asks the kernel in every round, as most do.
    emit_as("limit-poll", "callback", "alone", run(1, calls, must_ok(epoll_create1(0))), "ns");
}
