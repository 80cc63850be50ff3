/*
 * introspect_test.c: call graphs over every kind of edge, dumps, counters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static aloop_task *named(const char *name, aloop_coro_fn fn, void *arg) {
    aloop_task *t = aloop_create_task(fn, arg);
    assert_code(aloop_task_set_name(t, name), 0);
    return t;
}

/* The names of those that await future, "a b ", in order. */
static const char *awaited_by(aloop_future *future) {
    static char names[128];
    names[0] = '\0';
    aloop_call_graph *g = aloop_capture_call_graph(future, 0);
    assert_non_null(g);
    assert_ptr_equal(aloop_call_graph_future(g), future);
    assert_int_equal(aloop_call_graph_frame_count(g), 0);
    for (int64_t i = 0; i < aloop_call_graph_awaited_by_count(g); i++) {
        aloop_call_graph *by = aloop_call_graph_awaited_by(g, i);
        char name[32];
        aloop_task_get_name(aloop_call_graph_future(by), name, sizeof name);
        strcat(strcat(names, name), " ");
    }
    aloop_unref(g);
    return names;
}

static aloop_future *target;

static int64_t await_directly(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_ref(target), NULL);
}
static int64_t await_limited(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_wait_for(aloop_ref(target), 100), NULL);
}
static int64_t await_gathered(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(ALOOP_GATHER(0, aloop_ref(target), aloop_sleep(200)), NULL);
}
static int64_t await_shielded(void *unused, void **value) {
    (void)unused, (void)value;
    return aloop_await(aloop_shield(aloop_ref(target)), NULL);
}
static int64_t wait_for_one(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *f = aloop_ref(target);
    return aloop_await(aloop_wait(&f, 1, -1, ALOOP_ALL_COMPLETED), NULL);
}

static int64_t await_completion(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_future *f = aloop_ref(target);
    aloop_completions *c = NULL;
    assert_code(aloop_as_completed(&c, &f, 1, -1), 0);
    const int64_t status = aloop_await(aloop_as_completed_next_result(c), NULL);
    aloop_unref(c);
    return status;
}

static int64_t await_and_end(void *unused) {
    (void)unused;
    return aloop_await(aloop_ref(target), NULL);
}
static int64_t await_generated(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_generator *g = aloop_generator_new(await_and_end, NULL, NULL);
    const int64_t status = aloop_await(aloop_generator_next(g), NULL);
    aloop_unref(g);
    return status;
}

static int64_t ignore(aloop_future *future, void *data) {
    (void)future, (void)data;
    return 0;
}

static int64_t try_edges(void *unused, void **value) {
    (void)unused, (void)value;
    const struct {
        const char *name;
        aloop_coro_fn fn;
    } kinds[] = {{"direct", await_directly},
                 {"limited", await_limited},
                 {"gathered", await_gathered},
                 {"shielded", await_shielded},
                 {"generated", await_generated},
                 {"waiting", wait_for_one},
                 {"completing", await_completion}};
    enum { n = sizeof kinds / sizeof kinds[0] };
    target = aloop_loop_create_future(aloop_get_running_loop());
    assert_string_equal(awaited_by(target), "");
    assert_code(aloop_future_add_done_callback(target, ignore, NULL, NULL), 0);
    assert_string_equal(awaited_by(target), ""); /* a callback is nobody who waits */
    aloop_task *tasks[n];
    for (int i = 0; i < n; i++) {
        tasks[i] = named(kinds[i].name, kinds[i].fn, NULL);
        let_run(2);
    }
    assert_string_equal(awaited_by(target),
                        "direct limited gathered shielded generated waiting completing ");
    /* With the one that awaits it directly the future is cancelled, for all. */
    assert_code(aloop_task_cancel(tasks[0], NULL), 1);
    for (int i = 0; i < n; i++) {
        const int64_t end = kinds[i].fn == wait_for_one ? 1 : ALOOP_ECANCELED;
        assert_code(aloop_await(tasks[i], NULL), end);
    }
    assert_string_equal(awaited_by(target), "");
    aloop_unref(target);
    return 0;
}

