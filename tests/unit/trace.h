/*
 * trace.h: what happened in which iteration, as a line to compare:
 * note("a") in the second iteration after begin_trace() adds "a@2 ".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_TRACE_H
#define TESTS_UNIT_TRACE_H

#include "support.h"

#include <stdio.h>
#include <string.h>

static char trace[2048];
static int64_t trace_begin;

static inline void begin_trace(void) {
    trace[0] = '\0';
    trace_begin = aloop_loop_iteration(aloop_get_running_loop());
}

static inline void note(const char *what) {
    const size_t used = strlen(trace);
    snprintf(trace + used, sizeof trace - used, "%s@%d ", what,
             (int)(aloop_loop_iteration(aloop_get_running_loop()) - trace_begin));
}

/* An event and how it ended: "a:ALOOP_ECANCELED@2 ", or "a:3@2 ". */
static inline void note_end(const char *what, int64_t status) {
    char text[64];
    if (status < 0) {
        const char *name = aloop_errname(status);
        if (strncmp(name, "ALOOP_", strlen("ALOOP_")) == 0) name += strlen("ALOOP_");
        snprintf(text, sizeof text, "%s:%s", what, name);
    } else {
        snprintf(text, sizeof text, "%s:%d", what, (int)status);
    }
    note(text);
}

#define assert_trace(expected) assert_string_equal(trace, (expected))

#endif
