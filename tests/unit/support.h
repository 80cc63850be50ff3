/*
 * support.h: what every unit test stands on.
 *
 * A test made with CASE(name) begins and ends with all counters of
 * aloop_debug_stats at zero and with as many open descriptors, once the threads
 * that it has started have ended; the program's main is SUITE(CASE(a), CASE(b), ...).
 *
 * The first failed assertion ends the program: CMocka would jump out of it, and
 * nothing can jump off a fiber's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_SUPPORT_H
#define TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asyncloop.h>

int case_begins(void **state);
int case_ends(void **state);
#define CASE(name) cmocka_unit_test_setup_teardown(name, case_begins, case_ends)
#define SUITE(...)                                        \
    int main(void) {                                      \
        const struct CMUnitTest cases[] = {__VA_ARGS__};  \
        prepare_suite();                                  \
        return cmocka_run_group_tests(cases, NULL, NULL); \
    }
void prepare_suite(void);

/* Asserts a status by its name, so that a failure reads "ALOOP_EINVAL". */
#define assert_code(status, expected) check_code((status), (expected), #status, __FILE__, __LINE__)
void check_code(int64_t status, int64_t expected, const char *what, const char *file, int line);
/* Asserts that future (consumed) has failed with that code already. */
#define assert_failed(future, expected) \
    check_failed((future), (expected), #future, __FILE__, __LINE__)
void check_failed(aloop_future *future, int64_t expected, const char *what, const char *file,
                  int line);
#define assert_close(a, b) assert_true((a) - (b) < 1e-9 && (b) - (a) < 1e-9)

/* A loop on the virtual clock (or the real one), to be closed by close_loop. */
aloop_loop *virtual_loop(void);
aloop_loop *real_loop(void);
void close_loop(aloop_loop *loop);

/* Runs fn(arg) as the main task on the virtual clock; its outcome. */
int64_t run_virtual(aloop_coro_fn fn, void *arg, void **value);
/* The same on a given loop, which stays open. */
int64_t run_on(aloop_loop *loop, aloop_coro_fn fn, void *arg);
/* Asserts that its outcome is 0: the test itself is written in fn. */
void in_task(aloop_coro_fn fn);

/* What the exception handler was told, in order. */
struct report {
    char message[160];
    char text[400]; /* of the error */
    int64_t code;
    bool with_future;
    bool with_task;
};
struct reports {
    int64_t count;
    struct report list[8]; /* the first ones */
};
/* From now on the loop's reports go there. */
void capture_reports(aloop_loop *loop, struct reports *into);

/* Calls fn(data) on a thread of its own, waits for it, gives its answer. */
int64_t on_foreign_thread(aloop_callback_fn fn, void *data);

/* A destructor that counts its calls in the int it is given, and a callback
 * that does the same. */
void count_free(void *counter);
int64_t count_call(void *counter);
/* A coroutine that returns its argument's value as its status. */
int64_t return_status(void *status, void **value);
/* One that sleeps for ever and ends with what ends that. */
int64_t sleep_for_ever(void *unused, void **value);

/* Seconds after which what has not ended is taken for hanging, on any machine and under any
 * load. Only to end a test that is broken: nothing that ends is measured by it. */
enum { k_hang = 100 };

/* Waits until all threads of this process but the calling one sleep: a child that is forked
 * then finds no lock in the hands of a thread that it has not. */
void let_threads_rest(void);

/* Lets everything that is ready run n times; in a task. */
void let_run(int n);

/* Whether this machine has ::1; many a container has not. */
bool has_ipv6(void);

int open_descriptors(void);
int thread_count(void); /* of this process */
/* From now on exactly so many more can be opened; negative: as many as before. */
void limit_descriptors(int room);

#endif
