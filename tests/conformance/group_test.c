/*
 * TaskGroup: the statements of 1.7, with the iteration of each event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conform.h"

static aloop_task_group *group(void) {
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    return g;
}
static aloop_task *child(aloop_task_group *g, struct job *job) {
    return aloop_task_group_create_task(g, work, job);
}
static void spawn(aloop_task_group *g, struct job *job) {
    assert_code(aloop_task_group_spawn(g, work, job), 0);
}
static void assert_group_of(const int64_t *codes, int64_t n) {
    aloop_error *error = aloop_last_error();
    assert_string_equal(aloop_error_message(error), "unhandled errors in a TaskGroup");
    assert_int_equal(aloop_error_child_count(error), n);
    for (int64_t i = 0; i < n; i++) {
        assert_code(aloop_error_code(aloop_error_child(error, i)), codes[i]);
    }
}
#define assert_errors(...)                           \
    assert_group_of((const int64_t[]){__VA_ARGS__}, \
                    (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* 1.7: waits for all of its tasks, also for those made later. */
TEST(group_waits_for_all) {
    struct job a = {"a", 1, 42, 0, 0}, b = {"b", 2, 11, 0, 0};
    aloop_task_group *g = group();
    aloop_task *one = child(g, &a);
    assert_code(nap(0.5), 0);
    aloop_task *two = child(g, &b);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_code(aloop_future_result(one, NULL), 42);
    assert_code(aloop_future_result(two, NULL), 11);
    assert_close(now(), 2.5);
    aloop_unref(one);
    aloop_unref(two);
    return 0;
}

/* 1.7: without tasks it takes no iteration. */
TEST(group_without_tasks) {
    assert_code(aloop_task_group_exit(group(), 0), 0);
    assert_code(aloop_task_group_exit(group(), 5), 5);
    note("main");
    assert_trace("main@0 ");
    return 0;
}

/* 1.7: a child that somebody cancels is ignored, the group goes on. */
TEST(group_child_cancelled_alone) {
    struct job a = {"a", 9, 0, 0, 0}, b = {"b", 1, 11, 0, 0};
    aloop_task_group *g = group();
    aloop_task *one = child(g, &a);
    let_run(1);
    assert_code(aloop_task_cancel(one, NULL), 1);
    spawn(g, &b);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_code(aloop_future_cancelled(one), 1);
    assert_close(now(), 1);
    aloop_unref(one);
    return 0;
}

/* 1.7: the first error cancels the others and the block; the trace. */
TEST(group_child_fails) {
    struct job bad = {"bad", 0, -5, 0, 0}, slow = {"slow", 9, 0, 0, 0};
    aloop_task_group *g = group();
    spawn(g, &slow);
    spawn(g, &bad);
    const int64_t block = nap(9);
    note_end("block", block);
    assert_code(aloop_task_cancelling(self()), 1);
    assert_code(aloop_task_group_exit(g, block), ALOOP_EGROUP);
    assert_errors(-5);
    note("main");
    assert_code(aloop_task_cancelling(self()), 0);
    assert_trace("bad:EIO@1 slow:ECANCELED@3 block:ECANCELED@3 main@5 ");
    return 0;
}

/* 1.7: errors stand in the order of completion; later ones are appended. */
TEST(group_errors_in_order_of_completion) {
    struct job a = {"a", 9, 0, 2, -7}, b = {"b", 1, -5, 0, 0}, c = {"c", 9, 0, 1, -6};
    aloop_task_group *g = group();
    spawn(g, &a);
    spawn(g, &b);
    spawn(g, &c);
    assert_code(aloop_task_group_exit(g, 0), ALOOP_EGROUP);
    assert_errors(-5, -6, -7);
    assert_close(now(), 3);
    return 0;
}

/* 1.7: three fail in one iteration: all three are there. */
TEST(group_many_fail_at_once) {
    struct job jobs[] = {{"a", 1, -5, 0, 0}, {"b", 1, -6, 0, 0}, {"c", 1, -7, 0, 0}};
    aloop_task_group *g = group();
    for (int i = 0; i < 3; i++) spawn(g, &jobs[i]);
    assert_code(aloop_task_group_exit(g, 0), ALOOP_EGROUP);
    assert_errors(-5, -6, -7);
    return 0;
}

