/*
 * introspect.h: trace hooks, the timeline file, the watchdog, busy time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "own_clock.h"
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

/* Hooks -------------------------------------------------------------------------------- */

static char events[512];
static int64_t last_time;
static uint64_t codes;
static int freed;

static void note_event(aloop_loop *loop, const aloop_trace_event *event, void *data) {
    static const char letters[] = "?(){+-";
    const int32_t kind = aloop_trace_event_kind(event);
    const size_t used = strlen(events);
    assert_ptr_equal(loop, aloop_get_running_loop());
    assert_ptr_equal(data, &freed);
    assert_true(kind >= 1 && kind <= 5);
    if (kind == ALOOP_TRACE_BEGIN || kind == ALOOP_TRACE_END) {
        assert_true(aloop_trace_event_time(event) >= last_time);
        last_time = aloop_trace_event_time(event);
    }
    assert_true(aloop_trace_event_duration(event) >= 0);
    codes |= aloop_trace_event_code(event);
    char name[32] = "";
    aloop_task *task = aloop_trace_event_task(event);
    if (task != NULL) aloop_task_get_name(task, name, sizeof name);
    if (strncmp(name, "Task-", 5) == 0) strcpy(name, "main");
    snprintf(events + used, sizeof events - used, "%c%s ", letters[kind], name);
}

static int64_t nothing(void *unused) {
    (void)unused;
    return 0;
}

static int64_t sleep_once(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_await(aloop_sleep(1), NULL);
}

/* Creates a task on its fiber, and awaits it. */
static int64_t traced(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_task_options *o = aloop_task_options_new();
    assert_code(aloop_task_options_set_coro(o, sleep_once, NULL, NULL), 0);
    assert_code(aloop_task_options_set_name(o, "child"), 0);
    aloop_task *child = aloop_create_task_ex(o);
    aloop_unref(o);
    return aloop_await(child, NULL);
}

