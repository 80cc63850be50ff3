/*
 * blocks.c: walks the nested blocks of a body, on the stack of the task that runs
 * it: what suspends, and what contains other instructions.
 *
 * A block ends by falling off its end (0), by `return` (RETURNED, the value is in
 * the outcome) or by an error (a negative status, the detail is in the outcome).
 *
 * SPDX-License-Identifier: MIT
 */
#include "operations.h"

#define RETURNED 1

/* What an instruction is executed with. */
struct place {
    struct machine *m;
    struct activation *a;
    struct node *node;
    const struct outcome *caught; /* of the innermost handler around, or NULL */
    struct outcome *out;
};

static int64_t run_nodes(const struct place *around, struct node *first,
                         const struct outcome *caught);

/* The inside of the block that stands at the place. */
static int64_t run_inside(const struct place *p) {
    return run_nodes(p, p->node->block, p->caught);
}

static void note(const struct place *p, const char *what) {
    say_of(p->a, p->node->line, "%s", what);
}

/* Traces the error in the outcome, and passes it on. */
static int64_t failed(const struct place *p) {
    say_of(p->a, p->node->line, "! %s", error_text(p->m, p->out->status, p->out->error));
    return p->out->status;
}

static int64_t run_await(const struct place *p) {
    struct built what = build(p->m, p->node->aw[0]);
    const int64_t status = await_built(p->m, &what, p->out);
    if (status < 0) return failed(p);
    say_of(p->a, p->node->line, "= %s", value_text(p->m, what.shape, status, p->out->value));
    return 0;
}

static int64_t run_awaitself(const struct place *p) {
    aloop_future *self = aloop_ref(aloop_current_task(p->m->loop));
    int64_t status = await_future(p->m, self, p->out);
    if (status == ALOOP_EINVAL) status = failure(p->out, E_RUNTIME, NULL);
    if (status < 0) return failed(p);
    note(p, "=");
    return 0;
}

static int64_t run_reraise(const struct place *p) {
    if (p->caught == NULL) {
        note(p, "skip");
        return 0;
    }
    *p->out = *p->caught;
    return failed(p);
}

static int64_t run_return(const struct place *p) {
    say_of(p->a, p->node->line, "= %lld", (long long)p->node->arg[0]);
    *p->out = (struct outcome){0, boxed(p->node->arg[0]), NULL};
    return RETURNED;
}

static int64_t run_loop(const struct place *p) {
    for (int64_t i = 0; i < p->node->arg[0]; i++) {
        const int64_t how = run_inside(p);
        if (how != 0) return how;
    }
    return 0;
}

/* Whether `except KIND` catches the error; the kinds in the order of its signature. */
static bool matches(int64_t kind, int64_t code) {
    switch (kind) {
    case 0: return code == ALOOP_ECANCELED;
    case 1: return code == ALOOP_ETIMEDOUT;
    case 2: return code == ALOOP_EGROUP;
    case 3: return code != ALOOP_ECANCELED;
    default: return true;
    }
}

/* The `try` block with its `except` clauses. */
static int64_t run_handled(const struct place *p) {
    const int64_t how = run_inside(p);
    if (how >= 0) return how;
    for (struct node *clause = p->node->clauses; clause != NULL; clause = clause->next) {
        if (clause->op->code != OP_EXCEPT || !matches(clause->arg[0], how)) continue;
        const struct outcome caught = *p->out;
        say_of(p->a, clause->line, "caught %s", error_text(p->m, caught.status, caught.error));
        return run_nodes(p, clause->block, &caught);
    }
    return how;
}

static int64_t run_try(const struct place *p) {
    int64_t how = run_handled(p);
    struct node *last = p->node->clauses;
    while (last != NULL && last->op->code != OP_FINALLY) last = last->next;
    if (last == NULL) return how;
    const struct outcome before = *p->out;
    const int64_t overriding = run_nodes(p, last->block, p->caught);
    if (overriding != 0) return overriding;
    *p->out = before;
    return how;
}

