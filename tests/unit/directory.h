/*
 * A directory of the case's own, and names in it: for cases that are set up by
 * with_directory and torn down by without_directory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_DIRECTORY_H
#define TESTS_UNIT_DIRECTORY_H

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char directory[64];

/* Good until four more were asked for. */
static inline const char *in_directory(const char *name) {
    static char buffers[4][320];
    static int next;
    char *to = buffers[next++ % 4];
    snprintf(to, sizeof buffers[0], "%s/%s", directory, name);
    return to;
}

static inline int with_directory(void **state) {
    strcpy(directory, "/tmp/aloop-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return case_begins(state);
}

static inline int without_directory(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    const int rc = case_ends(state);
    assert_int_equal(system(command), 0);
    return rc;
}

#endif