static void test_every_kind_of_await_is_an_edge(void **state) {
    (void)state;
    in_task(try_edges);
}

static int64_t await_it(void *task, void **value) {
    (void)value;
    return aloop_await(aloop_ref(task), NULL);
}

static int64_t group_of_one(void *child, void **value) {
    (void)value;
    aloop_task_group *g = NULL;
    assert_code(aloop_task_group_enter(&g), 0);
    aloop_task *t = aloop_task_group_create_task(g, sleep_for_ever, NULL);
    *(aloop_task **)child = t;
    return aloop_task_group_exit(g, 0);
}

static int64_t build_a_chain(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *child = NULL;
    aloop_task *group = named("group", group_of_one, &child);
    aloop_task *top = named("top", await_it, group);
    let_run(3);
    assert_string_equal(awaited_by(child), "group ");
    aloop_call_graph *g = aloop_capture_call_graph(child, ALOOP_NO_LIMIT);
    assert_true(aloop_call_graph_frame_count(g) > 1);
    assert_non_null(aloop_call_graph_frame(g, 0));
    assert_null(aloop_call_graph_frame(g, 1000));
    assert_null(aloop_call_graph_frame(g, -1));
    aloop_call_graph *by = aloop_call_graph_awaited_by(g, 0);
    assert_int_equal(aloop_call_graph_awaited_by_count(by), 1);
    assert_ptr_equal(aloop_call_graph_future(aloop_call_graph_awaited_by(by, 0)), top);
    assert_null(aloop_call_graph_awaited_by(by, 1));
    void *innermost = aloop_call_graph_frame(g, 0);
    void *outermost = aloop_call_graph_frame(g, aloop_call_graph_frame_count(g) - 1);
    aloop_unref(g);
    g = aloop_capture_call_graph(child, 1);
    assert_int_equal(aloop_call_graph_frame_count(g), 1);
    assert_ptr_equal(aloop_call_graph_frame(g, 0), innermost);
    aloop_unref(g);
    g = aloop_capture_call_graph(child, -1);
    assert_int_equal(aloop_call_graph_frame_count(g), 1);
    assert_ptr_equal(aloop_call_graph_frame(g, 0), outermost);
    aloop_unref(g);
    assert_code(aloop_task_cancel(top, NULL), 1);
    assert_code(aloop_await(top, NULL), ALOOP_ECANCELED);
    aloop_unref(group);
    aloop_unref(child);
    return 0;
}

static void test_graphs_go_up_to_the_last_awaiter(void **state) {
    (void)state;
    in_task(build_a_chain);
}

/* Text -------------------------------------------------------------------------------------- */

static void read_back(FILE *file, char *text, size_t size) {
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
}

