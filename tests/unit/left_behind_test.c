/*
 * task.h: a step that named what it waits for, and then did something else: ended, or
 * asked for the outcome at once. What it leaves behind is whole: who awaits it later
 * goes on with it where it stood.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

static aloop_queue *queue;
static int item;

static aloop_future *new_get(void) {
    assert_code(aloop_queue_new(&queue, NULL), 0);
    return aloop_queue_get(queue);
}

static int64_t getters(void) { return aloop_queue_statistic(queue, ALOOP_QUEUE_STAT_GETTERS); }

/* What a step does between the suspension and its end. */
struct leaving {
    aloop_future *op;
    void (*then)(struct leaving *l);
    int calls;
};

static int64_t suspend_and_end(aloop_task *task, void *frame, void **value) {
    (void)value;
    struct leaving *l = frame;
    assert_code(aloop_suspend(task, aloop_ref(l->op)), ALOOP_PENDING);
    if (l->then != NULL) l->then(l);
    return 7;
}

/* A task begins op, and ends without it. */
static void begin_and_leave(aloop_future *op, void (*then)(struct leaving *l), int *calls) {
    struct leaving l = {op, then, 0};
    assert_code(aloop_await(aloop_create_stackless_task(suspend_and_end, &l, NULL), NULL), 7);
    assert_int_equal(aloop_future_done(op), 0);
    if (calls != NULL) *calls = l.calls;
}

static int64_t await_it(void *op, void **value) { return aloop_await(aloop_ref(op), value); }

static int64_t await_what_is_there(void *op, void **value) {
    return aloop_await(aloop_ref(*(aloop_future **)op), value);
}

static void put_and_check(aloop_task *task) {
    void *got = NULL;
    assert_int_equal(aloop_future_done(task), 0);
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    assert_code(aloop_await(task, &got), 0);
    assert_ptr_equal(got, &item);
}

static int64_t take_over(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = new_get();
    begin_and_leave(op, NULL, NULL);
    assert_int_equal(getters(), 1); /* it stands in the line as before */
    aloop_task *later = aloop_create_task(await_it, op);
    let_run(2);
    put_and_check(later);
    aloop_unref(op);
    aloop_unref(queue);
    return 0;
}

