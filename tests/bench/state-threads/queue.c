// State Threads has mutexes and condition variables and leaves the queue to its users. One thread
// runs at a time and is never interrupted, so the conditions suffice.
//
// SPDX-License-Identifier: MIT
#include <st.h>

#include "../common/bench.h"

typedef struct {
    size_t put, got, capacity;
    void **slots;
    st_cond_t room, item;
} queue;

static size_t items;

static void *produce(void *data) {
    queue *q = data;
    for (size_t i = 0; i < items; i++) {
        while (q->put - q->got == q->capacity) st_cond_wait(q->room);
        q->slots[q->put++ % q->capacity] = q;
        st_cond_signal(q->item);
    }
    return NULL;
}

static void *consume(void *data) {
    queue *q = data;
    for (size_t i = 0; i < items; i++) {
        while (q->put == q->got) st_cond_wait(q->item);
        if (q->slots[q->got++ % q->capacity] != q) abort();
        st_cond_signal(q->room);
    }
    return NULL;
}

static double run(size_t capacity) {
    queue q = {.capacity = capacity, .slots = must(calloc(capacity, sizeof(void *)))};
    q.room = must(st_cond_new());
    q.item = must(st_cond_new());
    uint64_t start = now_ns();
    st_thread_t producer = must(st_thread_create(produce, &q, 1, 0));
    st_thread_t consumer = must(st_thread_create(consume, &q, 1, 0));
    st_thread_join(producer, NULL);
    st_thread_join(consumer, NULL);
    return (double)(now_ns() - start) / (double)items;
}

int main(int argc, char **argv) {
    items = count_arg(argc, argv);
    must_ok(st_init());
    emit("queue", "capacity 1", run(1), "ns");
    emit("queue", "capacity 1024", run(1024), "ns");
}
