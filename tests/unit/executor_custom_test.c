/*
 * executor.h: an executor that the program implements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

/* A custom executor that keeps its jobs until the test runs them. */
struct shelf {
    aloop_job *jobs[4];
    int count;
    int shutdowns;
    bool refuse;
};

static int64_t put(void *data, aloop_job *job) {
    struct shelf *s = data;
    if (s->refuse) return ALOOP_EUSER - 9;
    s->jobs[s->count++] = job;
    return 0;
}

static int64_t take_back(void *data, aloop_job *job) {
    struct shelf *s = data;
    for (int i = 0; i < s->count; i++) {
        if (s->jobs[i] != job) continue;
        s->jobs[i] = s->jobs[--s->count];
        return 1;
    }
    return 0;
}

static void end_shelf(void *data) { ((struct shelf *)data)->shutdowns++; }

static int64_t answer(void *number, void **value) {
    (void)value;
    return *(int *)number;
}

static int64_t custom(void *data, void **value) {
    (void)value;
    struct shelf *s = data;
    const aloop_executor_vtable table = {put, take_back, end_shelf};
    aloop_executor *e = aloop_executor_new_custom(&table, s, NULL);
    aloop_loop *loop = aloop_get_running_loop();
    int number = 11;
    aloop_future *f = aloop_run_in_executor(loop, e, answer, &number, NULL);
    aloop_future *g = aloop_run_in_executor(loop, e, answer, &number, NULL);
    aloop_future *h = aloop_run_in_executor(loop, e, answer, &number, NULL);
    assert_int_equal(s->count, 3);
    assert_code(aloop_job_run(s->jobs[0]), 0);
    assert_code(aloop_job_drop(s->jobs[1]), 0);
    assert_code(aloop_await(f, NULL), 11);
    assert_code(aloop_await(g, NULL), ALOOP_ECANCELED);
    s->jobs[0] = s->jobs[2];
    s->count = 1;
    assert_code(aloop_future_cancel(h, NULL), 1);
    assert_code(aloop_await(h, NULL), ALOOP_ECANCELED);
    let_run(1);
    assert_int_equal(s->count, 0); /* withdrawn */
    s->refuse = true;
    assert_failed(aloop_run_in_executor(loop, e, answer, &number, NULL), ALOOP_EUSER - 9);
    assert_code(aloop_await(aloop_executor_shutdown(e, 1), NULL), 0);
    assert_failed(aloop_run_in_executor(loop, e, answer, &number, NULL), ALOOP_ESHUTDOWN);
    aloop_unref(e);
    assert_int_equal(s->shutdowns, 1);
    return 0;
}

static void an_executor_of_the_program(void **state) {
    (void)state;
    struct shelf s = {0};
    assert_code(run_virtual(custom, &s, NULL), 0);
}

SUITE(CASE(an_executor_of_the_program))