static int64_t take_over_and_be_cancelled(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = new_get();
    begin_and_leave(op, NULL, NULL);
    aloop_task *later = aloop_create_task(await_it, op);
    let_run(2);
    assert_code(aloop_task_cancel(later, "enough"), 1);
    assert_code(aloop_await(later, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
    assert_int_equal(aloop_future_cancelled(op), 1);
    assert_int_equal(getters(), 0);
    aloop_unref(op);
    aloop_unref(queue);
    return 0;
}

/* One inside the other. The deadline was that of the task that has ended. */
static int64_t take_over_nested(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = aloop_wait_for(new_get(), 5);
    begin_and_leave(op, NULL, NULL);
    aloop_task *later = aloop_create_task(await_it, op);
    assert_code(aloop_await(aloop_sleep(10), NULL), 0);
    put_and_check(later);
    aloop_unref(op);
    aloop_unref(queue);
    return 0;
}

/* The body of a generator, in the middle of an await. */
static int64_t give_items(void *unused) {
    (void)unused;
    for (;;) {
        void *got = NULL;
        const int64_t rc = aloop_await(aloop_queue_get(queue), &got);
        if (rc < 0) return rc;
        aloop_yield(got);
    }
}

static int64_t take_over_a_body(void *unused, void **value) {
    (void)unused, (void)value;
    assert_code(aloop_queue_new(&queue, NULL), 0);
    aloop_generator *generator = aloop_generator_new(give_items, NULL, NULL);
    aloop_future *op = aloop_generator_next(generator);
    begin_and_leave(op, NULL, NULL);
    assert_code(aloop_await(aloop_generator_next(generator), NULL), ALOOP_EBUSY);
    aloop_task *later = aloop_create_task(await_it, op);
    let_run(2);
    put_and_check(later);
    aloop_unref(op);
    op = aloop_generator_next(generator);
    begin_and_leave(op, NULL, NULL);
    later = aloop_create_task(await_it, op);
    let_run(2);
    assert_code(aloop_task_cancel(later, "no more"), 1);
    assert_code(aloop_await(later, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "no more");
    aloop_unref(op);
    op = aloop_generator_next(generator);
    assert_code(aloop_await(op, NULL), ALOOP_ESTOPITERATION);
    aloop_unref(generator);
    aloop_unref(queue);
    return 0;
}

/* What it waits for is done already when its task ends. */
static void put_now(struct leaving *l) {
    (void)l;
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
}

static int64_t take_over_what_is_ready(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = new_get();
    void *got = NULL;
    begin_and_leave(op, put_now, NULL);
    assert_code(aloop_await(op, &got), 0);
    assert_ptr_equal(got, &item);
    aloop_unref(queue);
    return 0;
}

/* Others wait for it when its task ends: it gets another task. */
static int64_t count_done(aloop_future *op, void *calls) {
    assert_int_equal(aloop_future_done(op), 1);
    return count_call(calls);
}

static void listen(struct leaving *l) {
    assert_code(aloop_future_add_done_callback(l->op, count_done, &item, NULL), 0);
}

static int64_t leave_a_listener(void *unused, void **value) {
    (void)unused, (void)value;
    void *got = NULL;
    aloop_future *op = new_get();
    item = 0;
    begin_and_leave(op, listen, NULL);
    let_run(2);
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    let_run(3);
    assert_int_equal(item, 1);
    assert_code(aloop_future_result(op, &got), 0);
    assert_ptr_equal(got, &item);
    aloop_unref(op);
    aloop_unref(queue);
    return 0;
}

static int64_t leave_a_nested_listener(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *inner = new_get();
    aloop_future *op = aloop_wait_for(aloop_ref(inner), 5);
    item = 0;
    struct leaving l = {op, NULL, 0};
    aloop_task *task = aloop_create_stackless_task(suspend_and_end, &l, NULL);
    /* Begun by the task, which waits inside two operations; the inner one is heard. */
    assert_code(aloop_await(task, NULL), 7);
    assert_code(aloop_future_add_done_callback(inner, count_done, &item, NULL), 0);
    aloop_unref(op); /* and the outer one is nobody's any more */
    let_run(2);
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    let_run(3);
    assert_int_equal(item, 1);
    aloop_unref(inner);
    aloop_unref(queue);
    return 0;
}

/* Combined, made a task, cancelled, or dropped. */
static int64_t leave_to_others(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = new_get();
    begin_and_leave(op, NULL, NULL);
    aloop_future *both[] = {aloop_ref(op), aloop_sleep(1)};
    aloop_future *all = aloop_gather(both, 2, 0);
    let_run(2);
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    void *list = NULL;
    assert_code(aloop_await(all, &list), 2);
    aloop_unref(list);
    aloop_unref(op);
    aloop_unref(queue);

    op = new_get();
    begin_and_leave(op, NULL, NULL);
    put_and_check(aloop_ensure_future(op));
    aloop_unref(queue);

    op = new_get();
    begin_and_leave(op, NULL, NULL);
    assert_int_equal(getters(), 1);
    aloop_unref(op);
    assert_int_equal(getters(), 0);
    aloop_unref(queue);
    return 0;
}

static void cancel_one(aloop_future *op) {
    begin_and_leave(op, NULL, NULL);
    assert_code(aloop_future_cancel(op, "not needed"), 1);
    let_run(3);
    assert_int_equal(aloop_future_cancelled(op), 1);
    assert_string_equal(aloop_error_message(aloop_future_error(op)), "not needed");
    assert_int_equal(getters(), 0); /* undone, although it is still held */
    aloop_unref(op);
    aloop_unref(queue);
}

static int64_t cancel_what_is_left(void *unused, void **value) {
    (void)unused, (void)value;
    cancel_one(new_get());
    cancel_one(aloop_wait_for(new_get(), 5));
    assert_code(aloop_set_eager_task_factory(aloop_get_running_loop(), 1), 0);
    cancel_one(new_get());
    cancel_one(aloop_wait_for(new_get(), 5));
    return 0;
}

/* Every task is cancelled, also the one that was to go on with it: that has not begun. */
static int64_t cancel_who_goes_on(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *op = new_get();
    begin_and_leave(op, NULL, NULL);
    item = 0;
    assert_code(aloop_future_add_done_callback(op, count_done, &item, NULL), 0);
    aloop_results *all = aloop_all_tasks(NULL);
    for (int64_t i = 0; i < aloop_results_count(all); i++) {
        aloop_future *task = aloop_results_future(all, i);
        if (task != aloop_current_task(NULL)) aloop_task_cancel(task, NULL);
    }
    aloop_unref(all);
    let_run(4);
    assert_int_equal(item, 1);
    assert_int_equal(aloop_future_cancelled(op), 1);
    assert_int_equal(getters(), 0);
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    assert_int_equal(aloop_queue_qsize(queue), 1); /* nobody got it who is no more */
    aloop_unref(op);
    aloop_unref(queue);
    return 0;
}

/* A timeout cancels a task that waits, through another one, for that timeout. */
static int64_t wait_in_a_circle(void *unused, void **value) {
    (void)unused, (void)value;
    static aloop_future *circle;
    aloop_task *task = aloop_create_task(await_what_is_there, &circle);
    circle = aloop_wait_for(aloop_ref(task), 1);
    item = 0;
    assert_code(aloop_future_add_done_callback(circle, count_done, &item, NULL), 0);
    assert_code(aloop_await(aloop_ref(circle), NULL), ALOOP_ETIMEDOUT);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    let_run(1);
    assert_int_equal(item, 1);
    aloop_unref(circle);

    /* And one that is cancelled from outside, beside another. */
    task = aloop_create_task(await_what_is_there, &circle);
    circle = aloop_wait_for(aloop_ref(task), 10);
    aloop_task *beside = aloop_create_task(await_what_is_there, &circle);
    let_run(3);
    assert_code(aloop_task_cancel(task, "enough"), 1);
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_code(aloop_await(beside, NULL), ALOOP_ECANCELED);
    aloop_unref(circle);
    return 0;
}

/* The loop closes over operations that have a task of their own: who still holds one
 * neither hinders the others in its line nor is handed anything. */
static int64_t begin_one_each(void *all, void **value) {
    (void)value;
    aloop_future **op = all;
    for (int i = 0; i < 4; i++) {
        assert_code(aloop_future_add_done_callback(op[i], count_done, &item, NULL), 0);
    }
    return aloop_await(aloop_sleep(0), NULL);
}

static void test_the_close_takes_what_waits_out_of_line(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    aloop_semaphore *semaphore;
    aloop_lock *lock;
    aloop_event *event;
    assert_code(aloop_set_event_loop(loop), 0);
    assert_code(aloop_semaphore_new(&semaphore, 0), 0);
    assert_code(aloop_lock_new(&lock), 0);
    assert_code(aloop_event_new(&event), 0);
    assert_code(aloop_loop_run_until_complete(loop, aloop_lock_acquire(lock), NULL), 0);
    aloop_future *op[] = {new_get(), aloop_semaphore_acquire(semaphore),
                          aloop_lock_acquire(lock), aloop_event_wait(event)};
    item = 0;
    aloop_task *task = aloop_loop_create_task(loop, begin_one_each, op);
    assert_code(aloop_loop_run_until_complete(loop, task, NULL), 0);
    assert_int_equal(getters(), 1);
    assert_code(aloop_set_event_loop(NULL), 0);
    close_loop(loop);
    assert_int_equal(seen.count, 4); /* of the tasks */
    assert_code(aloop_queue_put_nowait(queue, &item), 0);
    assert_int_equal(aloop_queue_qsize(queue), 1);
    assert_code(aloop_semaphore_release(semaphore), 0);
    assert_int_equal(aloop_semaphore_locked(semaphore), 0);
    assert_code(aloop_lock_release(lock), 0);
    assert_int_equal(aloop_lock_locked(lock), 0);
    assert_code(aloop_event_set(event), 0);
    for (int i = 0; i < 4; i++) aloop_unref(op[i]);
    assert_int_equal(aloop_semaphore_locked(semaphore), 0);
    aloop_unref(queue);
    aloop_unref(semaphore);
    aloop_unref(lock);
    aloop_unref(event);
}

/* The loop closes over one, and over the task that was to go on with it. */
static void test_the_close_ends_what_is_left(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    aloop_future *op[2];
    aloop_queue *queues[2];
    struct leaving l[2];
    assert_code(aloop_set_event_loop(loop), 0);
    for (int i = 0; i < 2; i++) {
        op[i] = new_get();
        queues[i] = queue;
        l[i] = (struct leaving){op[i], i == 0 ? NULL : listen, 0};
        aloop_task_options *options = aloop_task_options_new();
        assert_code(aloop_task_options_set_step(options, suspend_and_end, &l[i], NULL), 0);
        aloop_unref(aloop_task_new(loop, options));
        aloop_unref(options);
    }
    assert_code(aloop_set_event_loop(NULL), 0);
    assert_true(aloop_loop_run_once(loop, 0) >= 0);
    close_loop(loop);
    assert_int_equal(seen.count, 1); /* of the second one's new task */
    for (int i = 0; i < 2; i++) {
        aloop_unref(op[i]);
        aloop_unref(queues[i]);
    }
}

/* A step that asks for the outcome too early ------------------------------------------ */

struct early {
    aloop_future *first;
    int calls;
    int64_t answer;
};

static int64_t ask_early(aloop_task *task, void *frame, void **value) {
    struct early *e = frame;
    if (e->calls++ > 0) return aloop_awaited(task, value);
    const int64_t rc = aloop_suspend(task, aloop_ref(e->first));
    e->answer = aloop_awaited(task, NULL);
    return rc;
}

static int64_t ask_and_go_on(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    struct early e = {aloop_loop_create_future(loop), 0, 0};
    aloop_task *task = aloop_create_stackless_task(ask_early, &e, NULL);
    let_run(2);
    assert_code(e.answer, ALOOP_EINVALIDSTATE);
    assert_code(aloop_task_cancel(task, "now"), 1);
    assert_int_equal(aloop_future_cancelled(e.first), 1); /* it reaches what is awaited */
    assert_code(aloop_await(task, NULL), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "now");
    aloop_unref(e.first);

    /* Also where that is done already: the outcome is for the next call. */
    e = (struct early){aloop_loop_create_future(loop), 0, 0};
    assert_code(aloop_future_set_result(e.first, 3, NULL, NULL), 0);
    assert_code(aloop_await(aloop_create_stackless_task(ask_early, &e, NULL), NULL), 3);
    assert_code(e.answer, ALOOP_EINVALIDSTATE);
    aloop_unref(e.first);
    return 0;
}

#define TASK_CASE(name)                     \
    static void test_##name(void **state) { \
        (void)state;                        \
        in_task(name);                      \
    }

TASK_CASE(take_over)
TASK_CASE(take_over_and_be_cancelled)
TASK_CASE(take_over_nested)
TASK_CASE(take_over_a_body)
TASK_CASE(take_over_what_is_ready)
TASK_CASE(leave_a_listener)
TASK_CASE(leave_a_nested_listener)
TASK_CASE(leave_to_others)
TASK_CASE(cancel_what_is_left)
TASK_CASE(cancel_who_goes_on)
TASK_CASE(wait_in_a_circle)
TASK_CASE(ask_and_go_on)

SUITE(CASE(test_take_over), CASE(test_take_over_and_be_cancelled), CASE(test_take_over_nested),
      CASE(test_take_over_a_body),
      CASE(test_take_over_what_is_ready), CASE(test_leave_a_listener),
      CASE(test_leave_a_nested_listener), CASE(test_leave_to_others),
      CASE(test_cancel_what_is_left), CASE(test_the_close_ends_what_is_left),
      CASE(test_the_close_takes_what_waits_out_of_line), CASE(test_cancel_who_goes_on),
      CASE(test_wait_in_a_circle), CASE(test_ask_and_go_on))
