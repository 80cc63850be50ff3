// queue: a fiber that puts and a fiber that gets, capacities 1 and 1,024. A queue of ours belongs
// to its loop, so nothing is put from a foreign thread here.
//
// SPDX-License-Identifier: MIT
#include "ours.h"

static aloop_queue *queue;
static size_t items;

static int64_t produce(void *item, void **value) {
    (void)value;
    for (size_t i = 0; i < items; i++) must_code(aloop_await(aloop_queue_put(queue, item), NULL));
    return 0;
}

static int64_t run_both(void *capacity, void **value) {
    (void)value;
    aloop_queue_options *options = must(aloop_queue_options_new());
    must_code(aloop_queue_options_set_maxsize(options, *(int64_t *)capacity));
    must_code(aloop_queue_new(&queue, options));
    aloop_unref(options);
    aloop_task *producer = aloop_create_task(produce, &items);
    uint64_t start = now_ns();
    for (size_t i = 0; i < items; i++) {
        void *item = NULL;
        must_code(aloop_await(aloop_queue_get(queue), &item));
        if (item != &items) abort();
    }
    const char *metric = *(int64_t *)capacity == 1 ? "capacity 1" : "capacity 1024";
    emit("queue", metric, (double)(now_ns() - start) / (double)items, "ns");
    must_code(aloop_await(producer, NULL));
    aloop_unref(queue);
    return 0;
}

int main(int argc, char **argv) {
    int64_t capacities[] = {1, 1024};
    items = count_arg(argc, argv);
    for (int i = 0; i < 2; i++) must_code(aloop_run(run_both, &capacities[i], NULL));
}
