/*
 * interpreter.c: a task of a scenario: its lines, one after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

static int64_t run_lines(struct run *run);

static bool begins_block(const char *line) {
    if (strncmp(line, "! ", 2) == 0) line += 2;
    return strncmp(line, "timeout ", 8) == 0 || strcmp(line, "group") == 0;
}

/* The line after the `end` of the block whose lines begin at `line`. */
static int after_block(const struct program *program, int line) {
    for (int depth = 1; depth > 0; line++) {
        if (line == program->count) abort();
        if (begins_block(program->lines[line])) depth++;
        if (strcmp(program->lines[line], "end") == 0) depth--;
    }
    return line;
}

static void note_error(struct run *run, int64_t status) {
    aloop_error *error = aloop_last_error();
    if (status >= 0 || error == NULL || aloop_error_code(error) != status) return;
    aloop_error_unref(run->error);
    run->error = aloop_error_ref(error);
}

/* Gives the failure of a block its detail again. */
static int64_t with_detail(struct run *run, int64_t status) {
    if (run->error != NULL && aloop_error_code(run->error) == status) {
        aloop_raise_error(run->error);
    }
    return status;
}

static int64_t block(struct run *run, char **words) {
    const int next = after_block(run->program, run->line);
    int64_t status;
    if (strcmp(words[0], "group") == 0) {
        aloop_task_group *group = NULL, *outer = run->group;
        status = aloop_task_group_enter(&group);
        if (status < 0) return status;
        run->group = group;
        status = run_lines(run);
        status = aloop_task_group_exit(group, with_detail(run, status));
        note_error(run, status);
        run->group = outer;
    } else {
        aloop_timeout *timeout = NULL;
        status = aloop_timeout_enter(&timeout, atof(words[1]));
        if (status < 0) return status;
        status = run_lines(run);
        status = aloop_timeout_exit(timeout, status);
        aloop_unref(timeout);
    }
    run->line = next;
    snprintf(run->text, LINE_SIZE, "0");
    return status;
}

static int64_t instruction(struct run *run, int count, char **words) {
    int64_t status;
    if (begins_block(run->program->lines[run->line - 1])) return block(run, words);
    if (at_once(run, count, words, &status)) {
        if (status >= 0) snprintf(run->text, LINE_SIZE, "%lld", (long long)status);
        return status;
    }
    if (!in_several_steps(run, count, words, &status)) {
        enum shown shown;
        void *value = NULL;
        aloop_future *future = begin(count, words, &shown);
        if (future == NULL) {
            fprintf(stderr, "%s: what is %s?\n", world.scenario->name, words[0]);
            exit(2);
        }
        status = aloop_await(future, &value);
        note_error(run, status);
        if (status >= 0) show(run, status, value, shown);
    }
    note_error(run, status);
    return status;
}

static int64_t run_lines(struct run *run) {
    int64_t status = 0;
    while (status >= 0 && !run->returned && run->line < run->program->count) {
        const char *line = run->program->lines[run->line++];
        if (strcmp(line, "end") == 0) break;
        const bool shown = strncmp(line, "! ", 2) == 0;
        if (shown) line += 2;
        char text[LINE_SIZE], *words[MOST_WORDS + 1];
        snprintf(text, sizeof text, "%s", line);
        status = instruction(run, split(text, words), words);
        if (shown) {
            if (status < 0) show_error(run->text, LINE_SIZE, status, run->error);
            leave(run->program->name, "%s -> %s", line, run->text);
            status = 0;
        }
    }
    return status;
}

int64_t run_program(void *program, void **value) {
    (void)value;
    struct run run = {.program = program};
    int64_t status = run_lines(&run);
    if (status >= 0) {
        status = run.returned ? run.result : 0;
        leave(run.program->name, "= %lld", (long long)status);
    } else {
        show_error(run.text, LINE_SIZE, status, run.error);
        leave(run.program->name, "= %s", run.text);
        with_detail(&run, status);
    }
    if (strcmp(run.program->name, "main") == 0) world.ended = true;
    aloop_error_unref(run.error);
    return status;
}
