// queue: a fiber that puts and a fiber that gets, capacities 1 and 1,024; and a foreign thread that
// puts through an inlet.
//
// SPDX-License-Identifier: MIT
#include <pthread.h>

#include "ours.h"

static aloop_queue *queue;
static size_t items;

static int64_t produce(void *item, void **value) {
    (void)value;
    for (size_t i = 0; i < items; i++) must_code(aloop_await(aloop_queue_put(queue, item), NULL));
    return 0;
}

static void new_queue(int64_t capacity) {
    aloop_queue_options *options = must(aloop_queue_options_new());
    must_code(aloop_queue_options_set_maxsize(options, capacity));
    must_code(aloop_queue_new(&queue, options));
    aloop_unref(options);
}

static void consume(const char *metric, uint64_t start) {
    for (size_t i = 0; i < items; i++) {
        void *item = NULL;
        must_code(aloop_await(aloop_queue_get(queue), &item));
        if (item != &items) abort();
    }
    emit("queue", metric, (double)(now_ns() - start) / (double)items, "ns");
}

static int64_t run_both(void *capacity, void **value) {
    (void)value;
    new_queue(*(int64_t *)capacity);
    aloop_task *producer = aloop_create_task(produce, &items);
    consume(*(int64_t *)capacity == 1 ? "capacity 1" : "capacity 1024", now_ns());
    must_code(aloop_await(producer, NULL));
    aloop_unref(queue);
    return 0;
}

static void *produce_elsewhere(void *inlet) {
    pin_thread(1);
    for (size_t i = 0; i < items; i++) must_code(aloop_inlet_put(inlet, &items, -1));
    return NULL;
}

static int64_t run_thread(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_inlet *inlet = NULL;
    pthread_t thread;
    new_queue(1024);
    must_code(aloop_inlet_new(&inlet, queue, 1024));
    uint64_t start = now_ns();
    pthread_create(&thread, NULL, produce_elsewhere, inlet);
    consume("from a thread", start);
    pthread_join(thread, NULL);
    aloop_unref(inlet);
    aloop_unref(queue);
    return 0;
}

int main(int argc, char **argv) {
    int64_t capacities[] = {1, 1024};
    items = count_arg(argc, argv);
    pin_thread(0);
    for (int i = 0; i < 2; i++) must_code(aloop_run(run_both, &capacities[i], NULL));
    must_code(aloop_run(run_thread, NULL, NULL));
}