/* 1.7: the block's own error is wrapped too, last, and cancels the tasks. */
TEST(group_block_fails) {
    struct job slow = {"slow", 9, 0, 0, 0}, bad = {"bad", 9, 0, 1, -6};
    aloop_task_group *g = group();
    aloop_task *task = child(g, &slow);
    let_run(1);
    assert_code(aloop_task_group_exit(g, -9), ALOOP_EGROUP);
    assert_errors(-9);
    assert_code(aloop_future_cancelled(task), 1);
    aloop_unref(task);
    g = group();
    spawn(g, &bad);
    let_run(1);
    assert_code(aloop_task_group_exit(g, -9), ALOOP_EGROUP);
    assert_errors(-6, -9);
    return 0;
}

/* 1.7: the block cleans up with an error after a child failed: both. */
TEST(group_block_fails_in_its_cleanup) {
    struct job bad = {"bad", 1, -5, 0, 0};
    aloop_task_group *g = group();
    spawn(g, &bad);
    assert_code(nap(9), ALOOP_ECANCELED);
    assert_code(aloop_task_group_exit(g, -9), ALOOP_EGROUP);
    assert_errors(-5, -9);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

struct family {
    struct job jobs[3];
    int64_t n;
    double block;      /* how long the block sleeps; 0: goes to the exit at once */
    double cleanup;    /* after it was cancelled */
    int64_t at_cancel; /* what the block ends with then, 0: as cancelled */
    int64_t requests;  /* left when it was over */
};

static int64_t run_family(void *arg, void **value UNUSED) {
    struct family *f = arg;
    aloop_task_group *g = group();
    for (int64_t i = 0; i < f->n; i++) spawn(g, &f->jobs[i]);
    int64_t status = f->block > 0 ? nap(f->block) : 0;
    if (status < 0 && f->cleanup > 0) note_end("cleanup", nap(f->cleanup));
    if (status < 0 && f->at_cancel != 0) status = f->at_cancel;
    status = aloop_task_group_exit(g, status);
    f->requests = aloop_task_cancelling(self());
    return status;
}

static int64_t cancel_family(struct family *f, double when) {
    aloop_task *task = aloop_create_task(run_family, f);
    assert_code(nap(when), 0);
    assert_code(aloop_future_done(task), 0);
    assert_code(aloop_task_cancel(task, "parent"), 1);
    return outcome(task);
}

/* 1.7: the parent is cancelled, at the exit or in the block: so are the children;
 * the cancellation goes on with its message. */
TEST(group_parent_cancelled) {
    for (int block = 0; block <= 1; block++) {
        struct family f = {{{"a", 9, 0, 0, 0}, {"b", 9, 0, 0, 0}}, 2, block * 20, 0, 0, 0};
        assert_code(cancel_family(&f, 1), ALOOP_ECANCELED);
        assert_last_message("parent");
        assert_int_equal(f.requests, 1);
        assert_close(now(), block + 1);
    }
    struct family empty = {{{NULL, 0, 0, 0, 0}}, 0, 20, 0, 0, 0};
    assert_code(cancel_family(&empty, 1), ALOOP_ECANCELED);
    return 0;
}

/* 1.7: the parent is cancelled and the children fail in their cleanup: errors. */
TEST(group_parent_cancelled_and_children_fail) {
    struct family f = {{{"a", 9, 0, 0, -5}, {"b", 9, 0, 0, -6}}, 2, 20, 0, 0, 0};
    assert_code(cancel_family(&f, 1), ALOOP_EGROUP);
    assert_errors(-5, -6);
    return 0;
}

/* 1.7: the parent is cancelled, and a child fails while the block cleans up. */
TEST(group_child_fails_during_the_blocks_cleanup) {
    struct family f = {{{"a", 1.3, -5, 0, 0}}, 1, 20, 0.5, 0, 0};
    assert_code(cancel_family(&f, 1), ALOOP_EGROUP);
    assert_errors(-5);
    assert_non_null(strstr(trace, "cleanup:ECANCELED")); /* the failure cancels it anew */
    return 0;
}

/* 1.7: the block turns the cancellation into an error of its own. */
TEST(group_block_replaces_the_cancellation) {
    struct family f = {{{NULL, 0, 0, 0, 0}}, 0, 20, 0, -9, 0};
    assert_code(cancel_family(&f, 1), ALOOP_EGROUP);
    assert_errors(-9);
    return 0;
}

static int64_t fail_and_be_cancelled(void *unused UNUSED, void **value UNUSED) {
    struct family f = {{{"a", 1, -5, 0, 0}, {"slow", 9, 0, 3, 0}}, 2, 20, 0, 0, 0};
    assert_code(run_family(&f, NULL), ALOOP_EGROUP);
    assert_int_equal(f.requests, 1);
    note_end("next", nap(9));
    return ALOOP_ECANCELED;
}

/* 1.7: errors and a request from outside: the errors come first, the request is
 * delivered again at the next await. */
TEST(group_errors_and_a_cancellation) {
    aloop_task *task = aloop_create_task(fail_and_be_cancelled, NULL);
    assert_code(nap(2), 0);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(aloop_ref(task)), ALOOP_ECANCELED);
    assert_code(aloop_task_cancelling(task), 1);
    assert_non_null(strstr(trace, "next:ECANCELED"));
    aloop_unref(task);
    return 0;
}

