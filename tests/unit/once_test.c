/*
 * once.h: a value that is made once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "items.h"

static aloop_once *cell(void) {
    aloop_once *o = NULL;
    assert_code(aloop_once_new(&o), 0);
    return o;
}

/* How a caller's initializer goes: ends with `status` after `delay`. */
struct caller {
    const char *name;
    aloop_once *cell;
    int64_t status;
    double delay;
    int begun;
    int64_t number; /* what it found in the cell */
};

static int64_t make(void *arg, void **value) {
    struct caller *c = arg;
    if (c->delay > 0) {
        const int64_t slept = aloop_await(aloop_sleep(c->delay), NULL);
        if (slept < 0) return slept;
    }
    if (c->status < 0) return c->status;
    (void)value;
    return aloop_return(c->status, item(c->status), free_item);
}

static aloop_future *begin(void *arg) {
    struct caller *c = arg;
    c->begun++;
    note(c->name);
    return aloop_create_task(make, c);
}

static int64_t call(void *arg, void **value) {
    (void)value;
    struct caller *c = arg;
    void *found = NULL;
    const int64_t status = aloop_await(aloop_once_get_or_init(c->cell, begin, c), &found);
    if (status >= 0) c->number = *(int64_t *)found;
    return status;
}

static aloop_task *start(struct caller *c) { return aloop_create_task(call, c); }

static int64_t stat(aloop_once *o, int32_t which) { return aloop_once_statistic(o, which); }

static int64_t one_makes_it(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    void *found = NULL;
    assert_code(aloop_once_get(o, &found), ALOOP_EINVALIDSTATE);
    struct caller a = {.name = "a", .cell = o, .status = 7, .delay = 1}, b = a, c = a;
    b.name = "b", b.status = 8;
    begin_trace();
    aloop_task *tasks[] = {start(&a), start(&b), start(&c)};
    let_run(1);
    assert_code(stat(o, ALOOP_ONCE_STAT_BUSY), 1);
    assert_code(stat(o, ALOOP_ONCE_STAT_WAITING), 2);
    assert_code(stat(o, ALOOP_ONCE_STAT_FULL), 0);
    assert_code(aloop_once_set(o, 1, NULL, NULL), ALOOP_EBUSY);
    for (int i = 0; i < 3; i++) assert_code(ended(tasks[i]), 7);
    assert_trace("a@1 ");
    assert_int_equal(a.number, 7);
    assert_int_equal(b.number, 7);
    assert_int_equal(made, 1);
    assert_code(call(&b, NULL), 7);
    assert_int_equal(b.begun, 0);
    assert_code(aloop_once_get(o, &found), 7);
    assert_int_equal(*(int64_t *)found, 7);
    assert_code(stat(o, ALOOP_ONCE_STAT_FULL), 1);
    assert_code(stat(o, ALOOP_ONCE_STAT_WAITING), 0);
    assert_code(aloop_once_set(o, 1, NULL, NULL), ALOOP_EEXIST);
    aloop_unref(o); /* its value goes on the loop's own stack */
    assert_int_equal(freed, 0);
    let_run(1);
    assert_int_equal(freed, 1);
    return 0;
}

static int64_t failure_lets_the_next_try(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    struct caller a = {.name = "a", .cell = o, .status = ALOOP_EUSER - 1, .delay = 1};
    struct caller b = a, c = a;
    b.name = "b", b.status = ALOOP_EUSER - 2;
    c.name = "c", c.status = 3;
    begin_trace();
    const double began = aloop_loop_time(aloop_get_running_loop());
    aloop_task *tasks[] = {start(&a), start(&b), start(&c)};
    assert_code(ended(tasks[0]), ALOOP_EUSER - 1);
    assert_code(ended(tasks[1]), ALOOP_EUSER - 2);
    assert_code(ended(tasks[2]), 3);
    assert_close(aloop_loop_time(aloop_get_running_loop()) - began, 3.0);
    assert_int_equal(a.begun + b.begun + c.begun, 3);
    aloop_unref(o);
    return 0;
}

