/*
 * base.h: codes, errors, raising, bytes, results, counts, the allocator.
 *
 * The program brings its own allocator, which is only possible before anything
 * else, so that every other case runs on it, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The allocator --------------------------------------------------------------- */

static int64_t blocks;
static int64_t allocations;

static void *counting_malloc(size_t size) {
    __atomic_add_fetch(&blocks, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return malloc(size);
}

static void *counting_realloc(void *block, size_t size) {
    if (block == NULL) return counting_malloc(size);
    return realloc(block, size);
}

static aloop_task *renamed;
static char name_meanwhile[16];

static void counting_free(void *block) {
    if (renamed != NULL) aloop_task_get_name(renamed, name_meanwhile, sizeof name_meanwhile);
    if (block != NULL) __atomic_sub_fetch(&blocks, 1, __ATOMIC_RELAXED);
    free(block);
}

static void test_allocator_comes_first(void **state) {
    (void)state;
    const int64_t before = blocks;
    const int64_t calls = allocations;
    aloop_error *error = aloop_error_new(ALOOP_EINVAL, "text", NULL);
    assert_non_null(error);
    assert_true(blocks > before);
    assert_true(allocations > calls);
    aloop_error_unref(error);
    assert_int_equal(blocks, before);
    assert_code(aloop_set_allocator(malloc, realloc, free), ALOOP_EBUSY);
}

static int64_t rename_oneself(void *unused, void **value) {
    (void)unused, (void)value;
    aloop_task *self = aloop_current_task(NULL);
    assert_code(aloop_task_set_name(self, "before"), 0);
    renamed = self;
    assert_code(aloop_task_set_name(self, "after"), 0);
    renamed = NULL;
    return 0;
}

/* A watchdog's handler may ask for the name at any moment: it is not the one that goes. */
static void test_a_name_that_is_freed_is_nobodys(void **state) {
    (void)state;
    in_task(rename_oneself);
    assert_string_equal(name_meanwhile, "after");
}

/* Codes ------------------------------------------------------------------------- */

static void test_version(void **state) {
    (void)state;
    const int64_t v = aloop_version();
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", (int)(v / 1000000), (int)(v / 1000 % 1000),
             (int)(v % 1000));
    assert_string_equal(aloop_version_string(), text);
}

static const struct {
    int64_t code;
    const char *name;
} named[] = {
#define NAMED(code) \
    { code, #code }
    NAMED(ALOOP_OK),
    NAMED(ALOOP_ENOENT),
    NAMED(ALOOP_EBADF),
    NAMED(ALOOP_ECHILD),
    NAMED(ALOOP_ENOMEM),
    NAMED(ALOOP_EEXIST),
    NAMED(ALOOP_EINVAL),
    NAMED(ALOOP_EPIPE),
    NAMED(ALOOP_ENOSYS),
    NAMED(ALOOP_ECONNABORTED),
    NAMED(ALOOP_ECONNRESET),
    NAMED(ALOOP_ETIMEDOUT),
    NAMED(ALOOP_ECONNREFUSED),
    NAMED(ALOOP_ESTALE),
    NAMED(ALOOP_ECANCELED),
    NAMED(ALOOP_EINVALIDSTATE),
    NAMED(ALOOP_EQUEUEEMPTY),
    NAMED(ALOOP_EQUEUEFULL),
    NAMED(ALOOP_EQUEUESHUTDOWN),
    NAMED(ALOOP_EBROKENBARRIER),
    NAMED(ALOOP_EINCOMPLETEREAD),
    NAMED(ALOOP_ELIMITOVERRUN),
    NAMED(ALOOP_ESTOPITERATION),
    NAMED(ALOOP_ENORUNNINGLOOP),
    NAMED(ALOOP_ELOOPRUNNING),
    NAMED(ALOOP_EWRONGLOOP),
    NAMED(ALOOP_EWRONGTHREAD),
    NAMED(ALOOP_ENOTASK),
    NAMED(ALOOP_EGROUP),
    NAMED(ALOOP_ERESOLVE),
    NAMED(ALOOP_ETLS),
    NAMED(ALOOP_EBROKENPOOL),
    NAMED(ALOOP_EVALUETAKEN),
    NAMED(ALOOP_ELOOPSTOPPED),
    NAMED(ALOOP_ENOTOWNER),
    NAMED(ALOOP_EWRONGTYPE),
    NAMED(ALOOP_ESHUTDOWN),
    NAMED(ALOOP_EBUSY),
    NAMED(ALOOP_ETLSCERT),
    NAMED(ALOOP_ETLSTRUNCATED),
    NAMED(ALOOP_ENOSENDFILE),
    NAMED(ALOOP_ESTACK),
    NAMED(ALOOP_PENDING),
    NAMED(ALOOP_EUSER),
#undef NAMED
};

static void test_codes_have_names_and_sentences(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        assert_string_equal(aloop_errname(named[i].code), named[i].name);
        assert_true(strlen(aloop_strerror(named[i].code)) > 3);
        for (size_t k = 0; k < i; k++) assert_int_not_equal(named[i].code, named[k].code);
    }
    assert_string_equal(aloop_errname(-EIO), "EIO");
    assert_string_equal(aloop_strerror(-EIO), strerror(EIO));
    assert_string_equal(aloop_errname(ALOOP_EUSER - 7), "ALOOP_EUSER");
    assert_string_equal(aloop_strerror(ALOOP_EUSER - 7), "Error of the program");
    assert_string_equal(aloop_errname(5), "ALOOP_OK");
    assert_string_equal(aloop_strerror(5), "Success");
    assert_string_equal(aloop_strerror(ALOOP_ESTALE), "Event loop is closed, or the object is");
    assert_string_equal(aloop_errname(-10099), "UNKNOWN");
    assert_string_equal(aloop_strerror(-10099), "Unknown error");
    assert_string_equal(aloop_errname(INT64_MIN), "ALOOP_EUSER");
    assert_string_equal(aloop_strerror(-4095), "Unknown error");
}