static int64_t format_one(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *inner = named("inner", sleep_for_ever, NULL);
    aloop_task *outer = named("outer", await_it, inner);
    let_run(2);
    char expected[256];
    snprintf(expected, sizeof expected,
             "* Task(name='inner', id=%#lx)\n  + Awaited by:\n    * Task(name='outer', id=%#lx)\n",
             (unsigned long)inner, (unsigned long)outer);
    char text[4096];
    const int64_t n = aloop_format_call_graph(inner, 0, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(n, strlen(expected));
    assert_int_equal(aloop_format_call_graph(inner, 0, NULL, 0), n);
    char small[10];
    assert_int_equal(aloop_format_call_graph(inner, 0, small, sizeof small), n);
    assert_int_equal(strlen(small), sizeof small - 1);

    FILE *file = tmpfile();
    assert_int_equal(aloop_print_call_graph(inner, 0, fileno(file)), n);
    read_back(file, text, sizeof text);
    assert_string_equal(text, expected);
    fclose(file);

    /* With stacks; and of the running task, which is here. */
    assert_true(aloop_format_call_graph(inner, ALOOP_NO_LIMIT, text, sizeof text) > n);
    assert_non_null(strstr(text, "  + Call stack:\n  |   "));
    assert_true(aloop_format_call_graph(NULL, 3, text, sizeof text) > 0);
    aloop_call_graph *g = aloop_capture_call_graph(NULL, ALOOP_NO_LIMIT);
    assert_ptr_equal(aloop_call_graph_future(g), aloop_current_task(NULL));
    assert_true(aloop_call_graph_frame_count(g) > 1);
    aloop_unref(g);
    aloop_future *f = aloop_loop_create_future(aloop_get_running_loop());
    snprintf(expected, sizeof expected, "* Future(id=%#lx)\n", (unsigned long)f);
    assert_true(aloop_format_call_graph(f, 3, text, sizeof text) > 0);
    assert_string_equal(text, expected);
    aloop_unref(f);
    assert_code(aloop_task_cancel(outer, NULL), 1);
    assert_code(aloop_await(outer, NULL), ALOOP_ECANCELED);
    aloop_unref(inner);
    return 0;
}

static void test_text_has_asyncios_form(void **state) {
    (void)state;
    in_task(format_one);
}

/* Two tasks that await each other: the second time the graph goes no further. */
static int64_t await_other(void *other, void **value) {
    (void)value;
    return aloop_await(aloop_ref(*(aloop_task **)other), NULL);
}

static int64_t knot(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *a = NULL, *b = NULL;
    a = aloop_create_task(await_other, &b);
    b = aloop_create_task(await_other, &a);
    let_run(2);
    aloop_future *const expected[] = {a, b, a};
    int levels = 0;
    aloop_call_graph *g = aloop_capture_call_graph(a, ALOOP_NO_LIMIT);
    for (aloop_call_graph *at = g; at != NULL; at = aloop_call_graph_awaited_by(at, 0)) {
        assert_ptr_equal(aloop_call_graph_future(at), expected[levels++]);
        assert_int_equal(aloop_call_graph_frame_count(at) > 0, levels < 3);
    }
    assert_int_equal(levels, 3);
    aloop_unref(g);
    char text[4096];
    assert_true(aloop_format_call_graph(b, 0, text, sizeof text) > 0);
    assert_non_null(strstr(text, " (see above)\n"));
    aloop_unref(a);
    aloop_unref(b);
    return 0;
}

static void test_cycles_end(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    assert_code(run_on(loop, knot, NULL), 0);
    close_loop(loop);
    assert_int_equal(seen.count, 2); /* both were still pending */
}

/* Layers in which each task awaits all those of the next: 2^60 ways, 3 nodes a task. */
enum { layers = 60, beside = 2, plaits = 40 };
static aloop_task *lattice[layers][beside];

/* The sanitizers' own functions need more of it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { small_stack = 262144 };
#else
enum { small_stack = 32768 };
#endif

static int64_t await_layer_below(void *layer, void **value) {
    (void)value;
    aloop_future *below[beside];
    const intptr_t i = (intptr_t)layer;
    if (i == 0) return sleep_for_ever(NULL, NULL);
    for (int k = 0; k < beside; k++) below[k] = aloop_ref(lattice[i - 1][k]);
    return aloop_await(aloop_wait(below, beside, -1, ALOOP_ALL_COMPLETED), NULL);
}

static int64_t count_nodes(aloop_call_graph *g) {
    int64_t n = 1;
    for (int64_t i = 0; i < aloop_call_graph_awaited_by_count(g); i++) {
        n += count_nodes(aloop_call_graph_awaited_by(g, i));
    }
    return n;
}

static int64_t capture_lattice(void *unused, void **value) {
    (void)unused, (void)value;
    for (intptr_t i = 0; i < layers; i++) {
        for (int k = 0; k < beside; k++) {
            lattice[i][k] = aloop_create_task(await_layer_below, (void *)i);
        }
    }
    let_run(3);
    aloop_call_graph *g = aloop_capture_call_graph(lattice[0][0], 1);
    assert_int_equal(count_nodes(g), 1 + beside + beside * beside * (layers - 2));
    aloop_unref(g);
    assert_true(aloop_format_call_graph(lattice[0][0], INT64_MIN, NULL, 0) > 0);
    for (int i = layers - 1; i >= 0; i--) {
        for (int k = 0; k < beside; k++) {
            assert_code(aloop_task_cancel(lattice[i][k], NULL), 1);
            assert_code(aloop_await(lattice[i][k], NULL), ALOOP_ECANCELED);
        }
    }
    /* The same of combinators alone: one task awaits, however many ways lead to it. */
    target = aloop_loop_create_future(aloop_get_running_loop());
    aloop_future *ends[beside] = {aloop_ref(target), aloop_ref(target)};
    for (int i = 0; i < plaits; i++) {
        aloop_future *next[beside];
        for (int k = 0; k < beside; k++) {
            next[k] = ALOOP_GATHER(0, aloop_ref(ends[0]), aloop_ref(ends[1]));
        }
        for (int k = 0; k < beside; k++) {
            aloop_unref(ends[k]);
            ends[k] = next[k];
        }
    }
    aloop_task *top = named("top", await_it, ends[0]);
    let_run(1);
    assert_string_equal(awaited_by(target), "top ");
    assert_code(aloop_future_cancel(target, NULL), 1);
    assert_code(aloop_await(top, NULL), ALOOP_ECANCELED);
    aloop_await(aloop_sleep(1), NULL);
    aloop_unref(ends[0]);
    aloop_unref(ends[1]);
    aloop_unref(target);
    return 0;
}

