/*
 * operations.c: the instructions that never suspend: one function each, called
 * with the arguments, which gives a status and what the trace shows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "operations.h"

#include <math.h>
#include <string.h>

/* An instruction in execution. */
struct call {
    struct machine *m;
    const struct node *node;
    const int64_t *arg;
    const char *value;  /* for the trace; NULL: none */
    aloop_error *error; /* the detail of a failure */
};

/* Gives the trace an integer answer, or passes an error on. */
static int64_t number(struct call *c, int64_t n) {
    if (n >= 0) c->value = text(c->m, "%lld", (long long)n);
    return n;
}

/* The same where 1 and 0 stand for what the library counts or answers with a code. */
static int64_t quiet(int64_t status) { return status < 0 ? status : 0; }

static int64_t as(int64_t status, int64_t library, int64_t python) {
    return status == library ? python : quiet(status);
}

static aloop_future *slot(const struct call *c) { return c->m->slot[c->arg[0]]; }

static aloop_task *me(const struct call *c) { return aloop_current_task(c->m->loop); }

static int64_t op_mark(struct call *c) { (void)c; return 0; }

static int64_t op_now(struct call *c) {
    return number(c, to_ticks(aloop_loop_time(c->m->loop)));
}

static int64_t op_var(struct call *c) {
    c->m->var[c->arg[0]] = c->arg[1];
    return 0;
}

static int64_t op_future(struct call *c) {
    c->m->slot[c->arg[0]] = keep(c->m, aloop_loop_create_future(c->m->loop));
    return 0;
}

static int64_t op_setres(struct call *c) {
    return aloop_future_set_result(slot(c), 0, boxed(c->arg[1]), NULL);
}

static int64_t op_seterr(struct call *c) {
    return aloop_future_set_error_code(slot(c), E_USER(c->arg[1]));
}

static int64_t op_cancel(struct call *c) {
    return number(c, aloop_future_cancel(slot(c), c->node->word));
}

static int64_t op_peek(struct call *c) {
    c->value = outcome_text(c->m, slot(c));
    return 0;
}

static int64_t op_result(struct call *c) {
    void *value = NULL;
    const int64_t status = aloop_future_result(slot(c), &value);
    c->error = aloop_future_error(slot(c));
    if (status >= 0) c->value = value_text(c->m, shape_of(c->m, slot(c)), status, value);
    return quiet(status);
}

static int64_t op_error(struct call *c) {
    const int64_t status = aloop_future_result(slot(c), NULL);
    c->error = aloop_future_error(slot(c));
    if (aloop_future_done(slot(c)) == 0 || aloop_future_cancelled(slot(c)) != 0) return status;
    c->value = status < 0 ? error_text(c->m, status, c->error) : "none";
    return 0;
}

static int64_t op_ensure(struct call *c) {
    struct built what = build(c->m, c->node->aw[0]);
    c->m->slot[c->arg[0]] = keep(c->m, ensure(c->m, &what));
    return 0;
}

static int64_t op_adddone(struct call *c) {
    return aloop_future_add_done_callback(slot(c), run_done_callback, &c->m->callback[c->arg[1]],
                                          NULL);
}

static int64_t op_remdone(struct call *c) {
    return number(c, aloop_future_remove_done_callback(slot(c), run_done_callback,
                                                       &c->m->callback[c->arg[1]]));
}

static aloop_task_options *task_options(struct call *c, struct activation *a, bool eager) {
    aloop_task_options *options = keep(c->m, aloop_task_options_new());
    aloop_task_options_set_coro(options, body_task, a, NULL);
    aloop_task_options_set_eager_start(options, eager);
    return options;
}

static int64_t started(struct call *c, struct activation *a, int64_t into, aloop_future *task) {
    keep(c->m, task);
    if (aloop_task_state(task) < 0) return aloop_future_result(task, NULL);
    c->m->slot[into] = task;
    c->value = text(c->m, "c%d", a->number);
    return 0;
}

static int64_t op_spawn(struct call *c) {
    struct activation *a = new_activation(c->m, c->arg[1]);
    aloop_task_options *options = task_options(c, a, c->arg[2] == 1);
    if (c->arg[3] >= 0) aloop_task_options_set_context(options, c->m->ctx[c->arg[3]]);
    return started(c, a, c->arg[0], aloop_create_task_ex(options));
}