/* Errors ---------------------------------------------------------------------------- */

static void test_error_carries_code_message_and_cause(void **state) {
    (void)state;
    assert_null(aloop_error_new(0, "no error", NULL));
    assert_null(aloop_error_new(1, "no error", NULL));
    char text[] = "disk is full";
    aloop_error *cause = aloop_error_new(-ENOSPC, text, NULL);
    text[0] = 'X';
    aloop_error *error = aloop_error_new(ALOOP_EUSER - 1, NULL, cause);
    aloop_error_unref(cause);
    assert_code(aloop_error_code(error), ALOOP_EUSER - 1);
    assert_string_equal(aloop_error_message(error), "Error of the program");
    assert_string_equal(aloop_error_message(aloop_error_cause(error)), "disk is full");
    assert_null(aloop_error_cause(aloop_error_cause(error)));
    assert_int_equal(aloop_error_child_count(error), 0);
    assert_null(aloop_error_child(error, 0));
    assert_null(aloop_error_child(error, -1));
    assert_null(aloop_error_payload(error));
    assert_string_equal(aloop_error_where(error), "");
    assert_ptr_equal(aloop_error_ref(error), error);
    aloop_error_unref(error);
    aloop_error_unref(error);

    int freed = 0;
    assert_null(aloop_error_new_payload(0, "no error", &freed, count_free));
    assert_int_equal(freed, 0);
    error = aloop_error_new_payload(ALOOP_EUSER - 2, "a box", &freed, count_free);
    assert_code(aloop_error_code(error), ALOOP_EUSER - 2);
    assert_string_equal(aloop_error_message(error), "a box");
    assert_ptr_equal(aloop_error_payload(error), &freed);
    aloop_error_unref(aloop_error_ref(error));
    assert_int_equal(freed, 0);
    aloop_error_unref(error);
    assert_int_equal(freed, 1);
}

static int64_t drop(void *object) {
    aloop_unref(object);
    return 0;
}

static void test_error_is_freed_on_any_thread(void **state) {
    (void)state;
    aloop_error *error = aloop_error_new(ALOOP_EINVAL, "shared", NULL);
    aloop_ref(error);
    on_foreign_thread(drop, error);
    assert_string_equal(aloop_error_message(error), "shared");
    on_foreign_thread(drop, error);
}