static int64_t format_on_a_small_stack(void *first, void **value) {
    (void)value;
    return aloop_format_call_graph(first, ALOOP_NO_LIMIT, NULL, 0);
}

/* The longest graph that there is, in a task with little room. */
static int64_t format_a_long_chain(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *first = aloop_create_task(sleep_for_ever, NULL), *last = aloop_ref(first);
    for (int i = 0; i < 2 * layers; i++) {
        aloop_task *next = aloop_create_task(await_it, last);
        aloop_unref(last);
        let_run(1); /* it has its reference */
        last = next;
    }
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, format_on_a_small_stack, first, NULL), 0);
    assert_code(aloop_task_options_set_stack_size(o, small_stack), 0);
    const int64_t length = aloop_await(aloop_create_task_ex(o), NULL);
    aloop_unref(o);
    assert_int_equal(length, aloop_format_call_graph(first, ALOOP_NO_LIMIT, NULL, 0));
    assert_code(aloop_task_cancel(last, NULL), 1);
    assert_code(aloop_await(last, NULL), ALOOP_ECANCELED);
    aloop_unref(first);
    return 0;
}

static void test_graphs_show_each_task_once(void **state) {
    (void)state;
    in_task(capture_lattice);
    in_task(format_a_long_chain);
}

/* Dumps and counters --------------------------------------------------------------------------- */

static int64_t dump_all(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    aloop_task *inner = named("inner", sleep_for_ever, NULL);
    aloop_task *outer = named("outer", await_it, inner);
    let_run(2);
    FILE *file = tmpfile();
    assert_int_equal(aloop_loop_dump(loop, fileno(file)), 3);
    char text[8192];
    read_back(file, text, sizeof text);
    fclose(file);
    assert_non_null(strstr(text, "Loop at 0x"));
    assert_non_null(strstr(text, " 3 tasks"));
    assert_non_null(strstr(text, "name='inner'"));
    assert_non_null(strstr(text, "  awaited by outer\n"));
    assert_code(aloop_loop_dump(loop, -1), ALOOP_EBADF);
    assert_code(aloop_task_cancel(outer, NULL), 1);
    assert_code(aloop_await(outer, NULL), ALOOP_ECANCELED);
    aloop_unref(inner);
    return 0;
}

static void test_dump_shows_every_task(void **state) {
    (void)state;
    in_task(dump_all);
}

