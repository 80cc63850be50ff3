/*
 * context.h: context variables, and who sees what of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <unistd.h>

static aloop_contextvar *var;
static int fallback, one, two;
static int freed;

static void begin(void) {
    freed = 0;
    var = aloop_contextvar_new("request", &fallback);
    assert_non_null(var);
}

static void test_a_thread_has_a_context(void **state) {
    (void)state;
    begin();
    aloop_context_token *token = NULL;
    aloop_context_token *second = NULL;
    assert_string_equal(aloop_contextvar_name(var), "request");
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    assert_code(aloop_contextvar_set(var, &one, count_free, &token), 0);
    one = 0;
    assert_ptr_equal(aloop_contextvar_get(var), &one);
    assert_code(aloop_contextvar_set(var, &two, NULL, &second), 0);
    assert_ptr_equal(aloop_contextvar_get(var), &two);
    assert_int_equal(one, 0); /* the second token still holds it */
    assert_code(aloop_contextvar_reset(var, second), 0);
    assert_ptr_equal(aloop_contextvar_get(var), &one);
    assert_code(aloop_contextvar_reset(var, second), ALOOP_EINVALIDSTATE);
    assert_code(aloop_contextvar_reset(var, token), 0);
    assert_int_equal(one, 1); /* freed: its destructor counts in it */
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    aloop_unref(second);
    aloop_unref(token);
    aloop_unref(var);
}

static int64_t sees_fallback(void *unused) {
    (void)unused;
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    /* Left set: freed with the thread. */
    assert_code(aloop_contextvar_set(var, &freed, count_free, NULL), 0);
    return 0;
}

static void test_threads_do_not_share(void **state) {
    (void)state;
    begin();
    aloop_context_token *token = NULL;
    assert_code(aloop_contextvar_set(var, &one, NULL, &token), 0);
    on_foreign_thread(sees_fallback, NULL);
    assert_int_equal(freed, 1);
    assert_ptr_equal(aloop_contextvar_get(var), &one);
    assert_code(aloop_contextvar_reset(var, token), 0);
    aloop_unref(token);
    aloop_unref(var);
}

static aloop_context *entered;

static int64_t set_inside(void *value) {
    assert_code(aloop_contextvar_set(var, value, count_free, NULL), 0);
    assert_code(aloop_context_run(entered, set_inside, value), ALOOP_EBUSY);
    return 17;
}

static int64_t read_inside(void *expected) {
    assert_ptr_equal(aloop_contextvar_get(var), expected);
    return -3;
}

static void test_a_context_keeps_what_is_set_in_it(void **state) {
    (void)state;
    begin();
    entered = aloop_context_copy();
    assert_code(aloop_context_run(entered, set_inside, &freed), 17);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    assert_code(aloop_context_run(entered, read_inside, &freed), -3);
    assert_ptr_equal(aloop_context_ref(entered), entered);
    aloop_context_unref(entered);
    assert_int_equal(freed, 0);
    aloop_context_unref(entered);
    assert_int_equal(freed, 1);
    aloop_unref(var);
}

static int64_t reset_elsewhere(void *token) { return aloop_contextvar_reset(var, token); }

static void test_bad_input(void **state) {
    (void)state;
    begin();
    aloop_contextvar *other = aloop_contextvar_new("other", NULL);
    aloop_context_token *token = NULL;
    aloop_bytes *bytes = aloop_bytes_new("x", 1);
    assert_null(aloop_contextvar_new(NULL, NULL));
    aloop_contextvar *wrong[] = {NULL, (aloop_contextvar *)bytes};
    for (int i = 0; i < 2; i++) {
        assert_string_equal(aloop_contextvar_name(wrong[i]), "");
        assert_null(aloop_contextvar_get(wrong[i]));
        assert_code(aloop_contextvar_set(wrong[i], &freed, count_free, &token), ALOOP_EINVAL);
        assert_code(aloop_contextvar_reset(wrong[i], NULL), ALOOP_EINVAL);
        assert_code(aloop_contextvar_reset(var, (aloop_context_token *)wrong[i]), ALOOP_EINVAL);
        assert_code(aloop_context_run((aloop_context *)wrong[i], sees_fallback, NULL),
                    ALOOP_EINVAL);
    }
    assert_null(token);
    assert_code(aloop_contextvar_set(var, &one, NULL, &token), 0);
    assert_code(aloop_contextvar_reset(other, token), ALOOP_EINVAL);
    assert_code(on_foreign_thread(reset_elsewhere, token), ALOOP_EINVAL);
    aloop_context *context = aloop_context_copy();
    assert_code(aloop_context_run(context, reset_elsewhere, token), ALOOP_EINVAL);
    assert_code(aloop_context_run(context, NULL, NULL), ALOOP_EINVAL);
    aloop_context_unref(context);
    aloop_context_unref(NULL);
    assert_null(aloop_context_ref(NULL));
    assert_code(aloop_contextvar_reset(var, token), 0);
    aloop_unref(token);
    aloop_unref(other);
    aloop_unref(var);
    aloop_bytes_unref(bytes);
    assert_int_equal(freed, 0);
}

