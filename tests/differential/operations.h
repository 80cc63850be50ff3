/*
 * operations.h: the instructions of the language: their table, and those that
 * never suspend.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_DIFFERENTIAL_OPERATIONS_H
#define TESTS_DIFFERENTIAL_OPERATIONS_H

#include "machine.h"

/* The codes of what does not stand in the table of functions. */
enum { OP_BODY, OP_FUNC };
enum { OP_END, OP_EXCEPT, OP_FINALLY };
enum { OP_LOCK, OP_EVENT, OP_COND, OP_SEM, OP_BSEM, OP_BARRIER, OP_QUEUE };
enum { OP_AWAIT, OP_AWAITSELF, OP_RERAISE, OP_RETURN, OP_TRY, OP_LOOP, OP_TIMEOUT, OP_TIMEOUTAT,
       OP_GROUP, OP_WITHLOCK, OP_WITHCOND, OP_WITHSEM, OP_WITHBARRIER, OP_EACH };

const struct op *find_op(const char *name);
/* Executes an instruction of the sections SYNC and TASK_ONLY that is not one of
 * the codes above: its status, and what the trace shows in *value (NULL: nothing). */
int64_t operate(struct machine *m, const struct node *node, const char **value,
                aloop_error **error);
/* Declares one of the objects that the program opens with. */
void declare(struct machine *m, const struct node *node);

#endif