static int64_t run_timeout(const struct place *p) {
    aloop_timeout *timeout;
    const double when = seconds(p->node->arg[1]);
    const int64_t code = p->node->op->code == OP_TIMEOUT ? aloop_timeout_enter(&timeout, when)
                                                         : aloop_timeout_at(&timeout, when);
    if (code < 0) {
        failure(p->out, code, NULL);
        return failed(p);
    }
    p->m->timeout[p->node->arg[0]] = keep(p->m, timeout);
    note(p, "enter");
    const int64_t how = run_inside(p);
    const int64_t status = aloop_timeout_exit(timeout, how);
    const int expired = (int)aloop_timeout_expired(timeout);
    if (status < 0) {
        if (status != how) failure(p->out, status, NULL);
        say_of(p->a, p->node->line, "! %s %d",
               error_text(p->m, p->out->status, p->out->error), expired);
        return status;
    }
    say_of(p->a, p->node->line, "exit %d", expired);
    return how;
}

static int64_t run_group(const struct place *p) {
    aloop_task_group *group;
    const int64_t code = aloop_task_group_enter(&group);
    if (code < 0) {
        failure(p->out, code, NULL);
        return failed(p);
    }
    p->m->group[p->node->arg[0]] = group;
    keep(p->m, aloop_ref(group)); /* exit drops the first reference */
    note(p, "enter");
    const int64_t how = run_inside(p);
    if (how < 0) raise_outcome(p->m, p->out);
    const int64_t status = aloop_task_group_exit(group, how < 0 ? how : 0);
    if (status < 0) {
        failure(p->out, status, keep(p->m, aloop_ref(aloop_last_error())));
        return failed(p);
    }
    note(p, "exit");
    return how < 0 ? 0 : how; /* the group may swallow the cancellation that it caused */
}

static aloop_future *acquire(const struct place *p) {
    const int64_t n = p->node->arg[0];
    switch (p->node->op->code) {
    case OP_WITHLOCK: return aloop_lock_acquire(p->m->lock[n]);
    case OP_WITHCOND: return aloop_condition_acquire(p->m->cond[n]);
    case OP_WITHSEM: return aloop_semaphore_acquire(p->m->sem[n]);
    default: return aloop_barrier_wait(p->m->barrier[n]);
    }
}

static int64_t release(const struct place *p) {
    const int64_t n = p->node->arg[0];
    switch (p->node->op->code) {
    case OP_WITHLOCK: return aloop_lock_release(p->m->lock[n]);
    case OP_WITHCOND: return aloop_condition_release(p->m->cond[n]);
    case OP_WITHSEM: return aloop_semaphore_release(p->m->sem[n]);
    default: return 0;
    }
}

static int64_t run_with(const struct place *p) {
    const int64_t entered = await_future(p->m, acquire(p), p->out);
    if (entered < 0) return failed(p);
    if (p->node->op->code == OP_WITHBARRIER) {
        say_of(p->a, p->node->line, "enter %d", (int)entered);
    } else {
        note(p, "enter -");
    }
    const int64_t how = run_inside(p);
    const int64_t status = release(p);
    if (status < 0) failure(p->out, status, NULL);
    if (status < 0 || how < 0) return failed(p);
    note(p, "exit");
    return how;
}

/* An iteration over what finishes. */
struct each {
    aloop_completions *from;
    struct aw **aw;
    aloop_future **futures;
    int count;
    bool shaped; /* some value needs its future to be written */
};

enum { PLAIN, SOFT, ASYNC };

static bool is_coroutine(const struct aw *aw) {
    return aw->kind != AW_F && aw->kind != AW_GATHER && aw->kind != AW_SHIELD;
}

static void note_future(const struct place *p, const struct each *e, aloop_future *future) {
    int at = 0;
    while (at < e->count && (e->futures[at] != future || is_coroutine(e->aw[at]))) at++;
    const char *position = at < e->count ? text(p->m, "%d", at) : "-";
    say_of(p->a, p->node->line, "next %s %s", position, outcome_text(p->m, future));
}