static int64_t op_gspawn(struct call *c) {
    struct activation *a = new_activation(c->m, c->arg[2]);
    aloop_task_options *options = task_options(c, a, c->arg[3] == 1);
    return started(c, a, c->arg[1],
                   aloop_task_group_create_task_ex(c->m->group[c->arg[0]], options));
}

static int64_t op_gcancel(struct call *c) {
    return aloop_task_group_cancel(c->m->group[c->arg[0]]);
}

static int64_t op_uncancel(struct call *c) { return number(c, aloop_task_uncancel(slot(c))); }

static int64_t op_cancelling(struct call *c) { return number(c, aloop_task_cancelling(slot(c))); }

static int64_t op_setname(struct call *c) { return aloop_task_set_name(slot(c), c->node->word); }

static int64_t name_of(struct call *c, aloop_task *task) {
    char name[64];
    const int64_t length = aloop_task_get_name(task, name, sizeof name);
    if (length < 0) return length;
    c->value = strncmp(name, "Task-", 5) == 0 ? "default" : text(c->m, "%s", name);
    return 0;
}

static int64_t op_getname(struct call *c) { return name_of(c, slot(c)); }

static int64_t op_whoami(struct call *c) { return name_of(c, me(c)); }

static int64_t op_alltasks(struct call *c) {
    return number(c, aloop_results_count(keep(c->m, aloop_all_tasks(NULL))));
}

static int64_t scheduled(struct call *c, int64_t handle) {
    if (handle > 0) c->m->handle[c->arg[0]] = handle;
    return quiet(handle);
}

static int64_t op_callsoon(struct call *c) {
    return scheduled(c, aloop_loop_call_soon(c->m->loop, run_callback,
                                             &c->m->callback[c->arg[1]], NULL));
}

static int64_t op_calllater(struct call *c) {
    return scheduled(c, aloop_loop_call_later(c->m->loop, seconds(c->arg[1]), run_callback,
                                              &c->m->callback[c->arg[2]], NULL));
}

static int64_t op_callat(struct call *c) {
    return scheduled(c, aloop_loop_call_at(c->m->loop, seconds(c->arg[1]), run_callback,
                                           &c->m->callback[c->arg[2]], NULL));
}

static int64_t op_hcancel(struct call *c) {
    return as(aloop_loop_cancel_handle(c->m->loop, (aloop_handle)c->m->handle[c->arg[0]]),
              ALOOP_ENOENT, 0);
}

static int64_t set_variable(struct machine *m, int64_t variable, int64_t value) {
    aloop_context_token *token;
    const int64_t status = aloop_contextvar_set(contextvars[variable], (void *)(intptr_t)value,
                                                NULL, &token);
    if (status >= 0) m->token[variable] = keep(m, token);
    return quiet(status);
}

static int64_t get_variable(struct call *c, int64_t variable) {
    return number(c, (intptr_t)aloop_contextvar_get(contextvars[variable]));
}

static int64_t op_ctxset(struct call *c) { return set_variable(c->m, c->arg[0], c->arg[1]); }

static int64_t op_ctxget(struct call *c) { return get_variable(c, c->arg[0]); }

static int64_t op_ctxreset(struct call *c) {
    return as(aloop_contextvar_reset(contextvars[c->arg[0]], c->m->token[c->arg[0]]),
              ALOOP_EINVALIDSTATE, E_RUNTIME);
}

static int64_t op_ctxcopy(struct call *c) {
    c->m->ctx[c->arg[0]] = keep(c->m, aloop_context_copy());
    return 0;
}

static int64_t set_inside(void *data) {
    struct call *c = data;
    return set_variable(c->m, c->arg[1], c->arg[2]);
}

static int64_t get_inside(void *data) {
    struct call *c = data;
    return get_variable(c, c->arg[1]);
}

static int64_t op_ctxrun(struct call *c) {
    return aloop_context_run(c->m->ctx[c->arg[0]], set_inside, c);
}

static int64_t op_ctxsee(struct call *c) {
    return aloop_context_run(c->m->ctx[c->arg[0]], get_inside, c);
}

static int64_t op_release(struct call *c) { return aloop_lock_release(c->m->lock[c->arg[0]]); }

