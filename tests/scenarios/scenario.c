/*
 * scenario.c: reads scenarios.txt, one scenario after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *file;
static char line[LINE_SIZE];
static bool again; /* line is the first one of the next scenario */

static void nonsense(const char *why) {
    fprintf(stderr, "scenarios: %s: %s\n", why, line);
    exit(2);
}

void open_scenarios(const char *path) {
    file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
}

static bool next_line(void) {
    while (fgets(line, sizeof line, file) != NULL) {
        const size_t length = strcspn(line, "\n");
        if (line[length] != '\n') nonsense("a line is too long");
        line[length] = '\0';
        if (line[0] != '\0' && line[0] != '#') return true;
    }
    return false;
}

static void add(char to[][LINE_SIZE], int *count, int most) {
    if (*count == most) nonsense("too many lines");
    snprintf(to[(*count)++], LINE_SIZE, "%s", line + strspn(line, " "));
}

int read_scenario(struct scenario *scenario) {
    memset(scenario, 0, sizeof *scenario);
    if (!again && !next_line()) return 0;
    again = false;
    if (sscanf(line, "scenario %63s", scenario->name) != 1) nonsense("no scenario");
    bool expecting = false;
    struct program *program = NULL;
    while (next_line()) {
        if (strncmp(line, "scenario ", 9) == 0) {
            again = true;
            break;
        }
        if (strncmp(line, "task ", 5) == 0) {
            if (scenario->program_count == 12) nonsense("too many tasks");
            program = &scenario->programs[scenario->program_count++];
            if (sscanf(line, "task %23s", program->name) != 1) nonsense("no task");
        } else if (strcmp(line, "expect") == 0) {
            expecting = true;
        } else if (expecting) {
            add(scenario->expected, &scenario->expected_count, 64);
        } else if (program != NULL) {
            add(program->lines, &program->count, 40);
        } else {
            nonsense("outside of a task");
        }
    }
    return 1;
}

int split(char *text, char **words) {
    int count = 0;
    for (int i = 0; i <= MOST_WORDS; i++) words[i] = NULL;
    for (char *word = strtok(text, " "); word != NULL && count < MOST_WORDS;
         word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    return count;
}