/* Tasks and callbacks ----------------------------------------------------------------- */

static int64_t child(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_ptr_equal(aloop_contextvar_get(var), &one); /* from its making */
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    let_run(2);
    assert_ptr_equal(aloop_contextvar_get(var), &two);
    return 0;
}

static int64_t callback(void *expected) {
    assert_ptr_equal(aloop_contextvar_get(var), expected);
    freed++;
    return 0;
}

static int64_t done_callback(aloop_future *future, void *expected) {
    (void)future;
    return callback(expected);
}

static int64_t inherit(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    aloop_loop *loop = aloop_get_running_loop();
    assert_true(aloop_loop_call_later(loop, 2, callback, &fallback, NULL) > 0);
    assert_code(aloop_contextvar_set(var, &one, NULL, NULL), 0);
    aloop_task *first = aloop_create_task(child, NULL);
    aloop_task *second = aloop_create_task(child, NULL);
    assert_true(aloop_loop_call_soon(loop, callback, &one, NULL) > 0);
    assert_true(aloop_loop_call_soon_threadsafe(loop, callback, &one, NULL) > 0);
    assert_true(aloop_loop_call_later(loop, 1, callback, &one, NULL) > 0);
    aloop_future *future = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(future, done_callback, &one, NULL), 0);
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    assert_code(aloop_future_set_result(future, 0, NULL, NULL), 0);
    aloop_unref(future);
    assert_code(aloop_await(first, NULL), 0);
    assert_code(aloop_await(second, NULL), 0);
    assert_ptr_equal(aloop_contextvar_get(var), &two);
    assert_code(aloop_await(aloop_sleep(3), NULL), 0);
    assert_int_equal(freed, 5);
    return 0;
}

static void test_tasks_and_callbacks_run_in_copies(void **state) {
    (void)state;
    begin();
    in_task(inherit);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    aloop_unref(var);
}

static int64_t set_two(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    return 0;
}

static int64_t use_contexts(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_context *context = aloop_context_copy();
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, set_two, NULL, NULL), 0);
    assert_code(aloop_task_options_set_context(o, NULL), ALOOP_EINVAL);
    assert_code(aloop_task_options_set_context(o, context), 0);
    aloop_task *task = aloop_create_task_ex(o);
    aloop_unref(o);
    assert_ptr_equal(aloop_task_get_context(task), context);
    assert_code(aloop_await(task, NULL), 0);
    assert_code(aloop_context_run(context, read_inside, &two), -3);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    aloop_context_unref(context);
    /* The running task's own context is what set changes, wherever it is asked for. */
    aloop_context *mine = aloop_task_get_context(aloop_current_task(NULL));
    assert_non_null(mine);
    assert_code(aloop_contextvar_set(var, &one, NULL, NULL), 0);
    assert_code(aloop_context_run(mine, read_inside, &one), ALOOP_EBUSY); /* it is in it */
    let_run(1);
    assert_ptr_equal(aloop_contextvar_get(var), &one);
    return 0;
}

static void test_tasks_have_contexts(void **state) {
    (void)state;
    begin();
    in_task(use_contexts);
    aloop_unref(var);
}

static int64_t ask_for_the_tasks(void *value) {
    assert_non_null(aloop_task_get_context(aloop_current_task(NULL)));
    assert_code(aloop_contextvar_set(var, value, NULL, NULL), 0);
    return 0;
}

static int64_t set_in_another(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_context *context = aloop_context_copy();
    assert_code(aloop_context_run(context, ask_for_the_tasks, &two), 0);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    assert_code(aloop_context_run(context, read_inside, &two), -3);
    aloop_context_unref(context);
    return 0;
}

static void test_asking_for_a_context_does_not_leave_the_entered_one(void **state) {
    (void)state;
    begin();
    in_task(set_in_another);
    aloop_unref(var);
}

static aloop_context_token *taken;

static int64_t set_in_a_callback(void *value) {
    assert_code(aloop_contextvar_set(var, value, NULL, &taken), 0);
    assert_code(aloop_contextvar_reset(var, taken), 0);
    aloop_unref(taken);
    return aloop_contextvar_set(var, value, NULL, &taken);
}

static int64_t reset_in_another_callback(void *unused) {
    (void)unused;
    assert_code(aloop_contextvar_reset(var, taken), ALOOP_EINVAL);
    /* A context of this callback's own that has a token as well. */
    aloop_context_token *own = NULL;
    assert_code(aloop_contextvar_set(var, &two, NULL, &own), 0);
    assert_code(aloop_contextvar_reset(var, taken), ALOOP_EINVAL);
    assert_code(aloop_contextvar_reset(var, own), 0);
    aloop_unref(own);
    return 0;
}