static int64_t family_within(void *family, void **value UNUSED) {
    return outcome(aloop_create_task(run_family, family));
}

/* 1.7: the same in a task that the cancelled one awaits. */
TEST(group_in_an_awaited_task) {
    struct family f = {{{"a", 1.3, -5, 0, 0}}, 1, 20, 0.5, 0, 0};
    aloop_task *task = aloop_create_task(family_within, &f);
    assert_code(nap(1), 0);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_EGROUP);
    assert_errors(-5);
    return 0;
}

static int64_t family_in_a_group(void *family, void **value UNUSED) {
    struct job slow = {"slow", 9, 0, 0, 0};
    aloop_task_group *g = group();
    spawn(g, &slow);
    int64_t status = run_family(family, NULL);
    assert_errors(-5, -6);
    status = aloop_task_group_exit(g, status);
    assert_code(aloop_error_code(aloop_error_child(aloop_last_error(), 0)), ALOOP_EGROUP);
    return status;
}

/* 1.7: nested, cancelled from outside, and the inner tasks fail in their cleanup. */
TEST(group_nested_and_cancelled) {
    struct family f = {{{"a", 9, 0, 0, -5}, {"b", 9, 0, 0, -6}}, 2, 20, 0, 0, 0};
    aloop_task *task = aloop_create_task(family_in_a_group, &f);
    assert_code(nap(1), 0);
    assert_code(aloop_task_cancel(task, NULL), 1);
    assert_code(outcome(task), ALOOP_EGROUP);
    assert_errors(ALOOP_EGROUP);
    assert_non_null(strstr(trace, "slow:ECANCELED"));
    return 0;
}

/* 1.7: nested groups nest their errors. */
TEST(group_nested_inner_fails) {
    struct job bad = {"bad", 1, -5, 0, 0}, slow = {"slow", 9, 0, 0, 0};
    aloop_task_group *outer = group();
    spawn(outer, &slow);
    aloop_task_group *inner = group();
    spawn(inner, &bad);
    const int64_t status = aloop_task_group_exit(inner, 0);
    assert_code(status, ALOOP_EGROUP);
    aloop_error *inner_error = aloop_error_ref(aloop_last_error());
    (void)aloop_raise_error(inner_error);
    assert_code(aloop_task_group_exit(outer, status), ALOOP_EGROUP);
    assert_errors(ALOOP_EGROUP);
    aloop_error *nested = aloop_error_child(aloop_last_error(), 0);
    assert_code(aloop_error_code(aloop_error_child(nested, 0)), -5);
    aloop_error_unref(inner_error);
    return 0;
}

