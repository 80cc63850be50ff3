/*
 * queue.h, channel.h: a queue or channel in steady state allocates nothing,
 * between stackful tasks and between step tasks.
 *
 * A program of its own, because the allocator that counts must be there before
 * anything else. Under a sanitizer, where each small object is a block of the
 * heap, the count that must not grow is that of live blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../unit/support.h"

#include <stdlib.h>
#include <string.h>

static int64_t allocations, live;

static void *counting_malloc(size_t size) {
    allocations++;
    live++;
    return malloc(size);
}

static void *counting_realloc(void *block, size_t size) {
    if (block == NULL) return counting_malloc(size);
    allocations++;
    return realloc(block, size);
}

static void counting_free(void *block) {
    live -= block != NULL;
    free(block);
}

static bool small_objects_are_blocks(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    const char *slab = getenv("ASYNCLOOP_SLAB");
    return slab != NULL && strcmp(slab, "0") == 0;
#endif
}

enum { WARM = 200, ITEMS = 20000 };

static int64_t numbers[ITEMS];
static int64_t allocations_warm, live_warm;

/* After so many items nothing more may be allocated. */
static void count_item(int64_t i) {
    if (i == WARM) {
        allocations_warm = allocations;
        live_warm = live;
    }
    if (i < ITEMS - 1) return;
    if (!small_objects_are_blocks()) assert_int_equal(allocations, allocations_warm);
    assert_true(live <= live_warm); /* less: the putter may have ended */
}

/* What items go through: a queue, or the two ends of a channel. */
struct way {
    aloop_queue *queue;
    aloop_sender *in;
    aloop_receiver *out;
};

static aloop_future *put_one(struct way *w, int64_t i) {
    return w->queue != NULL ? aloop_queue_put(w->queue, &numbers[i])
                            : aloop_sender_send(w->in, &numbers[i]);
}

static aloop_future *get_one(struct way *w) {
    return w->queue != NULL ? aloop_queue_get(w->queue) : aloop_receiver_receive(w->out);
}

static void check_got(struct way *w, const void *item, int64_t i) {
    assert_ptr_equal(item, &numbers[i]);
    if (w->queue != NULL) assert_code(aloop_queue_task_done(w->queue), 0);
    count_item(i);
}

/* Stackful tasks. */
static int64_t put_all(void *way, void **value) {
    (void)value;
    for (int64_t i = 0; i < ITEMS; i++) assert_code(aloop_await(put_one(way, i), NULL), 0);
    return 0;
}

static int64_t get_all(void *way, void **value) {
    (void)value;
    for (int64_t i = 0; i < ITEMS; i++) {
        void *item = NULL;
        assert_code(aloop_await(get_one(way), &item), 0);
        check_got(way, item, i);
    }
    return 0;
}

/* The same as step tasks. */
struct frame {
    ALOOP_CO_FRAME;
    struct way *way;
    int64_t i;
};

static int64_t put_in_steps(aloop_task *task, void *data, void **value) {
    (void)value;
    struct frame *f = data;
    int64_t status = 0;
    ALOOP_CO_BEGIN(f);
    for (f->i = 0; f->i < ITEMS; f->i++) {
        ALOOP_CO_AWAIT(task, f, put_one(f->way, f->i), status, NULL);
        assert_code(status, 0);
    }
    ALOOP_CO_END(f);
    return 0;
}

static int64_t get_in_steps(aloop_task *task, void *data, void **value) {
    (void)value;
    struct frame *f = data;
    int64_t status = 0;
    void *item = NULL;
    ALOOP_CO_BEGIN(f);
    for (f->i = 0; f->i < ITEMS; f->i++) {
        ALOOP_CO_AWAIT(task, f, get_one(f->way), status, &item);
        assert_code(status, 0);
        check_got(f->way, item, f->i);
    }
    ALOOP_CO_END(f);
    return 0;
}