static int64_t op_locked(struct call *c) {
    return number(c, aloop_lock_locked(c->m->lock[c->arg[0]]));
}

static int64_t op_set(struct call *c) { return aloop_event_set(c->m->event[c->arg[0]]); }

static int64_t op_clear(struct call *c) { return aloop_event_clear(c->m->event[c->arg[0]]); }

static int64_t op_isset(struct call *c) {
    return number(c, aloop_event_is_set(c->m->event[c->arg[0]]));
}

static int64_t op_notify(struct call *c) {
    return quiet(aloop_condition_notify(c->m->cond[c->arg[0]], c->arg[1]));
}

static int64_t op_notifyall(struct call *c) {
    return quiet(aloop_condition_notify_all(c->m->cond[c->arg[0]]));
}

static int64_t op_crelease(struct call *c) {
    return aloop_condition_release(c->m->cond[c->arg[0]]);
}

static int64_t op_clocked(struct call *c) {
    return number(c, aloop_condition_locked(c->m->cond[c->arg[0]]));
}

static int64_t op_srelease(struct call *c) {
    return quiet(aloop_semaphore_release(c->m->sem[c->arg[0]]));
}

static int64_t op_slocked(struct call *c) {
    return number(c, aloop_semaphore_locked(c->m->sem[c->arg[0]]));
}

static int64_t op_bstate(struct call *c) {
    aloop_barrier *barrier = c->m->barrier[c->arg[0]];
    c->value = text(c->m, "%d %d %d", (int)aloop_barrier_parties(barrier),
                    (int)aloop_barrier_n_waiting(barrier), (int)aloop_barrier_broken(barrier));
    return 0;
}

static int64_t op_putn(struct call *c) {
    return quiet(aloop_queue_put_nowait(c->m->queue[c->arg[0]], boxed(c->arg[1])));
}

static int64_t op_getn(struct call *c) {
    void *item = NULL;
    const int64_t status = aloop_queue_get_nowait(c->m->queue[c->arg[0]], &item);
    if (status >= 0) c->value = value_text(c->m, NULL, 0, item);
    return quiet(status);
}

static int64_t op_taskdone(struct call *c) {
    return quiet(aloop_queue_task_done(c->m->queue[c->arg[0]]));
}

static int64_t op_qstate(struct call *c) {
    aloop_queue *queue = c->m->queue[c->arg[0]];
    c->value = text(c->m, "%d %d %d", (int)aloop_queue_qsize(queue),
                    (int)aloop_queue_empty(queue), (int)aloop_queue_full(queue));
    return 0;
}

static int64_t op_shutdown(struct call *c) {
    return quiet(aloop_queue_shutdown(c->m->queue[c->arg[0]], c->arg[1] != 0));
}

static int64_t op_resched(struct call *c) {
    const double now = aloop_loop_time(c->m->loop);
    return as(aloop_timeout_reschedule(c->m->timeout[c->arg[0]], now + seconds(c->arg[1])),
              ALOOP_EINVALIDSTATE, E_RUNTIME);
}

static int64_t op_when(struct call *c) {
    const double when = aloop_timeout_when(c->m->timeout[c->arg[0]]);
    c->value = isinf(when) ? "none" : text(c->m, "%d", (int)to_ticks(when));
    return 0;
}

static int64_t op_expired(struct call *c) {
    return number(c, aloop_timeout_expired(c->m->timeout[c->arg[0]]));
}

static int64_t op_raise(struct call *c) { return E_USER(c->arg[0]); }

static int64_t op_cancelself(struct call *c) {
    return number(c, aloop_task_cancel(me(c), c->node->word));
}

static int64_t op_uncancelself(struct call *c) { return number(c, aloop_task_uncancel(me(c))); }

static int64_t op_cancellingself(struct call *c) {
    return number(c, aloop_task_cancelling(me(c)));
}

/* By position: struct op's code is an index here. */
static int64_t (*const functions[])(struct call *) = {
#define OPERATION(name, signature) op_##name,
#include "operations.def"
#undef OPERATION
};
enum {
#define OPERATION(name, signature) CODE_##name,
#include "operations.def"
#undef OPERATION
};