/* 1.7: a child of the outer group fails: the inner one is only cancelled. */
TEST(group_nested_outer_fails) {
    struct job bad = {"bad", 1, -5, 0, 0}, slow = {"slow", 9, -6, 0, 0};
    aloop_task_group *outer = group();
    spawn(outer, &bad);
    aloop_task_group *inner = group();
    spawn(inner, &slow);
    const int64_t status = aloop_task_group_exit(inner, 0);
    assert_code(status, ALOOP_ECANCELED);
    assert_code(aloop_task_group_exit(outer, status), ALOOP_EGROUP);
    assert_errors(-5);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

/* 1.7: both fail in one iteration: the count stays above 0 between the exits. */
TEST(group_nested_both_fail) {
    struct job one = {"one", 1, -5, 0, 0}, two = {"two", 1, -6, 0, 0};
    aloop_task_group *outer = group();
    aloop_task_group *inner = group();
    spawn(inner, &one);
    spawn(outer, &two);
    assert_code(aloop_task_group_exit(inner, 0), ALOOP_EGROUP);
    assert_errors(-5);
    assert_code(aloop_task_cancelling(self()), 1);
    assert_code(aloop_task_group_exit(outer, 0), ALOOP_EGROUP);
    assert_errors(-6);
    assert_code(aloop_task_cancelling(self()), 0);
    return 0;
}

struct hydra {
    aloop_task_group *group;
    int heads;
    int64_t refused;
};

static int64_t grow(void *arg, void **value UNUSED) {
    struct hydra *h = arg;
    h->heads++;
    const int64_t slept = nap(1);
    if (slept < 0) {
        h->refused = aloop_task_group_spawn(h->group, grow, h);
        return slept;
    }
    assert_code(aloop_task_group_spawn(h->group, grow, h), 0);
    assert_code(aloop_task_group_spawn(h->group, grow, h), 0);
    return 0;
}

/* 1.7: tasks are added while it is exiting, as long as one is alive; while it is
 * shutting down they are refused. */
TEST(group_grows_while_exiting) {
    struct job hercules = {"hercules", 4.5, -5, 0, 0};
    struct hydra h = {group(), 0, 0};
    assert_code(aloop_task_group_spawn(h.group, grow, &h), 0);
    spawn(h.group, &hercules);
    assert_code(aloop_task_group_exit(h.group, 0), ALOOP_EGROUP);
    assert_errors(-5);
    assert_int_equal(h.heads, 31);
    assert_code(h.refused, ALOOP_ESHUTDOWN);
    assert_close(now(), 4.5);
    return 0;
}

/* 1.7 cancel: the block and the tasks end, the exit succeeds; again: nothing. */
TEST(group_cancel) {
    struct job a = {"a", 9, 0, 0, 0};
    aloop_task_group *g = group();
    spawn(g, &a);
    let_run(1);
    assert_code(aloop_task_group_cancel(g), 0);
    assert_code(aloop_task_group_cancel(g), 0);
    assert_code(aloop_task_cancelling(self()), 1);
    assert_code(aloop_task_group_exit(g, nap(9)), 0);
    assert_code(aloop_task_cancelling(self()), 0);
    assert_close(now(), 0);
    assert_code(nap(0), 0);
    return 0;
}

static int64_t cancel_its_group(void *group, void **value UNUSED) {
    assert_code(aloop_task_group_cancel(*(aloop_task_group **)group), 0);
    note_end("child", nap(0));
    return 0;
}

/* 1.7 cancel: an eager child that ends its group in its first step is cancelled too. */
TEST(group_cancelled_by_an_eager_child) {
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, cancel_its_group, &g, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, 1), 0);
    aloop_unref(aloop_task_group_create_task_ex(g, o));
    aloop_unref(o);
    assert_code(aloop_task_group_exit(g, 0), 0);
    assert_code(aloop_task_cancelling(self()), 0);
    assert_trace("child:ECANCELED@1 ");
    return 0;
}

/* 1.7: a request that was swallowed before the group and never taken back counts for
 * the group as one from outside: where its own cancel interrupted the wait, that goes on. */
TEST(group_cancel_beside_an_older_request) {
    for (int older = 0; older < 2; older++) {
        if (older) aloop_task_cancel(self(), "older");
        if (older) assert_code(nap(0), ALOOP_ECANCELED);
        struct job quick = {"quick", 0, 0, 0, 0};
        aloop_task_group *g = group();
        spawn(g, &quick);
        assert_code(aloop_task_group_cancel(g), 0);
        assert_code(aloop_task_group_exit(g, 0), older ? ALOOP_ECANCELED : 0);
        assert_code(aloop_task_cancelling(self()), older);
    }
    assert_code(aloop_task_uncancel(self()), 0);
    return 0;
}

struct parentage {
    aloop_task_group *group;
    int32_t eager;
};

static int64_t fail_as_a_third(void *unused UNUSED, void **value UNUSED) {
    note("third");
    return -5;
}

static int64_t make_a_third(void *arg, void **value UNUSED) {
    const struct parentage *f = arg;
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, fail_as_a_third, NULL, NULL), 0);
    assert_code(aloop_task_options_set_eager_start(o, f->eager), 0);
    aloop_unref(aloop_task_group_create_task_ex(f->group, o));
    aloop_unref(o);
    for (int i = 0; i < 3; i++) {
        if (nap(0) == ALOOP_ECANCELED) {
            note("second");
            return 0;
        }
    }
    note("never");
    return 0;
}

