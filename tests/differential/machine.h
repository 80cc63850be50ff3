/*
 * machine.h: a running program: its objects, its activations, its trace.
 *
 * Every reference that the interpreter gets it hands to keep(), and the machine
 * drops them all after the loop was closed: a task that is dropped while it is
 * suspended takes nothing with it. Integers travel as pointers that are odd, so
 * that NULL stays what it is in the library: no value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_DIFFERENTIAL_MACHINE_H
#define TESTS_DIFFERENTIAL_MACHINE_H

#include <asyncloop.h>
#include <stdbool.h>

#include "program.h"

#define TICKS 512.0

/* Codes of the interpreter's own: errors that Python gives another class than the
 * library's code tells, and ErrN. */
#define E_USER(n) (ALOOP_EUSER - 1 - (int64_t)(n))
#define E_RUNTIME (ALOOP_EUSER * 2)
#define E_VALUE (ALOOP_EUSER * 2 - 1)

/* How an instruction or a coroutine ended. */
struct outcome {
    int64_t status;
    void *value;
    aloop_error *error; /* the detail of a failure, or NULL */
};

/* How to write the value of a future, which the library's types do not tell. */
struct shape {
    enum { SHAPE_VALUE, SHAPE_INDEX, SHAPE_LIST, SHAPE_WAIT } kind;
    int count;
    struct shape **child;   /* of a list */
    aloop_future **futures; /* that wait() was given */
};

struct activation {
    struct machine *machine;
    struct node *body;
    aloop_task *task; /* set by the first step; NULL again when the body has ended */
    int number, line;
};

struct callback {
    struct machine *machine;
    struct node *func;
};

struct shaped {
    aloop_future *future;
    struct shape *shape;
};

struct machine {
    struct program *program;
    FILE *trace;
    aloop_loop *loop;
    int64_t base; /* iterations of the loop before this phase */
    bool idle, closed;
    int activation_count;
    struct activation activation[MAX_ACTIVATIONS];
    struct callback callback[LIMIT];
    void **kept;
    size_t kept_count, kept_room;
    struct shaped *shaped;
    size_t shaped_count, shaped_room;
    /* The number spaces; NULL and 0 are unset. */
    aloop_future *slot[LIMIT];
    int64_t handle[LIMIT];
    aloop_timeout *timeout[LIMIT];
    aloop_task_group *group[LIMIT];
    aloop_context *ctx[LIMIT];
    aloop_context_token *token[LIMIT];
    aloop_lock *lock[LIMIT];
    aloop_event *event[LIMIT];
    aloop_condition *cond[LIMIT];
    aloop_semaphore *sem[LIMIT];
    aloop_barrier *barrier[LIMIT];
    aloop_queue *queue[LIMIT];
    int64_t var[LIMIT];
};

extern aloop_contextvar *contextvars[LIMIT];

/* machine.c */
void *keep(struct machine *m, void *object);
void *get(struct machine *m, size_t size);
/* Writes one line of the trace, in the manner of printf. */
void say(struct machine *m, const char *who, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for an activation. */
void say_of(struct activation *a, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct activation *new_activation(struct machine *m, int64_t body);
bool runnable(struct machine *m, const struct node *node);
/* Executes an instruction that never suspends. */
int64_t run_sync(struct machine *m, const char *who, struct node *node, struct outcome *out);
int64_t run_callback(void *data);
int64_t run_done_callback(aloop_future *future, void *data);
double seconds(int64_t ticks);
int64_t to_ticks(double seconds);
void run_machine(struct program *program, FILE *trace);

/* values.c: how things look in a trace. The text lives as long as the program. */
void *boxed(int64_t value);
void remember_shape(struct machine *m, aloop_future *future, struct shape *shape);
struct shape *shape_of(struct machine *m, aloop_future *future);
const char *text(struct machine *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *error_text(struct machine *m, int64_t code, aloop_error *error);
const char *bare_error_text(int64_t code);
const char *value_text(struct machine *m, const struct shape *shape, int64_t status, void *value);
const char *outcome_text(struct machine *m, aloop_future *future);
int64_t failure(struct outcome *out, int64_t code, aloop_error *error);
/* Gives the running task or callback the detail of its failure, and returns the status. */
int64_t raise_outcome(struct machine *m, const struct outcome *out);

/* awaitables.c */
struct coroutine;
struct built {
    aloop_future *future; /* NULL: a coroutine, run inline */
    struct coroutine *coroutine;
    struct shape *shape;
};
struct built build(struct machine *m, const struct aw *aw);
struct built *build_all(struct machine *m, struct aw *const *aw, int count);
/* Hands over a list of futures, each with a reference for the one that consumes it. */
aloop_future **to_futures(struct machine *m, struct built *list, int count, bool tasks);
int64_t await_future(struct machine *m, aloop_future *future, struct outcome *out);
int64_t await_built(struct machine *m, struct built *what, struct outcome *out);
aloop_future *ensure(struct machine *m, struct built *what);

/* blocks.c: the coroutine of an activation, called inline. */
int64_t run_body(struct activation *a, struct outcome *out);
/* The same as a task's. */
int64_t body_task(void *activation, void **value);

#endif
