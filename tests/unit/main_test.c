/*
 * aloop_main: a program's main(), which tells what went wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { text_size = 4096 };

/* What aloop_main(fn, arg) writes to standard error; its answer in *status. */
static void run_and_read(aloop_coro_fn fn, void *arg, int32_t *status, char text[text_size]) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stderr);
    const int saved = dup(2);
    dup2(ends[1], 2);
    *status = aloop_main(fn, arg);
    dup2(saved, 2);
    close(saved);
    close(ends[1]);
    const ssize_t n = read(ends[0], text, text_size - 1);
    close(ends[0]);
    assert_true(n >= 0);
    text[n] = '\0';
}

static void test_success_is_silent(void **state) {
    (void)state;
    int64_t answer = 7;
    int32_t status = aloop_main(return_status, &answer); /* a sanitizer speaks of the first fiber */
    assert_int_equal(status, 0);
    char text[text_size];
    run_and_read(return_status, &answer, &status, text);
    assert_int_equal(status, 0);
    assert_string_equal(text, "");
}

static int64_t raise_it(void *unused, void **value) {
    (void)unused;
    (void)value;
    return aloop_raise(ALOOP_EUSER - 1, "port %d is taken", 80);
}

static int64_t await_what_fails(void *unused, void **value) {
    (void)value;
    return aloop_await(aloop_create_task(raise_it, unused), NULL);
}

static void test_a_failure_is_told(void **state) {
    (void)state;
    int32_t status = -1;
    char text[text_size];
    run_and_read(raise_it, NULL, &status, text);
    assert_int_equal(status, 1);
    const char *begin = "The main coroutine failed\n"
                        "ALOOP_EUSER (-1000001): port 80 is taken, raised at ";
    assert_memory_equal(text, begin, strlen(begin));
    assert_non_null(strstr(text, "main_test.c:"));

    /* The error of an await that is passed on by its code is told whole, too. */
    run_and_read(await_what_fails, NULL, &status, text);
    assert_int_equal(status, 1);
    assert_memory_equal(text, begin, strlen(begin));

    int64_t code = -2; /* a code without an error */
    run_and_read(return_status, &code, &status, text);
    assert_int_equal(status, 1);
    assert_string_equal(text, "The main coroutine failed\n"
                              "ALOOP_ENOENT (-2): No such file, handle or entry\n");

    run_and_read(NULL, NULL, &status, text);
    assert_int_equal(status, 1);
    assert_string_equal(text, "The main coroutine failed\nALOOP_EINVAL (-22): Invalid argument\n");
}

static int64_t interrupt(void *unused, void **value) {
    (void)unused;
    (void)value;
    raise(SIGINT);
    return aloop_await(aloop_sleep(1), NULL);
}

static void test_ctrl_c_is_no_failure(void **state) {
    (void)state;
    int32_t status = -1;
    char text[text_size];
    run_and_read(interrupt, NULL, &status, text);
    assert_int_equal(status, 130);
    assert_string_equal(text, "");
}

static int64_t run_inside(void *unused, void **value) {
    (void)unused;
    (void)value;
    int32_t status = -1;
    char text[text_size];
    run_and_read(return_status, NULL, &status, text);
    assert_int_equal(status, 1);
    assert_non_null(strstr(text, "ALOOP_ELOOPRUNNING"));
    return 0;
}

static void test_not_inside_a_loop(void **state) {
    (void)state;
    in_task(run_inside);
}

SUITE(CASE(test_success_is_silent), CASE(test_a_failure_is_told),
      CASE(test_ctrl_c_is_no_failure), CASE(test_not_inside_a_loop))