/* 1.7: a child that is made by another and fails at once, lazily or eagerly, ends the
 * group when its callback runs, not before it is one of its tasks. */
TEST(group_child_makes_one_that_fails) {
    for (int32_t eager = 0; eager < 2; eager++) {
        begin_trace();
        struct parentage f = {group(), eager};
        aloop_task_options *o = aloop_task_options_new();
        assert_code(aloop_task_options_set_coro(o, make_a_third, &f, NULL), 0);
        assert_code(aloop_task_options_set_eager_start(o, eager), 0);
        aloop_unref(aloop_task_group_create_task_ex(f.group, o));
        aloop_unref(o);
        assert_code(aloop_task_group_exit(f.group, 0), ALOOP_EGROUP);
        assert_errors(-5);
        assert_trace(eager ? "third@0 second@1 " : "third@2 second@3 ");
    }
    return 0;
}

/* 1.7: the request with which it ended its block is taken back: nothing is left of it. */
TEST(group_keeps_its_request_to_itself) {
    struct job a = {"a", 0, -5, 0, 0};
    aloop_task_group *g = group();
    spawn(g, &a);
    assert_code(aloop_task_group_exit(g, 0), ALOOP_EGROUP);
    assert_code(aloop_task_cancelling(self()), 0);
    assert_code(nap(0), 0);
    assert_code(nap(1), 0);
    return 0;
}

/* 1.7: names and contexts go to the tasks. */
TEST(group_passes_options_on) {
    struct job a = {"a", 0, 1, 0, 0};
    aloop_task_options *o = aloop_task_options_new();
    aloop_context *context = aloop_context_copy();
    aloop_task_options_set_coro(o, work, &a, NULL);
    aloop_task_options_set_name(o, "yolo");
    aloop_task_options_set_context(o, context);
    aloop_task_group *g = group();
    aloop_task *task = aloop_task_group_create_task_ex(g, o);
    char name[8];
    assert_code(aloop_task_get_name(task, name, sizeof name), 4);
    assert_string_equal(name, "yolo");
    assert_ptr_equal(aloop_task_get_context(task), context);
    assert_code(aloop_task_group_exit(g, 0), 0);
    aloop_unref(task);
    aloop_unref(o);
    aloop_context_unref(context);
    return 0;
}

/* A limit around a group, and a group whose block is in a limit. */
TEST(timeout_around_a_group) {
    struct job slow = {"slow", 9, 0, 0, 0};
    aloop_timeout *t = limit(1);
    aloop_task_group *g = group();
    spawn(g, &slow);
    assert_code(leave(t, aloop_task_group_exit(g, 0)), ALOOP_ETIMEDOUT);
    g = group();
    spawn(g, &slow);
    t = limit(1);
    const int64_t status = leave(t, nap(9));
    assert_code(status, ALOOP_ETIMEDOUT);
    assert_code(aloop_task_group_exit(g, status), ALOOP_EGROUP);
    assert_errors(ALOOP_ETIMEDOUT);
    return 0;
}

SUITE(CASE(group_waits_for_all), CASE(group_without_tasks), CASE(group_child_cancelled_alone),
      CASE(group_child_fails), CASE(group_errors_in_order_of_completion),
      CASE(group_many_fail_at_once), CASE(group_block_fails),
      CASE(group_block_fails_in_its_cleanup), CASE(group_parent_cancelled),
      CASE(group_parent_cancelled_and_children_fail),
      CASE(group_child_fails_during_the_blocks_cleanup),
      CASE(group_block_replaces_the_cancellation), CASE(group_errors_and_a_cancellation),
      CASE(group_in_an_awaited_task), CASE(group_nested_and_cancelled),
      CASE(group_nested_inner_fails), CASE(group_nested_outer_fails),
      CASE(group_nested_both_fail), CASE(group_grows_while_exiting), CASE(group_cancel),
      CASE(group_cancelled_by_an_eager_child), CASE(group_cancel_beside_an_older_request),
      CASE(group_child_makes_one_that_fails), CASE(group_keeps_its_request_to_itself),
      CASE(group_passes_options_on), CASE(timeout_around_a_group))
