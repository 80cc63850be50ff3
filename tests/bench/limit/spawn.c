// The least that a task can cost that is spawned and awaited: a slab object, a place in a FIFO, one
// call of its step, one count-down of its waiter.
//
// SPDX-License-Identifier: MIT
#include "../common/bench.h"

enum { k_batch = 1000 };

typedef struct task task;
struct task {
    task *next;
    void (*step)(task *);
    size_t *waiter;
    char rest[72];  // a task also holds a result, links and a reference count: 96 bytes in all
};

static task *free_list, *head, **tail = &head;

static void no_op(task *t) {
    --*t->waiter;
    t->next = free_list;
    free_list = t;
}

// Not inlined: a library cannot know what its caller spawns.
__attribute__((noinline)) static void spawn(void (*step)(task *), size_t *waiter) {
    task *t = free_list;
    if (t)
        free_list = t->next;
    else
        t = must(malloc(sizeof *t));
    t->step = step;
    t->waiter = waiter;
    t->next = NULL;
    *tail = t;
    tail = &t->next;
}

int main(int argc, char **argv) {
    size_t n = count_arg(argc, argv);
    uint64_t start = now_ns();
    for (size_t done = 0; done < n; done += k_batch) {
        size_t waiting = k_batch;
        for (int i = 0; i < k_batch; i++) spawn(no_op, &waiting);
        while (waiting > 0) {
            task *t = head;
            head = t->next;
            if (!head) tail = &head;
            t->step(t);
        }
    }
    emit("spawn", "spawn + join", (double)(now_ns() - start) / (double)n, "ns");
}
