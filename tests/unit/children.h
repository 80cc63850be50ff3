/*
 * children.h: starting children and looking at their ends, for the tests of
 * process.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_CHILDREN_H
#define TESTS_UNIT_CHILDREN_H

#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

/* The children are real: so is the clock. */
static inline void on_real_clock(aloop_coro_fn fn) {
    aloop_loop *loop = real_loop();
    assert_code(run_on(loop, fn, NULL), 0);
    aloop_loop_run_once(loop, 0);
    close_loop(loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child and no zombie is left */
    assert_int_equal(errno, ECHILD);
}

static inline aloop_process_options *pipes(int32_t in, int32_t out, int32_t err) {
    aloop_process_options *o = aloop_process_options_new();
    assert_code(aloop_process_options_set_stdin(o, in), 0);
    assert_code(aloop_process_options_set_stdout(o, out), 0);
    assert_code(aloop_process_options_set_stderr(o, err), 0);
    return o;
}

/* Starts; options (consumed) may be NULL. */
static inline aloop_process *shell(const char *command, aloop_process_options *options) {
    aloop_process *p = NULL;
    assert_code(aloop_await(aloop_create_subprocess_shell(command, options), (void **)&p), 0);
    aloop_unref(options);
    assert_true(aloop_process_pid(p) > 0);
    return p;
}

static inline int64_t run_shell(const char *command, aloop_process_options *options) {
    aloop_process *p = shell(command, options);
    const int64_t status = aloop_await(aloop_process_wait(p), NULL);
    aloop_unref(p);
    return status;
}

/* Runs and asserts what it wrote to stdout and stderr (NULL: no pipe). */
static inline void assert_writes(const char *command, aloop_process_options *options,
                                 const char *out, const char *err) {
    aloop_process *p = shell(command, options);
    aloop_results *results = NULL;
    assert_code(aloop_await(aloop_process_communicate(p, NULL, 0), (void **)&results), 0);
    const char *wanted[] = {out, err};
    for (int i = 0; i < 2; i++) {
        aloop_bytes *b = aloop_results_value(results, i);
        if (wanted[i] == NULL) {
            assert_null(b);
        } else {
            assert_string_equal((const char *)aloop_bytes_data(b), wanted[i]);
        }
    }
    aloop_unref(results);
    aloop_unref(p);
}

#endif
