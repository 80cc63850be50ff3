/*
 * task.h: a step that named what it waits for, and then did something else: ended, or
 * asked for the outcome at once. What it leaves behind is whole: who awaits it later
 * goes on with it where it stood.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

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

TASK_CASE(ask_and_go_on)

SUITE(CASE(test_ask_and_go_on))