/* Waits for the next one and traces it: its status, or that of the iteration. */
static int64_t next(const struct place *p, const struct each *e) {
    const struct shape *shape = NULL;
    int64_t status;
    if (p->node->arg[0] != ASYNC && !e->shaped) {
        status = await_future(p->m, aloop_as_completed_next_result(e->from), p->out);
    } else {
        status = await_future(p->m, aloop_as_completed_next(e->from), p->out);
        aloop_future *future = p->out->value;
        if (status >= 0 && p->node->arg[0] == ASYNC) {
            note_future(p, e, future);
            return 0;
        }
        if (status >= 0) {
            shape = shape_of(p->m, future);
            status = await_future(p->m, aloop_ref(future), p->out);
        }
    }
    if (status < 0) return status;
    say_of(p->a, p->node->line, "next %s", value_text(p->m, shape, status, p->out->value));
    return 0;
}

static int64_t iterate(const struct place *p, const struct each *e) {
    for (;;) {
        int64_t status = next(p, e);
        if (status == ALOOP_ESTOPITERATION) return 0;
        if (status < 0 && p->node->arg[0] == SOFT && status != ALOOP_ECANCELED) {
            say_of(p->a, p->node->line, "missed %s",
                   error_text(p->m, p->out->status, p->out->error));
            continue;
        }
        if (status >= 0) status = run_inside(p);
        if (status != 0) return status;
    }
}

static int64_t run_each(const struct place *p) {
    struct each e = {NULL, p->node->aw, NULL, p->node->aw_count, false};
    struct built *list = build_all(p->m, e.aw, e.count);
    for (int i = 0; i < e.count; i++) e.shaped = e.shaped || list[i].shape != NULL;
    e.futures = to_futures(p->m, list, e.count, e.shaped);
    for (int i = 0; i < e.count; i++) keep(p->m, aloop_ref(e.futures[i]));
    const double timeout = p->node->arg[1] == NO_TIME ? -1 : seconds(p->node->arg[1]);
    int64_t status = aloop_as_completed(&e.from, e.futures, e.count, timeout);
    if (status < 0) {
        failure(p->out, status, NULL);
        return failed(p);
    }
    keep(p->m, e.from);
    status = iterate(p, &e);
    if (status < 0) return failed(p);
    if (status == 0) note(p, "exit");
    return status;
}

static int64_t run_node(const struct place *p) {
    switch (p->node->op->code) {
    case OP_AWAIT: return run_await(p);
    case OP_AWAITSELF: return run_awaitself(p);
    case OP_RERAISE: return run_reraise(p);
    case OP_RETURN: return run_return(p);
    case OP_TRY: return run_try(p);
    case OP_LOOP: return run_loop(p);
    case OP_TIMEOUT:
    case OP_TIMEOUTAT: return run_timeout(p);
    case OP_GROUP: return run_group(p);
    case OP_EACH: return run_each(p);
    default: return run_with(p);
    }
}

static int64_t run_nodes(const struct place *around, struct node *first,
                         const struct outcome *caught) {
    char who[16];
    snprintf(who, sizeof who, "c%d", around->a->number);
    for (struct node *node = first; node != NULL; node = node->next) {
        const struct place p = {around->m, around->a, node, caught, around->out};
        int64_t how = 0;
        p.a->line = node->line;
        if (node->op->section == SYNC) {
            how = run_sync(p.m, who, node, p.out);
        } else if (!runnable(p.m, node)) {
            note(&p, "skip");
        } else {
            how = run_node(&p);
        }
        if (how != 0) return how;
    }
    return 0;
}

int64_t run_body(struct activation *a, struct outcome *out) {
    const struct place p = {a->machine, a, a->body, NULL, out};
    a->task = aloop_current_task(a->machine->loop);
    say_of(a, a->body->line, "start %d %d", (int)(intptr_t)aloop_contextvar_get(contextvars[0]),
           (int)(intptr_t)aloop_contextvar_get(contextvars[1]));
    const int64_t how = run_inside(&p);
    a->task = NULL;
    if (how < 0) {
        say_of(a, a->body->line, "failed %s", error_text(a->machine, how, out->error));
        return how;
    }
    if (how != RETURNED) *out = (struct outcome){0, boxed(0), NULL};
    say_of(a, a->body->line, "ended %s", value_text(a->machine, NULL, 0, out->value));
    return 0;
}

int64_t body_task(void *activation, void **value) {
    struct activation *a = activation;
    struct outcome out = {0, NULL, NULL};
    run_body(a, &out);
    *value = out.value;
    return raise_outcome(a->machine, &out);
}
