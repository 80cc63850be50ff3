/*
 * conform.h: what the conformance tests share. A test is written inside a task
 * on the virtual clock; its trace counts iterations from the task's first step,
 * so that "a@2 " reads as in asyncio: two passes of the loop later.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_CONFORMANCE_CONFORM_H
#define TESTS_CONFORMANCE_CONFORM_H

#include "../unit/trace.h"

#include <math.h>

/* TEST(name) { ... return 0; }, to be listed with CASE(name). */
#define UNUSED __attribute__((unused))
#define TEST(name)                                               \
    static int64_t name##_body(void *, void **);                 \
    static int64_t name##_main(void *arg, void **value) {        \
        begin_trace();                                           \
        return name##_body(arg, value);                          \
    }                                                            \
    static void name(void **state) {                             \
        (void)state;                                             \
        in_task(name##_main);                                    \
    }                                                            \
    static int64_t name##_body(void *unused UNUSED, void **value UNUSED)

static inline aloop_loop *here(void) { return aloop_get_running_loop(); }
static inline double now(void) { return aloop_loop_time(here()); }
static inline aloop_future *pending(void) { return aloop_loop_create_future(here()); }
static inline aloop_task *self(void) { return aloop_current_task(NULL); }
static inline int64_t nap(double delay) { return aloop_await(aloop_sleep(delay), NULL); }
static inline int64_t outcome(aloop_future *f) { return aloop_await(f, NULL); }
static inline aloop_task *running(aloop_coro_fn fn, void *arg) {
    aloop_task *task = aloop_create_task(fn, arg);
    let_run(1);
    return task;
}
static inline void finish(aloop_future *f, int64_t status) {
    assert_code(aloop_future_set_result(f, status, NULL, NULL), 0);
}
static inline aloop_future *finished(int64_t status) {
    aloop_future *f = pending();
    finish(f, status);
    return f;
}
static inline aloop_future *failed(int64_t code) {
    aloop_future *f = pending();
    assert_code(aloop_future_set_error_code(f, code), 0);
    return f;
}
#define assert_last_message(expected) \
    assert_string_equal(aloop_error_message(aloop_last_error()), (expected))

/* A task that sleeps, notes how that ended, and then ends with status; or, if
 * it was cancelled, cleans up for a while first. */
struct job {
    const char *name;
    double delay;
    int64_t status;
    double cleanup;
    int64_t at_cancel; /* what it ends with then; 0: as cancelled */
};

static inline int64_t work(void *arg, void **value UNUSED) {
    const struct job *job = arg;
    const int64_t slept = job->delay > 0 ? nap(job->delay) : 0;
    if (slept < 0 && job->cleanup > 0) assert_code(nap(job->cleanup), 0);
    note_end(job->name, slept < 0 ? slept : job->status);
    if (slept < 0) return job->at_cancel != 0 ? job->at_cancel : slept;
    return job->status < 0 ? aloop_raise(job->status, "%s", job->name) : job->status;
}

static inline aloop_task *start(struct job *job) { return aloop_create_task(work, job); }

/* A task that awaits something (borrowed) and notes what it got. */
struct waiter {
    const char *name;
    aloop_future *on;
    char message[32];
};

static inline int64_t await_on(void *arg, void **value UNUSED) {
    struct waiter *w = arg;
    const int64_t status = aloop_await(aloop_ref(w->on), NULL);
    if (status < 0) {
        snprintf(w->message, sizeof w->message, "%s", aloop_error_message(aloop_last_error()));
    }
    note_end(w->name, status);
    return status;
}

/* A callback that notes its name; for futures, and for the loop. */
static inline int64_t note_call(void *name) {
    note(name);
    return 0;
}
static inline int64_t note_done(aloop_future *f UNUSED, void *name) { return note_call(name); }
static inline void soon(const char *name) {
    assert_true(aloop_loop_call_soon(here(), note_call, (void *)name, NULL) > 0);
}

/* A time limit on what follows, and its end, which can be had once. */
static inline aloop_timeout *limit(double delay) {
    aloop_timeout *t = NULL;
    assert_code(aloop_timeout_enter(&t, delay), 0);
    return t;
}

static inline int64_t leave(aloop_timeout *t, int64_t status) {
    const int64_t left = aloop_timeout_exit(t, status);
    assert_code(aloop_timeout_exit(t, status), ALOOP_EINVALIDSTATE);
    aloop_unref(t);
    return left;
}

#endif
