/*
 * runner.c: runner FILE [--print] [NAME...]: runs the scenarios of the file, or
 * those named, and compares what they leave with what the file expects.
 * --print writes the file's scenarios with the traces that they left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

static void silent(aloop_loop *loop, aloop_exception_context *context, void *data) {
    (void)loop, (void)context, (void)data;
}

static void run_scenario(const struct scenario *scenario) {
    world.scenario = scenario;
    aloop_loop_options *options = aloop_loop_options_new();
    aloop_loop_options_set_clock(options, ALOOP_CLOCK_VIRTUAL);
    aloop_runner *runner = NULL;
    if (aloop_runner_new(&runner, options) != 0) exit(2);
    aloop_unref(options);
    aloop_loop_set_exception_handler(aloop_runner_get_loop(runner), silent, NULL, NULL);
    aloop_runner_run(runner, run_program, (void *)&scenario->programs[0], NULL);
    aloop_runner_close(runner);
    aloop_unref(runner);
}

static void print(const struct scenario *scenario) {
    printf("scenario %s\n", scenario->name);
    for (int i = 0; i < scenario->program_count; i++) {
        const struct program *program = &scenario->programs[i];
        printf("task %s\n", program->name);
        int depth = 1;
        for (int j = 0; j < program->count; j++) {
            const char *line = program->lines[j];
            if (strcmp(line, "end") == 0) depth--;
            printf("%*s%s\n", 4 * depth, "", line);
            if (strncmp(line, "! ", 2) == 0) line += 2;
            if (strcmp(line, "group") == 0 || strncmp(line, "timeout ", 8) == 0) depth++;
        }
    }
    printf("expect\n");
    for (int i = 0; i < world.trace_count; i++) printf("    %s\n", world.trace[i]);
    printf("\n");
}

static int compare(const struct scenario *scenario) {
    int wrong = world.trace_count != scenario->expected_count;
    for (int i = 0; i < world.trace_count && i < scenario->expected_count; i++) {
        wrong |= strcmp(world.trace[i], scenario->expected[i]) != 0;
    }
    if (!wrong) return 0;
    printf("FAILED %s\n", scenario->name);
    for (int i = 0; i < world.trace_count || i < scenario->expected_count; i++) {
        const char *left = i < world.trace_count ? world.trace[i] : "";
        const char *expected = i < scenario->expected_count ? scenario->expected[i] : "";
        printf("  %c %-46s | %s\n", strcmp(left, expected) == 0 ? ' ' : '!', expected, left);
    }
    return 1;
}

static int wanted(const char *name, int count, char **names) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) return 1;
    }
    return count == 0;
}

int main(int count, char **arguments) {
    static struct scenario scenario;
    if (count < 2) return 2;
    open_scenarios(arguments[1]);
    const int printing = count > 2 && strcmp(arguments[2], "--print") == 0;
    char **names = arguments + 2 + printing;
    const int name_count = count - 2 - printing;
    int ran = 0, failed = 0;
    while (read_scenario(&scenario)) {
        if (!wanted(scenario.name, name_count, names)) continue;
        run_scenario(&scenario);
        ran++;
        if (printing) {
            print(&scenario);
        } else {
            failed += compare(&scenario);
        }
        forget_world();
        for (int32_t which = 0; aloop_debug_stats_name(which) != NULL; which++) {
            if (aloop_debug_stats(which) == 0) continue;
            printf("%s left %lld %s\n", scenario.name, (long long)aloop_debug_stats(which),
                   aloop_debug_stats_name(which));
            failed++;
        }
    }
    if (!printing) printf("%d scenarios, %d failures\n", ran, failed);
    return failed != 0 || ran == 0;
}
