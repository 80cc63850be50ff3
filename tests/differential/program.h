/*
 * program.h: a program of the differential language, as the parser reads it.
 *
 * A program is a tree of nodes, one for each instruction or block; the arguments
 * of an instruction are integers in the order of its signature, beside one word
 * (a name or message) and the awaitables. All memory belongs to the program's
 * arena and goes with it, so that nothing needs freeing where a task is dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_DIFFERENTIAL_PROGRAM_H
#define TESTS_DIFFERENTIAL_PROGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LIMIT 32           /* every number space */
#define MAX_TOKENS 64      /* of a line */
#define MAX_ACTIVATIONS 100
#define NO_TIME INT64_MIN  /* what `none` is where a time stands */

/* Memory that is freed as a whole. */
struct arena {
    struct arena_block *blocks;
};
void *arena_get(struct arena *arena, size_t size); /* zeroed; ends the process if there is none */
void arena_free(struct arena *arena);

/* What an instruction reads and that must have been written before. */
enum space { SPACE_SLOT, SPACE_TASK, SPACE_HANDLE, SPACE_TIMEOUT, SPACE_GROUP, SPACE_CTX,
             SPACE_TOKEN, SPACE_OTHER };

enum section { DECLARATION, SYNC, TASK_ONLY, BLOCK, CLAUSE, DEFINITION };

enum aw_kind { AW_F, AW_C, AW_SLEEP, AW_SLEEPRES, AW_ACQUIRE, AW_EVENT, AW_CACQUIRE, AW_CWAIT,
               AW_CWAITFOR, AW_SACQUIRE, AW_BWAIT, AW_BRESET, AW_BABORT, AW_PUT, AW_GET, AW_JOIN,
               AW_GATHER, AW_SHIELD, AW_WAIT, AW_WAITFOR };

struct aw {
    enum aw_kind kind;
    int64_t arg[3];
    int count;
    struct aw **child;
};



struct node;

struct op {
    const char *name;
    const char *signature; /* as in language.py */
    enum section section;
    int code;              /* which of its section, see operations.h */
};

struct read {
    enum space space;
    int number;
};

struct node {
    const struct op *op;
    int line;
    int64_t arg[4];
    const char *word;
    int aw_count;
    struct aw **aw;
    int bodies;            /* activations that the arguments start */
    int read_count;
    struct read read[MAX_TOKENS];
    struct node *block;    /* the first instruction inside */
    struct node *clauses;  /* of a `try`, in order */
    struct node *next;
};

struct program {
    struct arena arena;
    long number;
    struct node *declarations;
    struct node *bodies[LIMIT];
    struct node *funcs[LIMIT];
};

/* Reads the next program of a file; NULL at its end. What does not parse ends
 * the process with status 2. */
struct program *read_program(FILE *file);
void free_program(struct program *program);

#endif