static void test_readers_survive_null_and_other_types(void **state) {
    (void)state;
    aloop_bytes *bytes = aloop_bytes_new("x", 1);
    aloop_error *error = aloop_error_new(ALOOP_EPIPE, NULL, NULL);
    aloop_error *errors[] = {NULL, (aloop_error *)bytes};
    for (int i = 0; i < 2; i++) {
        assert_code(aloop_error_code(errors[i]), ALOOP_EINVAL);
        assert_string_equal(aloop_error_message(errors[i]),
                            i == 0 ? "No error" : aloop_strerror(ALOOP_EINVAL));
        assert_null(aloop_error_cause(errors[i]));
        assert_int_equal(aloop_error_child_count(errors[i]), 0);
        assert_null(aloop_error_child(errors[i], 0));
        assert_null(aloop_error_payload(errors[i]));
        assert_string_equal(aloop_error_where(errors[i]), "");
        assert_code(aloop_raise_error(errors[i]), ALOOP_EINVAL);
    }
    aloop_bytes *wrong[] = {NULL, (aloop_bytes *)error};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aloop_bytes_size(wrong[i]), 0);
        assert_non_null(aloop_bytes_data(wrong[i]));
        const aloop_results *results = (aloop_results *)wrong[i];
        assert_int_equal(aloop_results_count(results), 0);
        assert_code(aloop_results_status(results, 0), ALOOP_EINVAL);
        assert_null(aloop_results_value(results, 0));
        assert_null(aloop_results_take((aloop_results *)wrong[i], 0));
        assert_null(aloop_results_error(results, 0));
        assert_null(aloop_results_future(results, 0));
    }
    aloop_error_unref(error);
    aloop_bytes_unref(bytes);
    assert_null(aloop_ref(NULL));
    aloop_unref(NULL);
    aloop_error_unref(NULL);
    aloop_bytes_unref(NULL);
    aloop_results_unref(NULL);
    assert_null(aloop_error_ref(NULL));
    assert_null(aloop_bytes_ref(NULL));
    assert_null(aloop_results_ref(NULL));
}

/* Raising ------------------------------------------------------------------------------ */

static int freed;

static int64_t raise_formatted(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise(ALOOP_EUSER - 1, "port %d is taken", 80);
}

static int64_t raise_plain(void *unused, void **value) {
    (void)unused;
    (void)value;
    return (aloop_raise)(ALOOP_EUSER - 2, "%s", "plain");
}

static int64_t raise_text(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise_message(ALOOP_EUSER - 3, "100 % text");
}

static int64_t raise_payload(void *payload, void **value) {
    (void)value;
    return aloop_raise_payload(ALOOP_EUSER - 4, "with a payload", payload, count_free);
}

static int64_t raise_cause(void *cause, void **value) {
    (void)value;
    aloop_error *error = aloop_error_new(ALOOP_EUSER - 5, "outer", cause);
    const int64_t code = aloop_raise_error(error);
    aloop_error_unref(error);
    return code;
}

static int64_t raise_another(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_raise(ALOOP_EUSER - 1, "not this one");
    return ALOOP_EUSER - 6;
}

static int64_t raise_and_succeed(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_raise(ALOOP_EUSER - 1, "handled");
    return 7;
}

/* Awaits fn as a task and gives its last error, for the caller to look at. */
static aloop_error *failure_of(aloop_coro_fn fn, void *arg, int64_t expected) {
    assert_code(aloop_await(aloop_create_task(fn, arg), NULL), expected);
    return aloop_last_error();
}

static int64_t raise_in_tasks(void *unused, void **value) {
    (void)unused;
    (void)value;
    aloop_error *error = failure_of(raise_formatted, NULL, ALOOP_EUSER - 1);
    assert_string_equal(aloop_error_message(error), "port 80 is taken");
    assert_non_null(strstr(aloop_error_where(error), "base_test.c:"));
    error = failure_of(raise_plain, NULL, ALOOP_EUSER - 2);
    assert_string_equal(aloop_error_message(error), "plain");
    assert_string_equal(aloop_error_where(error), "");
    error = failure_of(raise_text, NULL, ALOOP_EUSER - 3);
    assert_string_equal(aloop_error_message(error), "100 % text");
    error = failure_of(raise_payload, &freed, ALOOP_EUSER - 4);
    assert_ptr_equal(aloop_error_payload(error), &freed);
    assert_int_equal(freed, 0);
    aloop_error *cause = aloop_error_ref(error);
    error = failure_of(raise_cause, cause, ALOOP_EUSER - 5);
    assert_string_equal(aloop_error_message(error), "outer");
    assert_ptr_equal(aloop_error_cause(error), cause);
    aloop_error_unref(cause);
    error = failure_of(raise_another, NULL, ALOOP_EUSER - 6);
    assert_code(aloop_error_code(error), ALOOP_EUSER - 6);
    assert_string_equal(aloop_error_message(error), "Error of the program");
    assert_null(failure_of(raise_and_succeed, NULL, 7));
    assert_int_equal(freed, 1);
    return 0;
}