/* Who is cancelled: the one whose initializer is under way, one that waits, and
 * one that was woken to try and has not run. */
static int64_t caller_cancelled(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    struct caller a = {.name = "a", .cell = o, .status = 1, .delay = 1}, b = a, c = a, d = a;
    b.name = "b", c.name = "c", d.name = "d";
    d.status = 4;
    begin_trace();
    aloop_task *tasks[] = {start(&a), start(&b), start(&c), start(&d)};
    let_run(2);
    cancel(tasks[1]); /* waits */
    assert_code(aloop_task_cancel(tasks[0], "enough"), 1);
    let_run(1); /* the initializer is cancelled, then a */
    assert_code(stat(o, ALOOP_ONCE_STAT_BUSY), 1);
    let_run(1);
    assert_code(stat(o, ALOOP_ONCE_STAT_BUSY), 0); /* c is woken */
    cancel(tasks[2]);
    assert_code(ended(tasks[0]), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "enough");
    assert_code(ended(tasks[1]), ALOOP_ECANCELED);
    assert_code(ended(tasks[2]), ALOOP_ECANCELED);
    assert_code(ended(tasks[3]), 4);
    assert_int_equal(c.begun, 0);
    assert_int_equal(d.begun, 1);
    assert_int_equal(made, 1);
    aloop_unref(aloop_once_get_or_init(o, begin, &a)); /* never awaited */
    assert_int_equal(a.begun, 1);
    aloop_unref(o);
    return 0;
}

static aloop_future *no_memory(void *data) {
    (void)data;
    return NULL;
}

static aloop_future *plain(void *data) {
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    aloop_future_set_result(f, 5, data, NULL);
    return f;
}