/* Their contexts stand at one address, one after the other. */
static void test_a_token_is_of_one_callback(void **state) {
    (void)state;
    begin();
    aloop_loop *loop = virtual_loop();
    assert_true(aloop_loop_call_soon(loop, set_in_a_callback, &one, NULL) > 0);
    assert_true(aloop_loop_call_soon(loop, reset_in_another_callback, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 2);
    aloop_unref(taken);
    close_loop(loop);
    aloop_unref(var);
}

static int64_t drop_it(void *context) {
    aloop_context_unref(context); /* the only reference there was */
    return aloop_contextvar_set(var, &one, count_free, NULL);
}

static void test_a_context_that_is_dropped_inside(void **state) {
    (void)state;
    begin();
    one = 0;
    aloop_context *context = aloop_context_copy();
    assert_code(aloop_context_run(context, drop_it, context), 0);
    assert_int_equal(one, 1);
    aloop_unref(var);
}

static int left;

static void set_again(void *value) {
    freed++;
    if (left-- > 0) aloop_contextvar_set(var, value, set_again, NULL);
}

static int64_t leave_set(void *unused) {
    (void)unused;
    return aloop_contextvar_set(var, &one, set_again, NULL);
}

static int64_t displace(void *unused) {
    left = 1;
    freed = 0;
    assert_code(leave_set(unused), 0);
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    assert_int_equal(freed, 1);
    assert_ptr_equal(aloop_contextvar_get(var), &one); /* the destructor came last */
    assert_code(aloop_contextvar_set(var, &two, NULL, NULL), 0);
    assert_int_equal(freed, 2);
    return 0;
}

/* What ends with a thread, or with a set, may set again. */
static void test_destructors_that_set(void **state) {
    (void)state;
    begin();
    left = 2;
    assert_code(on_foreign_thread(leave_set, NULL), 0);
    assert_int_equal(freed, 3);
    aloop_context *context = aloop_context_copy();
    assert_code(aloop_context_run(context, displace, NULL), 0);
    aloop_context_unref(context);
    aloop_unref(var);
}

struct reads {
    aloop_loop *loop;
    int fd;
    int calls;
    aloop_context_token *token;
};

static int64_t read_byte(void *data) {
    struct reads *r = data;
    char byte;
    assert_int_equal(read(r->fd, &byte, 1), 1);
    if (++r->calls == 1) {
        assert_ptr_equal(aloop_contextvar_get(var), &one);
        return aloop_contextvar_set(var, &two, NULL, &r->token);
    }
    assert_ptr_equal(aloop_contextvar_get(var), &two);
    assert_code(aloop_contextvar_reset(var, r->token), 0);
    assert_ptr_equal(aloop_contextvar_get(var), &one);
    return 0;
}

/* asyncio's reader is one handle: each of its calls is in the same context. */
static void test_a_reader_has_one_context(void **state) {
    (void)state;
    begin();
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "ab", 2), 2);
    aloop_loop *loop = real_loop();
    struct reads r = {loop, ends[0], 0, NULL};
    aloop_context_token *token = NULL;
    assert_code(aloop_contextvar_set(var, &one, NULL, &token), 0);
    assert_code(aloop_loop_add_reader(loop, ends[0], read_byte, &r, NULL), 0);
    assert_code(aloop_contextvar_reset(var, token), 0);
    aloop_unref(token);
    while (r.calls < 2) assert_true(aloop_loop_run_once(loop, 1) >= 0);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    aloop_unref(r.token);
    close_loop(loop);
    close(ends[0]);
    close(ends[1]);
    aloop_unref(var);
}

static void *seen;
static int reports;

static void look(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop;
    (void)context;
    (void)data;
    reports++;
    seen = aloop_contextvar_get(var);
    assert_code(aloop_contextvar_set(var, &freed, NULL, NULL), 0); /* nobody else's business */
}

static int64_t set_and_fail(void *value) {
    assert_code(aloop_contextvar_set(var, value, NULL, NULL), 0);
    return -5;
}

static int64_t set_and_fail_when_done(aloop_future *f, void *value) {
    (void)f;
    return set_and_fail(value);
}

static int64_t fail_as_a_task(void *value, void **unused) {
    (void)unused;
    return value != NULL ? set_and_fail(value) : -5;
}

#define assert_seen(value)          \
    do {                            \
        assert_int_equal(reports, 1); \
        assert_ptr_equal(seen, (value)); \
        reports = 0;                \
        seen = NULL;                \
    } while (0)

