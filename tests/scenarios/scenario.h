/*
 * scenario.h: the scenarios as C runs them: every task is a stackful one, which
 * interprets its lines (README.md has the language).
 *
 * The world is what the tasks of the scenario that runs now share: objects by
 * name, tasks by name, and the trace.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef ASYNCLOOP_TESTS_SCENARIO_H
#define ASYNCLOOP_TESTS_SCENARIO_H

#include <asyncloop.h>
#include <stdbool.h>

#define MOST_WORDS 12
#define LINE_SIZE 160

struct program {
    char name[24];
    char lines[40][LINE_SIZE];
    int count;
};

struct scenario {
    char name[64];
    struct program programs[12];
    int program_count;
    char expected[64][LINE_SIZE];
    int expected_count;
};

struct object {
    char name[24];
    void *it;
    int32_t port;              /* of a server */
    bool semaphore, condition; /* for `acquire` and `wait`: neither is a lock, an event */
};

struct world {
    const struct scenario *scenario;
    struct object objects[48];
    int object_count;
    char trace[128][LINE_SIZE];
    int trace_count;
    bool ended; /* main has: nothing is traced any more */
};

extern struct world world;

/* How an outcome is written: by its status, or by its value. */
enum shown { AS_STATUS, AS_ITEM, AS_BYTES, AS_LIST, AS_DONE_PENDING };

/* A task of the scenario at work. */
struct run {
    const struct program *program;
    int line;
    bool returned;
    int64_t result;
    aloop_error *error;      /* behind the last failure */
    aloop_task_group *group; /* the innermost */
    char text[LINE_SIZE];    /* the last outcome */
};

/* scenario.c: reads the next scenario; 0 at the end. Exits on nonsense. */
int read_scenario(struct scenario *scenario);
void open_scenarios(const char *path);
int split(char *line, char **words); /* MOST_WORDS + 1 places; the rest is NULL */

/* world.c */
void leave(const char *task, const char *format, ...);
void *find(const char *name);
struct object *find_object(const char *name);
struct object *keep(const char *name, void *it);
aloop_task *task_named(const char *name); /* a reference; starts it */
void show_error(char *text, size_t size, int64_t status, aloop_error *error);
void forget_world(void);

/* awaitables.c: NULL if words are no awaitable. */
aloop_future *begin(int count, char **words, enum shown *shown);
void show(struct run *run, int64_t status, void *value, enum shown shown);
/* actions.c: whether words are an instruction of this kind; the status in *status. */
bool at_once(struct run *run, int count, char **words, int64_t *status);
bool in_several_steps(struct run *run, int count, char **words, int64_t *status);
/* interpreter.c: a coroutine function over a program */
int64_t run_program(void *program, void **value);

#endif