static const struct op ops[] = {
#define OPERATION(name, signature) {#name, signature, SYNC, CODE_##name},
#include "operations.def"
#undef OPERATION
    {"body", "int", DEFINITION, OP_BODY},
    {"func", "int", DEFINITION, OP_FUNC},
    {"end", "", CLAUSE, OP_END},
    {"except", "cancelled|timeout|group|error|any", CLAUSE, OP_EXCEPT},
    {"finally", "", CLAUSE, OP_FINALLY},
    {"lock", "lock", DECLARATION, OP_LOCK},
    {"event", "event", DECLARATION, OP_EVENT},
    {"cond", "cond int", DECLARATION, OP_COND},
    {"sem", "sem int", DECLARATION, OP_SEM},
    {"bsem", "sem int", DECLARATION, OP_BSEM},
    {"barrier", "barrier int", DECLARATION, OP_BARRIER},
    {"queue", "queue fifo|lifo|prio int", DECLARATION, OP_QUEUE},
    {"await", "aw", TASK_ONLY, OP_AWAIT},
    {"awaitself", "", TASK_ONLY, OP_AWAITSELF},
    {"reraise", "", TASK_ONLY, OP_RERAISE},
    {"return", "int", TASK_ONLY, OP_RETURN},
    {"try", "", BLOCK, OP_TRY},
    {"loop", "int", BLOCK, OP_LOOP},
    {"timeout", "timeout! when", BLOCK, OP_TIMEOUT},
    {"timeoutat", "timeout! when", BLOCK, OP_TIMEOUTAT},
    {"group", "group!", BLOCK, OP_GROUP},
    {"withlock", "lock", BLOCK, OP_WITHLOCK},
    {"withcond", "cond", BLOCK, OP_WITHCOND},
    {"withsem", "sem", BLOCK, OP_WITHSEM},
    {"withbarrier", "barrier", BLOCK, OP_WITHBARRIER},
    {"each", "plain|soft|async when aws", BLOCK, OP_EACH},
};

const struct op *find_op(const char *name) {
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, name) == 0) return &ops[i];
    }
    return NULL;
}

int64_t operate(struct machine *m, const struct node *node, const char **value,
                aloop_error **error) {
    struct call call = {m, node, node->arg, NULL, NULL};
    const int64_t status = functions[node->op->code](&call);
    *value = call.value;
    *error = status < 0 ? keep(m, aloop_ref(call.error)) : NULL;
    return quiet(status);
}

static int64_t smaller(const void *a, const void *b, void *data) {
    (void)data;
    return (intptr_t)a < (intptr_t)b ? -1 : (intptr_t)a > (intptr_t)b;
}

static void declare_queue(struct machine *m, const struct node *node) {
    static const int32_t kinds[] = {ALOOP_QUEUE_FIFO, ALOOP_QUEUE_LIFO, ALOOP_QUEUE_PRIORITY};
    aloop_queue_options *options = keep(m, aloop_queue_options_new());
    aloop_queue_options_set_kind(options, kinds[node->arg[1]]);
    aloop_queue_options_set_maxsize(options, node->arg[2]);
    aloop_queue_options_set_compare(options, smaller, NULL, NULL);
    aloop_queue_new(&m->queue[node->arg[0]], options);
    keep(m, m->queue[node->arg[0]]);
}

void declare(struct machine *m, const struct node *node) {
    const int64_t n = node->arg[0], value = node->arg[1];
    switch (node->op->section == SYNC ? -1 : node->op->code) {
    case OP_LOCK: aloop_lock_new(&m->lock[n]); keep(m, m->lock[n]); break;
    case OP_EVENT: aloop_event_new(&m->event[n]); keep(m, m->event[n]); break;
    case OP_COND:
        aloop_condition_new(&m->cond[n], value >= 0 ? m->lock[value] : NULL);
        keep(m, m->cond[n]);
        break;
    case OP_SEM: aloop_semaphore_new(&m->sem[n], value); keep(m, m->sem[n]); break;
    case OP_BSEM: aloop_bounded_semaphore_new(&m->sem[n], value); keep(m, m->sem[n]); break;
    case OP_BARRIER: aloop_barrier_new(&m->barrier[n], value); keep(m, m->barrier[n]); break;
    case OP_QUEUE: declare_queue(m, node); break;
    default: m->slot[n] = keep(m, aloop_loop_create_future(m->loop)); break; /* future */
    }
}