static void exchange(struct way *w, bool in_steps) {
    struct frame putting = {.way = w}, getting = {.way = w};
    aloop_task *putter = in_steps ? aloop_create_stackless_task(put_in_steps, &putting, NULL)
                                  : aloop_create_task(put_all, w);
    aloop_task *getter = in_steps ? aloop_create_stackless_task(get_in_steps, &getting, NULL)
                                  : aloop_create_task(get_all, w);
    assert_code(aloop_await(getter, NULL), 0);
    assert_code(aloop_await(putter, NULL), 0);
}

static int64_t through_a_queue(void *arg, void **value) {
    (void)value;
    for (int in_steps = 0; in_steps < 2; in_steps++) {
        struct way w = {NULL, NULL, NULL};
        aloop_queue_options *options = aloop_queue_options_new();
        assert_code(aloop_queue_options_set_maxsize(options, *(const int64_t *)arg), 0);
        assert_code(aloop_queue_new(&w.queue, options), 0);
        aloop_unref(options);
        exchange(&w, in_steps);
        aloop_unref(w.queue);
    }
    return 0;
}

static int64_t through_a_channel(void *arg, void **value) {
    (void)value;
    for (int in_steps = 0; in_steps < 2; in_steps++) {
        struct way w = {NULL, NULL, NULL};
        assert_code(aloop_channel_new(&w.in, &w.out, *(const int64_t *)arg, NULL), 0);
        exchange(&w, in_steps);
        aloop_unref(w.in);
        aloop_unref(w.out);
    }
    return 0;
}

static int64_t through_a_broadcast(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_broadcast_sender *in = NULL;
    aloop_broadcast_receiver *out[2];
    assert_code(aloop_broadcast_new(&in, 4, NULL), 0);
    for (int i = 0; i < 2; i++) assert_code(aloop_broadcast_sender_subscribe(in, &out[i]), 0);
    for (int64_t i = 0; i < ITEMS; i++) {
        assert_code(aloop_broadcast_sender_send(in, &numbers[i]), 2);
        for (int k = 0; k < 2; k++) {
            void *message = NULL;
            assert_code(aloop_await(aloop_broadcast_receiver_receive(out[k]), &message), 0);
            assert_ptr_equal(aloop_message_value(message), &numbers[i]);
            aloop_unref(message);
        }
        count_item(i);
    }
    for (int i = 0; i < 2; i++) aloop_unref(out[i]);
    aloop_unref(in);
    return 0;
}

/* Two tasks, of both kinds, and places enough for one, some and all items. */
static void in_each_size(aloop_coro_fn fn) {
    int64_t sizes[] = {1, 7, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_code(run_virtual(fn, &sizes[i], NULL), 0);
    }
}

static void test_bounded_queue_allocates_nothing(void **state) {
    (void)state;
    in_each_size(through_a_queue);
}

static void test_channels_allocate_nothing(void **state) {
    (void)state;
    in_each_size(through_a_channel);
    assert_code(run_virtual(through_a_broadcast, NULL, NULL), 0);
}

/* A queue reserves its room when it is made: filling it needs no more. */
static void test_room_is_reserved(void **state) {
    (void)state;
    aloop_queue_options *options = aloop_queue_options_new();
    assert_code(aloop_queue_options_set_maxsize(options, 1000), 0);
    aloop_queue *queue = NULL;
    assert_code(aloop_queue_new(&queue, options), 0);
    aloop_unref(options);
    const int64_t before = allocations;
    for (int i = 0; i < 1000; i++) assert_code(aloop_queue_put_nowait(queue, &numbers[i]), 0);
    assert_code(aloop_queue_put_nowait(queue, NULL), ALOOP_EQUEUEFULL);
    assert_int_equal(allocations, before);
    aloop_unref(queue);
}

int main(void) {
    if (aloop_set_allocator(counting_malloc, counting_realloc, counting_free) != 0) return 1;
    const struct CMUnitTest cases[] = {CASE(test_bounded_queue_allocates_nothing),
                                       CASE(test_channels_allocate_nothing),
                                       CASE(test_room_is_reserved)};
    prepare_suite();
    return cmocka_run_group_tests(cases, NULL, NULL);
}