static void test_a_hook_is_told_in_order(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    events[0] = '\0';
    freed = 0;
    last_time = 0;
    codes = 0;
    assert_code(aloop_loop_set_trace_hook(loop, note_event, &freed, count_free), 0);
    assert_true(aloop_loop_call_soon(loop, nothing, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_string_equal(events, "( ) ");
    assert_int_equal(codes, (uintptr_t)nothing);
    events[0] = '\0';
    assert_code(run_on(loop, traced, NULL), 0);
    /* The loop's stop is a callback. What the first step created is told at its end. */
    assert_string_equal(events, "+main (main +child )main (child )child { ( ) (child -child "
                                ")child (main -main )main ( ) ");
    /* Another one takes its place; without any, silence. */
    assert_code(aloop_loop_set_trace_hook(loop, note_event, &freed, NULL), 0);
    assert_int_equal(freed, 1);
    assert_code(aloop_loop_set_trace_hook(loop, NULL, NULL, NULL), 0);
    events[0] = '\0';
    assert_code(run_on(loop, traced, NULL), 0);
    assert_string_equal(events, "");
    /* The close ends the last one. */
    assert_code(aloop_loop_set_trace_hook(loop, note_event, &freed, count_free), 0);
    close_loop(loop);
    assert_int_equal(freed, 2);
}

/* Takes itself out at the first event. */
static void once(aloop_loop *loop, const aloop_trace_event *event, void *data) {
    (void)event;
    ++*(int *)data;
    assert_code(aloop_loop_set_trace_hook(loop, NULL, NULL, NULL), 0);
}

static void test_a_hook_takes_itself_out(void **state) {
    (void)state;
    int told = 0;
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_set_trace_hook(loop, once, &told, NULL), 0);
    assert_code(run_on(loop, traced, NULL), 0);
    assert_int_equal(told, 1);
    close_loop(loop);
}

static int64_t set_hook(void *loop) {
    return aloop_loop_set_trace_hook(loop, note_event, NULL, NULL);
}

static int64_t set_dog(void *loop) { return aloop_loop_set_watchdog(loop, 1, 2); }

static void test_bad_input(void **state) {
    (void)state;
    assert_code(aloop_loop_set_trace_hook(NULL, note_event, NULL, NULL), ALOOP_EINVAL);
    assert_code(aloop_loop_set_watchdog(NULL, 1, 2), ALOOP_EINVAL);
    assert_code(aloop_trace_event_kind(NULL), 0);
    assert_code(aloop_trace_event_time(NULL), 0);
    assert_code(aloop_trace_event_duration(NULL), 0);
    assert_null(aloop_trace_event_task(NULL));
    assert_int_equal(aloop_trace_event_code(NULL), 0);
    aloop_loop *loop = virtual_loop();
    assert_code(aloop_loop_run_once(loop, 0), 0);
    assert_code(on_foreign_thread(set_hook, loop), ALOOP_EWRONGTHREAD);
    assert_code(on_foreign_thread(set_dog, loop), ALOOP_EWRONGTHREAD);
    assert_code(aloop_loop_set_watchdog(loop, 0.0 / 0.0, 2), ALOOP_EINVAL);
    assert_code(aloop_loop_set_watchdog(loop, 1, -1), ALOOP_EINVAL);
    assert_code(aloop_loop_set_watchdog(loop, 0, -1), 0);
    close_loop(loop);
}

/* The timeline --------------------------------------------------------------------------- */

static char *read_file(const char *path) {
    static char text[65536];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

static int count(const char *text, const char *part) {
    int n = 0;
    while ((text = strstr(text, part)) != NULL) {
        n++;
        text += strlen(part);
    }
    return n;
}

/* A well formed list of objects, one a line: whoever opens it needs no more. */
static void assert_json_lines(const char *text) {
    assert_memory_equal(text, "[\n{", 3);
    assert_string_equal(text + strlen(text) - 4, "}\n]\n");
    assert_int_equal(count(text, "\n{"), count(text, "},\n{") + 1);
    assert_int_equal(count(text, "\"name\":\""), count(text, "\n{") + count(text, "\"args\""));
}

static int64_t rename_oddly(void *unused, void **value) {
    (void)unused;
    (void)value;
    assert_code(aloop_task_set_name(aloop_current_task(NULL), "odd\"\n\\name"), 0);
    return aloop_await(aloop_sleep(0), NULL);
}

static void test_a_timeline_is_written(void **state) {
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/timeline-%d.json", (int)getpid());
    assert_int_equal(setenv("ASYNCLOOP_TRACE", "/tmp/timeline-%p.json", 1), 0);
    for (int i = 0; i < 2; i++) { /* two loops, one after the other, in one file */
        aloop_loop *loop = virtual_loop();
        assert_code(run_on(loop, traced, NULL), 0);
        assert_code(run_on(loop, rename_oddly, NULL), 0);
        close_loop(loop);
        const char *text = read_file(path);
        assert_json_lines(text);
        assert_int_equal(count(text, "\"thread_name\""), i + 1);
        assert_int_equal(count(text, "{\"name\":\"child\",\"cat\":\"task\""), 2 * (i + 1));
        assert_true(count(text, "{\"name\":\"child\",\"cat\":\"loop\"") >= 2 * (i + 1));
        assert_true(count(text, "{\"name\":\"idle\"") >= i + 1);
        assert_true(count(text, "{\"name\":\"odd\\\"\\u000a\\\\name\"") >= i + 1);
        assert_int_equal(count(text, "\"ph\":\"b\""), count(text, "\"ph\":\"e\""));
    }
    assert_int_equal(unsetenv("ASYNCLOOP_TRACE"), 0);
    assert_int_equal(unlink(path), 0);
}

/* The watchdog ---------------------------------------------------------------------------- */

/* More than the machine may take for a callback that does not block. */
static const double k_limit = 0.2;
static int report_from;

__attribute__((noinline)) static int64_t block_the_loop(void *unused) {
    char first;
    (void)unused;
    /* Returns once the report is there: while this callback still runs. */
    const ssize_t n = read(report_from, &first, 1);
    __asm__ volatile("");
    return n == 1 && first == 'T' ? 0 : -5;
}

static int64_t block_in_a_task(void *unused, void **value) {
    (void)value;
    assert_code(aloop_task_set_name(aloop_current_task(NULL), "blocker"), 0);
    return block_the_loop(unused);
}

static bool has_address_in(const char *text, uintptr_t begin) {
    for (const char *at = strstr(text, "at 0x"); at != NULL; at = strstr(at + 1, "at 0x")) {
        unsigned long address = 0;
        if (sscanf(at, "at %lx", &address) == 1 && address > begin && address < begin + 600) {
            return true;
        }
    }
    return false;
}

static void assert_report(const char *who) {
    char text[8192] = "T";
    const ssize_t n = read(report_from, text + 1, sizeof text - 2);
    assert_true(n > 0);
    double seconds = 0;
    assert_int_equal(sscanf(text, "The loop has been blocked for %lf seconds", &seconds), 1);
    assert_true(seconds >= k_limit);
    assert_non_null(strstr(text, who));
    assert_true(has_address_in(text, (uintptr_t)block_the_loop));
}

static void test_the_watchdog_reports_while_the_loop_is_blocked(void **state) {
    (void)state;
    int ends[2];
    struct reports reports;
    aloop_loop *loop = real_loop();
    capture_reports(loop, &reports);
    assert_int_equal(pipe(ends), 0);
    report_from = ends[0];
    assert_code(aloop_loop_set_watchdog(loop, 5, ends[1]), 0);
    assert_code(aloop_loop_set_watchdog(loop, k_limit, ends[1]), 0); /* in its place */
    assert_true(aloop_loop_call_soon(loop, block_the_loop, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_report("by a callback:\n");
    assert_code(run_on(loop, block_in_a_task, NULL), 0);
    assert_report("by task blocker:\n");
    assert_int_equal(reports.count, 0);
    assert_code(aloop_loop_set_watchdog(loop, 0, -1), 0);
    /* Two at once; ended by the close. */
    aloop_loop *other = real_loop();
    assert_code(aloop_loop_set_watchdog(other, k_limit, ends[1]), 0);
    assert_code(aloop_loop_set_watchdog(loop, k_limit, ends[1]), 0);
    close_loop(loop);
    assert_true(aloop_loop_call_soon(other, block_the_loop, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(other, 0), 1);
    assert_report("by a callback:\n");
    close_loop(other);
    close(ends[0]);
    close(ends[1]);
}

/* Counters --------------------------------------------------------------------------------- */

static int64_t rest_a_while(void *unused) {
    (void)unused;
    pass_time(0.003);
    return 0;
}

/* The loop arms its timer right before it sleeps: on the test's clock it is due at once. */
int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old) {
    const struct itimerspec at_once = {.it_value = {0, 1}};
    if (own_time == 0) return (int)syscall(SYS_timerfd_settime, fd, flags, to, old);
    own_time = to->it_value.tv_sec * INT64_C(1000000000) + to->it_value.tv_nsec;
    return (int)syscall(SYS_timerfd_settime, fd, 0, &at_once, old);
}

static void test_busy_time(void **state) {
    (void)state;
    aloop_loop *loop = real_loop();
    assert_string_equal(aloop_loop_metrics_name(ALOOP_METRIC_BUSY), "busy");
    stop_clock();
    assert_true(aloop_loop_call_soon(loop, rest_a_while, NULL, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    const int64_t busy = aloop_loop_metrics(loop, ALOOP_METRIC_BUSY);
    assert_int_equal(busy, 3000000);
    pass_time(20); /* not in the loop */
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_BUSY), busy);
    assert_int_equal(aloop_loop_run_once(loop, 0.05), 0); /* in it, idle */
    assert_int_equal(aloop_loop_metrics(loop, ALOOP_METRIC_BUSY), busy);
    let_clock_go();
    close_loop(loop);
}

static int64_t dump_children(void *loop, void **value) {
    (void)value;
    int ends[2];
    char text[8192];
    assert_code(aloop_loop_set_debug(loop, 1), 0);
    aloop_task *child = aloop_create_task(sleep_once, NULL);
    let_run(1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(aloop_loop_dump(loop, ends[1]), 2);
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(count(text, "created at (most recent call last):\n"), 1);
    assert_true(has_address_in(strstr(text, "created at"), (uintptr_t)dump_children));
    return aloop_await(child, NULL);
}

static void test_a_dump_tells_where_tasks_were_created(void **state) {
    (void)state;
    aloop_loop *loop = virtual_loop();
    assert_code(run_on(loop, dump_children, loop), 0);
    close_loop(loop);
}

static int urgent;

static void on_urgent(int number) {
    (void)number;
    urgent++;
}

static void on_urgent_with_info(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    urgent += info->si_signo == SIGURG ? 10 : 0;
}

/* The program's own handler of the signal that it uses goes on getting what is not its. */
static void test_the_watchdog_passes_signals_on(void **state) {
    (void)state;
    struct sigaction before, own = {0};
    for (int with_info = 0; with_info < 2; with_info++) {
        urgent = 0;
        if (with_info) own.sa_sigaction = on_urgent_with_info;
        else own.sa_handler = on_urgent;
        own.sa_flags = with_info ? SA_SIGINFO : 0;
        assert_int_equal(sigaction(SIGURG, &own, &before), 0);
        aloop_loop *loop = real_loop();
        assert_code(aloop_loop_set_watchdog(loop, 5, STDERR_FILENO), 0);
        raise(SIGURG);
        assert_int_equal(urgent, with_info ? 10 : 1);
        close_loop(loop);
        raise(SIGURG); /* restored */
        assert_int_equal(urgent, with_info ? 20 : 2);
        assert_int_equal(sigaction(SIGURG, &before, NULL), 0);
    }
}

SUITE(CASE(test_a_hook_is_told_in_order), CASE(test_a_hook_takes_itself_out), CASE(test_bad_input),
      CASE(test_a_timeline_is_written), CASE(test_the_watchdog_reports_while_the_loop_is_blocked),
      CASE(test_busy_time), CASE(test_a_dump_tells_where_tasks_were_created),
      CASE(test_the_watchdog_passes_signals_on))