static void test_raising_gives_a_failure_its_detail(void **state) {
    (void)state;
    freed = 0;
    in_task(raise_in_tasks);
    assert_int_equal(freed, 1);
}

static void test_raising_outside_a_loop_keeps_nothing(void **state) {
    (void)state;
    freed = 0;
    assert_code(aloop_raise(ALOOP_EINVAL, "nobody listens"), ALOOP_EINVAL);
    assert_code(aloop_raise_message(ALOOP_EINVAL, NULL), ALOOP_EINVAL);
    assert_code((aloop_raise)(ALOOP_EINVAL, NULL), ALOOP_EINVAL);
    assert_code(aloop_raise_at(NULL, ALOOP_EINVAL, NULL), ALOOP_EINVAL);
    assert_code(aloop_raise_payload(ALOOP_EINVAL, NULL, &freed, count_free), ALOOP_EINVAL);
    assert_int_equal(freed, 1);
    assert_code(aloop_raise_payload(3, "no error", &freed, count_free), 3);
    assert_int_equal(freed, 2);
    assert_null(aloop_last_error());
}

static int64_t raising_callback(void *data) {
    return aloop_raise_payload(ALOOP_EUSER - 9, "of the callback", data, count_free);
}

static void test_raising_in_a_callback_goes_to_the_handler(void **state) {
    (void)state;
    freed = 0;
    struct reports reports;
    aloop_loop *loop = virtual_loop();
    capture_reports(loop, &reports);
    assert_true(aloop_loop_call_soon(loop, raising_callback, &freed, NULL) > 0);
    assert_int_equal(aloop_loop_run_once(loop, 0), 1);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.list[0].text, "of the callback");
    assert_code(reports.list[0].code, ALOOP_EUSER - 9);
    assert_int_equal(freed, 1);
    close_loop(loop);
}

/* Bytes and results ------------------------------------------------------------------------ */

static void test_bytes_copy_what_they_are_given(void **state) {
    (void)state;
    char data[] = "a\0b";
    aloop_bytes *bytes = aloop_bytes_new(data, 3);
    data[0] = 'X';
    assert_int_equal(aloop_bytes_size(bytes), 3);
    assert_memory_equal(aloop_bytes_data(bytes), "a\0b", 4);
    assert_ptr_equal(aloop_bytes_ref(bytes), bytes);
    aloop_bytes_unref(bytes);
    on_foreign_thread(drop, bytes);
    bytes = aloop_bytes_new(NULL, 0);
    assert_int_equal(aloop_bytes_size(bytes), 0);
    assert_int_equal(aloop_bytes_data(bytes)[0], 0);
    aloop_bytes_unref(bytes);
    assert_null(aloop_bytes_new(NULL, 1));
    assert_null(aloop_bytes_new("x", SIZE_MAX));
}

static int64_t give_counter(void *counter, void **value) {
    (void)value;
    return aloop_return(11, counter, count_free);
}

static int counters[2];