static int64_t filled_by_hand(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    assert_code(aloop_once_set(o, -1, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_await(aloop_once_get_or_init(o, no_memory, NULL), NULL), ALOOP_ENOMEM);
    int64_t data = 9;
    void *found = NULL;
    assert_code(aloop_await(aloop_once_get_or_init(o, plain, &data), &found), 5);
    assert_ptr_equal(found, &data);
    aloop_unref(o);
    o = cell();
    assert_code(aloop_once_set(o, 2, item(2), free_item), 0);
    assert_code(aloop_await(aloop_once_get_or_init(o, plain, &data), &found), 2);
    assert_int_equal(*(int64_t *)found, 2);
    assert_code(aloop_once_get(o, NULL), 2);
    aloop_unref(o);
    return 0;
}

static aloop_future *given(void *future) { return aloop_ref(future); }

static aloop_future *no_future(void *thing) { return thing; }

/* What no await accepts fails likewise, and the cell stays empty. */
static int64_t wrong_initializers(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    aloop_loop *other = virtual_loop();
    aloop_future *elsewhere = aloop_loop_create_future(other);
    assert_code(aloop_await(aloop_once_get_or_init(o, no_future, o), NULL), ALOOP_EINVAL);
    assert_code(aloop_await(aloop_once_get_or_init(o, given, elsewhere), NULL), ALOOP_EWRONGLOOP);
    assert_code(aloop_await(aloop_once_get_or_init(o, given, aloop_current_task(NULL)), NULL),
                ALOOP_EINVAL); /* for itself */
    assert_code(stat(o, ALOOP_ONCE_STAT_BUSY), 0);
    assert_code(aloop_once_get(o, NULL), ALOOP_EINVALIDSTATE);
    aloop_unref(elsewhere);
    close_loop(other);
    aloop_unref(o);
    return 0;
}

static int64_t wants_given(void *arg, void **value) {
    (void)value;
    void **both = arg;
    return aloop_await(aloop_once_get_or_init(both[0], given, both[1]), NULL);
}

/* Cancelled when the value was made, and before it was in the cell: it gets there. */
static int64_t cancelled_when_made(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_once *o = cell();
    aloop_future *making = aloop_loop_create_future(aloop_get_running_loop());
    void *both[] = {o, making};
    aloop_task *first = aloop_create_task(wants_given, both);
    struct caller b = {.name = "b", .cell = o};
    aloop_task *second = start(&b);
    let_run(1);
    assert_code(aloop_future_set_result(making, 7, item(7), free_item), 0);
    assert_code(aloop_task_cancel(first, "too late"), 1);
    assert_code(ended(first), ALOOP_ECANCELED);
    assert_string_equal(aloop_error_message(aloop_last_error()), "too late");
    assert_code(ended(second), 7);
    assert_int_equal(b.begun, 0);
    assert_int_equal(b.number, 7);
    aloop_unref(making);
    aloop_unref(o);
    return 0;
}

static void test_once(void **state) {
    (void)state;
    in_program(one_makes_it);
    in_program(failure_lets_the_next_try);
    in_program(caller_cancelled);
    in_program(filled_by_hand);
    in_program(wrong_initializers);
    in_program(cancelled_when_made);
}

/* The loop closes under an initializer and one who waits: the cell is empty again. */
static int64_t leave_busy(void *arg, void **value) {
    (void)value;
    struct caller *callers = arg;
    for (int i = 0; i < 2; i++) aloop_unref(start(&callers[i]));
    let_run(2);
    return 0;
}

static int64_t drops(void *arg) {
    aloop_unref(arg);
    return 0;
}

static int64_t tries(void *arg) { return aloop_once_get(arg, NULL); }

static void test_loops(void **state) {
    (void)state;
    made = freed = 0;
    aloop_once *o = cell();
    struct caller a = {.name = "a", .cell = o, .status = 1, .delay = 1};
    struct caller callers[] = {a, a};
    aloop_loop *one = virtual_loop(), *two = virtual_loop();
    struct reports heard;
    capture_reports(one, &heard);
    assert_code(run_on(one, leave_busy, callers), 0);
    assert_code(on_foreign_thread(tries, o), ALOOP_EWRONGTHREAD);
    assert_code(run_on(two, call, &a), ALOOP_EWRONGLOOP);
    close_loop(one);
    close_loop(two);
    assert_code(stat(o, ALOOP_ONCE_STAT_BUSY), 0);
    assert_code(stat(o, ALOOP_ONCE_STAT_WAITING), 0);
    assert_code(aloop_once_set(o, 0, item(1), free_item), 0);
    aloop_unref(o); /* outside every loop */
    assert_int_equal(made, freed);
    o = cell();
    one = virtual_loop();
    a = (struct caller){.name = "a", .cell = o, .status = 1};
    assert_code(run_on(one, call, &a), 1);
    assert_code(on_foreign_thread(drops, o), 0);
    assert_int_equal(freed, made - 1); /* the loop's thread does it */
    close_loop(one);
    assert_int_equal(made, freed);
    o = cell();
    assert_code(aloop_once_set(o, 3, NULL, free_item), 0);
    aloop_unref(o); /* nothing to free */
    assert_int_equal(made, freed);
}

static int64_t bad_input(void *arg, void **value) {
    (void)arg, (void)value;
    aloop_event *event = NULL;
    assert_code(aloop_event_new(&event), 0);
    aloop_once *o = cell();
    void *const wrong[] = {NULL, event};
    for (int i = 0; i < 2; i++) {
        assert_failed(aloop_once_get_or_init(wrong[i], plain, NULL), ALOOP_EINVAL);
        assert_code(aloop_once_get(wrong[i], NULL), ALOOP_EINVAL);
        assert_code(aloop_once_set(wrong[i], 0, NULL, NULL), ALOOP_EINVAL);
        assert_code(stat(wrong[i], 0), ALOOP_EINVAL);
    }
    assert_failed(aloop_once_get_or_init(o, NULL, NULL), ALOOP_EINVAL);
    assert_code(stat(o, 3), ALOOP_EINVAL);
    assert_code(aloop_once_new(NULL), ALOOP_EINVAL);
    aloop_unref(event);
    aloop_unref(o);
    return 0;
}

static void test_bad_input(void **state) {
    (void)state;
    in_program(bad_input);
    assert_null(aloop_once_get_or_init(NULL, plain, NULL));
}

SUITE(CASE(test_once), CASE(test_loops), CASE(test_bad_input))