static int64_t count_all(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    const int64_t iterations = aloop_loop_metrics(loop, ALOOP_METRIC_ITERATIONS);
    const int64_t callbacks = aloop_loop_metrics(loop, ALOOP_METRIC_CALLBACKS);
    const int64_t polls = aloop_loop_metrics(loop, ALOOP_METRIC_POLLS);
    const int64_t slept = aloop_loop_metrics(loop, ALOOP_METRIC_SLEPT);
    let_run(5);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_ITERATIONS), iterations + 5);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_CALLBACKS), callbacks + 5);
    assert_true(aloop_loop_metrics(loop, ALOOP_METRIC_POLLS) > polls);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_SLEPT), slept);
    assert_code(aloop_await(aloop_sleep(2), NULL), 0);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_SLEPT), slept + 2000000000);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_TIMERS), 0);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_READY), 0);
    int calls = 0;
    const aloop_handle timer = aloop_loop_call_later(loop, 5, count_call, &calls, NULL);
    aloop_loop_call_soon(loop, count_call, &calls, NULL);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_TIMERS), 1);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_READY), 1);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_TASKS), 1);
    assert_true(aloop_loop_metrics(loop, ALOOP_METRIC_OBJECTS) >= 1);
    assert_code(aloop_loop_cancel_handle(loop, timer), 0);
    let_run(1);
    return 0;
}

static int64_t dawdle(void *unused) {
    (void)unused;
    return 0;
}

static void test_counters(void **state) {
    (void)state;
    in_task(count_all);
    assert_string_equal(aloop_loop_metrics_name(ALOOP_METRIC_ITERATIONS), "iterations");
    assert_string_equal(aloop_loop_metrics_name(ALOOP_METRIC_OBJECTS), "objects");
    assert_null(aloop_loop_metrics_name(-1));
    assert_null(aloop_loop_metrics_name(ALOOP_METRIC_BUSY + 1));
    aloop_loop *loop = virtual_loop();
    struct reports seen;
    capture_reports(loop, &seen);
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    assert_code(aloop_loop_set_slow_callback_duration(loop, 0), 0);
    assert_true(aloop_loop_call_soon(loop, dawdle, NULL, NULL) > 0);
    assert_true(aloop_loop_run_once(loop, 0) >= 1);
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_SLOW_CALLBACKS), 1);
    assert_int_equal(seen.count, 1);
    close_loop(loop);
}

static int64_t use_on_a_thread(void *loop) {
    assert_null(aloop_capture_call_graph(NULL, 0));
    assert_code(aloop_loop_dump(loop, 1), ALOOP_EWRONGTHREAD);
    return aloop_loop_metrics(loop, 0);
}

static int64_t misuse(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_loop *loop = aloop_get_running_loop();
    assert_code(on_foreign_thread(use_on_a_thread, loop), ALOOP_EWRONGTHREAD);
    assert_code(aloop_loop_metrics(loop, 99), ALOOP_EINVAL);
    assert_null(aloop_capture_call_graph((aloop_future *)loop, 0));
    assert_code(aloop_format_call_graph((aloop_future *)loop, 0, NULL, 0), ALOOP_EINVAL);
    assert_code(aloop_print_call_graph(NULL, 0, -1), ALOOP_EBADF);
    return 0;
}

static void test_bad_arguments(void **state) {
    (void)state;
    in_task(misuse);
    assert_null(aloop_capture_call_graph(NULL, 0));
    assert_code(aloop_format_call_graph(NULL, 0, NULL, 0), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_print_call_graph(NULL, 0, 1), ALOOP_ENORUNNINGLOOP);
    assert_code(aloop_loop_dump(NULL, 1), ALOOP_EINVAL);
    assert_code(aloop_loop_metrics(NULL, 0), ALOOP_EINVAL);
    assert_null(aloop_call_graph_future(NULL));
    assert_null(aloop_call_graph_frame(NULL, 0));
    assert_null(aloop_call_graph_awaited_by(NULL, 0));
    assert_code(aloop_call_graph_frame_count(NULL), ALOOP_EINVAL);
    assert_code(aloop_call_graph_awaited_by_count(NULL), ALOOP_EINVAL);
}

SUITE(CASE(test_every_kind_of_await_is_an_edge), CASE(test_graphs_go_up_to_the_last_awaiter),
      CASE(test_text_has_asyncios_form), CASE(test_cycles_end),
      CASE(test_graphs_show_each_task_once), CASE(test_dump_shows_every_task), CASE(test_counters),
      CASE(test_bad_arguments))