static int64_t fail_in_every_way(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_contextvar_set(var, &fallback, NULL, NULL), 0);
    assert_code(aloop_loop_set_exception_handler(loop, look, NULL, NULL), 0);
    assert_true(aloop_loop_call_soon(loop, set_and_fail, &one, NULL) > 0);
    let_run(1);
    assert_seen(&one);
    assert_true(aloop_loop_call_soon_threadsafe(loop, set_and_fail, &two, NULL) > 0);
    let_run(2);
    assert_seen(&two);
    aloop_future *f = aloop_loop_create_future(loop);
    assert_code(aloop_future_add_done_callback(f, set_and_fail_when_done, &one, NULL), 0);
    assert_code(aloop_future_set_result(f, 0, NULL, NULL), 0);
    aloop_unref(f);
    let_run(1);
    assert_seen(&one);
    assert_code(aloop_spawn(fail_as_a_task, &two), 0);
    let_run(3);
    assert_seen(&two);
    assert_ptr_equal(aloop_contextvar_get(var), &fallback);
    return 0;
}

static int64_t fail_without_a_context(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(aloop_loop_set_exception_handler(loop, look, NULL, NULL), 0);
    assert_code(aloop_spawn(fail_as_a_task, NULL), 0);
    let_run(3);
    assert_seen(&fallback);
    return 0;
}

/* The exception handler sees the variables as what failed had left them. */
static void test_the_handler_is_in_the_context_of_what_failed(void **state) {
    (void)state;
    begin();
    in_task(fail_in_every_way);
    in_task(fail_without_a_context);
    aloop_unref(var);
}

/* More variables than one find each other by their order in memory, whatever that is. */
static void test_many_variables(void **state) {
    (void)state;
    enum { n = 9 };
    aloop_contextvar *vars[n];
    aloop_context_token *tokens[n];
    int values[n];
    begin();
    for (int i = 0; i < n; i++) {
        vars[i] = aloop_contextvar_new("one of many", &fallback);
        assert_code(aloop_contextvar_set(vars[i], &values[i], NULL, &tokens[i]), 0);
        assert_ptr_equal(aloop_contextvar_get(var), &fallback);
        for (int k = 0; k <= i; k++) assert_ptr_equal(aloop_contextvar_get(vars[k]), &values[k]);
    }
    assert_code(aloop_contextvar_reset(vars[0], tokens[1]), ALOOP_EINVAL); /* another's */
    for (int i = 0; i < n; i++) {
        const int each = i % 2 == 0 ? i / 2 : n - 1 - i / 2; /* from both ends */
        assert_code(aloop_contextvar_reset(vars[each], tokens[each]), 0);
        assert_ptr_equal(aloop_contextvar_get(vars[each]), &fallback);
        aloop_unref(tokens[each]);
    }
    for (int i = 0; i < n; i++) aloop_unref(vars[i]);
    aloop_unref(var);
}

static int64_t end_at_once(void *unused, void **value) {
    (void)unused, (void)value;
    return 3;
}

/* An eager start in a context that is entered would enter it inside of itself. */
static int64_t start_eagerly_inside(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_context *mine = aloop_task_get_context(aloop_current_task(NULL));
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, end_at_once, NULL, NULL), 0);
    assert_code(aloop_task_options_set_context(o, mine), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    assert_failed(aloop_create_task_ex(o), ALOOP_EBUSY);
    assert_failed(aloop_task_new(aloop_get_running_loop(), o), ALOOP_EBUSY);
    int one = 1;
    assert_code(aloop_context_run(mine, read_inside, &one), ALOOP_EBUSY); /* as before */
    assert_code(aloop_task_options_set_eager_start(o, 0), 0); /* later it is not in it */
    assert_code(aloop_await(aloop_create_task_ex(o), NULL), 3);
    aloop_context *other = aloop_context_copy();
    assert_code(aloop_task_options_set_context(o, other), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_task *task = aloop_create_task_ex(o);
    assert_code(aloop_future_done(task), 1);
    aloop_unref(task);
    aloop_unref(other);
    aloop_unref(o);
    return 0;
}

static void test_an_eager_start_enters_no_context_twice(void **state) {
    (void)state;
    in_task(start_eagerly_inside);
}

SUITE(CASE(test_a_thread_has_a_context), CASE(test_a_token_is_of_one_callback),
      CASE(test_threads_do_not_share), CASE(test_a_context_keeps_what_is_set_in_it),
      CASE(test_bad_input), CASE(test_tasks_and_callbacks_run_in_copies),
      CASE(test_tasks_have_contexts),
      CASE(test_asking_for_a_context_does_not_leave_the_entered_one),
      CASE(test_a_context_that_is_dropped_inside), CASE(test_destructors_that_set),
      CASE(test_a_reader_has_one_context), CASE(test_the_handler_is_in_the_context_of_what_failed),
      CASE(test_many_variables), CASE(test_an_eager_start_enters_no_context_twice))