static int64_t gather_outcomes(void *unused, void **value) {
    (void)unused;
    (void)value;
    void *list = NULL;
    aloop_future *both[] = {aloop_create_task(give_counter, &counters[0]),
                            aloop_create_task(raise_text, NULL),
                            aloop_create_task(give_counter, &counters[1])};
    assert_code(aloop_await(aloop_gather(both, 3, ALOOP_RETURN_EXCEPTIONS), &list), 3);
    aloop_results *results = list;
    assert_int_equal(aloop_results_count(results), 3);
    assert_code(aloop_results_status(results, 0), 11);
    assert_ptr_equal(aloop_results_value(results, 0), &counters[0]);
    assert_null(aloop_results_error(results, 0));
    assert_null(aloop_results_future(results, 0));
    assert_code(aloop_results_status(results, 1), ALOOP_EUSER - 3);
    assert_null(aloop_results_value(results, 1));
    assert_string_equal(aloop_error_message(aloop_results_error(results, 1)), "100 % text");
    assert_ptr_equal(aloop_results_take(results, 2), &counters[1]);
    assert_null(aloop_results_take(results, 2));
    assert_null(aloop_results_value(results, 2));
    assert_code(aloop_results_status(results, 3), ALOOP_EINVAL);
    assert_code(aloop_results_status(results, -1), ALOOP_EINVAL);
    assert_null(aloop_results_take(results, 3));
    assert_ptr_equal(aloop_results_ref(results), results);
    aloop_results_unref(results);
    assert_int_equal(counters[0], 0);
    aloop_results_unref(results);
    let_run(1); /* off the fiber */
    assert_int_equal(counters[0], 1);
    assert_int_equal(counters[1], 0);
    return 0;
}

static void test_results_own_what_nobody_took(void **state) {
    (void)state;
    counters[0] = counters[1] = 0;
    in_task(gather_outcomes);
    assert_int_equal(counters[0], 1);
    assert_int_equal(counters[1], 0);
}

/* Statistics ------------------------------------------------------------------------------------
 */

static int32_t statistic(const char *name) {
    for (int32_t i = 0; aloop_debug_stats_name(i) != NULL; i++) {
        if (strcmp(aloop_debug_stats_name(i), name) == 0) return i;
    }
    fail_msg("no statistic named %s", name);
    return -1;
}

static void test_statistics_count_what_lives(void **state) {
    (void)state;
    aloop_error *error = aloop_error_new(ALOOP_EINVAL, NULL, NULL);
    aloop_bytes *bytes = aloop_bytes_new("x", 1);
    aloop_loop *loop = virtual_loop();
    assert_int_equal(aloop_debug_stats(statistic("errors")), 1 + 1); /* the loop's spare */
    assert_int_equal(aloop_debug_stats(statistic("bytes")), 1);
    assert_int_equal(aloop_debug_stats(statistic("loops")), 1);
    const int64_t objects = aloop_debug_stats(statistic("loop objects"));
    aloop_future *future = aloop_loop_create_future(loop);
    assert_int_equal(aloop_debug_stats(statistic("loop objects")), objects + 1);
    aloop_unref(future);
    assert_int_equal(aloop_debug_stats(statistic("loop objects")), objects);
    close_loop(loop);
    aloop_bytes_unref(bytes);
    aloop_error_unref(error);
    assert_code(aloop_debug_stats(-1), ALOOP_EINVAL);
    assert_code(aloop_debug_stats(100000), ALOOP_EINVAL);
    assert_null(aloop_debug_stats_name(-1));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(test_allocator_comes_first),
        CASE(test_a_name_that_is_freed_is_nobodys),
        CASE(test_version),
        CASE(test_codes_have_names_and_sentences),
        CASE(test_error_carries_code_message_and_cause),
        CASE(test_error_is_freed_on_any_thread),
        CASE(test_readers_survive_null_and_other_types),
        CASE(test_raising_gives_a_failure_its_detail),
        CASE(test_raising_outside_a_loop_keeps_nothing),
        CASE(test_raising_in_a_callback_goes_to_the_handler),
        CASE(test_bytes_copy_what_they_are_given),
        CASE(test_results_own_what_nobody_took),
        CASE(test_statistics_count_what_lives),
    };
    prepare_suite();
    if (aloop_set_allocator(NULL, realloc, free) != ALOOP_EINVAL ||
        aloop_set_allocator(malloc, NULL, free) != ALOOP_EINVAL ||
        aloop_set_allocator(malloc, realloc, NULL) != ALOOP_EINVAL ||
        aloop_set_allocator(counting_malloc, counting_realloc, counting_free) != 0) {
        fputs("aloop_set_allocator does not answer as documented\n", stderr);
        return 1;
    }
    const int failed = cmocka_run_group_tests(cases, NULL, NULL);
    if (failed == 0 && blocks != 0) {
        fprintf(stderr, "%ld blocks were never freed\n", (long)blocks);
        return 1;
    }
    return failed;
}
